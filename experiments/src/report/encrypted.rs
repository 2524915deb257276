//! The encrypted evaluations of a run.

use crate::distinct::distinct;
use crate::evaluation::Detail;
use crate::growth::GrowthRow;
use crate::manifest::Manifest;
use crate::plots::Rows;
use crate::rows::EncryptedRow;
use crate::text::{bytes, count, percent, percent_of, seconds, shown, table};
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;

/// One line a model: the table of the report and of the README, with machine and command.
pub fn summary(rows: &Rows, manifest: &Manifest) -> Result<String> {
    let best = |model: &str, value: fn(&EncryptedRow) -> Option<f64>| {
        let of_model = rows.encrypted.iter().filter(|row| row.model == model);
        of_model
            .filter_map(|row| Some((value(row)?, row.images)))
            .max_by_key(|(_, images)| *images)
    };
    let mut lines = Vec::new();
    for model in distinct(&rows.encrypted, |row| row.model.clone()) {
        let of_model: Vec<&EncryptedRow> = rows
            .encrypted
            .iter()
            .filter(|row| row.model == model)
            .collect();
        let float = best(&model, |row| row.accuracy_float);
        let integer = best(&model, |row| row.accuracy_integer);
        let encrypted: Vec<&&EncryptedRow> = of_model
            .iter()
            .filter(|row| row.infer_s.is_some() && row.accuracy_encrypted.is_some())
            .collect();
        let common = |images: usize, float: Option<f64>, integer: Option<f64>| {
            vec![
                model.clone(),
                of_model.first().map_or(String::new(), |row| {
                    format!("{} {} {}", row.activation, row.method, row.degree)
                }),
                images.to_string(),
                percent(float),
                percent(integer),
            ]
        };
        if encrypted.is_empty() {
            let images = of_model.iter().map(|row| row.images).max().unwrap_or(0);
            let (float, integer) = (float.map(|(v, _)| v), integer.map(|(v, _)| v));
            lines.push([common(images, float, integer), vec!["–".to_string(); 6]].concat());
        }
        for row in encrypted {
            let measured = vec![
                format!(
                    "{} ({})",
                    percent_of(row.accuracy_encrypted, row.images),
                    row.scheme
                ),
                shown(row.agreement, |share| share.to_string()),
                row.security_bits
                    .map_or("–".to_string(), |bits| format!("{bits} bits")),
                shown(row.infer_s, seconds),
                shown(row.images_per_hour, count),
                shown(row.images_per_hour_end_to_end, count),
            ];
            let common = common(row.images, row.accuracy_float, row.accuracy_integer);
            lines.push([common, measured].concat());
        }
    }
    let header = [
        "model",
        "activation",
        "images",
        "float",
        "integer",
        "encrypted (95 %)",
        "agreement",
        "security",
        "server time",
        "images/h",
        "end to end",
    ];
    let mut text = table(&header, &lines);
    writeln!(
        text,
        "\n{}, {} cores, run `{}` of {}, by `{}`. Integer: the quantised weights without encryption. \
         Agreement: share of images with the same answer as those. Server time is that of all these images; \
         images/h: full batches over server time (the last batch of a test set is partly empty); end to end: over encryption, server time \
         and decryption.{}",
        manifest.cpu,
        manifest.cores,
        manifest.run_id,
        manifest.first.started.split('T').next().unwrap_or_default(),
        manifest.first.command.join(" "),
        ratios(&rows.encrypted)
    )?;
    Ok(text)
}

/// How much faster one encrypted scheme was than another on the same network, in words.
fn ratios(rows: &[EncryptedRow]) -> String {
    let rate = |row: &EncryptedRow| row.images_per_hour.filter(|_| row.security_bits.is_some());
    let pairs = rows.iter().flat_map(|fast| {
        rows.iter().filter_map(move |slow| {
            let ratio = rate(fast)? / rate(slow)?;
            let same = fast.model == slow.model && fast.images == slow.images;
            (same && ratio > 1.0).then(|| {
                format!(
                    " On {}, `{}` answered {ratio:.0} times as many images an hour as `{}`.",
                    fast.model, fast.scheme, slow.scheme
                )
            })
        })
    });
    pairs.collect()
}

/// The points of a growth run.
pub fn growth(rows: &[GrowthRow]) -> String {
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.varied.replace('_', " "),
                row.width.to_string(),
                row.depth.to_string(),
                row.ring_degree.map_or("–".to_string(), |n| n.to_string()),
                shown(row.log2_qp, |bits| format!("{bits:.0}")),
                shown(row.infer_s, seconds),
                shown(row.predicted_infer_s, seconds),
                row.peak_rss_bytes.map_or("–".to_string(), bytes),
                row.predicted_memory_bytes.map_or("–".to_string(), bytes),
                shown(row.precision_bits, |bits| format!("{bits:.1}")),
                shown(row.predicted_precision_bits, |bits| format!("{bits:.1}")),
            ]
        })
        .collect();
    let header = [
        "varied",
        "width",
        "depth",
        "N",
        "log2 QP",
        "server time of a batch",
        "predicted",
        "peak memory",
        "predicted",
        "precision (bits)",
        "predicted",
    ];
    table(&header, &lines)
}

/// Parameters, sizes and stages of each encrypted row; what the plan predicted; seconds of each layer.
pub fn details(folder: &Path, rows: &Rows) -> Result<String> {
    let encrypted: Vec<&EncryptedRow> = rows
        .encrypted
        .iter()
        .filter(|row| row.ring_degree.is_some())
        .collect();
    if encrypted.is_empty() {
        return Ok(String::new());
    }
    let mut text = sizes(&encrypted) + "\n";
    for row in encrypted {
        let Some(detail) = Detail::read(folder, row)? else {
            continue;
        };
        writeln!(
            text,
            "### {} with {}\n\n```text\n{}\n```\n",
            row.model,
            row.scheme,
            detail.plan.trim_end()
        )?;
        if let (Some(predicted), Some(measured)) =
            (detail.measurement.predicted_infer_s, row.infer_s)
        {
            let ratio = measured / predicted;
            writeln!(
                text,
                "Server time predicted {}, measured {} ({ratio:.2} times).\n",
                seconds(predicted),
                seconds(measured)
            )?;
        }
        let own = rows.stages.iter().filter(|stage| {
            (&stage.model, &stage.scheme, stage.images) == (&row.model, &row.scheme, row.images)
        });
        let stages: Vec<Vec<String>> = own
            .map(|stage| {
                vec![
                    stage.stage.clone(),
                    stage.layer.clone(),
                    seconds(stage.seconds),
                    shown(stage.word_products_per_s, |rate| {
                        format!("{:.0} G", rate * 1e-9)
                    }),
                    percent(stage.share_of_bare_product),
                ]
            })
            .collect();
        let header = [
            "stage",
            "layer",
            "time",
            "weight × residue a second",
            "of the bare product",
        ];
        writeln!(text, "{}", table(&header, &stages))?;
    }
    Ok(text)
}

/// Parameters, sizes and times, a line each row.
fn sizes(encrypted: &[&EncryptedRow]) -> String {
    let whole = |value: Option<usize>| value.map_or("–".to_string(), |value| value.to_string());
    let lines: Vec<Vec<String>> = encrypted
        .iter()
        .map(|row| {
            vec![
                format!("{}, {}", row.model, row.scheme),
                format!(
                    "N = {}, log2 QP = {}",
                    whole(row.ring_degree),
                    shown(row.log2_qp, |bits| format!("{bits:.0}"))
                ),
                whole(row.depth),
                whole(row.batches),
                row.ciphertext_bytes.map_or("–".to_string(), bytes),
                row.key_bytes.map_or("–".to_string(), bytes),
                row.peak_rss_bytes.map_or("–".to_string(), bytes),
                row.predicted_memory_bytes.map_or("–".to_string(), bytes),
                shown(row.noise_bits_left, |bits| format!("{bits:.1}")),
                shown(row.precision_bits, |bits| format!("{bits:.1}")),
                shown(row.predicted_precision_bits, |bits| format!("{bits:.1}")),
                shown(row.max_logit_error, |error| format!("{error:.1e}")),
                shown(row.keygen_s, seconds),
                shown(row.encrypt_s, seconds),
                shown(row.infer_s, seconds),
                shown(row.decrypt_s, seconds),
            ]
        })
        .collect();
    let header = [
        "model",
        "parameters",
        "depth",
        "batches",
        "ciphertexts a batch",
        "keys",
        "peak memory",
        "predicted",
        "noise bits left",
        "precision (bits)",
        "predicted",
        "largest logit error",
        "keys made",
        "encrypted",
        "inferred",
        "decrypted",
    ];
    table(&header, &lines)
}
