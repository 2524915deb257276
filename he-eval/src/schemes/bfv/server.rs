//! The server: evaluation keys only.

use std::{borrow::Cow, sync::Arc, time::Instant};

use cryptodl_fold::{Node, Operation, graph::ValueId};

use super::{
    batch::{BfvBatch, BfvCiphertexts},
    component::{Component, Operand, Value},
    error::BfvError,
    keys::BfvKeys,
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
            let (components, component) = (&self.program.components, batch.component);
            for pixel in batch.values[0].iter_mut().flatten() {
                *pixel = components.adopted(component, pixel)?;
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
    type Request = BfvCiphertexts;
    type Response = BfvCiphertexts;
    type Batch = BfvBatch;
    type Error = BfvError;

    fn new(program: Arc<BfvProgram>, keys: BfvKeys) -> Result<Self, BfvError> {
        let (expected, got) = (program.components.len(), keys.keys.len());
        if expected != got || keys.components != program.components {
            return Err(BfvError::Keys { expected, got });
        }
        let components = program.components.iter().zip(&keys.keys);
        let components =
            components.map(|(parameters, key)| Component::new(parameters.clone(), key));
        Ok(Self {
            components: components.collect::<Result<_, _>>()?,
            program,
        })
    }

    fn begin(&self, request: BfvCiphertexts) -> Result<BfvBatch, BfvError> {
        if request.components != self.program.components
            || request.component >= self.components.len()
            || request.values.len() != self.program.graph.inputs()
        {
            return Err(BfvError::Request);
        }
        Ok(BfvBatch {
            component: request.component,
            values: vec![Some(request.values)],
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
        if batch.values.len() != index + 1 {
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

    fn finish(&self, mut batch: BfvBatch) -> Result<BfvCiphertexts, BfvError> {
        let index = batch.values.len() - 1;
        match batch.values.pop().flatten() {
            Some(values) if index == self.steps() => Ok(BfvCiphertexts {
                components: self.program.components.clone(),
                component: batch.component,
                values,
            }),
            _ => Err(BfvError::Batch { index }),
        }
    }
}
