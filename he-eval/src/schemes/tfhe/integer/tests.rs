//! Encrypted results are the exact integers.

use std::sync::Arc;

use cryptodl_fold::Graph;

use super::*;
use crate::{
    run::run,
    scheme::{Client, Server},
    schemes::graphs,
};

fn check(graph: Graph<i64>) {
    let (images, expected) = graphs::images(&graph, 1);
    let interface = graphs::interface(&graph);
    let program = Arc::new(IntegerProgram::new(graph).unwrap());
    let spec = IntegerSpec {
        interface,
        toy: true,
        blocks: program.blocks[0],
    };
    let (client, keys) = IntegerClient::generate(&spec).unwrap();
    let server = IntegerServer::new(program, keys).unwrap();
    let request = client.encrypt(&[&images[0]], 0).unwrap();
    let mut reports = 0;
    let result = run(&server, request, &mut |work| {
        assert!((0.0..=1.0).contains(&work.done));
        reports += 1;
    });
    let logits = client.decrypt(&[result.unwrap()], 1).unwrap();
    assert_eq!(logits, expected);
    assert!(reports > server.steps(), "progress within a step");
}

#[test]
fn a_skip_gives_the_exact_integers() {
    check(graphs::skip());
}

#[test]
fn products_and_a_concatenation_give_the_exact_integers() {
    check(graphs::products());
    check(graphs::concatenation());
}

#[test]
fn powers_and_pixels_give_the_exact_integers() {
    check(graphs::powers());
    check(graphs::pixels());
}

#[test]
fn batches_out_of_order_are_refused() {
    let graph = graphs::concatenation();
    let interface = graphs::interface(&graph);
    let program = Arc::new(IntegerProgram::new(graph).unwrap());
    let spec = IntegerSpec {
        interface,
        toy: true,
        blocks: program.blocks[0],
    };
    let (client, keys) = IntegerClient::generate(&spec).unwrap();
    let server = IntegerServer::new(program, keys).unwrap();
    let image: &[u8] = &[1; graphs::PIXELS];
    assert!(client.encrypt(&[image, image], 0).is_err());
    let request = client.encrypt(&[image], 0).unwrap();
    let mut batch = server.begin(request).unwrap();
    let refused = server.step(2, &mut batch, &mut |_| ()).unwrap_err();
    assert!(
        matches!(refused, IntegerError::Batch { index: 2 }),
        "{refused}"
    );
}
