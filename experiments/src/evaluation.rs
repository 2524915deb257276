//! One evaluation: a trained network and a scheme in, a row out.

use crate::manifest::Settings;
use crate::model::Model;
use crate::progress;
use crate::records::{Record, Table, write_whole};
use crate::rows::EncryptedRow;
use crate::run_folder::RunFolder;
use crate::source::Source;
use crate::text::{count, percent};
use anyhow::{Context, Result, bail};
use clap::Args;
use cryptodl_he_eval::{Measurement, Options, prepare, schemes};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// How to evaluate.
#[derive(Args, Clone, Debug)]
pub struct EvaluationFlags {
    /// Evaluate only the first so many test images [default: all].
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Bits of an integer weight with its sign, 2 to 12 [default: 6 for schemes on integers, 8 for `ckks`].
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(2..=12))]
    pub weight_bits: Option<u32>,
    /// Bits of a pixel, 1 to 8 [default: 4; `ckks` always takes all 8].
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=8))]
    pub input_bits: Option<u32>,
    /// Smallest ring degree: 4096, 8192, 16384 or 32768. A larger ring takes more images a batch, and longer for each batch
    /// [default: the smallest that is secure].
    #[arg(long, value_name = "N", conflicts_with = "toy")]
    pub ring_degree: Option<usize>,
    /// Use small parameters WITHOUT security, to try things out quickly.
    #[arg(long)]
    pub toy: bool,
    /// Folder in which `tfhe` keeps its keys between runs; made if it is not there [default: new keys for every run].
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Run `tfhe-integer` even if the plan predicts a quarter of an hour or more for an image.
    #[arg(long)]
    pub any_cost: bool,
}

/// What is kept of a measurement beyond the columns of its row, in `measurements/MODEL-SCHEME-IMAGES.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// The plan as it was printed before the run.
    pub plan: String,
    /// Everything that was measured, seconds of each node included.
    pub measurement: Measurement,
}

impl EvaluationFlags {
    /// The settings for `he-eval`.
    pub fn options(&self) -> Options {
        Options {
            weight_bits: self.weight_bits,
            input_bits: self.input_bits,
            images: self.images,
            threads: self.threads,
            ring_degree: self.ring_degree,
            toy: self.toy,
            keys: self.keys.clone(),
            any_cost: self.any_cost,
        }
    }

    /// What shapes rows beyond their key.
    pub fn settings(&self, models: &[Model]) -> Settings {
        let mut settings = Settings::from([
            ("weight_bits".to_string(), json!(self.weight_bits)),
            ("input_bits".to_string(), json!(self.input_bits)),
            ("threads".to_string(), json!(self.threads)),
            ("ring_degree".to_string(), json!(self.ring_degree)),
            ("toy".to_string(), json!(self.toy)),
        ]);
        settings.extend(models.iter().map(|model| {
            (
                format!("sha256 of model {}", model.name),
                json!(model.sha256),
            )
        }));
        settings
    }
}

impl Model {
    /// A row with this model's inputs and nothing measured.
    pub fn row(&self, run_id: &str, scheme: &str, images: usize) -> EncryptedRow {
        let provenance = &self.artifact.provenance;
        EncryptedRow {
            run_id: run_id.to_string(),
            model: self.name.clone(),
            network: self.artifact.network.name.clone(),
            dataset: provenance.dataset.clone(),
            activation: provenance.activation.clone(),
            method: if provenance.method.is_empty() {
                "exact".to_string()
            } else {
                provenance.method.clone()
            },
            degree: provenance.degree,
            scheme: scheme.to_string(),
            images,
            ..EncryptedRow::default()
        }
    }

    /// Plans, measures and records, unless the row is there. An error becomes a row if `keep_errors`.
    pub fn record(
        &self,
        scheme: &str,
        flags: &EvaluationFlags,
        source: &mut Source,
        run: &mut RunFolder,
        table: &mut Table<EncryptedRow>,
        keep_errors: bool,
    ) -> Result<()> {
        let images = self.images(flags, source, run)?;
        let planned = self.row(run.id(), scheme, images);
        if table.contains(&planned.key()) {
            return Ok(());
        }
        let row = match self.measure(scheme, flags, source, run) {
            Ok(detail) => {
                let text = serde_json::to_string_pretty(&detail)
                    .context("cannot write a measurement as JSON")?;
                write_whole(&detail_path(run.path(), &planned), (text + "\n").as_bytes())?;
                filled(planned, &detail.measurement)
            }
            Err(error) if keep_errors => EncryptedRow {
                error: Some(format!("{error:#}")),
                ..planned
            },
            Err(error) => return Err(error),
        };
        table.append(row)
    }

    /// Test images that will be evaluated.
    fn images(
        &self,
        flags: &EvaluationFlags,
        source: &mut Source,
        run: &mut RunFolder,
    ) -> Result<usize> {
        let all = source
            .load(&self.artifact.provenance.dataset, run)?
            .test
            .len();
        if flags.images == Some(0) {
            bail!("there are no images to evaluate: ask for at least one with `--images`");
        }
        Ok(flags.images.unwrap_or(all).min(all))
    }

    fn measure(
        &self,
        scheme: &str,
        flags: &EvaluationFlags,
        source: &mut Source,
        run: &mut RunFolder,
    ) -> Result<Detail> {
        let options = flags.options();
        let test = &source.load(&self.artifact.provenance.dataset, run)?.test;
        let images = options.images.unwrap_or(test.len()).min(test.len());
        let prepared = prepare(scheme, &self.artifact, images, &options)?;
        let plan = prepared.plan().to_string();
        let bar = progress::share_bar(scheme);
        progress::say(&bar, plan.trim_end());
        let measured = prepared.measure(&test.pixels, &test.labels, &mut |at| {
            progress::set_share(&bar, at.done);
            bar.set_message(at.stage);
        });
        bar.finish_and_clear();
        Ok(Detail {
            plan,
            measurement: measured?,
        })
    }
}

impl Detail {
    /// Reads what is kept of the measurement of a row, if anything is.
    pub fn read(folder: &Path, row: &EncryptedRow) -> Result<Option<Self>> {
        let path = detail_path(folder, row);
        if !path.exists() {
            return Ok(None);
        }
        let json = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let detail = serde_json::from_str(&json)
            .with_context(|| format!("`{}` is damaged", path.display()))?;
        Ok(Some(detail))
    }
}

/// Where the detail of a row lies.
fn detail_path(folder: &Path, row: &EncryptedRow) -> PathBuf {
    folder
        .join("measurements")
        .join(format!("{}-{}-{}.json", row.model, row.scheme, row.images))
}

/// The schemes of these names, `all` standing for every one.
pub fn scheme_names(names: &[String]) -> Result<Vec<String>> {
    let known: Vec<&str> = schemes().iter().map(|entry| entry.name()).collect();
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        let expanded: Vec<&str> = if name == "all" {
            known.clone()
        } else {
            vec![name.as_str()]
        };
        for name in expanded {
            if !known.contains(&name) {
                bail!(
                    "unknown scheme `{name}`: the known ones are {}",
                    known.join(", ")
                );
            }
            if !chosen.iter().any(|chosen| chosen == name) {
                chosen.push(name.to_string());
            }
        }
    }
    Ok(chosen)
}

/// One row for reading.
pub fn line(row: &EncryptedRow) -> String {
    let EncryptedRow {
        model,
        scheme,
        images,
        ..
    } = row;
    if let Some(error) = &row.error {
        return format!("{model}, {scheme}: {error}");
    }
    let float = percent(row.accuracy_float);
    let integer = row.accuracy_integer.map_or(String::new(), |_| {
        format!(", integer {}", percent(row.accuracy_integer))
    });
    let encrypted = match (row.security_bits, row.agreement, row.images_per_hour) {
        (Some(bits), Some(agreement), Some(rate)) => format!(
            ", encrypted {}, agreement {agreement}, {} images/h, {bits}-bit security",
            percent(row.accuracy_encrypted),
            count(rate)
        ),
        _ => String::new(),
    };
    format!("{model}, {scheme}, {images} images: float {float}{integer}{encrypted}")
}

/// The row with what was measured.
fn filled(planned: EncryptedRow, measured: &Measurement) -> EncryptedRow {
    EncryptedRow {
        security_bits: measured.security_bits,
        ring_degree: measured.ring_degree,
        log2_qp: measured.log2_qp,
        slots: Some(measured.slots),
        images: measured.images,
        depth: Some(measured.depth),
        ciphertext_products: Some(measured.ciphertext_products as u64),
        plain_products: Some(measured.plain_products as u64),
        keygen_s: Some(measured.keygen_s),
        encrypt_s: Some(measured.encrypt_s),
        infer_s: Some(measured.infer_s),
        decrypt_s: Some(measured.decrypt_s),
        batches: Some(measured.batches),
        images_per_hour: Some(measured.images_per_hour),
        threads: Some(measured.threads),
        peak_rss_bytes: measured.peak_rss_bytes.map(|bytes| bytes as u64),
        predicted_memory_bytes: measured.predicted_memory_bytes.map(|bytes| bytes as u64),
        ciphertext_bytes: Some(measured.ciphertext_bytes as u64),
        key_bytes: Some(measured.key_bytes as u64),
        noise_bits_left: measured.noise_bits_left,
        precision_bits: measured.precision_bits,
        predicted_precision_bits: measured.predicted_precision_bits,
        predicted_infer_s: measured.predicted_infer_s,
        images_per_hour_end_to_end: measured.images_per_hour_end_to_end,
        accuracy_float: measured.accuracy_float,
        accuracy_integer: measured.accuracy_integer,
        accuracy_encrypted: measured.accuracy_encrypted,
        agreement: measured.agreement,
        max_logit_error: measured.max_logit_error,
        ..planned
    }
}
