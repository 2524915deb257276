//! Predicted seconds.

use std::{sync::Arc, time::Instant};

use cryptodl_fold::{
    Operation,
    graph::{Power, ValueId},
};

use super::{
    error::IntegerError,
    program::{IntegerProgram, IntegerSpec},
    roles::{IntegerClient, IntegerServer},
};
use crate::{
    plan::Seconds,
    scheme::{Client, Server},
};

/// Seconds of one image, each operation timed once at its width.
pub(super) fn predict(
    spec: &IntegerSpec,
    program: &Arc<IntegerProgram>,
) -> Result<Seconds, IntegerError> {
    let (client, keys) = IntegerClient::generate(spec)?;
    let server = IntegerServer::new(program.clone(), keys)?;
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let graph = &program.graph;
    let mut seconds = 0.0;
    for (index, node) in graph.nodes.iter().enumerate() {
        let wide = client.integer(1, program.blocks[ValueId::of_node(index).0]);
        let scaled = || {
            let two = || {
                server.times(&wide, 21);
                server.times(&wide, 13);
            };
            time(&two) / 2.0
        };
        let sum = |terms: usize| time(&|| drop(server.sum(&vec![wide.clone(); terms])));
        let product = || time(&|| drop(server.product(&wide, &wide)));
        let numbers = node.output.len() as f64;
        seconds += numbers
            * match &node.operation {
                Operation::Linear(linear) => {
                    // the inputs of an average row
                    let terms = (linear.products() / linear.outputs().max(1)).max(2);
                    terms as f64 * scaled() + sum(terms)
                }
                Operation::Product(_) => product(),
                Operation::Power(Power { degree, .. }) => (degree - 1) as f64 * product(),
                _ => {
                    let terms = node.operands.len();
                    terms as f64 * scaled() + sum(terms)
                }
            };
    }
    let encrypt = time(&|| drop(client.integer(1, spec.blocks)));
    let results = program.blocks[graph.result().0] * graph.output_scale.len();
    Ok(Seconds {
        encrypt: encrypt * graph.inputs() as f64,
        infer: seconds,
        decrypt: encrypt * results as f64,
    })
}
