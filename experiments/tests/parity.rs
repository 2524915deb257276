//! The two halves meet in the artifact: what training computes is what evaluation computes.

use cryptodl_he_eval::schemes::clear;
use cryptodl_network::{Artifact, Shape};
use cryptodl_train::{datasets::Images, logits};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::f64::consts::TAU;
use std::path::Path;

/// An image of any brightness and contrast whose waves are the weaker the shorter they are, alike in all channels, as
/// in photographs: a polynomial of degree 512 answers anything less likely with numbers that no float can hold.
fn clouds(shape: Shape, rng: &mut StdRng) -> Vec<u8> {
    let (middle, contrast) = (rng.random_range(80.0..170.0), rng.random_range(10.0..40.0));
    let waves: Vec<[f64; 4]> = (0..24)
        .map(|_| {
            let per_image: f64 = rng.random_range(0.3..5.0);
            let (sine, cosine) = rng.random_range(0.0..TAU).sin_cos();
            let phase = rng.random_range(0.0..TAU);
            let [down, right] = [sine, cosine].map(|part| TAU * per_image * part);
            [down, right, phase, contrast / (1.0 + per_image)]
        })
        .collect();
    let mut pixels = Vec::with_capacity(shape.len());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                let y = row as f64 / shape.height as f64;
                let x = column as f64 / shape.width as f64;
                let light: f64 = waves
                    .iter()
                    .map(|[down, right, phase, size]| (down * y + right * x + phase).sin() * size)
                    .sum();
                pixels.push((middle + light * (1.0 - 0.1 * channel as f64)) as u8);
            }
        }
    }
    pixels
}

#[test]
fn every_shipped_network_has_the_same_logits_in_training_and_in_evaluation_and_after_a_reload() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/models");
    let scratch = tempfile::tempdir().unwrap();
    let mut count = 0;
    let files = [folder.clone(), folder.join("larger")]
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension() == Some("safetensors".as_ref()));
    for entry in files {
        let name = entry.file_name();
        let artifact = Artifact::load(&entry.path()).unwrap();
        let shape = artifact.network.input;
        let mut rng = StdRng::seed_from_u64(7);
        let images = Images {
            shape,
            pixels: (0..20).flat_map(|_| clouds(shape, &mut rng)).collect(),
            labels: vec![0; 20],
        };
        let trained = logits(&artifact, &images, None).unwrap();
        let evaluated = clear::logits(&artifact, &images.pixels).unwrap();
        for (trained, evaluated) in trained.iter().zip(&evaluated) {
            let largest = evaluated.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
            for (a, b) in trained.iter().zip(evaluated) {
                // 32-bit floats against 64-bit ones
                let gap = (f64::from(*a) - b).abs();
                assert!(gap < 1e-4 * largest, "{}: {a} {b}", name.display());
            }
        }
        let copy = scratch.path().join(&name);
        artifact.save(&copy).unwrap();
        let again = Artifact::load(&copy).unwrap();
        assert_eq!(logits(&again, &images, None).unwrap(), trained);
        count += 1;
    }
    assert!(count > 0);
}
