//! Training with weights on a grid and rounded activations, on images made in code.

mod common;

use approx::Activation;
use common::{SHAPE, data, quadratic, recipe, train_blobs};
use cryptodl_network::{Artifact, Layer, Network, Nonlinearity, Normalisation};
use cryptodl_train::{
    Averaging, Optimisation, Recipe, Rounding, Silent, TrainError, Trained, accuracy, logits, train,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const ACCUMULATOR_LEVELS: u32 = 16;

/// Rounded pixels, a convolution and a dense layer with look-ups behind them, and a dense layer without.
fn network(nonlinearity: &Nonlinearity) -> Network {
    let quantise = |levels, high| Layer::Quantise {
        levels,
        low: 0.0,
        high,
    };
    let activation = || Layer::Activation(nonlinearity.clone());
    Network::chain(
        "few-values",
        SHAPE,
        Normalisation {
            mean: vec![0.3],
            deviation: vec![0.2],
            standardised: false,
        },
        vec![
            quantise(2, 1.0),
            Layer::Convolution {
                out_channels: 4,
                kernel: 5,
                stride: 1,
                padding: 1,
            },
            Layer::BatchNorm,
            activation(),
            quantise(4, 1.5),
            Layer::Dense { outputs: 12 },
            Layer::BatchNorm,
            activation(),
            quantise(16, 3.0),
            Layer::Dense { outputs: 2 },
        ],
    )
}

fn few_values() -> Recipe {
    Recipe {
        epochs: 12,
        rounding: Rounding {
            weight_levels: 7,
            output_weight_levels: 15,
            accumulator_levels: ACCUMULATOR_LEVELS,
            rounding_rise: 0.3,
            ..recipe().rounding
        },
        optimisation: Optimisation {
            learning_rate: 0.01,
            ..recipe().optimisation
        },
        ..recipe()
    }
}

fn train_few(
    nonlinearity: &Nonlinearity,
    checkpoint: Option<&Path>,
) -> Result<Trained, TrainError> {
    train(
        &network(nonlinearity),
        &data(),
        &few_values(),
        checkpoint,
        &mut Silent,
    )
}

/// The integers of each row of a layer's weights: the largest step that makes every weight a whole multiple, for
/// integers up to `largest`.
fn integers(artifact: &Artifact, layer: usize, largest: u32) -> Vec<Vec<i64>> {
    let weight = artifact.tensor(&format!("layers.{layer}.weight"));
    let rows = weight
        .data
        .chunks_exact(weight.data.len() / weight.shape[0]);
    let whole = |row: &[f32], step: f64| -> Option<Vec<i64>> {
        let ratios = row.iter().map(|w| f64::from(*w) / step);
        let near = |r: f64| ((r - r.round()).abs() < 1e-6).then_some(r.round() as i64);
        ratios.map(near).collect()
    };
    rows.map(|row| {
        let peak = row
            .iter()
            .fold(0.0, |most, w| f64::max(most, f64::from(w.abs())));
        assert!(peak > 0.0);
        let mut steps = (1..=largest).map(|q| peak / f64::from(q));
        let found = steps.find_map(|step| whole(row, step));
        found.expect("a row of whole multiples of one step")
    })
    .collect()
}

#[test]
fn exported_weights_are_integers_and_accumulators_keep_their_limit() {
    for nonlinearity in [quadratic(false), Nonlinearity::Exact(Activation::Relu)] {
        let trained = train_few(&nonlinearity, None).unwrap();
        // Two blobs on noisy ground: far from chance with few values, too.
        assert!(trained.test_accuracy > 0.95, "{}", trained.test_accuracy);
        for (layer, largest, input_levels) in [(1, 3, 2), (5, 3, 4)] {
            for row in integers(&trained.artifact, layer, largest) {
                let sum: u64 = row.iter().map(|q| q.unsigned_abs()).sum();
                let values = sum * (input_levels - 1) + 1;
                assert!(
                    values <= ACCUMULATOR_LEVELS.into(),
                    "{layer}: {values} {row:?}"
                );
            }
        }
        // The last layer has integers up to 7 and no limit.
        let last = integers(&trained.artifact, 9, 7);
        let sum = |row: &Vec<i64>| row.iter().map(|q| q.unsigned_abs()).sum::<u64>();
        assert!(
            last.iter().any(|row| sum(row) > ACCUMULATOR_LEVELS.into()),
            "{last:?}"
        );
    }
}

#[test]
fn what_is_reported_is_what_the_reloaded_artifact_does() {
    let trained = train_few(&quadratic(false), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.safetensors");
    trained.artifact.save(&path).unwrap();
    let loaded = Artifact::load(&path).unwrap();
    assert_eq!(loaded, trained.artifact);
    let test = data().test;
    let rows = logits(&loaded, &test, None).unwrap();
    assert_eq!(rows, logits(&trained.artifact, &test, None).unwrap());
    assert!((accuracy(&rows, &test.labels) - trained.test_accuracy).abs() < 1e-12);
    assert_eq!(loaded.provenance.recipe["weight_levels"], 7);
}

#[test]
fn batch_norms_get_the_statistics_of_the_rounded_weights() {
    // Whatever the running averages of statistics are, the exported ones are measured: with a rate of almost 0 the
    // averages would still be the first ones, mean 0 and variance 1.
    let still = Recipe {
        averaging: Averaging {
            statistics_rate: 1e-9,
            ..few_values().averaging
        },
        ..few_values()
    };
    let network = network(&quadratic(false));
    let trained = train(&network, &data(), &still, None, &mut Silent).unwrap();
    assert!(trained.test_accuracy > 0.95, "{}", trained.test_accuracy);
    let variance = &trained.artifact.tensor("layers.2.variance").data;
    assert!(
        variance.iter().all(|v| (v - 1.0).abs() > 1e-3),
        "{variance:?}"
    );
}

#[test]
fn interrupted_training_on_a_grid_goes_on_as_if_it_had_not_been() {
    struct Killer;
    impl cryptodl_train::Observer for Killer {
        fn epoch(&mut self, report: &cryptodl_train::EpochReport) {
            assert!(report.epoch < 3, "killed");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.checkpoint");
    let network = network(&quadratic(false));
    let killed = catch_unwind(AssertUnwindSafe(|| {
        train(&network, &data(), &few_values(), Some(&path), &mut Killer).map(|_| ())
    }));
    assert!(killed.is_err());
    let resumed = train_few(&quadratic(false), Some(&path)).unwrap();
    let whole = train_few(&quadratic(false), None).unwrap();
    assert_eq!(resumed.artifact.tensors, whole.artifact.tensors);
}

#[test]
fn limits_that_cannot_be_kept_are_refused_in_one_sentence() {
    let refused = |network: &Network, recipe: &Recipe| {
        let error = train_blobs(network, recipe, None).unwrap_err();
        assert!(matches!(error, TrainError::Recipe(_)));
        error.to_string()
    };
    let real = Recipe {
        rounding: Rounding {
            weight_levels: 0,
            output_weight_levels: 0,
            rounding_rise: 0.0,
            ..few_values().rounding
        },
        ..few_values()
    };
    assert_eq!(
        refused(&network(&quadratic(false)), &real),
        "recipe: accumulator_levels needs weights on a grid: set weight_levels too"
    );
    let real_inputs = refused(&common::network(&quadratic(false)), &few_values());
    assert!(
        real_inputs.contains("no rounding stands before layer 0 of `blobs`"),
        "{real_inputs}"
    );
}
