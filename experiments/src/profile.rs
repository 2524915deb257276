//! Where the time of encrypted evaluations goes: `stages.csv`, made from the kept measurements of a run.

use crate::evaluation::Detail;
use crate::records::write_whole;
use crate::rows::EncryptedRow;
use anyhow::{Context, Result};
use cryptodl_he_eval::NodeTime;
use serde::Serialize;
use std::path::Path;

/// Name of the table in a run folder.
pub const FILE: &str = "stages.csv";

/// The time of one stage of one encrypted evaluation, over all its batches.
#[derive(Clone, Debug, Serialize)]
pub struct StageRow {
    pub run_id: String,
    pub model: String,
    pub scheme: String,
    pub images: usize,
    /// `encrypt`, `linear`, `square`, `relinearise`, `rescale`, `gather`, `decrypt`, and what else a scheme calls its work.
    pub stage: String,
    /// The layer; empty for the client's stages.
    pub layer: String,
    pub seconds: f64,
    pub word_products: Option<u64>,
    pub word_products_per_s: Option<f64>,
    /// The same over what the bare product does on the same threads.
    pub share_of_bare_product: Option<f64>,
}

/// The stages of every encrypted row whose measurement is kept.
pub fn stages(folder: &Path, rows: &[EncryptedRow]) -> Result<Vec<StageRow>> {
    let mut stages = Vec::new();
    for row in rows.iter().filter(|row| row.ring_degree.is_some()) {
        let Some(Detail { measurement, .. }) = Detail::read(folder, row)? else {
            continue;
        };
        let stage = |stage: &str, layer: &str, seconds, word_products: Option<u64>| {
            let rate = word_products.map(|count| count as f64 / seconds);
            StageRow {
                run_id: row.run_id.clone(),
                model: row.model.clone(),
                scheme: row.scheme.clone(),
                images: row.images,
                stage: stage.to_string(),
                layer: layer.to_string(),
                seconds,
                word_products,
                word_products_per_s: rate,
                share_of_bare_product: rate
                    .zip(measurement.bare_word_products_per_s)
                    .map(|(rate, bare)| rate / bare),
            }
        };
        stages.push(stage("encrypt", "", measurement.encrypt_s, None));
        for node in &measurement.nodes {
            let NodeTime { kind, name, .. } = node;
            stages.push(stage(kind, name, node.seconds, node.word_products));
        }
        stages.push(stage("decrypt", "", measurement.decrypt_s, None));
    }
    Ok(stages)
}

/// Writes the table.
pub fn write(folder: &Path, stages: &[StageRow]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for stage in stages {
        writer
            .serialize(stage)
            .context("cannot write the stages as CSV")?;
    }
    let bytes = writer.into_inner().context("cannot finish the stages")?;
    write_whole(&folder.join(FILE), &bytes)
}
