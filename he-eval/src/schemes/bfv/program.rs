//! What the server runs: a graph, and where its ciphertexts are relinearised.

use cryptodl_fold::{Graph, graph::ValueId};

use super::{
    components::BfvComponents,
    error::BfvError,
    kernel,
    parts::{parts, parts_made},
    spec::BfvSpec,
};

/// A graph of integers made ready for the server.
pub struct BfvProgram {
    /// What was compiled for clients.
    pub(super) spec: BfvSpec,
    pub(super) graph: Graph<i64>,
    /// Polynomials of a ciphertext of each value, by value: see [`parts`].
    pub(super) parts: Vec<usize>,
    /// See [`Graph::last_readers`].
    pub(super) last_readers: Vec<Option<usize>>,
    pub(super) components: BfvComponents,
}

impl BfvProgram {
    /// # Errors
    /// When the parameters are refused, or the weights are too large for the kernels.
    pub(super) fn new(graph: Graph<i64>, spec: &BfvSpec) -> Result<Self, BfvError> {
        kernel::check(&graph)?;
        Ok(Self {
            spec: spec.clone(),
            parts: parts(&graph),
            last_readers: graph.last_readers(),
            components: spec.build()?,
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
        let primes = self.components[0].moduli().len();
        // two polynomials for each prime, each with its Shoup quotients
        self.components.len() * primes * 2 * 2 * self.part_bytes()
    }

    /// Bytes of one polynomial.
    pub(super) fn part_bytes(&self) -> usize {
        let parameters = &self.components[0];
        parameters.degree() * parameters.moduli().len() * size_of::<u64>()
    }
}
