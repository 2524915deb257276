//! The one interpreter: walks a graph with any scheme's server.

use crate::{
    EvalError,
    graph::Graph,
    scheme::{Observe, Server},
};

/// Evaluates `graph` on one encrypted batch and reports the seconds of each stage to `observe`.
///
/// # Errors
/// When the batch has the wrong number of values or the scheme cannot evaluate a node.
pub fn run<S: Server>(
    graph: &Graph<S::Weight>,
    server: &S,
    batch: Vec<S::Value>,
    observe: Observe<'_>,
) -> Result<Vec<S::Value>, EvalError> {
    if batch.len() != graph.inputs {
        return Err(EvalError::WrongInputs {
            expected: graph.inputs,
            got: batch.len(),
        });
    }
    let mut values = batch;
    let mut rest = graph.nodes.as_slice();
    while !rest.is_empty() {
        let done;
        (done, values) = server.advance(rest, values, observe)?;
        rest = &rest[done..];
    }
    Ok(values)
}
