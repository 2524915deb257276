//! Every scheme computes what the clear integers compute.

#[path = "../../train/fold/tests/common/mod.rs"]
mod common;
mod small;

use common::{artifact, blocks, network, pixels, polynomial};
use cryptodl_fold::{Quantisation, fold, quantise};
use cryptodl_he_eval::{Entry, Options, measure, prepare, schemes};
#[cfg(feature = "bfv")]
use cryptodl_he_eval::{EvalError, Quality};
use cryptodl_network::{Artifact, Layer, Network};
use small::rounding;

fn toy() -> Options {
    Options {
        toy: true,
        threads: Some(2),
        ..Options::default()
    }
}

/// Those of the schemes that this build has.
fn built(names: &[&'static str]) -> Vec<&'static str> {
    let known = |name: &&&str| schemes().iter().any(|scheme| scheme.name() == **name);
    names.iter().filter(known).copied().collect()
}

fn degrees() -> [Vec<f64>; 4] {
    [
        vec![0.2, 1.5],
        vec![0.7, 1.9, 0.8],
        vec![0.2, 1.5, 0.1, -0.3],
        vec![0.7, 1.9, 0.8, 0.2, -0.1],
    ]
}

fn run(
    scheme: &str,
    artifact: &Artifact,
    images: usize,
    options: &Options,
) -> cryptodl_he_eval::Measurement {
    let pixels = pixels(&artifact.network, images, 3);
    let labels = vec![0; images];
    measure(scheme, artifact, &pixels, &labels, options, &mut |_| ())
        .unwrap_or_else(|e| panic!("{scheme}: {e}"))
}

/// Keys and noise are new in every run, and the weights are random: where two logits tie to within the precision of an
/// approximate scheme, its answer may be either. An exact scheme has no such excuse.
fn assert_agrees(measured: &cryptodl_he_eval::Measurement, what: &str) {
    let (images, agreement) = (measured.images as f64, measured.agreement.unwrap());
    let ties = if measured.predicted_precision_bits.is_some() {
        2.0 + images / 200.0
    } else {
        0.0
    };
    let differing = ((1.0 - agreement) * images).round();
    assert!(differing <= ties, "{what}: {differing} of {images} differ");
}

/// A convolution, an activation and a dense layer, for schemes that take seconds for every product.
fn tiny(coefficients: &[f64]) -> Network {
    network(
        1,
        vec![
            Layer::Convolution {
                out_channels: 1,
                kernel: 4,
                stride: 4,
                padding: 0,
            },
            Layer::BatchNorm,
            polynomial(coefficients),
            Layer::Dense { outputs: 2 },
        ],
    )
}

/// A network that the scheme takes, and how many images of it: few where each takes seconds.
fn fixture(scheme: &dyn Entry, coefficients: &[f64]) -> Option<(Artifact, usize)> {
    let degree = coefficients.len() - 1;
    let (single, slow) = (scheme.takes_single_images(), scheme.only_by_name());
    let candidates = [
        (artifact(common::small(coefficients), 5), 40),
        (
            rounding(&polynomial(coefficients), 3, 5),
            if single { 3 } else { 40 },
        ),
    ];
    match (slow, degree) {
        (true, ..=2) => Some((artifact(tiny(coefficients), 5), 1)),
        // hundreds of bits, minutes an image
        (true, _) => None,
        _ => candidates
            .into_iter()
            .find(|(artifact, _)| scheme.accepts(&artifact.network).is_ok()),
    }
}

#[test]
fn every_scheme_agrees_with_the_same_weights_in_the_clear_for_every_degree() {
    for coefficients in degrees() {
        for entry in schemes() {
            let Some((artifact, images)) = fixture(*entry, &coefficients) else {
                continue;
            };
            let scheme = entry.name();
            let measured = run(scheme, &artifact, images, &toy());
            assert_eq!(measured.images, images);
            if measured.agreement.is_some() {
                assert_agrees(
                    &measured,
                    &format!("{scheme}, degree {}", coefficients.len() - 1),
                );
                if let Some(predicted) = measured.predicted_precision_bits {
                    let bits = measured.precision_bits.unwrap();
                    assert!(
                        (bits - predicted).abs() <= 2.0,
                        "{scheme}: {bits} bits, {predicted} predicted"
                    );
                } else {
                    assert_eq!(measured.max_logit_error, Some(0.0), "{scheme} is exact");
                    assert!(measured.noise_bits_left.is_none_or(|bits| bits > 0.0));
                }
            }
        }
    }
}

/// A scheme's name and the networks that it is tried on.
fn agrees_on(scheme: &str, networks: Vec<(&str, Network)>, what: &str) {
    for (name, network) in networks {
        let artifact = artifact(network, 5);
        let measured = run(scheme, &artifact, 40, &toy());
        let what = format!("{scheme}, {name}, {what}");
        if measured.agreement.is_some() {
            assert_agrees(&measured, &what);
        }
        match measured.predicted_precision_bits {
            Some(predicted) => {
                let bits = measured.precision_bits.unwrap();
                assert!(
                    (bits - predicted).abs() <= 2.0,
                    "{what}: {bits} bits, {predicted} predicted"
                );
            }
            None => assert!(
                measured.max_logit_error.is_none_or(|e| e == 0.0),
                "{what} is exact"
            ),
        }
    }
}

#[test]
fn every_batched_scheme_agrees_on_graphs_of_every_kind() {
    for scheme in built(&["clear-integer", "bfv", "ckks"]) {
        let quadratic = polynomial(&degrees()[1]);
        agrees_on(scheme, blocks::graphs(&quadratic), "quadratic");
        agrees_on(scheme, blocks::graphs(&polynomial(&degrees()[0])), "linear");
    }
    // integers of three powers of a higher degree need more than 255 bits
    for coefficients in &degrees()[2..] {
        agrees_on("ckks", blocks::graphs(&polynomial(coefficients)), "higher");
    }
    let quintic = polynomial(&[0.2, 1.5, 0.1, -0.3, 0.05, 0.1]);
    agrees_on("ckks", blocks::graphs(&quintic), "quintic");
}

#[test]
fn mirror_images_agree_on_graphs_of_every_kind() {
    for scheme in built(&["clear-integer", "bfv", "ckks"]) {
        let networks = blocks::graphs(&polynomial(&degrees()[1])).into_iter();
        let mirrored = networks.map(|(name, network)| {
            let mirrored = true;
            (
                name,
                Network {
                    mirrored,
                    ..network
                },
            )
        });
        agrees_on(scheme, mirrored.collect(), "mirrored");
    }
}

#[test]
fn a_mirrored_network_may_end_in_a_square() {
    // x² itself, which leaves nothing to a linear layer behind it
    let network = Network {
        mirrored: true,
        ..network(
            1,
            vec![Layer::Dense { outputs: 3 }, polynomial(&[8.0, 0.0, 8.0])],
        )
    };
    let artifact = artifact(network, 5);
    let options = Options {
        weight_bits: Some(12),
        input_bits: Some(8),
        ..toy()
    };
    for scheme in built(&["clear-integer", "bfv"]) {
        let measured = run(scheme, &artifact, 40, &options);
        let [float, integer] =
            [measured.accuracy_float, measured.accuracy_integer].map(Option::unwrap);
        // labels are all of the first class: both count how often that is the answer, of 40 times
        assert!(
            (float - integer).abs() < 0.026,
            "{scheme}: {float} {integer}"
        );
    }
}

#[test]
fn schemes_on_real_numbers_take_higher_degrees() {
    for coefficients in [
        vec![0.2, 1.5, 0.1, -0.3, 0.05, 0.1],
        vec![0.3, 1.2, 0.4, 0.0, -0.1, 0.0, 0.05, 0.02],
    ] {
        let artifact = artifact(common::small(&coefficients), 5);
        let measured = run("ckks", &artifact, 40, &toy());
        assert_agrees(&measured, &format!("degree {}", coefficients.len() - 1));
        let (bits, predicted) = (
            measured.precision_bits.unwrap(),
            measured.predicted_precision_bits.unwrap(),
        );
        assert!(
            (bits - predicted).abs() <= 2.0,
            "degree {}: {bits} bits, {predicted} predicted",
            coefficients.len() - 1
        );
    }
}

#[test]
fn images_are_standardised_before_they_are_encrypted() {
    let mut artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 5);
    let dim: Vec<u8> = pixels(&artifact.network, 60, 3)
        .iter()
        .map(|pixel| 90 + pixel / 8)
        .collect();
    let size = artifact.network.input.len();
    artifact.network.normalisation.standardised = true;
    let bright: Vec<u8> = dim
        .chunks_exact(size)
        .flat_map(|image| artifact.network.normalisation.prepared(image).into_owned())
        .collect();
    let accuracy = |artifact: &Artifact, pixels: &[u8], labels: &[u8]| {
        measure("clear", artifact, pixels, labels, &toy(), &mut |_| ())
            .unwrap()
            .accuracy_float
            .unwrap()
    };
    // the answers to the dim images, found by the accuracy on each label alone
    let answers: Vec<u8> = dim
        .chunks_exact(size)
        .map(|image| {
            let right = |label: &u8| accuracy(&artifact, image, &[*label]) > 0.5;
            (0..10).find(right).expect("one label is the answer")
        })
        .collect();
    let mut plain = artifact.clone();
    plain.network.normalisation.standardised = false;
    assert!(accuracy(&plain, &bright, &answers) > 0.999);
    assert!(accuracy(&plain, &dim, &answers) < 1.0, "it changes nothing");
    // the twin on its own sees what a run sees
    let evaluator = prepare("ckks", &artifact, answers.len(), &toy()).unwrap();
    let run = evaluator.measure(&dim, &answers, &mut |_| ()).unwrap();
    let alone = evaluator.twin_accuracy(&dim, &answers).unwrap();
    assert_eq!(alone, run.accuracy_integer);
    assert!(alone > Some(0.9), "{alone:?}");
    assert!(evaluator.twin_accuracy(&[], &[]).is_err());
}

#[test]
fn a_larger_ring_may_be_asked_for() {
    let artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 9);
    let options = |ring_degree| Options {
        ring_degree: Some(ring_degree),
        ..Options::default()
    };
    for scheme in built(&["bfv", "ckks"]) {
        let planned = prepare(scheme, &artifact, 10, &options(16384)).unwrap();
        assert_eq!(planned.plan().cost.slots, 16384, "{scheme}");
        let refused = prepare(scheme, &artifact, 10, &options(12000));
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("no ring of degree 12000"), "{message}");
    }
}

#[test]
fn results_that_outgrow_the_modulus_are_refused() {
    let mut artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 5);
    let last = artifact.network.nodes.len() - 1;
    let name = |name: &String| name.contains(&last.to_string()) && name.ends_with("weight");
    let (_, tensor) = artifact
        .tensors
        .iter_mut()
        .find(|(tensor, _)| name(tensor))
        .expect("the last layer has weights");
    tensor.data.iter_mut().for_each(|w| *w *= 1e3);
    let pixels = pixels(&artifact.network, 40, 3);
    let refused = measure("ckks", &artifact, &pixels, &[0; 40], &toy(), &mut |_| ());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("cannot be trusted"), "{message}");
}

#[test]
fn a_batch_may_be_partly_empty_and_a_run_may_take_several() {
    let artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 6);
    for scheme in built(&["bfv", "ckks"]) {
        let measured = run(scheme, &artifact, 1100, &toy());
        assert_eq!((measured.slots, measured.batches), (1024, 2));
        assert_agrees(&measured, scheme);
    }
}

#[cfg(feature = "bfv")]
#[test]
fn measured_noise_stays_within_the_predicted() {
    let wide = Options {
        weight_bits: Some(10),
        input_bits: Some(8),
        ..toy()
    };
    for (index, coefficients) in degrees().iter().enumerate() {
        // two quartics with wide weights outgrow 255 bits
        let settings = if index < 3 {
            vec![toy(), wide.clone()]
        } else {
            vec![toy()]
        };
        for options in &settings {
            let artifact = artifact(common::small(coefficients), 7);
            let planned = prepare("bfv", &artifact, 8, options).unwrap();
            let quality = planned.plan().cost.encryption.as_ref().unwrap().quality;
            let Quality::Exact {
                noise_bits_left: predicted,
                ..
            } = quality
            else {
                panic!("bfv is exact");
            };
            let measured = run("bfv", &artifact, 8, options).noise_bits_left.unwrap();
            // the prediction counts primes as half a bit short on average, so it may be low
            assert!(
                measured >= predicted - 3.0,
                "{measured} bits left, {predicted} predicted"
            );
            assert!(
                measured <= predicted + 25.0,
                "{measured} bits left, {predicted} predicted"
            );
        }
    }
}

#[test]
fn more_weight_bits_come_closer_to_the_trained_weights() {
    let artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 8);
    let graph = fold(&artifact).unwrap();
    // the largest error of a weight, and of a sum of neighbouring weights, against the largest weight
    let errors = |weight_bits| {
        let bits = Quantisation {
            weight_bits,
            input_bits: 8,
        };
        let integer = quantise(&graph, bits).unwrap();
        let (Some(float), Some(rounded)) = (graph.linears().next(), integer.linears().next())
        else {
            panic!("the fixture starts with a linear layer");
        };
        let (real, whole) = (float.matrices[0].row(0), rounded.matrices[0].row(0));
        let alpha = whole.iter().sum::<i64>() as f64 / real.iter().sum::<f64>();
        let mut sum = 0.0;
        let pairs = real.iter().zip(whole).map(|(w, &q)| q as f64 - w * alpha);
        pairs.fold((0.0, 0.0), |(one, all): (f64, f64), e| {
            sum += e;
            (one.max(e.abs()), all.max(sum.abs()))
        })
    };
    for weight_bits in [4, 6, 10] {
        let (one, all) = errors(weight_bits);
        // diffusion: a weight is off by one step at most, any run of them by about half a step
        assert!(
            one <= 1.2 && all <= 0.8,
            "{weight_bits} bits: {one} and {all} steps"
        );
    }
}

#[test]
fn plans_of_shipped_networks_keep_to_the_guidelines_of_2024() {
    let limits = [(4096, 106.0), (8192, 214.0), (16384, 430.0), (32768, 868.0)];
    for name in ["cryptonets", "pooled", "larger/lenet"] {
        let path = format!("../results/models/{name}.safetensors");
        let artifact = Artifact::load(path.as_ref()).unwrap();
        for scheme in built(&["bfv", "ckks"]) {
            let prepared = prepare(scheme, &artifact, 10_000, &Options::default()).unwrap();
            let encryption = prepared.plan().cost.encryption.as_ref().unwrap();
            let limit = limits.iter().find(|(n, _)| *n == encryption.ring_degree);
            // special primes included; no key is published modulo more
            assert!(encryption.log2_qp <= limit.unwrap().1, "{scheme}, {name}");
            assert_eq!(encryption.security_bits, 128);
        }
    }
}

#[cfg(feature = "bfv")]
#[test]
fn secure_parameters_are_chosen_and_printed() {
    let artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 9);
    let planned = prepare("bfv", &artifact, 10_000, &Options::default()).unwrap();
    let plan = planned.plan();
    let encryption = plan.cost.encryption.as_ref().unwrap();
    assert_eq!(encryption.security_bits, 128);
    assert!(
        encryption.log2_qp <= 214.0 && plan.cost.slots == 8192,
        "{plan}"
    );
    assert!(
        plan.to_string().contains("security       128 bits"),
        "{plan}"
    );
    let toy = plan_toy(&artifact);
    assert!(toy < 128, "toy parameters must not claim security");
}

#[cfg(feature = "bfv")]
fn plan_toy(artifact: &Artifact) -> u32 {
    let planned = prepare("bfv", artifact, 10, &toy()).unwrap();
    planned
        .plan()
        .cost
        .encryption
        .as_ref()
        .unwrap()
        .security_bits
}

#[cfg(feature = "bfv")]
#[test]
fn what_cannot_be_evaluated_is_refused_in_one_sentence() {
    let quintic = artifact(common::small(&[0.2, 1.5, 0.1, -0.3, 0.05, 0.1]), 1);
    let fine = artifact(common::small(&[0.7, 1.9, 0.8]), 1);
    let deep = (0..9).flat_map(|_| [Layer::Dense { outputs: 2 }, polynomial(&[0.7, 1.9, 0.8])]);
    let deep = artifact(network(1, deep.collect()), 1);
    let image = |a: &Artifact| pixels(&a.network, 1, 1);
    let fails = |scheme: &str, a: &Artifact, pixels: &[u8], labels: &[u8], options: &Options| {
        let error: EvalError =
            measure(scheme, a, pixels, labels, options, &mut |_| ()).expect_err("must be refused");
        error.to_string()
    };
    let options = Options::default();
    let unknown = fails("rot13", &fine, &image(&fine), &[0], &options);
    assert!(
        unknown.contains("clear, clear-integer, clear-tables, bfv, ckks"),
        "{unknown}"
    );
    assert!(
        fails("bfv", &quintic, &image(&quintic), &[0], &options).contains("only scheme `clear`")
    );
    let rounds = |layers: Vec<Layer>| artifact(network(1, layers), 1);
    let (levels, low, high) = (4, -0.5, 1.5);
    let quantise = || Layer::Quantise { levels, low, high };
    let dense = || Layer::Dense { outputs: 2 };
    let square = || polynomial(&[0.7, 1.9, 0.8]);
    let inputs = rounds(vec![quantise(), dense(), square(), dense()]);
    let values = rounds(vec![dense(), square(), quantise(), dense()]);
    for scheme in built(&["clear-integer", "bfv", "ckks"]) {
        for (rounding, node) in [(&inputs, "layers.0"), (&values, "layers.2")] {
            let refused = fails(scheme, rounding, &image(rounding), &[0], &options);
            let expected = format!("`{node}` rounds its values, and rounding needs a look-up");
            assert!(refused.contains(&expected), "{scheme}: {refused}");
        }
    }
    measure(
        "clear",
        &inputs,
        &image(&inputs),
        &[0],
        &options,
        &mut |_| (),
    )
    .unwrap();
    assert!(fails("bfv", &fine, &[0; 63], &[0], &options).contains("63 pixels and 1 labels"));
    assert!(fails("bfv", &fine, &[], &[], &options).contains("no images"));
    assert!(fails("bfv", &deep, &image(&deep), &[0], &options).contains("bits"));
    let wide = Options {
        weight_bits: Some(13),
        ..Options::default()
    };
    assert!(fails("bfv", &fine, &image(&fine), &[0], &wide).contains("choose 2 to 12"));
    let none = Options {
        threads: Some(0),
        ..Options::default()
    };
    assert!(fails("clear", &fine, &image(&fine), &[0], &none).contains("0 threads"));
}
