//! The tables of the runs about single images: schemes side by side, and what a look-up costs.

use crate::latency::LatencyRow;
use crate::schemes::SchemeRow;
use crate::text::{bytes, count, percent, seconds, table};

/// The schemes side by side.
pub fn schemes(rows: &[SchemeRow]) -> String {
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.scheme.clone(),
                row.model.clone(),
                format!(
                    "{} of {}",
                    percent(row.twin_accuracy),
                    row.twin_images.unwrap_or(0)
                ),
                format!(
                    "{} of {}",
                    shown(row.agreement, |share| share.to_string()),
                    row.images.unwrap_or(0)
                ),
                shown(row.one_image_s, seconds),
                shown(row.predicted_one_image_s, seconds),
                shown(row.images_per_hour, count),
                shown(row.one_image_bytes, bytes),
                shown(row.image_bytes, |size| bytes(size as u64)),
                shown(row.key_bytes, bytes),
                shown(row.peak_rss_bytes, bytes),
            ]
        })
        .collect();
    let header = [
        "scheme",
        "model",
        "accuracy of the twin",
        "agreement encrypted",
        "one image",
        "predicted",
        "images/h",
        "sent for one image",
        "sent in a full batch",
        "keys",
        "peak memory",
    ];
    table(&header, &lines)
}

/// The points of a latency run.
pub fn latency(rows: &[LatencyRow]) -> String {
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.varied.clone(),
                row.bits.to_string(),
                row.activations.to_string(),
                row.parameters.clone().unwrap_or_default(),
                shown(row.infer_s, seconds),
                shown(row.predicted_infer_s, seconds),
                shown(row.keygen_s, seconds),
                shown(row.key_bytes, bytes),
                shown(row.agreement, |share| share.to_string()),
            ]
        })
        .collect();
    let header = [
        "varied",
        "message bits",
        "activations",
        "parameters",
        "server time",
        "predicted",
        "making keys",
        "keys",
        "agreement",
    ];
    table(&header, &lines)
}

fn shown<T>(value: Option<T>, as_text: impl Fn(T) -> String) -> String {
    value.map_or("–".to_string(), as_text)
}
