//! Two parties: all that goes from one to the other goes as bytes, and damaged or foreign bytes are refused.

#[path = "../../train/fold/tests/common/mod.rs"]
mod common;
mod small;

use common::{artifact, blocks, pixels, polynomial};
use cryptodl_fold::fold;
use cryptodl_he_eval::{
    Plan,
    run::run,
    scheme::{Client, Compiled, Portable, Server, Source, Twin},
    schemes::ckks::{Ckks, CkksOptions},
};
use cryptodl_network::Artifact;
use cryptodl_wire::{Wire, WireError};

fn compiled<S: Portable>(scheme: &S, artifact: &Artifact, options: &S::Options) -> Compiled<S> {
    let graph = fold(artifact).unwrap();
    let source = Source {
        artifact,
        graph: &graph,
        images: 1,
    };
    scheme.compile(&source, options).unwrap()
}

/// Everything that the parties send, as bytes.
struct Sent {
    spec: Vec<u8>,
    program: Vec<u8>,
    keys: Vec<u8>,
    request: Vec<u8>,
    response: Vec<u8>,
}

fn bytes(value: &impl Wire) -> Vec<u8> {
    let bytes = value.to_bytes();
    assert_eq!(bytes.len() as u64, value.size());
    bytes
}

/// Evaluates an image between a client that has nothing but a Spec's bytes and a server that has nothing but a Program's.
/// Returns the largest difference from the twin's logits, and the last component's messages.
fn apart<S: Portable>(scheme: &S, artifact: &Artifact, options: &S::Options) -> (f64, Sent) {
    let compiled = compiled(scheme, artifact, options);
    let (spec, program) = (bytes(&compiled.spec), bytes(&*compiled.program));
    let Twin::Of(twin) = compiled.twin else {
        panic!("an encrypted scheme has a twin");
    };
    let image = &pixels(&artifact.network, 1, 5);

    let known = S::Spec::from_bytes(&(), &spec).unwrap();
    let (client, keys) = S::Client::generate(&known).unwrap();
    let keys = bytes(&keys);

    let runs = S::Program::from_bytes(&(), &program).unwrap();
    assert_eq!(runs.to_bytes(), program, "the same program");
    let of_server = S::parameters_of(&runs);
    let read = S::Keys::from_bytes(of_server, &keys).unwrap();
    let runs = std::sync::Arc::new(runs);
    let server = S::Server::new(runs.clone(), read).unwrap();

    let (mut responses, mut last) = (Vec::new(), None);
    for component in 0..client.components() {
        let request = bytes(&client.encrypt(&[image], component).unwrap());
        let read = S::Request::from_bytes(S::parameters_of(&runs), &request).unwrap();
        let response = bytes(&run(&server, read, &mut |_| ()).unwrap());
        let parameters = S::parameters(&known).unwrap();
        responses.push(S::Response::from_bytes(&parameters, &response).unwrap());
        last = Some((request, response));
    }
    let found = client.decrypt(&responses, 1).unwrap();
    let expected = twin.logits(&[image]).unwrap();
    let errors = found[0]
        .iter()
        .zip(&expected[0])
        .map(|(a, b)| (a - b).abs());
    let (request, response) = last.unwrap();
    let sent = Sent {
        spec,
        program,
        keys,
        request,
        response,
    };
    (errors.fold(0.0, f64::max), sent)
}

/// Whatever is cut, changed or meant for something else is refused.
fn hostile<S: Portable>(sent: &Sent, other: &S::Parameters) {
    let spec = S::Spec::from_bytes(&(), &sent.spec).unwrap();
    let parameters = &S::parameters(&spec).unwrap();
    strange::<S::Spec>(&(), &sent.spec);
    strange::<S::Program>(&(), &sent.program);
    strange::<S::Keys>(parameters, &sent.keys);
    strange::<S::Request>(parameters, &sent.request);
    strange::<S::Response>(parameters, &sent.response);
    let swapped = S::Keys::from_bytes(parameters, &sent.request)
        .err()
        .unwrap();
    assert!(matches!(swapped, WireError::OtherKind { .. }), "{swapped}");
    for refused in [
        S::Keys::from_bytes(other, &sent.keys).err().unwrap(),
        S::Request::from_bytes(other, &sent.request).err().unwrap(),
        S::Response::from_bytes(other, &sent.response)
            .err()
            .unwrap(),
    ] {
        assert!(
            matches!(refused, WireError::OtherParameters { .. }),
            "{refused}"
        );
    }
}

/// What was made for another network is refused also where nothing was sent as bytes.
fn strangers<S: Portable>(
    scheme: &S,
    artifact: &Artifact,
    options: &S::Options,
    other: Compiled<S>,
) {
    let own = compiled(scheme, artifact, options);
    let (client, keys) = S::Client::generate(&own.spec).unwrap();
    let (stranger, _) = S::Client::generate(&other.spec).unwrap();
    assert!(S::Server::new(other.program, keys).is_err());
    let (_, keys) = S::Client::generate(&own.spec).unwrap();
    let server = S::Server::new(own.program, keys).unwrap();
    let image = &pixels(&artifact.network, 1, 5);
    assert!(
        server
            .begin(stranger.encrypt(&[image], 0).unwrap())
            .is_err()
    );
    assert!(client.decrypt(&[], 1).is_err());
}

fn strange<W: Wire>(parameters: &W::Parameters, bytes: &[u8]) {
    let refused = |bytes: &[u8]| W::from_bytes(parameters, bytes).err().expect("is refused");
    let ends = (0..bytes.len()).step_by(bytes.len() / 20 + 1);
    for end in ends.chain([bytes.len() - 1]) {
        refused(&bytes[..end]);
    }
    refused(&[bytes, &[0]].concat());
    // header, the beginning of the payload, and anywhere
    let places = (0..80).chain((80..bytes.len()).step_by(bytes.len() / 20 + 1));
    for place in places {
        let mut changed = bytes.to_vec();
        changed[place] ^= 0x55;
        refused(&changed);
    }
}

#[test]
fn ckks_in_two_parties_is_as_precise_as_in_one() {
    let options = |weight_bits| CkksOptions {
        weight_bits,
        toy: true,
        ..CkksOptions::default()
    };
    for (name, network) in blocks::graphs(&polynomial(&[0.2, 1.5, 0.1, -0.3])) {
        let (error, _) = apart(&Ckks, &artifact(network, 3), &options(8));
        assert!(error < 1e-2, "{name}: {error}");
    }
    let square = polynomial(&[0.7, 1.9, 0.8]);
    let artifact = artifact(blocks::residual(&square, blocks::block(&square)), 3);
    let (error, sent) = apart(&Ckks, &artifact, &options(8));
    assert!(error < 1e-2, "{error}");
    let deeper = compiled(&Ckks, &artifact, &options(10));
    hostile::<Ckks>(&sent, Ckks::parameters_of(&deeper.program));
    strangers(&Ckks, &artifact, &options(8), deeper);
}

#[cfg(feature = "bfv")]
#[test]
fn bfv_in_two_parties_is_exact() {
    use cryptodl_he_eval::schemes::bfv::{Bfv, BfvOptions};
    let options = BfvOptions {
        toy: true,
        ..BfvOptions::default()
    };
    let square = polynomial(&[0.7, 1.9, 0.8]);
    let mut last = None;
    for (name, network) in blocks::graphs(&square) {
        let (error, sent) = apart(&Bfv, &artifact(network, 3), &options);
        assert!(error < 1e-9, "{name}: {error}");
        last = Some(sent);
    }
    let small = artifact(common::small(&[0.2, 1.5]), 5);
    let other = compiled(&Bfv, &small, &options);
    hostile::<Bfv>(&last.unwrap(), Bfv::parameters_of(&other.program));
    let artifact = artifact(blocks::residual(&square, blocks::block(&square)), 3);
    strangers(&Bfv, &artifact, &options, other);
}

#[cfg(feature = "tfhe")]
#[test]
fn tfhe_in_two_parties_is_exact() {
    use approx::Activation;
    use cryptodl_he_eval::schemes::tfhe::{Tfhe, TfheOptions};
    use cryptodl_network::{Layer, Nonlinearity};
    use small::rounding;
    let options = TfheOptions {
        toy: true,
        keys: None,
    };
    let relu = Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let (error, sent) = apart(&Tfhe, &rounding(&relu, 2, 1), &options);
    assert!(error < 1e-9, "{error}");
    let other = compiled(&Tfhe, &rounding(&relu, 7, 1), &options);
    hostile::<Tfhe>(&sent, Tfhe::parameters_of(&other.program));
}

#[test]
fn plans_are_read_back() {
    let artifact = artifact(common::small(&[0.7, 1.9, 0.8]), 5);
    let options = cryptodl_he_eval::Options {
        toy: true,
        ..cryptodl_he_eval::Options::default()
    };
    let prepared = cryptodl_he_eval::prepare("ckks", &artifact, 1, &options).unwrap();
    let plan = prepared.plan();
    assert_eq!(&Plan::from_bytes(&(), &bytes(plan)).unwrap(), plan);
    strange::<Plan>(&(), &bytes(plan));
}
