//! This run beside the paper and other systems. What we could not see in print is called unverified.

use crate::plots::Rows;
use crate::published::{Field, Quantity, published};
use crate::records::Table;
use crate::rows::{EncryptedRow, TrainRow};
use crate::text::{bytes, count, percent, percent_of, seconds, table};
use anyhow::Result;
use std::path::Path;

/// The paper's claims, each with what this run has to say to it.
pub fn statements(rows: &Rows) -> String {
    let secure = || {
        rows.encrypted.iter().filter(|row| {
            row.dataset == "mnist" && row.security_bits.is_some_and(|bits| bits >= 128)
        })
    };
    let best = |value: fn(&EncryptedRow) -> Option<f64>| {
        secure()
            .filter_map(|row| Some((value(row)?, row)))
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
    };
    let batch_s = |row: &EncryptedRow| Some(row.infer_s? / row.batches? as f64);
    let ours = |quantity: Quantity| match quantity {
        Quantity::Accuracy => best(|row| row.accuracy_encrypted).map(|(value, row)| {
            format!(
                "{} encrypted, {} images, {}",
                percent_of(Some(value), row.images),
                row.images,
                row.model
            )
        }),
        Quantity::AccuracyExact => {
            let exact = rows
                .encrypted
                .iter()
                .filter(|row| row.method == "exact")
                .filter_map(|row| Some((row.accuracy_float?, row.model.clone())));
            let trained = rows
                .train
                .iter()
                .filter(|row| row.method == "exact")
                .filter_map(|row| Some((row.test_accuracy?, row.network.clone())));
            exact
                .chain(trained)
                .max_by(|(a, _), (b, _)| a.total_cmp(b))
                .map(|(value, name)| format!("{}, {name}", percent(Some(value))))
        }
        Quantity::ImagesPerHour => best(|row| row.images_per_hour)
            .map(|(value, row)| format!("{} ({:.0}), {}", count(value), value, row.model)),
        Quantity::BatchS => secure()
            .filter_map(|row| Some((batch_s(row)?, row)))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(value, row)| {
                format!(
                    "{} for {} images, {}",
                    seconds(value),
                    row.slots.unwrap_or(0),
                    row.model
                )
            }),
        Quantity::CiphertextBytes => secure()
            .filter_map(|row| Some((row.ciphertext_bytes?, row)))
            .min_by_key(|(value, _)| *value)
            .map(|(value, row)| {
                format!(
                    "{} for {} images, {}",
                    bytes(value),
                    row.slots.unwrap_or(0),
                    row.model
                )
            }),
    };
    let lines: Vec<Vec<String>> = published()
        .statements
        .iter()
        .map(|claim| {
            let measured = ours(claim.quantity).unwrap_or_else(|| "not measured".to_string());
            vec![
                claim.what.clone(),
                claim.value.clone(),
                claim.certainty.word().to_string(),
                measured,
            ]
        })
        .collect();
    format!(
        "Hesamifard, Takabi, Ghasemi, *CryptoDL: Deep Neural Networks over Encrypted Data*, arXiv 1711.05189. Their networks, machine and \
         parameters are others than ours.\n\n{}",
        table(&["claim", "paper", "how sure", "this run"], &lines)
    )
}

/// The paper's five methods for ReLU beside our retraining with them, from this run or the sweep beside it.
pub fn methods(folder: &Path, rows: &Rows) -> Result<String> {
    let sweep = folder.parent().map(|results| results.join("sweep-degree"));
    let of_sweep: Vec<TrainRow> = if rows
        .train
        .iter()
        .any(|row| row.method == "derivative" && row.activation == "relu")
    {
        Vec::new()
    } else {
        sweep.map_or(Ok(Vec::new()), |sweep| Table::read(&sweep))?
    };
    let trained = if of_sweep.is_empty() {
        &rows.train
    } else {
        &of_sweep
    };
    let lines: Vec<Vec<String>> = published()
        .methods
        .iter()
        .map(|method| {
            let of_method = trained
                .iter()
                .filter(|row| row.activation == "relu" && row.method == method.name);
            // chosen by the held-out images, so that the test accuracy is that of a choice made without it
            let best = of_method
                .filter_map(|row| Some((row.validation_accuracy?, row.test_accuracy?, row)))
                .max_by(|(a, ..), (b, ..)| a.total_cmp(b))
                .map(|(_, test, row)| (test, row));
            let ours = best.map_or(
                "not measured here: `cryptodl sweep degree`".to_string(),
                |(value, row)| {
                    format!(
                        "{}, degree {}, {}, {} epochs, run {}",
                        percent(Some(value)),
                        row.degree,
                        row.network,
                        row.epochs,
                        row.run_id
                    )
                },
            );
            vec![
                method.name.clone(),
                percent(Some(method.accuracy)),
                method.certainty.word().to_string(),
                ours,
            ]
        })
        .collect();
    Ok(format!(
        "ReLU replaced by each method's polynomial, network retrained, MNIST:\n\n{}",
        table(
            &["method", "paper", "how sure", "best of ours by validation"],
            &lines
        )
    ))
}

/// Other systems on MNIST.
pub fn systems() -> String {
    let lines: Vec<Vec<String>> = published()
        .systems
        .iter()
        .filter(|system| system.dataset == "mnist")
        .map(|system| {
            let note = if system.note.is_empty() {
                String::new()
            } else {
                format!(": {}", system.note)
            };
            vec![
                system.title(),
                system.marked(Field::Accuracy, &percent(Some(system.accuracy))),
                system.marked(Field::Hardware, &system.hardware),
                system.marked(
                    Field::Seconds,
                    &format!("{} per {}", seconds(system.seconds), system.unit),
                ),
                system.images_per_hour.map_or("–".to_string(), |rate| {
                    system.marked(Field::ImagesPerHour, &count(rate))
                }),
                format!("{}{note}", system.certainty.word()),
            ]
        })
        .collect();
    format!(
        "Other systems on MNIST, as published; ~ is recalled and unverified:\n\n{}",
        table(
            &[
                "system",
                "encrypted accuracy",
                "hardware",
                "time",
                "images/h",
                "how sure"
            ],
            &lines
        )
    )
}

/// The polynomials that the authors' public code computes, beside ours.
pub fn polynomials() -> String {
    let lines: Vec<Vec<String>> = published()
        .polynomials
        .iter()
        .filter_map(|known| {
            let ours = known.ours()?;
            let list = |values: &[f64]| {
                values
                    .iter()
                    .map(|value| format!("{value:.7}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let gap = known
                .even
                .iter()
                .zip(&ours)
                .map(|(theirs, ours)| (theirs - ours).abs())
                .fold(0.0, f64::max);
            Some(vec![
                known.method.clone(),
                known.degree().to_string(),
                list(&known.even),
                list(&ours),
                format!("{gap:.0e}"),
            ])
        })
        .collect();
    format!(
        "ReLU ≈ x/2 + l (c0 + c2 u² + c4 u⁴), u = x/l: the coefficients c0, c2, c4 of the authors' public code, and of our fits. \
         The derivative methods drop the constant; there l is large.\n\n{}",
        table(
            &["method", "degree", "theirs", "ours", "largest gap"],
            &lines
        )
    )
}
