//! Small images made in code, and networks for them.

use approx::{Basis, Interval, Polynomial};
use cryptodl_network::{Layer, Network, Nonlinearity, Normalisation, Shape};
use cryptodl_train::datasets::{Dataset, Images};
use cryptodl_train::{Augmentation, Averaging, Recipe, Silent, TrainError, Trained, train};
use std::path::Path;

pub const SHAPE: Shape = Shape {
    channels: 1,
    height: 8,
    width: 8,
};

/// Two classes: a bright blob in the upper left or in the lower right quarter, on a noisy ground.
pub fn blobs(images: usize, mut noise: u32) -> Images {
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let mut pixels = Vec::new();
    let labels: Vec<u8> = (0..images).map(|index| (index % 2) as u8).collect();
    for label in &labels {
        let corner = 1 + 4 * usize::from(*label) - usize::from(random() % 2);
        for position in 0..SHAPE.len() {
            let (row, column) = (position / 8, position % 8);
            let inside =
                (corner..corner + 3).contains(&row) && (corner..corner + 3).contains(&column);
            pixels.push(random() / 2 + if inside { 120 } else { 0 });
        }
    }
    Images {
        shape: SHAPE,
        pixels,
        labels,
    }
}

pub fn data() -> Dataset {
    Dataset {
        name: "blobs".into(),
        train: blobs(600, 1),
        test: blobs(200, 2),
        hashes: Vec::new(),
    }
}

pub fn quadratic(learnable: bool) -> Nonlinearity {
    // 0.2 + x/2 + x²/8, close to ReLU around 0, in the basis that learnable coefficients are moved in.
    let interval = Interval::new(-4.0, 4.0).unwrap();
    let polynomial = Polynomial::new(vec![1.2, 2.0, 1.0], Basis::Chebyshev, interval).unwrap();
    Nonlinearity::Polynomial {
        polynomial,
        learnable,
    }
}

/// Every kind of layer.
pub fn network(nonlinearity: &Nonlinearity) -> Network {
    let activation = || Layer::Activation(nonlinearity.clone());
    Network::chain(
        "blobs",
        SHAPE,
        Normalisation {
            mean: vec![0.3],
            deviation: vec![0.2],
            standardised: false,
        },
        vec![
            Layer::Convolution {
                out_channels: 4,
                kernel: 3,
                stride: 1,
                padding: 1,
            },
            Layer::MeanPool {
                kernel: 2,
                stride: 2,
            },
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 8 },
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 2 },
        ],
    )
}

pub fn recipe() -> Recipe {
    Recipe {
        epochs: 4,
        batch: 32,
        validation_images: 100,
        augmentation: Augmentation {
            shift_pixels: 0.5,
            ..Augmentation::default()
        },
        averaging: Averaging {
            average: 0.9,
            ..Averaging::default()
        },
        ..Recipe::default()
    }
}

pub fn train_blobs(
    network: &Network,
    recipe: &Recipe,
    checkpoint: Option<&Path>,
) -> Result<Trained, TrainError> {
    train(network, &data(), recipe, checkpoint, &mut Silent)
}
