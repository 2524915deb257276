//! What a look-up costs by message bits and by number of activations: `latency.csv`.
//!
//! The networks are built here: rounded pixels, a dense layer of weights 1 whose accumulators take
//! exactly `2^bits` values, ReLU and rounding, and two outputs. Look-ups cost the same whatever is in them.

use crate::progress;
use crate::records::{Record, Table};
use anyhow::Result;
use approx::Activation;
use cryptodl_he_eval::{Measurement, Options, prepare};
use cryptodl_network::{
    Artifact, Layer, Network, Nonlinearity, Normalisation, Provenance, Shape, Tensor,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// Message bits, at [`ACTIVATIONS`] activations.
const BITS: [u32; 4] = [4, 5, 6, 7];
const ACTIVATIONS: usize = 16;
/// Numbers of activations, at 4 bits.
const COUNTS: [usize; 5] = [4, 16, 64, 256, 1024];
/// Pixels: enough for `2^7 - 1` inputs of one bit.
const INPUTS: usize = 128;

/// One evaluation of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyRow {
    pub run_id: String,
    /// `bits` or `activations`: what differs from row to row.
    pub varied: String,
    pub bits: u32,
    pub activations: usize,
    pub parameters: Option<String>,
    pub ring_degree: Option<usize>,
    pub security_bits: Option<u32>,
    pub threads: Option<usize>,
    pub keygen_s: Option<f64>,
    pub encrypt_s: Option<f64>,
    pub infer_s: Option<f64>,
    pub predicted_infer_s: Option<f64>,
    pub decrypt_s: Option<f64>,
    pub key_bytes: Option<u64>,
    pub peak_rss_bytes: Option<u64>,
    pub agreement: Option<f64>,
    pub error: Option<String>,
}

impl Record for LatencyRow {
    const FILE: &'static str = "latency.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "varied",
        "bits",
        "activations",
        "parameters",
        "ring_degree",
        "security_bits",
        "threads",
        "keygen_s",
        "encrypt_s",
        "infer_s",
        "predicted_infer_s",
        "decrypt_s",
        "key_bytes",
        "peak_rss_bytes",
        "agreement",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            varied,
            bits,
            activations,
            ..
        } = self;
        format!("{varied}: {activations} activations of {bits} bits")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The points of the grid, nothing measured.
pub fn points(run_id: &str, quick: bool) -> Vec<LatencyRow> {
    let row = |varied: &str, bits, activations| LatencyRow {
        run_id: run_id.to_string(),
        varied: varied.to_string(),
        bits,
        activations,
        ..LatencyRow::default()
    };
    let count = |all: usize| if quick { 2 } else { all };
    let bits = BITS[..count(BITS.len())].iter();
    let counts = COUNTS[..count(COUNTS.len())].iter();
    bits.map(|&bits| row("bits", bits, ACTIVATIONS))
        .chain(counts.map(|&count| row("activations", BITS[0], count)))
        .collect()
}

/// Measures the points that are not in the table; an error becomes a row.
pub fn record(
    points: Vec<LatencyRow>,
    threads: Option<usize>,
    seed: u64,
    table: &mut Table<LatencyRow>,
) -> Result<()> {
    let options = Options {
        threads,
        ..Options::default()
    };
    let measure = |point: &LatencyRow| measure(point, &options, seed);
    table.fill(points, line, measure, |point, error| LatencyRow {
        error: Some(error),
        ..point
    })
}

fn measure(point: &LatencyRow, options: &Options, seed: u64) -> Result<LatencyRow> {
    let artifact = artifact(point.bits, point.activations);
    let evaluator = prepare("tfhe", &artifact, 1, options)?;
    let mut rng = StdRng::seed_from_u64(seed);
    let pixels: Vec<u8> = (0..INPUTS).map(|_| rng.random()).collect();
    let bar = progress::share_bar("tfhe");
    let measured = evaluator.measure(&pixels, &[0], &mut |at| {
        progress::set_share(&bar, at.done);
        bar.set_message(at.stage);
    });
    bar.finish_and_clear();
    let encryption = evaluator.plan().cost.encryption.as_ref();
    let parameters = encryption.and_then(|plan| plan.parameter_set.clone());
    let row = filled(point.clone(), &measured?);
    Ok(LatencyRow { parameters, ..row })
}

fn filled(point: LatencyRow, measured: &Measurement) -> LatencyRow {
    LatencyRow {
        ring_degree: measured.ring_degree,
        security_bits: measured.security_bits,
        threads: Some(measured.threads),
        keygen_s: Some(measured.keygen_s),
        encrypt_s: Some(measured.encrypt_s),
        infer_s: Some(measured.infer_s),
        predicted_infer_s: measured.predicted_infer_s,
        decrypt_s: Some(measured.decrypt_s),
        key_bytes: Some(measured.key_bytes as u64),
        peak_rss_bytes: measured.peak_rss_bytes.map(|bytes| bytes as u64),
        agreement: measured.agreement,
        ..point
    }
}

/// One row for reading.
pub fn line(row: &LatencyRow) -> String {
    let key = row.key();
    match (&row.error, row.infer_s, row.predicted_infer_s) {
        (Some(error), _, _) => format!("{key}: {error}"),
        (None, Some(seconds), Some(predicted)) => {
            format!("{key}: {seconds:.3} s, {predicted:.3} s predicted")
        }
        _ => key,
    }
}

/// Rounded pixels, `activations` sums of `2^bits - 1` of them, ReLU, rounding, two outputs.
fn artifact(bits: u32, activations: usize) -> Artifact {
    let inputs = (1 << bits) - 1;
    let network = Network::chain(
        format!("latency-{bits}x{activations}"),
        Shape {
            channels: 1,
            height: 8,
            width: INPUTS / 8,
        },
        Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        },
        vec![
            Layer::Quantise {
                levels: 2,
                low: 0.0,
                high: 1.0,
            },
            Layer::Dense {
                outputs: activations,
            },
            Layer::Activation(Nonlinearity::Exact(Activation::Relu)),
            Layer::Quantise {
                levels: 4,
                low: 0.0,
                high: f64::from(inputs),
            },
            Layer::Dense { outputs: 2 },
        ],
    );
    let shapes = network
        .parameter_shapes()
        .expect("dense layers fit any input");
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let count: usize = shape.iter().product();
        // every output reads other pixels: `inputs` of them, from its own place on
        let weight = |i: usize| {
            let (output, input) = (i / INPUTS, i % INPUTS);
            (input + INPUTS - output % INPUTS) % INPUTS < inputs as usize
        };
        let value = |i| match name.as_str() {
            "layers.1.weight" => f32::from(u8::from(weight(i))),
            "layers.4.weight" => [1.0, -1.0][i % 2],
            _ => 0.0,
        };
        let data = (0..count).map(value).collect();
        (name.clone(), Tensor { shape, data })
    });
    Artifact {
        tensors: tensors.collect(),
        network,
        provenance: Provenance::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields_in_order() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(LatencyRow::default()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(header, LatencyRow::COLUMNS);
    }

    #[test]
    fn accumulators_take_as_many_values_as_they_should() {
        for bits in BITS {
            let graph = cryptodl_fold::lookup::tables(&artifact(bits, 3)).unwrap();
            let ranges = cryptodl_fold::lookup::ranges(&graph);
            assert!(ranges[1].iter().all(|range| *range == (0, (1 << bits) - 1)));
        }
    }

    #[cfg(feature = "tfhe")]
    #[test]
    fn a_point_is_measured_encrypted() {
        let point = LatencyRow {
            bits: 4,
            activations: 2,
            ..LatencyRow::default()
        };
        let toy = Options {
            toy: true,
            ..Options::default()
        };
        let row = measure(&point, &toy, 1).unwrap();
        assert_eq!(row.agreement, Some(1.0));
        assert!(row.infer_s.unwrap() > 0.0 && row.predicted_infer_s.unwrap() > 0.0);
        assert!(row.parameters.unwrap().contains("MESSAGE"));
    }
}
