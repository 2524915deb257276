//! The server: evaluation keys only.

use std::{borrow::Cow, sync::Arc, time::Instant};

use cryptodl_fold::{Node, Operation, graph::ValueId};

use super::{
    batch::{BfvBatch, BfvKeys, adopted},
    component::{Component, Operand, Value},
    error::BfvError,
    program::BfvProgram,
};
use crate::{
    scheme::Server,
    work::{Observe, Work},
};

/// Evaluates a graph modulo each plaintext modulus.
pub struct BfvServer {
    program: Arc<BfvProgram>,
    components: Vec<Component>,
}

impl BfvServer {
    /// What node `index` reads. It owns what nothing reads after it; the rest it borrows.
    fn operands<'a>(
        &self,
        index: usize,
        batch: &'a mut BfvBatch,
    ) -> Result<Vec<Operand<'a>>, BfvError> {
        let node = &self.program.graph.nodes[index];
        let read = distinct(node);
        let is_last = |value: &ValueId| {
            let times = read.iter().filter(|other| *other == value).count();
            times == 1 && self.program.last_readers[value.0] == Some(index)
        };
        let is_linear = matches!(node.operation, Operation::Linear(_));
        if !is_linear && read.contains(&ValueId::INPUT) {
            // what the client encrypted meets ciphertexts of the server
            let parameters = &self.program.parameters[batch.component];
            for pixel in batch.values[0].iter_mut().flatten() {
                *pixel = adopted(pixel, parameters)?;
            }
        }
        let owned = read.iter().map(|value| {
            let slot = &mut batch.values[value.0];
            if is_last(value) { slot.take() } else { None }
        });
        let owned: Vec<Option<Value>> = owned.collect();
        let operands = read.iter().zip(owned).map(|(value, owned)| {
            if let Some(owned) = owned {
                return Some(owned.into_iter().map(Cow::Owned).collect());
            }
            let shared = batch.values[value.0].as_ref()?;
            Some(shared.iter().map(Cow::Borrowed).collect())
        });
        let operands: Option<Vec<Operand<'a>>> = operands.collect();
        operands.ok_or(BfvError::Batch { index })
    }
}

/// The values that a node reads, the two of a square once.
fn distinct(node: &Node<i64>) -> &[ValueId] {
    match (&node.operation, node.operands.as_slice()) {
        (Operation::Product(_), [a, b]) if a == b => &node.operands[..1],
        _ => &node.operands,
    }
}

impl Server for BfvServer {
    type Program = BfvProgram;
    type Keys = BfvKeys;
    type Batch = BfvBatch;
    type Error = BfvError;

    fn new(program: Arc<BfvProgram>, keys: BfvKeys) -> Result<Self, BfvError> {
        let (expected, got) = (program.parameters.len(), keys.0.len());
        if expected != got {
            return Err(BfvError::Keys { expected, got });
        }
        let components = program.parameters.iter().zip(&keys.0);
        let components =
            components.map(|(parameters, key)| Component::new(parameters.clone(), key));
        Ok(Self {
            components: components.collect::<Result<_, _>>()?,
            program,
        })
    }

    fn steps(&self) -> usize {
        self.program.graph.nodes.len()
    }

    fn step(
        &self,
        index: usize,
        batch: &mut BfvBatch,
        observe: Observe<'_>,
    ) -> Result<(), BfvError> {
        let graph = &self.program.graph;
        let node = &graph.nodes[index];
        let pixels = batch.values.first().and_then(Option::as_ref).map(Vec::len);
        if batch.values.len() != index + 1
            || batch.component >= self.components.len()
            || pixels.is_some_and(|pixels| pixels != graph.inputs())
        {
            return Err(BfvError::Batch { index });
        }
        let start = Instant::now();
        let component = &self.components[batch.component];
        let operands = self.operands(index, batch)?;
        let relinearise = self.program.relinearises(index);
        let made = match &node.operation {
            Operation::Linear(linear) => component.linear(linear, operands)?,
            Operation::Product(product) => {
                component.product(product, node.output, operands, relinearise)?
            }
            Operation::Power(power) => {
                let operand = operands.into_iter().next().expect("a power reads a value");
                component.power(power, node.output, operand, relinearise)?
            }
            Operation::Add(add) => component.add(add, node.output, operands, relinearise)?,
            _ => unreachable!("quantisation refuses what has no integer form"),
        };
        for operand in &node.operands {
            if self.program.last_readers[operand.0] == Some(index) {
                batch.values[operand.0] = None;
            }
        }
        batch.values.push(Some(made));
        observe(Work {
            node: &node.name,
            kind: node.operation.kind(),
            seconds: start.elapsed().as_secs_f64(),
            word_products: None,
            done: 1.0,
        });
        Ok(())
    }
}
