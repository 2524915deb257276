//! How fast training is, in `speed.csv`: images a second of forward, backward and step, on images of noise.

use crate::records::{Record, Table};
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use cryptodl_network::{Nonlinearity, zoo};
use cryptodl_train::speed::{Stepper, threads};
use cryptodl_train::{Kernels, Optimisation, Optimiser, Precision, Recipe};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The same networks in PyTorch.
const TORCH: &str = include_str!("../../train/benches/peers/torch_train.py");

/// Networks, and images in a step.
pub const NETWORKS: [(&str, usize); 2] = [("lenet", 256), ("airbench", 128)];

/// Kinds of operators, with their names in the table.
const OPERATORS: [(Kernels, Precision, &str); 3] = [
    (Kernels::Stock, Precision::Single, "flex stock"),
    (Kernels::Fused, Precision::Single, "flex fused"),
    (Kernels::Fused, Precision::Mixed, "flex fused mixed"),
];

/// Steps that any measurement takes at least.
const LEAST_STEPS: usize = 5;

/// One network with one kind of operators.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeedRow {
    pub run_id: String,
    pub network: String,
    /// `flex stock`, `flex fused`, `flex fused mixed` (bf16 products), or what PyTorch calls itself.
    pub operators: String,
    pub batch: usize,
    pub threads: usize,
    pub steps: Option<usize>,
    /// By the median step.
    pub images_per_s: Option<f64>,
    /// By the fastest step.
    pub best_images_per_s: Option<f64>,
    pub error: Option<String>,
}

impl Record for SpeedRow {
    const FILE: &'static str = "speed.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "network",
        "operators",
        "batch",
        "threads",
        "steps",
        "images_per_s",
        "best_images_per_s",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            network,
            operators,
            batch,
            threads,
            ..
        } = self;
        format!("{network}, {operators}, {batch} images a step, {threads} threads")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Measures the networks with our operators and, if there is a Python with PyTorch, with its.
pub fn record(
    run_id: &str,
    length: Duration,
    python: Option<&str>,
    table: &mut Table<SpeedRow>,
) -> Result<()> {
    for (network, batch) in NETWORKS {
        for (kernels, precision, operators) in OPERATORS {
            let row = SpeedRow {
                run_id: run_id.to_string(),
                network: network.to_string(),
                operators: operators.to_string(),
                batch,
                threads: threads(),
                ..SpeedRow::default()
            };
            if !table.contains(&row.key()) {
                add(table, measured(row, kernels, precision, length)?)?;
            }
        }
        if let Some(python) = python {
            for row in torch(python, run_id, network, length)? {
                if !table.contains(&row.key()) {
                    add(table, row)?;
                }
            }
        }
    }
    Ok(())
}

fn add(table: &mut Table<SpeedRow>, row: SpeedRow) -> Result<()> {
    println!(
        "{:10} {:38} {:8.0} images/s",
        row.network,
        row.operators,
        row.images_per_s.unwrap_or(0.0)
    );
    table.append(row)
}

fn measured(
    row: SpeedRow,
    kernels: Kernels,
    precision: Precision,
    length: Duration,
) -> Result<SpeedRow> {
    let on = Interval::new(-4.0, 4.0)?;
    let polynomial = approx::method("chebyshev")?.fit(&Activation::Relu, on, 2)?;
    let quadratic = Nonlinearity::Polynomial {
        polynomial,
        learnable: false,
    };
    let network = zoo::network(&row.network)?.with_activation(&quadratic);
    let recipe = Recipe {
        batch: row.batch,
        precision,
        optimisation: Optimisation {
            // what PyTorch has too
            optimiser: Optimiser::AdamW,
            ..Optimisation::default()
        },
        ..Recipe::default()
    };
    let mut stepper = Stepper::new(&network, &recipe, kernels)?;
    // memory and caches are warm afterwards
    for _ in 0..2 {
        stepper.step();
    }
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < length || times.len() < LEAST_STEPS {
        let step = Instant::now();
        stepper.step();
        times.push(step.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let batch = row.batch as f64;
    Ok(SpeedRow {
        steps: Some(times.len()),
        images_per_s: Some(batch / times[times.len() / 2]),
        best_images_per_s: Some(batch / times[0]),
        ..row
    })
}

/// Runs the script with that Python, and reads its lines.
fn torch(python: &str, run_id: &str, network: &str, length: Duration) -> Result<Vec<SpeedRow>> {
    let mut process = Command::new(python)
        .args(["-", "--run-id", run_id, "--networks", network])
        .args(["--threads", &threads().to_string()])
        .args(["--seconds", &length.as_secs_f64().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{python}`"))?;
    let mut script = process.stdin.take().context("the script has no input")?;
    let written = script.write_all(TORCH.as_bytes());
    drop(script);
    let output = process.wait_with_output()?;
    if !output.status.success() {
        bail!("`{python}` failed: is PyTorch installed there (`pip install torch`)?");
    }
    // A process that has ended cannot read, and its status says more than a broken pipe.
    written.context("the script was not read")?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(output.stdout.as_slice());
    reader
        .deserialize()
        .collect::<Result<_, _>>()
        .context("the script's lines cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_counts_its_steps_and_times_them() {
        let row = SpeedRow {
            network: "lenet-w10".to_string(),
            batch: 4,
            ..SpeedRow::default()
        };
        let row = measured(row, Kernels::Fused, Precision::Mixed, Duration::ZERO).unwrap();
        assert_eq!(row.steps, Some(LEAST_STEPS));
        assert!(row.best_images_per_s >= row.images_per_s && row.images_per_s > Some(0.0));
    }

    #[test]
    fn the_networks_are_in_the_zoo_and_a_python_without_torch_is_one_sentence() {
        for (name, _) in NETWORKS {
            zoo::network(name).unwrap();
            assert!(TORCH.contains(&format!("\"{name}\":")));
        }
        let message = torch("false", "run", "lenet", Duration::ZERO).unwrap_err();
        assert!(format!("{message:#}").contains("`false`"), "{message:#}");
    }
}
