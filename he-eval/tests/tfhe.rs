//! Look-ups under encryption: every accumulator, not only the results, and every refusal.
#![cfg(feature = "tfhe")]

#[path = "../../train/fold/tests/common/mod.rs"]
mod common;
mod small;

use std::path::Path;

use approx::Activation;
use common::{artifact, network, pixels, polynomial};
use cryptodl_fold::{Operation, fold, interpret::evaluate, lookup};
use cryptodl_he_eval::{
    EvalError, Options, Quality, measure, prepare,
    run::run,
    scheme::{Client, Compiled, Portable, Scheme, Server, Source},
    schemes::tfhe::{
        Tfhe, TfheClient, TfheError, TfheOptions, TfheRequest, TfheResponse, TfheServer, TfheSpec,
        integer::IntegerError,
    },
};
use cryptodl_network::{Artifact, Layer, Nonlinearity};
use cryptodl_wire::Wire;
use small::{rounding, whole};

fn toy() -> Options {
    Options {
        toy: true,
        threads: Some(2),
        ..Options::default()
    }
}

fn compiled(artifact: &Artifact, options: &Options) -> Compiled<Tfhe> {
    let graph = fold(artifact).unwrap();
    let source = Source {
        artifact,
        graph: &graph,
        images: 1,
    };
    Tfhe.compile(&source, &options.into()).unwrap()
}

fn relu() -> Layer {
    Layer::Activation(Nonlinearity::Exact(Activation::Relu))
}

/// With new keys.
fn roles(compiled: &Compiled<Tfhe>) -> (TfheClient, TfheServer) {
    let (client, keys) = Tfhe::keys(&compiled.spec, &TfheOptions::default()).unwrap();
    let server = TfheServer::new(compiled.program.clone(), keys).unwrap();
    (client, server)
}

/// Runs `images` images layer by layer and compares every accumulator with the twin's.
fn compare_accumulators(artifact: &Artifact, images: usize, options: &Options) -> usize {
    let twin = lookup::tables(artifact).unwrap();
    let compiled = compiled(artifact, options);
    let program = &compiled.program;
    let (client, server) = roles(&compiled);
    let pixels = pixels(&artifact.network, images, 3);
    let mut compared = 0;
    for image in pixels.chunks(twin.inputs()) {
        let mut expected: Vec<Vec<i64>> = image.iter().map(|&p| vec![i64::from(p)]).collect();
        let request = client.encrypt(&[image], 0).unwrap();
        let mut batch = server.begin(request).unwrap();
        let mut layer = 0;
        for node in &twin.nodes {
            expected = evaluate(node, &[&expected]).unwrap();
            let Operation::Linear(_) = node.operation else {
                continue;
            };
            let sums = server.sums(&batch).unwrap();
            let found = client.accumulators(program, layer, &sums).unwrap();
            let pairs = found.iter().zip(&expected).map(|(a, b)| (*a, b[0]));
            match program.turn(layer) {
                Some(turn) => assert!(
                    pairs.clone().all(|(a, b)| (a - b) % turn == 0),
                    "{found:?} {expected:?}"
                ),
                None => assert!(pairs.clone().all(|(a, b)| a == b), "{found:?} {expected:?}"),
            }
            compared += pairs.len();
            server.step(layer, &mut batch, &mut |_| ()).unwrap();
            layer += 1;
        }
        assert_eq!(layer, server.steps());
    }
    compared
}

#[test]
fn every_accumulator_equals_the_twin_s() {
    for (activation, levels, seed) in [
        (relu(), 2, 1),
        (relu(), 4, 2),
        (polynomial(&[0.7, 1.9, 0.8]), 3, 3),
        (
            Layer::Activation(Nonlinearity::Exact(Activation::Tanh)),
            5,
            4,
        ),
    ] {
        let artifact = rounding(&activation, levels, seed);
        // 32 after the convolution, 4, and 3 or more pieces of 3 results
        assert!(compare_accumulators(&artifact, 2, &toy()) >= 2 * 39);
    }
}

#[test]
fn steps_take_twice_the_values_for_the_same_price() {
    // as many values as fill a power of two, in two levels and in many
    let network_of = |levels, high| {
        let round = |levels, high| Layer::Quantise {
            levels,
            low: 0.0,
            high,
        };
        let layers = vec![
            round(2, 1.0),
            Layer::Dense { outputs: 6 },
            relu(),
            round(levels, high),
            Layer::Dense { outputs: 2 },
        ];
        whole(artifact(network(1, layers), 2), 1)
    };
    let ring = |artifact: &Artifact| {
        let plan = prepare("tfhe", artifact, 1, &toy()).unwrap();
        plan.plan().cost.encryption.as_ref().unwrap().ring_degree
    };
    let (two, many) = (network_of(2, 1.0), network_of(200, 50.0));
    assert!(
        ring(&two) < ring(&many),
        "{} and {}",
        ring(&two),
        ring(&many)
    );
    // flat ends save boxes between two results and many
    for levels in [2, 3, 5] {
        compare_accumulators(&network_of(levels, 1.0), 3, &toy());
    }
}

#[test]
fn sums_before_a_sine_go_round_the_torus() {
    // pixels of 2 levels and weights of up to 2 units, 4 units in half a turn
    let layers = |activation: Activation| {
        let round = |levels, low| Layer::Quantise {
            levels,
            low,
            high: 1.0,
        };
        vec![
            round(2, 0.0),
            Layer::Dense { outputs: 12 },
            Layer::Activation(Nonlinearity::Exact(activation)),
            round(6, -1.0),
            Layer::Dense { outputs: 3 },
        ]
    };
    let model = |activation| {
        let mut model = whole(artifact(network(1, layers(activation)), 4), 2);
        let hidden = model.tensors.get_mut("layers.1.weight").unwrap();
        let pixels = hidden.shape[1];
        for row in hidden.data.chunks_exact_mut(pixels) {
            let largest = row.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
            let step = std::f32::consts::PI / 4.0;
            for w in row {
                *w = (*w / largest * 2.0).round() * step;
            }
        }
        model
    };
    let sine = model(Activation::Sine);
    let plan = prepare("tfhe", &sine, 1, &toy()).unwrap();
    let plan = plan.plan().to_string();
    assert!(plan.contains("look-ups of 4 values"), "{plan}");
    let plan = prepare("tfhe", &model(Activation::Tanh), 1, &toy()).unwrap();
    assert!(!plan.plan().to_string().contains("look-ups of 4 values"));
    let graph = lookup::tables(&sine).unwrap();
    let ranges = lookup::ranges(&graph);
    let widest = ranges[1].iter().map(|(low, high)| high - low);
    assert!(widest.max().unwrap() > 3 * 4, "several half turns");
    compare_accumulators(&sine, 3, &toy());
}

#[test]
fn a_secure_set_computes_the_same() {
    let layers = vec![
        Layer::Quantise {
            levels: 2,
            low: 0.0,
            high: 1.0,
        },
        Layer::Convolution {
            out_channels: 1,
            kernel: 3,
            stride: 4,
            padding: 0,
        },
        relu(),
        Layer::Quantise {
            levels: 4,
            low: 0.0,
            high: 1.5,
        },
        Layer::Dense { outputs: 2 },
    ];
    let artifact = whole(artifact(network(1, layers), 3), 1);
    let options = Options {
        toy: false,
        ..toy()
    };
    let plan = prepare("tfhe", &artifact, 1, &options)
        .unwrap()
        .plan()
        .clone();
    let encryption = plan.cost.encryption.as_ref().unwrap();
    assert_eq!((encryption.security_bits, plan.cost.slots), (128, 1));
    let set = encryption.parameter_set.as_deref().unwrap();
    assert!(set.ends_with("GAUSSIAN_2M128"), "{set}");
    assert!(plan.to_string().contains("GAUSSIAN_2M128"), "{plan}");
    assert!(
        encryption.ciphertext_bytes < 64 * 100,
        "seeded pixels are small"
    );
    compare_accumulators(&artifact, 2, &options);
}

#[test]
fn a_whole_run_agrees_and_says_what_it_cost() {
    let artifact = rounding(&relu(), 3, 6);
    let pixels = pixels(&artifact.network, 4, 5);
    let mut reports = Vec::new();
    let measured = measure("tfhe", &artifact, &pixels, &[0; 4], &toy(), &mut |at| {
        reports.push(at.done);
    })
    .unwrap();
    assert_eq!(
        (measured.agreement, measured.max_logit_error),
        (Some(1.0), Some(0.0))
    );
    assert_eq!((measured.slots, measured.batches), (1, 4));
    // one look-up after each of the 32 and the 4 accumulators
    assert_eq!(measured.ciphertext_products, 36);
    assert!(measured.noise_bits_left.unwrap() > 1.0);
    assert!(measured.predicted_infer_s.unwrap() > 0.0);
    assert!(
        measured.security_bits.unwrap() < 128,
        "toy parameters claim none"
    );
    let steps: usize = reports.windows(2).filter(|pair| pair[1] > pair[0]).count();
    assert!(steps >= 8, "progress comes within a layer: {reports:?}");
    assert!(reports.iter().all(|done| (0.0..=1.0).contains(done)));
}

#[test]
fn the_twin_rounds_as_the_network_does() {
    // the float evaluation rounds where the network says so, the twin by its tables
    for seed in 0..4 {
        let artifact = rounding(&polynomial(&[0.7, 1.9, 0.8]), 6, seed);
        let pixels = pixels(&artifact.network, 100, 5);
        let run = |scheme| {
            measure(
                scheme,
                &artifact,
                &pixels,
                &[1; 100],
                &Options::default(),
                &mut |_| (),
            )
        };
        let (float, twin) = (run("clear").unwrap(), run("clear-tables").unwrap());
        assert_eq!(float.accuracy_float, twin.accuracy_integer);
    }
}

#[test]
fn noise_stays_within_the_predicted() {
    let artifact = rounding(&relu(), 4, 7);
    let planned = prepare("tfhe", &artifact, 2, &toy()).unwrap();
    let Quality::Exact {
        noise_bits_left: predicted,
        ..
    } = planned.plan().cost.encryption.as_ref().unwrap().quality
    else {
        panic!("look-ups are exact");
    };
    let pixels = pixels(&artifact.network, 2, 5);
    let measured = planned.measure(&pixels, &[0; 2], &mut |_| ()).unwrap();
    // the toy set has fewer noise terms than the set whose noise was predicted
    assert!(measured.noise_bits_left.unwrap() > predicted - 1.0);
}

#[test]
fn networks_that_do_not_fit_are_refused_in_one_sentence() {
    let refused = |artifact: &Artifact| {
        let error = prepare("tfhe", artifact, 1, &Options::default());
        error.err().expect("must be refused").to_string()
    };
    let plain = refused(&artifact(common::small(&[0.7, 1.9, 0.8]), 1));
    assert!(
        plain.contains("a rounding layer before every linear layer"),
        "{plain}"
    );
    let uneven = rounding(&relu(), 3, 1);
    let uneven = artifact(uneven.network, 1);
    let uneven = refused(&uneven);
    assert!(uneven.contains("not whole multiples"), "{uneven}");
    let dense = |most, levels| {
        let round = |levels| Layer::Quantise {
            levels,
            low: 0.0,
            high: 1.0,
        };
        let layers = vec![
            round(levels),
            Layer::Dense { outputs: 2 },
            relu(),
            round(2),
            Layer::Dense { outputs: 2 },
        ];
        whole(artifact(network(1, layers), 1), most)
    };
    let wide = refused(&dense(7, 16));
    assert!(wide.contains("no parameter set gets it right"), "{wide}");
    let wider = refused(&dense(127, 256));
    assert!(wider.contains("65536 is the limit"), "{wider}");
}

#[test]
fn ciphertexts_of_another_key_are_found_out() {
    let artifact = rounding(&relu(), 2, 8);
    let compiled = compiled(&artifact, &toy());
    let parameters = Tfhe::parameters_of(&compiled.program);
    let (client, server) = roles(&compiled);
    let (other, stranger) = roles(&compiled);
    let image = pixels(&artifact.network, 1, 5);
    let request = client.encrypt(&[&image], 0).unwrap();
    assert_eq!(request.size(), 56 + 16 + 4 + 24 * 64 + 4);

    let sent = request.to_bytes();
    let received = || TfheRequest::from_bytes(parameters, &sent).unwrap();
    let refused = stranger.begin(received()).unwrap_err();
    assert!(matches!(refused, TfheError::OtherKey), "{refused}");

    let response = run(&server, received(), &mut |_| ()).unwrap().to_bytes();
    let read = |bytes: &[u8]| TfheResponse::from_bytes(parameters, bytes).unwrap();
    let refused = other.decrypt(&[read(&response)], 1).unwrap_err();
    assert!(matches!(refused, TfheError::OtherKey), "{refused}");
    // an identity that is forged: the noise tells
    let mut forged = response.clone();
    forged[56..72].copy_from_slice(&other.encrypt(&[&image], 0).unwrap().to_bytes()[56..72]);
    let end = forged.len() - 4;
    let checksum = crc32fast::hash(&forged[..end]);
    forged[end..].copy_from_slice(&checksum.to_le_bytes());
    let nonsense = other.decrypt(&[read(&forged)], 1).unwrap_err();
    assert!(matches!(nonsense, TfheError::WrongKey { .. }), "{nonsense}");
}

#[test]
fn keys_are_kept_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |name: &str| Options {
        keys: Some(folder.path().join(name)),
        ..toy()
    };
    let artifact = rounding(&relu(), 2, 9);
    let pixels = pixels(&artifact.network, 1, 5);
    let run = |artifact: &Artifact, options: &Options| {
        measure("tfhe", artifact, &pixels, &[0], options, &mut |_| ())
    };
    run(&artifact, &keys("one")).unwrap();
    run(&artifact, &keys("two")).unwrap();
    let path = |name: &str, file: &str| folder.path().join(name).join(file);
    let kept = std::fs::read(path("one", "server.key")).unwrap();
    assert_eq!(run(&artifact, &keys("one")).unwrap().agreement, Some(1.0));
    assert_eq!(
        std::fs::read(path("one", "server.key")).unwrap(),
        kept,
        "not made again"
    );
    let left = std::fs::read_dir(folder.path().join("one"))
        .unwrap()
        .count();
    assert_eq!(left, 2, "no temporary files");

    let refused = |expected: &str| {
        let message = run(&artifact, &keys("one")).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let write = |file: &Path, bytes: &[u8]| std::fs::write(file, bytes).unwrap();
    let server = path("one", "server.key");
    std::fs::copy(path("two", "server.key"), &server).unwrap();
    refused("belongs to another client key");
    write(&server, &kept[..kept.len() - 1]);
    refused("it is cut short");
    write(&server, b"something else entirely");
    refused("it does not begin as what this program writes");
    std::fs::remove_file(&server).unwrap();
    refused("is missing and the other key is there");
    write(&server, &kept);
    let client = std::fs::read(path("one", "client.key")).unwrap();
    let mut flipped = client.clone();
    flipped[80] = 7;
    write(&path("one", "client.key"), &flipped);
    refused("a bit of it is neither 0 nor 1");
    flipped[80] = 1 - client[80];
    write(&path("one", "client.key"), &flipped);
    refused("its checksum is wrong");
    // as keys were written before there was one format: version 1 in four bytes
    let mut old = client.clone();
    old[8..12].copy_from_slice(&1_u32.to_le_bytes());
    write(&path("one", "client.key"), &old);
    refused("a secret key of layout 1: this program knows layout 2; make it again");
    let longer = [client.as_slice(), &[0]].concat();
    write(&path("one", "client.key"), &longer);
    refused("1 bytes follow its end");
    write(&path("one", "client.key"), &client);
    run(&artifact, &keys("one")).unwrap();
    // another network may ask for other parameters
    let others = (3..8).filter_map(|levels| run(&rounding(&relu(), levels, 9), &keys("one")).err());
    let messages: Vec<String> = others.map(|error| error.to_string()).collect();
    let other = |message: &String| message.contains("made for other parameters");
    assert!(messages.iter().any(other), "{messages:?}");
}

#[test]
fn integers_too_wide_and_too_slow_are_refused() {
    // 2000 sums of 64 products: half an hour even without security
    let broad = vec![Layer::Dense { outputs: 2000 }];
    let slow = prepare("tfhe-integer", &artifact(network(1, broad), 1), 1, &toy());
    let slow = slow.err().unwrap();
    let EvalError::Scheme(reason) = &slow else {
        panic!("{slow}");
    };
    let reason = reason.downcast_ref();
    assert!(
        matches!(reason, Some(IntegerError::TooSlow { .. })),
        "{slow}"
    );
    let deep = (0..3).flat_map(|_| [Layer::Dense { outputs: 2 }, polynomial(&[0.7, 1.9, 0.8])]);
    let deep = artifact(network(1, deep.collect()), 1);
    let wide = prepare("tfhe-integer", &deep, 1, &toy()).err().unwrap();
    assert!(
        wide.to_string().contains("bits and 127 is the limit"),
        "{wide}"
    );
}

#[test]
fn a_specification_survives_its_bytes_and_contradictions_are_refused() {
    let compiled = compiled(&rounding(&relu(), 2, 1), &toy());
    let bytes = serde_json::to_vec(&compiled.spec).unwrap();
    let spec: TfheSpec = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(spec, compiled.spec);
    for change in [
        |spec: &mut TfheSpec| spec.parameter_set = "no such set".into(),
        |spec: &mut TfheSpec| spec.pixels[0] = 1000,
        |spec: &mut TfheSpec| spec.levels[0].truncate(255),
        |spec: &mut TfheSpec| spec.results.ranges.clear(),
        |spec: &mut TfheSpec| spec.results.delta = 0,
        |spec: &mut TfheSpec| spec.parts = 0,
    ] {
        let mut strange = spec.clone();
        change(&mut strange);
        let refused = TfheClient::generate(&strange).err();
        assert!(matches!(refused, Some(TfheError::Specification(_))));
    }
}

#[test]
fn batches_out_of_order_and_keys_of_other_parameters_are_refused() {
    let small = compiled(&rounding(&relu(), 2, 1), &toy());
    let (client, server) = roles(&small);
    let image: &[u8] = &[9; 64];
    assert!(matches!(
        client.encrypt(&[image, image], 0).err(),
        Some(TfheError::Images { got: 2 })
    ));
    assert!(client.encrypt(&[&image[1..]], 0).is_err());
    let request = client.encrypt(&[image], 0).unwrap();
    let mut batch = server.begin(request).unwrap();
    let refused = server.step(1, &mut batch, &mut |_| ()).unwrap_err();
    assert!(
        matches!(refused, TfheError::Batch { index: 1 }),
        "{refused}"
    );
    let refused = server.finish(batch).err();
    assert!(
        matches!(refused, Some(TfheError::Batch { index: 0 })),
        "{refused:?}"
    );
    let refused = client.decrypt(&[], 1).unwrap_err();
    assert!(matches!(refused, TfheError::Images { got: 0 }), "{refused}");
    let spec = TfheSpec {
        parameter_set: "V1_4_PARAM_MESSAGE_4_CARRY_3_KS_PBS_GAUSSIAN_2M128".into(),
        ..small.spec.clone()
    };
    let (_, keys) = TfheClient::generate(&spec).unwrap();
    let refused = TfheServer::new(small.program.clone(), keys).err();
    assert!(matches!(refused, Some(TfheError::OtherParameters)));
}
