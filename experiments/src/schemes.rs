//! The schemes side by side on one data set: `schemes.csv`.
//!
//! Batched schemes are run on one full batch, which takes as long as a single image; the others on a few
//! images, one after another. Accuracy is that of the twin on all test images, which the encrypted run
//! confirms on the images that it evaluates.

use crate::evaluation::EvaluationFlags;
use crate::model::Model;
use crate::progress;
use crate::records::{Record, Table};
use crate::run_folder::RunFolder;
use crate::source::Source;
use anyhow::Result;
use cryptodl_he_eval::{Measurement, Options, prepare};
use serde::{Deserialize, Serialize};

/// One model under one scheme.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SchemeRow {
    pub run_id: String,
    pub model: String,
    pub dataset: String,
    pub scheme: String,
    pub security_bits: Option<u32>,
    pub threads: Option<usize>,
    pub slots: Option<usize>,
    /// Images that were evaluated encrypted.
    pub images: Option<usize>,
    pub agreement: Option<f64>,
    pub accuracy_encrypted: Option<f64>,
    /// Images that the twin was evaluated on.
    pub twin_images: Option<usize>,
    pub twin_accuracy: Option<f64>,
    pub keygen_s: Option<f64>,
    /// Encryption, evaluation and decryption of one image: of a batch, where the scheme has batches.
    pub one_image_s: Option<f64>,
    pub predicted_one_image_s: Option<f64>,
    pub images_per_hour: Option<f64>,
    /// What the client sends for one image on its own.
    pub one_image_bytes: Option<u64>,
    /// The same for an image of a full batch.
    pub image_bytes: Option<f64>,
    pub key_bytes: Option<u64>,
    pub peak_rss_bytes: Option<u64>,
    pub error: Option<String>,
}

impl Record for SchemeRow {
    const FILE: &'static str = "schemes.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "model",
        "dataset",
        "scheme",
        "security_bits",
        "threads",
        "slots",
        "images",
        "agreement",
        "accuracy_encrypted",
        "twin_images",
        "twin_accuracy",
        "keygen_s",
        "one_image_s",
        "predicted_one_image_s",
        "images_per_hour",
        "one_image_bytes",
        "image_bytes",
        "key_bytes",
        "peak_rss_bytes",
        "error",
    ];
    fn key(&self) -> String {
        format!("{} under {}", self.model, self.scheme)
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Measures what is not in the table; an error becomes a row.
pub fn record(
    pairs: &[(&Model, String)],
    flags: &EvaluationFlags,
    source: &mut Source,
    run: &mut RunFolder,
    table: &mut Table<SchemeRow>,
) -> Result<()> {
    for (model, scheme) in pairs {
        let point = SchemeRow {
            run_id: run.id().to_string(),
            model: model.name.clone(),
            dataset: model.artifact.provenance.dataset.clone(),
            scheme: scheme.clone(),
            ..SchemeRow::default()
        };
        if table.contains(&point.key()) {
            continue;
        }
        let row = measure(model, &point, flags, source, run).unwrap_or_else(|error| SchemeRow {
            error: Some(format!("{error:#}")),
            ..point
        });
        eprintln!("{}", line(&row));
        table.append(row)?;
    }
    Ok(())
}

fn measure(
    model: &Model,
    point: &SchemeRow,
    flags: &EvaluationFlags,
    source: &mut Source,
    run: &mut RunFolder,
) -> Result<SchemeRow> {
    let test = &source.load(&point.dataset, run)?.test;
    let options = Options {
        images: None,
        ..flags.options()
    };
    let entry = cryptodl_he_eval::schemes()
        .iter()
        .find(|entry| entry.name() == point.scheme);
    let images = if entry.is_some_and(|entry| entry.takes_single_images()) {
        flags.images.unwrap_or(SINGLE_IMAGES)
    } else {
        // a full batch, which the first plan knows the size of
        prepare(&point.scheme, &model.artifact, 1, &options)?
            .plan()
            .cost
            .slots
    };
    let images = images.min(test.len());
    let evaluator = prepare(&point.scheme, &model.artifact, images, &options)?;
    let bar = progress::share_bar(&point.scheme);
    progress::say(&bar, evaluator.plan().to_string().trim_end());
    let measured = evaluator.measure(&test.pixels, &test.labels, &mut |at| {
        progress::set_share(&bar, at.done);
        bar.set_message(at.stage);
    });
    bar.finish_and_clear();
    let twin = evaluator.twin_accuracy(&test.pixels, &test.labels)?;
    let plan = evaluator.plan();
    let predicted = plan.cost.encryption.as_ref().map(|_| {
        let seconds = plan.seconds();
        seconds.encrypt + seconds.infer + seconds.decrypt
    });
    let row = filled(point.clone(), &measured?, predicted);
    Ok(SchemeRow {
        twin_images: twin.map(|_| test.len()),
        twin_accuracy: twin,
        ..row
    })
}

/// Images of schemes that take them one by one.
pub const SINGLE_IMAGES: usize = 20;

fn filled(point: SchemeRow, measured: &Measurement, predicted_s: Option<f64>) -> SchemeRow {
    let batches = measured.batches as f64;
    SchemeRow {
        security_bits: measured.security_bits,
        threads: Some(measured.threads),
        slots: Some(measured.slots),
        images: Some(measured.images),
        agreement: measured.agreement,
        accuracy_encrypted: measured.accuracy_encrypted,
        keygen_s: Some(measured.keygen_s),
        one_image_s: Some((measured.encrypt_s + measured.infer_s + measured.decrypt_s) / batches),
        predicted_one_image_s: predicted_s.map(|seconds| seconds / batches),
        images_per_hour: measured.images_per_hour_end_to_end,
        one_image_bytes: Some(measured.ciphertext_bytes as u64),
        image_bytes: Some(measured.ciphertext_bytes as f64 / measured.slots as f64),
        key_bytes: Some(measured.key_bytes as u64),
        peak_rss_bytes: measured.peak_rss_bytes.map(|bytes| bytes as u64),
        ..point
    }
}

/// One row for reading.
pub fn line(row: &SchemeRow) -> String {
    let key = row.key();
    match (&row.error, row.one_image_s, row.images_per_hour) {
        (Some(error), _, _) => format!("{key}: {error}"),
        (None, Some(seconds), Some(rate)) => format!(
            "{key}: accuracy {:.4} of {} by the twin, agreement {} of {} encrypted, {seconds:.2} s for one image, {rate:.0} images/h, {} bytes sent for one, keys {} MiB",
            row.twin_accuracy.unwrap_or(f64::NAN),
            row.twin_images.unwrap_or(0),
            row.agreement.unwrap_or(f64::NAN),
            row.images.unwrap_or(0),
            row.one_image_bytes.unwrap_or(0),
            row.key_bytes.unwrap_or(0) >> 20
        ),
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields_in_order() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(SchemeRow::default()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(header, SchemeRow::COLUMNS);
    }
}
