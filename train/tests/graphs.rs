//! Networks that are no chains learn: skips, projections, gates, products and concatenations.

#[path = "../fold/tests/common/mod.rs"]
mod graphs;

use cryptodl_network::Layer;
use cryptodl_train::{
    EpochReport, Observer, Optimisation, Recipe,
    datasets::{Dataset, Images},
    logits, train,
};
use graphs::{blocks, polynomial};

/// Three classes of 8 × 8 pixels on a noisy ground: where the bright stripe is.
fn stripes(count: usize, mut noise: u32) -> Images {
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let labels: Vec<u8> = (0..count).map(|image| (image % 3) as u8).collect();
    let mut pixels = Vec::new();
    for label in &labels {
        for row in 0..8 {
            let inside = (1 + 2 * label..3 + 2 * label).contains(&row);
            pixels.extend((0..8).map(|_| random() / 2 + if inside { 120 } else { 0 }));
        }
    }
    let shape = cryptodl_network::Shape {
        channels: 1,
        height: 8,
        width: 8,
    };
    Images {
        shape,
        pixels,
        labels,
    }
}

/// The mean loss of each epoch.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn epoch(&mut self, report: &EpochReport) {
        self.0.push(report.loss);
    }
}

#[test]
fn graphs_of_every_kind_learn_and_are_evaluated_as_trained() {
    let data = Dataset {
        name: "stripes".into(),
        train: stripes(600, 1),
        test: stripes(150, 2),
        hashes: Vec::new(),
    };
    let recipe = Recipe {
        epochs: 10,
        batch: 20,
        validation_images: 100,
        optimisation: Optimisation::default(),
        ..Recipe::default()
    };
    let quadratic: Layer = polynomial(&[0.2, 0.5, 0.125]);
    for (name, network) in blocks::graphs(&quadratic) {
        let mut losses = Losses::default();
        let trained = train(&network, &data, &recipe, None, &mut losses).unwrap();
        let (first, last) = (losses.0[0], losses.0[recipe.epochs - 1]);
        assert!(last < 0.9 * first, "{name}: {:?}", losses.0);
        assert!(
            trained.test_accuracy > 0.6,
            "{name}: {}",
            trained.test_accuracy
        );

        let artifact = &trained.artifact;
        let ours = logits(artifact, &data.test, Some(20)).unwrap();
        let folded = cryptodl_fold::fold(artifact).unwrap();
        let images: Vec<&[u8]> = data.test.pixels.chunks(64).take(20).collect();
        let column = |pixel: usize| images.iter().map(|image| f64::from(image[pixel])).collect();
        let results = cryptodl_fold::interpret(&folded, (0..64).map(column).collect()).unwrap();
        for (image, logits) in ours.iter().enumerate() {
            for (class, logit) in logits.iter().enumerate() {
                let same =
                    results[class][image] / folded.output_scale[class] + folded.output_shift[class];
                let size = 1.0 + same.abs();
                assert!(
                    (f64::from(*logit) - same).abs() < 1e-3 * size,
                    "{name}: {logit}, {same}"
                );
            }
        }
    }
}
