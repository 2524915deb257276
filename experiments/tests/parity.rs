//! The two halves meet in the artifact: what training computes is what evaluation computes.

use cryptodl_he_eval::schemes::clear;
use cryptodl_network::Artifact;
use cryptodl_train::{datasets::Images, logits};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::path::Path;

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
        let size = artifact.network.input.len();
        let mut rng = StdRng::seed_from_u64(7);
        // blobs of any brightness, smooth enough to look like images
        let pixels: Vec<u8> = (0..20)
            .flat_map(|_| {
                let (middle, contrast) = (rng.random_range(30..200), rng.random_range(5..55));
                let step: f64 = rng.random_range(0.02..0.2);
                (0..size).map(move |place| {
                    let wave = (place as f64 * step).sin() * f64::from(contrast);
                    (f64::from(middle) + wave) as u8
                })
            })
            .collect();
        let images = Images {
            shape: artifact.network.input,
            pixels,
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
