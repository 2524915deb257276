//! What the server runs: a graph, and where its ciphertexts are relinearised.

use std::sync::Arc;

use cryptodl_fold::{Graph, graph::ValueId};
use fhe::bfv::BfvParameters;

use super::{
    error::BfvError,
    parts::{parts, parts_made},
    spec::BfvSpec,
};

/// A graph of integers made ready for the server.
pub struct BfvProgram {
    pub(super) graph: Graph<i64>,
    /// Polynomials of a ciphertext of each value, by value: see [`parts`].
    pub(super) parts: Vec<usize>,
    /// See [`Graph::last_readers`].
    pub(super) last_readers: Vec<Option<usize>>,
    /// One for each CRT component.
    pub(super) parameters: Vec<Arc<BfvParameters>>,
}

impl BfvProgram {
    pub(super) fn new(graph: Graph<i64>, spec: &BfvSpec) -> Result<Self, BfvError> {
        Ok(Self {
            parts: parts(&graph),
            last_readers: graph.last_readers(),
            parameters: spec.build()?,
            graph,
        })
    }

    /// Whether the results of node `index` are relinearised before anything reads them.
    pub(super) fn relinearises(&self, index: usize) -> bool {
        let made = parts_made(&self.graph.nodes[index], &self.parts);
        made > self.parts[ValueId::of_node(index).0]
    }

    /// Bytes of the relinearisation keys of all components.
    pub(super) fn key_bytes(&self) -> usize {
        let primes = self.parameters[0].moduli().len();
        // two polynomials for each prime, each with its Shoup quotients
        self.parameters.len() * primes * 2 * 2 * self.part_bytes()
    }

    /// Bytes of one polynomial.
    pub(super) fn part_bytes(&self) -> usize {
        let parameters = &self.parameters[0];
        parameters.degree() * parameters.moduli().len() * size_of::<u64>()
    }
}
