//! Whether a graph that came as bytes is one: everything that those who compute with graphs rely on.

use crate::graph::{Add, Graph, Layout, Linear, Node, Operation, PADDING, Tables, Weight};

/// Numbers of a value, and weights of a layer, are fewer: places in them are 32-bit numbers.
const MOST: usize = u32::MAX as usize;

/// What is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` has {problem}")]
pub struct Malformed {
    /// The node, or `the graph`.
    pub node: String,
    /// What it has and should not have.
    pub problem: &'static str,
}

impl<T: Weight> Graph<T> {
    /// Compares every size and place with what it refers to. Graphs made by [`fold()`](crate::fold()) and by those that work
    /// on its results are right by construction.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Malformed> {
        let graph = |problem| Malformed {
            node: "the graph".into(),
            problem,
        };
        if !is_size(self.input) {
            return Err(graph("no input, or one that is too large"));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            self.check_node(index, node).map_err(|problem| Malformed {
                node: node.name.clone(),
                problem,
            })?;
        }
        let Some(last) = self.nodes.last() else {
            return Err(graph("no nodes"));
        };
        let outputs = last.output.len();
        if self.output_scale.len() != outputs || self.output_shift.len() != outputs {
            return Err(graph("not one scale and one shift for each result"));
        }
        Ok(())
    }

    fn check_node(&self, index: usize, node: &Node<T>) -> Result<(), &'static str> {
        if node.operands.is_empty() || node.operands.iter().any(|operand| operand.0 > index) {
            return Err("no operand, or one that is not made before it");
        }
        if !is_size(node.output) {
            return Err("no output, or one that is too large");
        }
        let channels = node.output.channels;
        if let Some(statistics) = &node.statistics
            && [&statistics.mean, &statistics.deviation].map(Vec::len) != [channels; 2]
        {
            return Err("statistics of other channels");
        }
        let operands = node.operands.iter().map(|operand| self.layout(*operand));
        let operands: Vec<Layout> = operands.collect();
        let wanted = match &node.operation {
            Operation::Linear(linear) => {
                let inputs = operands.iter().map(|operand| operand.len()).sum();
                return check_linear(linear, inputs, node.output.len());
            }
            Operation::Product(product) => {
                let shifts = product.shifts.each_ref().map(Vec::len);
                if shifts.iter().any(|&len| len != 0 && len != channels) {
                    return Err("shifts of other channels");
                }
                2
            }
            Operation::Power(power) => {
                let degree = power.degree;
                let shift = power.shift.len();
                if !(3..=4).contains(&degree) || (shift != 0 && shift != channels) {
                    return Err("a degree that is none of 3 and 4, or shifts of other channels");
                }
                let rows = power.lower.iter().map(Vec::len);
                if power.lower.len() != channels || rows.into_iter().any(|len| len != degree - 2) {
                    return Err("not all lower coefficients of each channel");
                }
                1
            }
            Operation::Add(add) => {
                check_add(add, channels)?;
                add.factors.len()
            }
            Operation::Table(tables) => {
                check_tables(tables, node.output.len())?;
                1
            }
            Operation::Polynomial(_) | Operation::Function(_) => 1,
        };
        if operands.len() != wanted || operands.iter().any(|operand| *operand != node.output) {
            return Err("operands of another number or size than its operation takes");
        }
        Ok(())
    }
}

fn is_size(layout: Layout) -> bool {
    let len = layout.channels.checked_mul(layout.positions);
    len.is_some_and(|len| len > 0 && len < MOST)
}

fn check_linear<T: Weight>(
    linear: &Linear<T>,
    inputs: usize,
    outputs: usize,
) -> Result<(), &'static str> {
    if inputs >= MOST || linear.outputs() != outputs {
        return Err("more inputs than there are places, or not one bias for each output");
    }
    for matrix in &linear.matrices {
        let numbers = matrix.rows.checked_mul(matrix.columns);
        if matrix.data.is_empty() || numbers != Some(matrix.data.len()) {
            return Err("a matrix that is empty or no rectangle");
        }
    }
    let mut made = vec![false; outputs];
    for tile in &linear.tiles {
        let Some(matrix) = linear.matrices.get(tile.matrix) else {
            return Err("a tile of no matrix");
        };
        if tile.inputs.len() != matrix.columns || tile.outputs.len() != matrix.rows {
            return Err("a tile of another size than its matrix");
        }
        let is_place = |&input: &u32| input == PADDING || (input as usize) < inputs;
        if !tile.inputs.iter().all(is_place) {
            return Err("a tile that reads beyond the inputs");
        }
        for &output in &tile.outputs {
            match made.get_mut(output as usize) {
                Some(made @ false) => *made = true,
                _ => return Err("an output that is made twice, or beyond all outputs"),
            }
        }
    }
    if made.contains(&false) {
        return Err("an output that nothing makes");
    }
    Ok(())
}

fn check_add<T: Weight>(add: &Add<T>, channels: usize) -> Result<(), &'static str> {
    let mut lists = add.factors.iter().chain([&add.bias]).map(Vec::len);
    if add.factors.is_empty() || lists.any(|len| len != 0 && len != channels) {
        return Err("factors or biases of other channels");
    }
    Ok(())
}

fn check_tables(tables: &Tables, outputs: usize) -> Result<(), &'static str> {
    let count = tables.tables.len();
    if tables.of.len() != outputs || tables.of.iter().any(|&of| of as usize >= count) {
        return Err("not one table for each number");
    }
    let is_table = |results: &[i64]| !results.is_empty() && results.len() <= MOST;
    if !tables.tables.iter().all(|table| is_table(&table.results)) {
        return Err("an empty table");
    }
    Ok(())
}
