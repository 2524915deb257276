//! How time and memory of encrypted evaluation grow with width, depth and ring degree: `growth.csv`.
//!
//! The networks are chains of dense layers of random weights with a quadratic activation between each two, on
//! random images of 28 × 28: what encrypted evaluation costs does not depend on the values.

use crate::manifest::Settings;
use crate::progress;
use crate::records::{Record, Table};
use anyhow::Result;
use approx::{Basis, Interval, Polynomial};
use cryptodl_he_eval::{Measurement, Options, prepare};
use cryptodl_network::{
    Artifact, Layer, Network, Nonlinearity, Normalisation, Provenance, Shape, Tensor,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

const SIDE: usize = 28;
const CLASSES: usize = 10;

/// Widths at depth 2, in the smallest ring that holds it.
const WIDTHS: [usize; 6] = [32, 64, 128, 256, 512, 1024];
/// Depths at the width of [`WIDTH`].
const DEPTHS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// Ring degrees at that width and depth 2.
const RINGS: [usize; 3] = [8192, 16384, 32768];
const WIDTH: usize = 64;
const DEPTH: usize = 2;

/// One evaluation of one full batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GrowthRow {
    pub run_id: String,
    /// `width`, `depth` or `ring_degree`: what differs from row to row.
    pub varied: String,
    pub scheme: String,
    pub width: usize,
    pub depth: usize,
    /// The least ring degree that was allowed.
    pub asked_ring_degree: usize,
    pub ring_degree: Option<usize>,
    pub log2_qp: Option<f64>,
    pub security_bits: Option<u32>,
    pub threads: Option<usize>,
    pub slots: Option<usize>,
    pub plain_products: Option<u64>,
    pub ciphertext_products: Option<u64>,
    pub keygen_s: Option<f64>,
    pub encrypt_s: Option<f64>,
    pub infer_s: Option<f64>,
    pub predicted_infer_s: Option<f64>,
    pub decrypt_s: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
    pub predicted_memory_bytes: Option<u64>,
    pub precision_bits: Option<f64>,
    pub predicted_precision_bits: Option<f64>,
    pub agreement: Option<f64>,
    pub error: Option<String>,
}

impl Record for GrowthRow {
    const FILE: &'static str = "growth.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "varied",
        "scheme",
        "width",
        "depth",
        "asked_ring_degree",
        "ring_degree",
        "log2_qp",
        "security_bits",
        "threads",
        "slots",
        "plain_products",
        "ciphertext_products",
        "keygen_s",
        "encrypt_s",
        "infer_s",
        "predicted_infer_s",
        "decrypt_s",
        "peak_rss_bytes",
        "predicted_memory_bytes",
        "precision_bits",
        "predicted_precision_bits",
        "agreement",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            varied,
            scheme,
            width,
            depth,
            asked_ring_degree,
            ..
        } = self;
        format!(
            "{varied}: width {width}, depth {depth}, ring degree {asked_ring_degree} or more under {scheme}"
        )
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The points of the grid, nothing measured.
pub fn points(run_id: &str, scheme: &str, quick: bool) -> Vec<GrowthRow> {
    let row = |varied: &str, width, depth, ring| GrowthRow {
        run_id: run_id.to_string(),
        varied: varied.to_string(),
        scheme: scheme.to_string(),
        width,
        depth,
        asked_ring_degree: ring,
        ..GrowthRow::default()
    };
    let count = |all: usize| if quick { 2 } else { all };
    let widths = WIDTHS[..count(WIDTHS.len())].iter();
    let depths = DEPTHS[..count(DEPTHS.len())].iter();
    let rings = RINGS[..count(RINGS.len())].iter();
    widths
        .map(|&width| row("width", width, DEPTH, RINGS[0]))
        .chain(depths.map(|&depth| row("depth", WIDTH, depth, RINGS[0])))
        .chain(rings.map(|&ring| row("ring_degree", WIDTH, DEPTH, ring)))
        .collect()
}

/// What shapes rows beyond their key.
pub fn settings(threads: Option<usize>, quick: bool) -> Settings {
    Settings::from([
        ("threads".to_string(), json!(threads)),
        ("quick".to_string(), json!(quick)),
    ])
}

/// Measures the points that are not in the table; an error becomes a row.
pub fn record(
    points: Vec<GrowthRow>,
    threads: Option<usize>,
    seed: u64,
    table: &mut Table<GrowthRow>,
) -> Result<()> {
    let measure = |point: &GrowthRow| measure(point, threads, seed);
    table.fill(points, line, measure, |point, error| GrowthRow {
        error: Some(error),
        ..point
    })
}

fn measure(point: &GrowthRow, threads: Option<usize>, seed: u64) -> Result<GrowthRow> {
    let mut rng = StdRng::seed_from_u64(seed);
    let artifact = artifact(point.width, point.depth, &mut rng);
    let options = Options {
        threads,
        ring_degree: Some(point.asked_ring_degree),
        ..Options::default()
    };
    // a full batch, which the first plan knows the size of
    let slots = prepare(&point.scheme, &artifact, 1, &options)?
        .plan()
        .cost
        .slots;
    let evaluator = prepare(&point.scheme, &artifact, slots, &options)?;
    let pixels: Vec<u8> = (0..slots * SIDE * SIDE).map(|_| rng.random()).collect();
    let bar = progress::share_bar(&point.scheme);
    let measured = evaluator.measure(&pixels, &vec![0; slots], &mut |at| {
        progress::set_share(&bar, at.done);
        bar.set_message(at.stage);
    });
    bar.finish_and_clear();
    Ok(filled(point.clone(), &measured?))
}

fn filled(point: GrowthRow, measured: &Measurement) -> GrowthRow {
    GrowthRow {
        ring_degree: measured.ring_degree,
        log2_qp: measured.log2_qp,
        security_bits: measured.security_bits,
        threads: Some(measured.threads),
        slots: Some(measured.slots),
        plain_products: Some(measured.plain_products as u64),
        ciphertext_products: Some(measured.ciphertext_products as u64),
        keygen_s: Some(measured.keygen_s),
        encrypt_s: Some(measured.encrypt_s),
        infer_s: Some(measured.infer_s),
        predicted_infer_s: measured.predicted_infer_s,
        decrypt_s: Some(measured.decrypt_s),
        peak_rss_bytes: measured.peak_rss_bytes.map(|bytes| bytes as u64),
        predicted_memory_bytes: measured.predicted_memory_bytes.map(|bytes| bytes as u64),
        precision_bits: measured.precision_bits,
        predicted_precision_bits: measured.predicted_precision_bits,
        agreement: measured.agreement,
        ..point
    }
}

/// One row for reading.
pub fn line(row: &GrowthRow) -> String {
    let key = row.key();
    match (&row.error, row.infer_s, row.peak_rss_bytes) {
        (Some(error), _, _) => format!("{key}: {error}"),
        (None, Some(seconds), Some(bytes)) => format!(
            "{key}: N = {}, {seconds:.3} s a batch, {} MiB",
            row.ring_degree.unwrap_or(0),
            bytes >> 20
        ),
        _ => key,
    }
}

/// `depth` times a dense layer and a quadratic, then a dense layer.
fn artifact(width: usize, depth: usize, rng: &mut StdRng) -> Artifact {
    let on = Interval::new(-4.0, 4.0).expect("in order");
    let quadratic = Polynomial::new(vec![0.0, 1.0, 0.2], Basis::Monomial, on);
    let activation = Layer::Activation(Nonlinearity::Polynomial {
        polynomial: quadratic.expect("finite"),
        learnable: false,
    });
    let hidden = [
        Layer::Dense { outputs: width },
        Layer::BatchNorm,
        activation,
    ];
    let mut layers: Vec<Layer> = (0..depth).flat_map(|_| hidden.clone()).collect();
    layers.push(Layer::Dense { outputs: CLASSES });
    let network = Network::chain(
        format!("dense-{width}x{depth}"),
        Shape {
            channels: 1,
            height: SIDE,
            width: SIDE,
        },
        // of uniform pixels
        Normalisation {
            mean: vec![0.5],
            deviation: vec![0.289],
            standardised: false,
        },
        layers,
    );
    let shapes = network
        .parameter_shapes()
        .expect("dense layers fit any input");
    let tensors: BTreeMap<String, Tensor> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let fan_in = (count / shape[0]).max(1) as f32;
            let data = (0..count).map(|_| match name.rsplit('.').next() {
                // uniform, so that sums of unit variance have unit variance
                Some("weight") => rng.random_range(-1.0..1.0) * (3.0 / fan_in).sqrt(),
                // variance of what the quadratic makes of a normal variable, and 1 for the first
                Some("variance") => 1.1,
                Some("gamma") => 1.0,
                _ => 0.0,
            });
            let data = data.collect();
            (name, Tensor { shape, data })
        })
        .collect();
    Artifact {
        network,
        tensors,
        provenance: Provenance {
            dataset: "random".to_string(),
            activation: "quadratic".to_string(),
            method: String::new(),
            degree: 2,
            low: -4.0,
            high: 4.0,
            seed: 0,
            epochs: 0,
            train_accuracy: 0.0,
            validation_accuracy: 0.0,
            test_accuracy: 0.0,
            train_s: 0.0,
            recipe: serde_json::Value::Null,
            command: String::new(),
            commit: String::new(),
            created: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields_in_order() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(GrowthRow::default()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(header, GrowthRow::COLUMNS);
    }

    #[test]
    fn a_point_is_measured_encrypted() {
        let point = GrowthRow {
            width: 8,
            depth: 1,
            asked_ring_degree: 4096,
            scheme: "ckks".to_string(),
            ..GrowthRow::default()
        };
        let row = measure(&point, Some(2), 1).unwrap();
        assert_eq!(row.slots, row.ring_degree);
        assert_eq!(row.security_bits, Some(128));
        // Random weights: about two of 4,096 images tie to within the precision.
        assert!(row.agreement.unwrap() > 0.99 && row.infer_s.unwrap() > 0.0);
    }
}
