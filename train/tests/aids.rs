//! The aids of training, each on images made in code.

mod common;

use approx::Activation;
use common::{data, network, quadratic, recipe, train_blobs};
use cryptodl_network::{Artifact, Network, Nonlinearity};
use cryptodl_train::{
    Averaging, Boundary, Clipping, Coefficients, EpochReport, Observer, Optimisation, Optimiser,
    Penalty, Polynomials, Recipe, Schedule, Silent, accuracy, diagnosis, logits, train,
};

#[test]
fn training_begins_from_a_trained_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("start.safetensors");
    let exact = network(&Nonlinearity::Exact(Activation::Relu));
    let first = train_blobs(&exact, &recipe(), None).unwrap().artifact;
    first.save(&path).unwrap();
    let quadratic = network(&quadratic(false));
    let still = Recipe {
        start: Some(path.clone()),
        epochs: 1,
        optimisation: Optimisation {
            optimiser: Optimiser::AdamW,
            learning_rate: 0.0,
            ..recipe().optimisation
        },
        averaging: Averaging {
            statistics_rate: 1e-9,
            ..recipe().averaging
        },
        ..recipe()
    };
    let second = train_blobs(&quadratic, &still, None).unwrap().artifact;
    assert_eq!(second.network, quadratic);
    for (name, tensor) in &first.tensors {
        for (before, after) in tensor.data.iter().zip(&second.tensors[name].data) {
            // a running average of one number again and again
            assert!(
                (before - after).abs() < 1e-5 * (1.0 + before.abs()),
                "{name}"
            );
        }
    }

    let refused = |network: &Network, recipe: &Recipe| {
        train_blobs(network, recipe, None).unwrap_err().to_string()
    };
    let seed = refused(
        &quadratic,
        &Recipe {
            seed: 2,
            ..still.clone()
        },
    );
    assert!(
        seed.contains("it would have seen its validation images"),
        "{seed}"
    );
    let mut longer = quadratic.clone();
    let layers = longer.layers().cloned();
    let layers = [cryptodl_network::Layer::BatchNorm]
        .into_iter()
        .chain(layers);
    longer = Network::chain(
        "blobs",
        longer.input,
        longer.normalisation.clone(),
        layers.collect(),
    );
    let layers = refused(&longer, &still);
    assert!(layers.contains("has other layers than `blobs`"), "{layers}");
    std::fs::remove_file(&path).unwrap();
    let missing = refused(&quadratic, &still);
    assert!(
        missing.contains("start.safetensors` cannot be used"),
        "{missing}"
    );
}

#[test]
fn every_aid_learns_two_blobs() {
    let recipes = [
        Recipe {
            polynomials: Polynomials {
                near_linear: 0.5,
                ..recipe().polynomials
            },
            ..recipe()
        },
        Recipe {
            polynomials: Polynomials {
                replacement: 0.5,
                replacement_clip: true,
                ..recipe().polynomials
            },
            ..recipe()
        },
        Recipe {
            polynomials: Polynomials {
                replacement: 0.5,
                replaced: Some(Activation::Tanh),
                ..recipe().polynomials
            },
            ..recipe()
        },
        Recipe {
            optimisation: Optimisation {
                clipping: Clipping::Selective,
                ..recipe().optimisation
            },
            boundary: Boundary {
                penalty: Penalty::Exponential,
                ..recipe().boundary
            },
            ..recipe()
        },
        Recipe {
            optimisation: Optimisation {
                schedule: Schedule::Cosine,
                ..recipe().optimisation
            },
            ..recipe()
        },
    ];
    for recipe in &recipes {
        for learnable in [false, true] {
            let trained = train_blobs(&network(&quadratic(learnable)), recipe, None).unwrap();
            assert!(
                trained.test_accuracy > 0.97,
                "{} with {recipe:?}",
                trained.test_accuracy
            );
        }
    }
}

#[test]
fn a_hopeless_training_stops_and_stops_again_after_a_kill() {
    struct Impatient(usize);
    impl Observer for Impatient {
        fn epoch(&mut self, report: &EpochReport) {
            self.0 = report.epoch;
        }
        fn stops(&mut self, epochs: usize, validation_accuracy: f64) -> bool {
            epochs == 2 && validation_accuracy < 2.0
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let network = network(&quadratic(false));
    let mut observer = Impatient(0);
    let first = train(&network, &data(), &recipe(), Some(&path), &mut observer).unwrap();
    assert_eq!((first.epochs, observer.0), (2, 2));
    // the checkpoint of the last epoch is there, as after a kill behind it
    let mut observer = Impatient(0);
    let again = train(&network, &data(), &recipe(), Some(&path), &mut observer).unwrap();
    assert_eq!((again.epochs, observer.0), (2, 0));
    assert_eq!(again.artifact.tensors, first.artifact.tensors);
    let whole = train(&network, &data(), &recipe(), Some(&path), &mut Silent).unwrap();
    assert_eq!(whole.epochs, 4);
}

#[test]
fn inputs_of_activations_are_those_of_the_network_cut_before_them() {
    let exact = network(&Nonlinearity::Exact(Activation::Relu));
    let artifact = train_blobs(&exact, &recipe(), None).unwrap().artifact;
    let images = &data().test;
    let indices: Vec<usize> = (0..images.len()).collect();
    let found = diagnosis::activation_inputs(&artifact, images, &indices).unwrap();
    assert_eq!(found.len(), 2);
    // the network up to its second activation, the values in front of which are then its logits
    let mut cut = artifact.clone();
    cut.network.nodes.truncate(6);
    let names = cut.network.parameter_shapes().unwrap();
    cut.tensors
        .retain(|name, _| names.iter().any(|(known, _)| known == name));
    let values = logits(&cut, images, None).unwrap().concat();
    let (low, high) = values
        .iter()
        .fold((f32::MAX, f32::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
    assert_eq!(found[1].total(), 8 * 200);
    assert!((found[1].low() - f64::from(low)).abs() < 1e-5);
    assert!((found[1].high() - f64::from(high)).abs() < 1e-5);
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64;
    assert!((found[1].mean() - mean).abs() < 1e-5);
}

#[test]
fn channels_and_series_learn_and_answer_alike_when_loaded() {
    let network = network(&quadratic(false));
    for recipe in [
        Recipe {
            polynomials: Polynomials {
                coefficients: Coefficients::Channel,
                ..recipe().polynomials
            },
            ..recipe()
        },
        Recipe {
            polynomials: Polynomials {
                coefficients: Coefficients::Layer,
                ..recipe().polynomials
            },
            ..recipe()
        },
        Recipe {
            polynomials: Polynomials {
                hermite: true,
                ..recipe().polynomials
            },
            ..recipe()
        },
    ] {
        let trained = train_blobs(&network, &recipe, None).unwrap();
        assert!(trained.test_accuracy > 0.97, "{}", trained.test_accuracy);
        let used = trained.artifact.network.activations();
        let channels: Vec<usize> = used
            .iter()
            .map(|used| match used {
                Nonlinearity::Channels { polynomials, .. } => polynomials.len(),
                _ => 1,
            })
            .collect();
        let each = recipe.polynomials.coefficients != Coefficients::Layer;
        assert_eq!(channels, if each { [4, 8] } else { [1, 1] });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trained.safetensors");
        trained.artifact.save(&path).unwrap();
        let loaded = Artifact::load(&path).unwrap();
        assert_eq!(loaded, trained.artifact);
        let answers = logits(&loaded, &data().test, None).unwrap();
        let accuracy = accuracy(&answers, &data().test.labels);
        assert!((accuracy - trained.test_accuracy).abs() < 1e-12);
    }
}

#[test]
fn hermite_terms_are_refused_where_training_would_pass_them_over() {
    let hermite = Recipe {
        polynomials: Polynomials {
            hermite: true,
            ..recipe().polynomials
        },
        ..recipe()
    };
    let exact = Nonlinearity::Exact(Activation::Relu);
    for (used, part) in [
        (exact, "kept as it is"),
        (quadratic(true), "coefficients that training may change"),
    ] {
        let refused = train_blobs(&network(&used), &hermite, None).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    }
}
