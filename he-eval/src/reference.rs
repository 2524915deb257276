//! Evaluation without encryption: what encrypted results are compared with.

use cryptodl_fold::{
    Graph, QuantiseError, bounds,
    interpret::{Arithmetic, NotInIntegers, interpret_observed},
};
use ethnum::I256;

use crate::interface::{Interface, WrongImage};
use crate::work::{Observe, Work};

/// Images evaluated at a time: columns that stay in cache.
pub(crate) const TOGETHER: usize = 500;

/// A graph in the clear, and the numbers that it is evaluated in.
#[derive(Clone, Debug)]
pub struct Reference {
    graph: Numbers,
    interface: Interface,
}

#[derive(Clone, Debug)]
enum Numbers {
    Float(Graph<f64>),
    /// 64 bits.
    Narrow(Graph<i64>),
    /// 128 bits.
    Middle(Graph<i64>),
    /// 256 bits.
    Wide(Graph<i64>),
}

impl Reference {
    /// In floating point.
    pub fn float(graph: Graph<f64>, interface: Interface) -> Self {
        let graph = Numbers::Float(graph);
        Self { graph, interface }
    }

    /// In the narrowest integers that cannot overflow.
    ///
    /// # Errors
    /// When an operation has no integer form or a value could need more than 255 bits.
    pub fn integers(graph: Graph<i64>, interface: Interface) -> Result<Self, QuantiseError> {
        let largest = bounds(&graph)?.into_iter().max().unwrap_or(I256::ZERO);
        // a few bits of room for partial sums
        let graph = if largest < I256::ONE << 120 {
            Numbers::Middle(graph)
        } else {
            Numbers::Wide(graph)
        };
        Ok(Self { graph, interface })
    }

    /// Look-up tables and whole-number weights: 64 bits hold them.
    pub fn tables(graph: Graph<i64>, interface: Interface) -> Self {
        let graph = Numbers::Narrow(graph);
        Self { graph, interface }
    }

    /// What a client must know of it.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Logits `[image][class]` of images of one byte a pixel.
    ///
    /// # Errors
    /// When an image is of the wrong size or the integers cannot do what a node does.
    pub fn logits(&self, images: &[&[u8]]) -> Result<Vec<Vec<f64>>, ReferenceError> {
        self.observed(images, &mut |_| ())
    }

    /// The same; tells of each node.
    pub(crate) fn observed(
        &self,
        images: &[&[u8]],
        observe: Observe<'_>,
    ) -> Result<Vec<Vec<f64>>, ReferenceError> {
        match &self.graph {
            Numbers::Float(graph) => self.of::<f64>(graph, images, observe),
            Numbers::Narrow(graph) => self.of::<i64>(graph, images, observe),
            Numbers::Middle(graph) => self.of::<i128>(graph, images, observe),
            Numbers::Wide(graph) => self.of::<I256>(graph, images, observe),
        }
    }

    fn of<N: Arithmetic>(
        &self,
        graph: &Graph<N::Weight>,
        images: &[&[u8]],
        observe: Observe<'_>,
    ) -> Result<Vec<Vec<f64>>, ReferenceError> {
        let mut logits = Vec::with_capacity(images.len());
        let all = (images.len().div_ceil(TOGETHER) * graph.nodes.len()) as f64;
        let mut ended = 0.0;
        for some in images.chunks(TOGETHER) {
            let columns = self.interface.columns(some)?.into_iter();
            let columns = columns.map(|column| column.into_iter().map(N::pixel).collect());
            let results =
                interpret_observed::<N>(graph, columns.collect(), &mut |node, seconds| {
                    ended += 1.0;
                    observe(Work {
                        node: &node.name,
                        kind: node.operation.kind(),
                        seconds,
                        word_products: None,
                        done: ended / all,
                    });
                })?;
            let results: Vec<Vec<f64>> = results
                .iter()
                .map(|result| result.iter().map(|x| x.to_f64()).collect())
                .collect();
            logits.extend(self.interface.logits(&results, some.len()));
        }
        Ok(logits)
    }
}

/// Why images were not evaluated in the clear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// An image of the wrong size.
    #[error(transparent)]
    Image(#[from] WrongImage),
    /// A node that integers cannot evaluate.
    #[error(transparent)]
    Integers(#[from] NotInIntegers),
}
