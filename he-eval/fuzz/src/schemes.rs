//! Readers of specs, programs, keys, requests and responses.

use std::sync::LazyLock;

use approx::Activation;
use cryptodl_fold::fold;
use cryptodl_he_eval::{
    Options, Plan, prepare,
    run::run,
    scheme::{Client, Portable, Scheme, Server, Source},
    schemes::{
        bfv::{Bfv, BfvOptions},
        ckks::{Ckks, CkksOptions},
        tfhe::{Tfhe, TfheOptions, TfheSecretKey},
    },
};
use cryptodl_network::{Artifact, Layer, Nonlinearity};
use cryptodl_wire::{
    Wire,
    frame::{frame, payload},
};

use crate::{
    check::{changed, check},
    memory::limited,
};

#[path = "../../../train/fold/tests/common/mod.rs"]
mod common;
#[path = "../../tests/small/mod.rs"]
mod small;

/// Ciphertexts and plain data: hardly more than what was sent.
const SMALL: usize = 1 << 20;
/// Evaluation keys, which come in one piece: of the toy parameters here, nearly 2 MiB.
const KEY: usize = 4 << 20;
/// Specs and programs: tables of the largest rings that they may ask for.
const LARGE: usize = 16 << 20;

/// Everything that two parties send, as bytes.
struct Sent<S: Portable> {
    parameters: S::Parameters,
    spec: Vec<u8>,
    program: Vec<u8>,
    keys: Vec<u8>,
    request: Vec<u8>,
    response: Vec<u8>,
}

fn sent<S: Portable>(scheme: &S, artifact: &Artifact, options: &S::Options) -> Sent<S> {
    let graph = fold(artifact).expect("it can be folded");
    let source = Source {
        artifact,
        graph: &graph,
        images: 1,
    };
    let sent = || -> Result<Sent<S>, S::Error> {
        let compiled = scheme.compile(&source, options)?;
        let (client, keys) = S::Client::generate(&compiled.spec)?;
        let (spec, program) = (compiled.spec.to_bytes(), compiled.program.to_bytes());
        let of_keys = keys.to_bytes();
        let server = S::Server::new(compiled.program, keys)?;
        let request = client.encrypt(&[&vec![7; graph.inputs()]], 0)?;
        Ok(Sent {
            parameters: S::parameters(&compiled.spec)?,
            spec,
            program,
            keys: of_keys,
            request: request.to_bytes(),
            response: run(&server, request, &mut |_| ())?.to_bytes(),
        })
    };
    sent().expect("the network is compiled and evaluated")
}

/// A network of squares.
pub fn squares() -> Artifact {
    let square = common::polynomial(&[0.7, 1.9, 0.8]);
    let inside = common::blocks::block(&square);
    common::artifact(common::blocks::residual(&square, inside), 3)
}

static CKKS: LazyLock<Sent<Ckks>> = LazyLock::new(|| {
    let options = CkksOptions {
        toy: true,
        ..CkksOptions::default()
    };
    sent(&Ckks, &squares(), &options)
});

static BFV: LazyLock<Sent<Bfv>> = LazyLock::new(|| {
    let options = BfvOptions {
        toy: true,
        ..BfvOptions::default()
    };
    // the fewer products, the smaller everything is, and the faster read
    let small = common::artifact(common::small(&[0.2, 1.5]), 5);
    sent(&Bfv, &small, &options)
});

static TFHE: LazyLock<Sent<Tfhe>> = LazyLock::new(|| {
    let options = TfheOptions {
        toy: true,
        keys: None,
    };
    let relu = Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    sent(&Tfhe, &small::rounding(&relu, 2, 1), &options)
});

static SECRET: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("cryptodl-fuzz-{}", std::process::id()));
    let options = TfheOptions {
        toy: true,
        keys: Some(folder.clone()),
    };
    let spec = Wire::from_bytes(&(), &TFHE.spec).expect("its own bytes");
    Tfhe::keys(&spec, &options).expect("new keys");
    let bytes = std::fs::read(folder.join("client.key")).expect("kept there");
    drop(std::fs::remove_dir_all(folder));
    bytes
});

static PLAN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let options = Options {
        toy: true,
        ..Options::default()
    };
    let prepared = prepare("ckks", &squares(), 1, &options).expect("the network is compiled");
    prepared.plan().to_bytes()
});

type Spec<S> = <S as Scheme>::Spec;
type Program<S> = <S as Scheme>::Program;
type Keys<S> = <S as Scheme>::Keys;
type Request<S> = <S as Scheme>::Request;
type Response<S> = <S as Scheme>::Response;

macro_rules! readers {
    ($($name:ident, $type:ty, $parameters:expr, $real:expr, $limit:expr;)*) => {
        $(
            #[doc = concat!("Of a `", stringify!($type), "`.")]
            pub fn $name(data: &[u8]) {
                let (parameters, real) = ($parameters, &$real);
                limited($limit, || check::<$type>(parameters, real, data));
            }
        )*
    };
}

readers! {
    ckks_program, Program<Ckks>, &(), CKKS.program, LARGE;
    bfv_program, Program<Bfv>, &(), BFV.program, LARGE;
    bfv_keys, Keys<Bfv>, &BFV.parameters, BFV.keys, KEY;
    bfv_ciphertexts, Request<Bfv>, &BFV.parameters, BFV.response, SMALL;
    tfhe_program, Program<Tfhe>, &(), TFHE.program, LARGE;
    tfhe_secret_key, TfheSecretKey, &TFHE.parameters, SECRET, SMALL;
    tfhe_keys, Keys<Tfhe>, &TFHE.parameters, TFHE.keys, KEY;
    tfhe_request, Request<Tfhe>, &TFHE.parameters, TFHE.request, SMALL;
    tfhe_response, Response<Tfhe>, &TFHE.parameters, TFHE.response, SMALL;
    plan, Plan, &(), PLAN, SMALL;
}

/// Of a spec of `ckks`.
pub fn ckks_spec(data: &[u8]) {
    spec::<Ckks>(&CKKS.spec, data);
}

/// Of a spec of `bfv`.
pub fn bfv_spec(data: &[u8]) {
    spec::<Bfv>(&BFV.spec, data);
}

/// Of a spec of `tfhe`.
pub fn tfhe_spec(data: &[u8]) {
    spec::<Tfhe>(&TFHE.spec, data);
}

/// Of a spec, and of the parameters that follow from it.
fn spec<S: Portable>(real: &[u8], data: &[u8]) {
    limited(LARGE, || {
        check::<Spec<S>>(&(), real, data);
        let framed = frame::<Spec<S>>(&(), &changed(payload(real), data));
        if let Ok(spec) = Spec::<S>::from_bytes(&(), &framed) {
            drop(S::parameters(&spec));
        }
    });
}
