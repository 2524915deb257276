//! Encrypted results are the exact integers, and the noise is what was predicted.

use super::{parameters::Choice, *};
use crate::{
    run::run,
    scheme::{Client, Server},
    schemes::graphs::{self, PIXELS, interface},
};
use cryptodl_fold::Graph;
use cryptodl_wire::Wire;

const RING_DEGREE: usize = 256;
const IMAGES: usize = 5;

fn compiled(graph: &Graph<i64>) -> (Choice, BfvSpec, Arc<BfvProgram>) {
    let choice = Choice::toy(graph, RING_DEGREE).unwrap();
    let spec = BfvSpec {
        interface: interface(graph),
        ring_degree: choice.ring_degree,
        prime_bits: choice.prime_bits.clone(),
        plain_moduli: choice.plain_moduli.clone(),
        toy: true,
    };
    let program = Arc::new(BfvProgram::new(graph.clone(), &spec).unwrap());
    (choice, spec, program)
}

/// Compares with exact integers; returns predicted and measured bits of noise left.
fn check(graph: &Graph<i64>) -> (f64, f64) {
    let (choice, spec, program) = compiled(graph);
    let (images, expected) = graphs::images(graph, IMAGES);
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    // as two parties: nothing but the keys and the batches goes from one to the other
    let (client, keys) = BfvClient::generate(&spec).unwrap();
    let server = BfvServer::new(program, keys).unwrap();
    let results = (0..client.components()).map(|component| {
        let request = client.encrypt(&images, component).unwrap();
        run(&server, request, &mut |work| assert!(work.done <= 1.0)).unwrap()
    });
    let results: Vec<BfvCiphertexts> = results.collect();
    assert_eq!(client.decrypt(&results, IMAGES).unwrap(), expected);
    let measured = client.noise_bits_left(&results).unwrap().unwrap();
    (choice.noise_bits_left, measured)
}

#[test]
fn every_operation_gives_the_exact_integers() {
    for graph in [
        graphs::skip(),
        graphs::products(),
        graphs::concatenation(),
        graphs::powers(),
        graphs::pixels(),
    ] {
        check(&graph);
    }
}

#[test]
fn relinearisation_is_put_off_for_one_linear_layer_or_sum_alone() {
    let graph = graphs::skip();
    // pixels, a; a square that a sum alone reads; that sum, read by a square and a sum; a square, the sum that the last
    // layer reads
    assert_eq!(parts::parts(&graph), [2, 2, 3, 2, 3, 3, 2]);
    // a square behind which its root goes on, to one linear layer
    assert_eq!(parts::parts(&graphs::concatenation()), [2, 2, 3, 2]);
}

#[test]
fn noise_of_sums_is_as_predicted() {
    let (predicted, measured) = check(&graphs::skip());
    // the tail of the few coefficients of a small ring is shorter than the largest allowed for
    assert!(
        measured >= predicted && measured <= predicted + 8.0,
        "predicted {predicted}, measured {measured}"
    );
}

#[test]
fn strange_keys_batches_and_specifications_are_refused() {
    let graph = graphs::skip();
    let (_, spec, program) = compiled(&graph);
    let components = spec.plain_moduli.len();
    let keys = BfvKeys {
        components: program.components.clone(),
        keys: Vec::new(),
    };
    let refused = BfvServer::new(program.clone(), keys).err().unwrap();
    assert!(
        matches!(refused, BfvError::Keys { got: 0, .. }),
        "{refused}"
    );

    let (client, keys) = BfvClient::generate(&spec).unwrap();
    let server = BfvServer::new(program, keys).unwrap();
    let images: [&[u8]; 1] = [&[1; PIXELS]];
    let mut batch = server.begin(client.encrypt(&images, 0).unwrap()).unwrap();
    let refused = server.step(1, &mut batch, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, BfvError::Batch { index: 1 }), "{refused}");
    let refused = server.finish(batch).err().unwrap();
    assert!(matches!(refused, BfvError::Batch { index: 0 }), "{refused}");
    let mut request = client.encrypt(&images, 0).unwrap();
    request.component = components;
    let refused = server.begin(request).err().unwrap();
    assert!(matches!(refused, BfvError::Request), "{refused}");
    let request = client.encrypt(&images, 0).unwrap();
    let refused = client.decrypt(&[request], 1).unwrap_err();
    assert!(matches!(refused, BfvError::Results { .. }), "{refused}");
    let small: [&[u8]; 1] = [&[1; PIXELS - 1]];
    assert!(client.encrypt(&small, 0).is_err());

    for change in [
        |spec: &mut BfvSpec| spec.toy = false,
        |spec: &mut BfvSpec| spec.plain_moduli.clear(),
        |spec: &mut BfvSpec| spec.plain_moduli[0] = 1 << 50,
        |spec: &mut BfvSpec| spec.prime_bits.truncate(1),
        |spec: &mut BfvSpec| spec.prime_bits = vec![60; 20],
        |spec: &mut BfvSpec| spec.ring_degree = 1 << 40,
        |spec: &mut BfvSpec| spec.ring_degree = 1000,
    ] {
        let mut strange = spec.clone();
        change(&mut strange);
        assert!(BfvClient::generate(&strange).is_err());
    }
}

#[test]
fn a_program_of_look_ups_is_refused() {
    let (_, spec, _) = compiled(&graphs::skip());
    let mut graph = graphs::skip();
    let last = graph.nodes.last_mut().unwrap();
    last.output = graph.input;
    last.operands = vec![cryptodl_fold::graph::ValueId::INPUT];
    last.operation = cryptodl_fold::Operation::Function(cryptodl_fold::graph::Function::Exact(
        approx::Activation::Relu,
    ));
    graph.output_scale = vec![1.0; PIXELS];
    graph.output_shift = vec![0.0; PIXELS];
    graph.check().unwrap();
    let bytes = BfvProgram::new(graph, &spec).unwrap().to_bytes();
    let refused = BfvProgram::from_bytes(&(), &bytes).err().unwrap();
    assert!(refused.to_string().contains("no integer form"), "{refused}");
}

#[test]
fn a_specification_survives_its_bytes() {
    let (_, spec, _) = compiled(&graphs::skip());
    let read: BfvSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(read, spec);
}
