//! Training on images made in code: nothing here needs a download.

mod common;

use approx::Activation;
use common::{SHAPE, blobs, data, network, quadratic, recipe, train_blobs};
use cryptodl_network::{Layer, Network, Nonlinearity, Shape};
use cryptodl_train::datasets::Dataset;
use cryptodl_train::{
    EpochReport, Observer, Optimisation, Optimiser, Progress, Recipe, Rounding, Silent, Targets,
    TrainError, accuracy, logits, train,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Ends training after some epochs, as a kill would: the checkpoint is all that stays.
struct Killer(usize);

impl Observer for Killer {
    fn epoch(&mut self, report: &EpochReport) {
        assert!(report.epoch < self.0, "killed after epoch {}", report.epoch);
    }
}

#[test]
fn every_activation_and_optimiser_learns_two_blobs() {
    let nonlinearities = [
        Nonlinearity::Exact(Activation::Relu),
        quadratic(false),
        quadratic(true),
    ];
    for nonlinearity in &nonlinearities {
        for optimiser in [Optimiser::Muon, Optimiser::AdamW] {
            let trained = train_blobs(
                &network(nonlinearity),
                &Recipe {
                    optimisation: Optimisation {
                        optimiser,
                        ..recipe().optimisation
                    },
                    ..recipe()
                },
                None,
            )
            .unwrap();
            let accuracies = [
                trained.train_accuracy,
                trained.validation_accuracy,
                trained.test_accuracy,
            ];
            assert!(
                accuracies.iter().all(|share| *share > 0.97),
                "{nonlinearity:?} {optimiser:?}: {accuracies:?}"
            );
        }
    }
}

#[test]
fn the_artifact_reloads_to_the_same_logits_and_accuracy() {
    let trained = train_blobs(&network(&quadratic(true)), &recipe(), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs.safetensors");
    trained.artifact.save(&path).unwrap();
    let loaded = cryptodl_network::Artifact::load(&path).unwrap();
    assert_eq!(loaded, trained.artifact);
    let test = data().test;
    let rows = logits(&loaded, &test, None).unwrap();
    assert!((accuracy(&rows, &test.labels) - trained.test_accuracy).abs() < 1e-12);
    assert_eq!(logits(&loaded, &test, Some(7)).unwrap().len(), 7);
    // Learned coefficients went into the network, so they are no longer the fitted ones.
    assert_ne!(loaded.network.activations()[0], &quadratic(true));
    assert_eq!(loaded.provenance.degree, 2);
}

#[test]
fn weights_of_16_bits_are_what_is_evaluated_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&quadratic(false));
    let [whole, halved] = [false, true].map(|half| {
        let recipe = Recipe {
            rounding: Rounding {
                half,
                ..recipe().rounding
            },
            ..recipe()
        };
        train_blobs(&network, &recipe, None).unwrap()
    });
    let size = |artifact: &cryptodl_network::Artifact| {
        let path = folder.path().join("blobs.safetensors");
        artifact.save(&path).unwrap();
        assert_eq!(cryptodl_network::Artifact::load(&path).unwrap(), *artifact);
        std::fs::metadata(&path).unwrap().len()
    };
    let weights = |(name, _): &(&String, _)| name.ends_with(".weight");
    let spared: usize = (whole.artifact.tensors.iter().filter(weights))
        .map(|(_, tensor)| 2 * tensor.data.len())
        .sum();
    assert!(size(&halved.artifact) + spared as u64 <= size(&whole.artifact) + 64);
    for (name, tensor) in &whole.artifact.tensors {
        let halves = &halved.artifact.tensors[name].data;
        if !name.ends_with(".weight") {
            assert_eq!(halves, &tensor.data, "{name}");
            continue;
        }
        assert_ne!(halves, &tensor.data, "{name}");
        for (half, weight) in halves.iter().zip(&tensor.data) {
            let most = weight.abs().max(1e-4) / 2048.0;
            assert!((half - weight).abs() <= most, "{name}: {half} {weight}");
        }
    }
    let test = data().test;
    let rows = logits(&halved.artifact, &test, None).unwrap();
    assert!((accuracy(&rows, &test.labels) - halved.test_accuracy).abs() < 1e-12);
}

#[test]
fn interrupted_and_resumed_is_exactly_uninterrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs.checkpoint");
    let network = network(&quadratic(true));
    let whole = train_blobs(&network, &recipe(), None).unwrap();
    for stop in [1, 3] {
        let killed = catch_unwind(AssertUnwindSafe(|| {
            train(&network, &data(), &recipe(), Some(&path), &mut Killer(stop)).map(|_| ())
        }));
        assert!(killed.is_err());
    }
    let resumed = train_blobs(&network, &recipe(), Some(&path)).unwrap();
    // Same machine, same number of threads, same seed: the same bits.
    assert_eq!(resumed.artifact.tensors, whole.artifact.tensors);
    assert_eq!(resumed.artifact.network, whole.artifact.network);
    // The finished checkpoint gives the same again, without training.
    let again = train(&network, &data(), &recipe(), Some(&path), &mut Killer(0)).unwrap();
    assert_eq!(again.artifact, resumed.artifact);
}

#[test]
fn another_seed_gives_other_weights() {
    let network = network(&quadratic(false));
    let one = train_blobs(&network, &recipe(), None).unwrap();
    let two = train_blobs(
        &network,
        &Recipe {
            seed: 2,
            ..recipe()
        },
        None,
    )
    .unwrap();
    assert_ne!(one.artifact.tensors, two.artifact.tensors);
}

#[test]
fn test_images_influence_nothing_but_their_own_accuracy() {
    let network = network(&quadratic(false));
    let one = train_blobs(&network, &recipe(), None).unwrap();
    let other = Dataset {
        test: blobs(50, 9),
        ..data()
    };
    let two = train(&network, &other, &recipe(), None, &mut Silent).unwrap();
    assert_eq!(one.artifact.tensors, two.artifact.tensors);
}

#[test]
fn a_foreign_or_broken_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs.checkpoint");
    let network = network(&quadratic(false));
    let short = Recipe {
        epochs: 1,
        ..recipe()
    };
    train_blobs(&network, &short, Some(&path)).unwrap();

    let other = train_blobs(
        &network,
        &Recipe {
            epochs: 2,
            ..recipe()
        },
        Some(&path),
    )
    .unwrap_err()
    .to_string();
    assert!(
        other.contains("was made with another recipe: delete it"),
        "{other}"
    );
    let mut wider = network.clone();
    wider.nodes[4].layer = Layer::Dense { outputs: 9 };
    let other = train_blobs(&wider, &short, Some(&path))
        .unwrap_err()
        .to_string();
    assert!(other.contains("was made with another network"), "{other}");
    let fewer = Dataset {
        train: blobs(500, 1),
        ..data()
    };
    let other = train(&network, &fewer, &short, Some(&path), &mut Silent)
        .unwrap_err()
        .to_string();
    assert!(
        other.contains("was made with another training images"),
        "{other}"
    );

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(
        train_blobs(&network, &short, Some(&path)),
        Err(TrainError::File(_))
    ));
}

#[test]
fn images_and_recipes_that_do_not_fit_are_one_sentence() {
    let mut narrow = network(&quadratic(false));
    narrow.nodes[7].layer = Layer::Dense { outputs: 1 };
    let error = train_blobs(&narrow, &recipe(), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it has 1 outputs, the largest label is 1"),
        "{error}"
    );
    let mut large = network(&quadratic(false));
    large.input = Shape { height: 9, ..SHAPE };
    let error = train_blobs(&large, &recipe(), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("it reads 1×9×8, they are 1×8×8"), "{error}");
    let error = train_blobs(
        &network(&quadratic(false)),
        &Recipe {
            epochs: 0,
            ..recipe()
        },
        None,
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "recipe: epochs must be at least 1");
}

#[test]
fn a_loss_that_explodes_ends_training() {
    let wild = Recipe {
        optimisation: Optimisation {
            optimiser: Optimiser::AdamW,
            learning_rate: 1e12,
            clip_norm: 0.0,
            warm_up: 0.0,
            ..recipe().optimisation
        },
        ..recipe()
    };
    let normed = network(&quadratic(false));
    let layers = normed.layers().filter(|layer| **layer != Layer::BatchNorm);
    let plain = Network::chain(
        "blobs",
        normed.input,
        normed.normalisation.clone(),
        layers.cloned().collect(),
    );
    let error = train_blobs(&plain, &wild, None).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}

#[test]
fn the_observer_sees_every_step_and_epoch() {
    #[derive(Default)]
    struct Counter(Vec<(usize, usize)>, Vec<f64>);
    impl Observer for Counter {
        fn step(&mut self, progress: &Progress) {
            self.0.push((progress.epoch, progress.step));
            assert_eq!((progress.epochs, progress.steps), (4, 500 / 32));
        }
        fn epoch(&mut self, report: &EpochReport) {
            self.1.push(report.validation_accuracy);
        }
    }
    let mut counter = Counter::default();
    let trained = train(
        &network(&quadratic(false)),
        &data(),
        &recipe(),
        None,
        &mut counter,
    )
    .unwrap();
    assert_eq!(counter.0.len(), 4 * (500 / 32));
    assert_eq!(counter.0.last(), Some(&(4, 500 / 32)));
    assert_eq!(counter.1.last(), Some(&trained.validation_accuracy));
}

#[test]
fn a_teacher_is_followed_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("teacher.safetensors");
    let teacher = train_blobs(
        &network(&Nonlinearity::Exact(Activation::Relu)),
        &recipe(),
        None,
    )
    .unwrap();
    teacher.artifact.save(&path).unwrap();

    // From wrong labels alone nothing true can be learned; from the teacher it can.
    let mut mislabelled = data();
    for label in &mut mislabelled.train.labels {
        *label = 1 - *label;
    }
    let taught = Recipe {
        targets: Targets {
            teacher: Some(path.clone()),
            teacher_weight: 1.0,
            ..recipe().targets
        },
        ..recipe()
    };
    let network = network(&quadratic(false));
    let checkpoint = folder.path().join("taught.checkpoint");
    let trained = train(
        &network,
        &mislabelled,
        &taught,
        Some(&checkpoint),
        &mut Silent,
    )
    .unwrap();
    assert!(trained.test_accuracy > 0.97, "{}", trained.test_accuracy);

    // Another teacher of the same name does not go on where the first one stopped.
    let mut other = teacher.artifact.clone();
    other.provenance.command = "another".to_owned();
    other.save(&path).unwrap();
    let other = train(
        &network,
        &mislabelled,
        &taught,
        Some(&checkpoint),
        &mut Silent,
    )
    .unwrap_err()
    .to_string();
    assert!(other.contains("was made with another teacher"), "{other}");

    let other_seed = train_blobs(
        &network,
        &Recipe {
            seed: 2,
            ..taught.clone()
        },
        None,
    )
    .unwrap_err()
    .to_string();
    assert!(
        other_seed.contains("it would have seen its validation images"),
        "{other_seed}"
    );
    std::fs::remove_file(&path).unwrap();
    let missing = train_blobs(&network, &taught, None)
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("teacher.safetensors` cannot be used"),
        "{missing}"
    );
}
