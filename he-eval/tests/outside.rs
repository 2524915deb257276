//! A scheme that is none of ours runs a network by the public traits.

#[path = "../../train/fold/tests/common/mod.rs"]
mod common;
#[path = "../examples/counting.rs"]
mod counting;

use std::sync::atomic::Ordering;

use common::{artifact, blocks, polynomial};
use cryptodl_fold::fold;

#[test]
fn a_scheme_from_outside_counts_what_the_graph_says() {
    for (name, network) in blocks::graphs(&polynomial(&[0.7, 1.9, 0.8])) {
        let artifact = artifact(network, 3);
        let graph = fold(&artifact).unwrap();
        let counts = counting::count(&artifact).unwrap();
        assert_eq!(
            counts.products.load(Ordering::Relaxed),
            graph.ciphertext_products() as u64,
            "{name}"
        );
        assert_eq!(
            counts.plain_products.load(Ordering::Relaxed),
            graph.plain_products() as u64,
            "{name}"
        );
    }
}
