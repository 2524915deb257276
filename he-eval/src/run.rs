//! The one interpreter: walks a graph with any scheme's server.

use std::time::Instant;

use crate::{
    EvalError,
    graph::{Graph, Operation},
    scheme::Server,
};

/// Evaluates `graph` on one encrypted batch and reports the seconds of each node to `observe`.
///
/// # Errors
/// When the batch has the wrong number of values or the scheme cannot evaluate a node.
pub fn run<S: Server>(
    graph: &Graph<S::Weight>,
    server: &S,
    batch: Vec<S::Value>,
    observe: &mut dyn FnMut(usize, f64),
) -> Result<Vec<S::Value>, EvalError> {
    if batch.len() != graph.inputs {
        return Err(EvalError::WrongInputs {
            expected: graph.inputs,
            got: batch.len(),
        });
    }
    let mut values = batch;
    for (index, node) in graph.nodes.iter().enumerate() {
        let start = Instant::now();
        values = match &node.operation {
            Operation::Linear(linear) => server.linear(linear, values)?,
            Operation::Power(power) => server.power(power, values)?,
            Operation::Function(function) => server.function(function, values)?,
        };
        observe(index, start.elapsed().as_secs_f64());
    }
    Ok(values)
}
