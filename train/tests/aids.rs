//! The aids of training, each on images made in code.

mod common;

use approx::Activation;
use common::{network, quadratic, recipe, train_blobs};
use cryptodl_network::{Network, Nonlinearity};
use cryptodl_train::{Optimiser, Recipe};

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
        optimiser: Optimiser::AdamW,
        learning_rate: 0.0,
        statistics_rate: 1e-9,
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
    longer.layers.insert(0, cryptodl_network::Layer::BatchNorm);
    let layers = refused(&longer, &still);
    assert!(layers.contains("has other layers than `blobs`"), "{layers}");
    std::fs::remove_file(&path).unwrap();
    let missing = refused(&quadratic, &still);
    assert!(
        missing.contains("start.safetensors` cannot be used"),
        "{missing}"
    );
}
