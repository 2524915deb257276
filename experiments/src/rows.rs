//! The rows of the three tables, field for field the columns that `results/README.md` explains.

use crate::records::Record;
use approx::Interval;
use serde::{Deserialize, Serialize};

/// One fit of one activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitRow {
    pub run_id: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    pub max_error: Option<f64>,
    pub max_error_at: Option<f64>,
    pub rms_error: Option<f64>,
    pub depth: Option<usize>,
    pub fit_s: Option<f64>,
    pub error: Option<String>,
}

impl Record for FitRow {
    const FILE: &'static str = "fit.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "activation",
        "method",
        "degree",
        "low",
        "high",
        "max_error",
        "max_error_at",
        "rms_error",
        "depth",
        "fit_s",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            activation,
            method,
            degree,
            low,
            high,
            ..
        } = self;
        format!("{activation} {method} degree {degree} on {low}:{high}")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl FitRow {
    /// Whether the fit was on this interval.
    pub fn is_on(&self, on: Interval) -> bool {
        Interval::new(self.low, self.high).is_ok_and(|own| own == on)
    }
}

/// One training of one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainRow {
    pub run_id: String,
    pub network: String,
    pub dataset: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    pub seed: u64,
    pub epochs: usize,
    /// What a sweep changed in its recipe, by name.
    #[serde(default)]
    pub variant: String,
    /// Epochs after which a hopeless training was given up.
    #[serde(default)]
    pub stopped_after: Option<usize>,
    pub parameters: Option<usize>,
    pub train_accuracy: Option<f64>,
    pub validation_accuracy: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub train_s: Option<f64>,
    pub error: Option<String>,
}

impl Record for TrainRow {
    const FILE: &'static str = "train.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "network",
        "dataset",
        "activation",
        "method",
        "degree",
        "low",
        "high",
        "seed",
        "epochs",
        "variant",
        "stopped_after",
        "parameters",
        "train_accuracy",
        "validation_accuracy",
        "test_accuracy",
        "train_s",
        "error",
    ];
    const ADDED: &'static [&'static str] = &["variant", "stopped_after"];
    fn key(&self) -> String {
        let Self {
            network,
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            seed,
            epochs,
            variant,
            ..
        } = self;
        let named = if variant.is_empty() { "" } else { " variant " };
        format!(
            "{network} on {dataset} with {activation} {method} degree {degree} on {low}:{high} seed {seed} epochs {epochs}{named}{variant}"
        )
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// One evaluation of one trained network under one scheme.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EncryptedRow {
    pub run_id: String,
    pub model: String,
    pub network: String,
    pub dataset: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub scheme: String,
    pub security_bits: Option<u32>,
    pub ring_degree: Option<usize>,
    pub log2_qp: Option<f64>,
    pub slots: Option<usize>,
    pub images: usize,
    pub depth: Option<usize>,
    pub ciphertext_products: Option<u64>,
    pub plain_products: Option<u64>,
    pub keygen_s: Option<f64>,
    pub encrypt_s: Option<f64>,
    pub infer_s: Option<f64>,
    pub decrypt_s: Option<f64>,
    pub batches: Option<usize>,
    pub images_per_hour: Option<f64>,
    pub threads: Option<usize>,
    pub peak_rss_bytes: Option<u64>,
    #[serde(default)]
    pub predicted_memory_bytes: Option<u64>,
    pub ciphertext_bytes: Option<u64>,
    pub key_bytes: Option<u64>,
    pub noise_bits_left: Option<f64>,
    #[serde(default)]
    pub precision_bits: Option<f64>,
    #[serde(default)]
    pub predicted_precision_bits: Option<f64>,
    #[serde(default)]
    pub predicted_infer_s: Option<f64>,
    #[serde(default)]
    pub images_per_hour_end_to_end: Option<f64>,
    pub accuracy_float: Option<f64>,
    pub accuracy_integer: Option<f64>,
    pub accuracy_encrypted: Option<f64>,
    pub agreement: Option<f64>,
    pub max_logit_error: Option<f64>,
    pub error: Option<String>,
}

impl Record for EncryptedRow {
    const FILE: &'static str = "encrypted.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "model",
        "network",
        "dataset",
        "activation",
        "method",
        "degree",
        "scheme",
        "security_bits",
        "ring_degree",
        "log2_qp",
        "slots",
        "images",
        "depth",
        "ciphertext_products",
        "plain_products",
        "keygen_s",
        "encrypt_s",
        "infer_s",
        "decrypt_s",
        "batches",
        "images_per_hour",
        "threads",
        "peak_rss_bytes",
        "predicted_memory_bytes",
        "ciphertext_bytes",
        "key_bytes",
        "noise_bits_left",
        "precision_bits",
        "predicted_precision_bits",
        "predicted_infer_s",
        "images_per_hour_end_to_end",
        "accuracy_float",
        "accuracy_integer",
        "accuracy_encrypted",
        "agreement",
        "max_logit_error",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            model,
            scheme,
            images,
            ..
        } = self;
        format!("{model} under {scheme} on {images} images")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
impl FitRow {
    /// A made-up row.
    pub fn example() -> Self {
        Self {
            run_id: "test".to_string(),
            activation: "relu".to_string(),
            method: "legendre".to_string(),
            degree: 2,
            low: -8.0,
            high: 8.0,
            max_error: Some(0.75),
            max_error_at: Some(0.0),
            rms_error: Some(0.25),
            depth: Some(1),
            fit_s: Some(0.001),
            error: None,
        }
    }
}

#[cfg(test)]
impl TrainRow {
    /// A made-up row.
    pub fn example() -> Self {
        Self {
            run_id: "test".to_string(),
            network: "cryptonets".to_string(),
            dataset: "mnist".to_string(),
            activation: "relu".to_string(),
            method: "legendre".to_string(),
            degree: 2,
            low: -8.0,
            high: 8.0,
            seed: 1,
            epochs: 2,
            variant: String::new(),
            stopped_after: None,
            parameters: Some(85_000),
            train_accuracy: Some(0.985),
            validation_accuracy: Some(0.981),
            test_accuracy: Some(0.98),
            train_s: Some(30.0),
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of<R: Record>(row: &R) -> Vec<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        text.lines()
            .next()
            .unwrap()
            .split(',')
            .map(str::to_string)
            .collect()
    }

    #[test]
    fn columns_are_the_fields_in_order() {
        assert_eq!(header_of(&FitRow::example()), FitRow::COLUMNS);
        assert_eq!(header_of(&TrainRow::example()), TrainRow::COLUMNS);
        assert_eq!(header_of(&EncryptedRow::default()), EncryptedRow::COLUMNS);
        let epoch = crate::epochs::EpochRow::default();
        assert_eq!(header_of(&epoch), crate::epochs::EpochRow::COLUMNS);
        let speed = crate::speed::SpeedRow::default();
        assert_eq!(header_of(&speed), crate::speed::SpeedRow::COLUMNS);
    }
}
