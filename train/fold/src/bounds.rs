//! Proven bounds of a graph of integers: interval arithmetic in 256 bits.

use ethnum::I256;

use crate::{
    error::QuantiseError,
    graph::{Add, Graph, Operation, Power, Product},
    linear::{Linear, PADDING, Tile},
};

/// The largest absolute value that any image can produce after each node.
///
/// Exact for a linear layer, and sound after it.
///
/// # Errors
/// When a value could need more than 255 bits.
pub fn bounds(graph: &Graph<i64>) -> Result<Vec<I256>, QuantiseError> {
    let levels = I256::from(graph.input_levels);
    let last = graph.last_readers();
    // the ranges of each value, until its last reader has seen them
    let mut ranges = vec![vec![(I256::ZERO, levels); graph.inputs()]];
    let mut largest = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let operand = |k: usize| &ranges[node.operands[k].0];
        let positions = node.output.positions;
        let next = match &node.operation {
            Operation::Linear(linear) if node.operands.len() == 1 => {
                linear_ranges(linear, operand(0))
            }
            Operation::Linear(linear) => {
                let all: Vec<&[Range]> = node
                    .operands
                    .iter()
                    .map(|o| ranges[o.0].as_slice())
                    .collect();
                linear_ranges(linear, &all.concat())
            }
            Operation::Product(product) => {
                let same = node.operands[0] == node.operands[1];
                let numbers = operand(0).iter().zip(operand(1)).enumerate();
                numbers
                    .map(|(i, (a, b))| product_range(product, i / positions, *a, *b, same))
                    .collect()
            }
            Operation::Power(power) => {
                let numbers = operand(0).iter().enumerate();
                numbers
                    .map(|(i, range)| power_range(power, i / positions, *range))
                    .collect()
            }
            Operation::Add(add) => {
                let numbers = 0..node.output.len();
                let of = |k: usize, i: usize| operand(k)[i];
                numbers
                    .map(|i| {
                        add_range(
                            add,
                            i / positions,
                            (0..node.operands.len()).map(|k| of(k, i)),
                        )
                    })
                    .collect()
            }
            operation => return Err(QuantiseError::of(operation, &node.name)),
        };
        let next: Vec<Range> = next.ok_or_else(|| QuantiseError::TooLarge {
            node: node.name.clone(),
        })?;
        let peak = next
            .iter()
            .map(|(low, high)| low.abs().max(high.abs()))
            .max();
        largest.push(peak.unwrap_or(I256::ZERO));
        for operand in &node.operands {
            if last[operand.0] == Some(index) {
                ranges[operand.0] = Vec::new();
            }
        }
        ranges.push(next);
    }
    Ok(largest)
}

type Range = (I256, I256);

fn linear_ranges(linear: &Linear<i64>, ranges: &[Range]) -> Option<Vec<Range>> {
    let mut out: Vec<Range> = linear.bias.iter().map(|&b| (b, b)).collect();
    for Tile {
        matrix,
        inputs,
        outputs,
    } in &linear.tiles
    {
        for (row, &output) in outputs.iter().enumerate() {
            let (mut low, mut high) = out[output as usize];
            for (&w, &input) in linear.matrices[*matrix].row(row).iter().zip(inputs) {
                if w == 0 || input == PADDING {
                    continue;
                }
                let (a, b) = ranges[input as usize];
                let (a, b) = (a.checked_mul(w.into())?, b.checked_mul(w.into())?);
                low = low.checked_add(a.min(b))?;
                high = high.checked_add(a.max(b))?;
            }
            out[output as usize] = (low, high);
        }
    }
    Some(out)
}

fn shifted((low, high): Range, by: I256) -> Option<Range> {
    Some((low.checked_add(by)?, high.checked_add(by)?))
}

fn square((low, high): Range) -> Option<Range> {
    let (a, b) = (low.checked_mul(low)?, high.checked_mul(high)?);
    let least = if low <= I256::ZERO && high >= I256::ZERO {
        I256::ZERO
    } else {
        a.min(b)
    };
    Some((least, a.max(b)))
}

fn product(x: Range, y: Range) -> Option<Range> {
    let mut ends = [I256::ZERO; 4];
    for (end, (a, b)) in ends
        .iter_mut()
        .zip([(x.0, y.0), (x.0, y.1), (x.1, y.0), (x.1, y.1)])
    {
        *end = a.checked_mul(b)?;
    }
    Some((*ends.iter().min()?, *ends.iter().max()?))
}

/// Element `channel` of a list that stands for zeros if it is empty.
fn shift(list: &[I256], channel: usize) -> I256 {
    list.get(channel).copied().unwrap_or(I256::ZERO)
}

fn product_range(
    node: &Product<i64>,
    channel: usize,
    a: Range,
    b: Range,
    same: bool,
) -> Option<Range> {
    let [s, t] = [0, 1].map(|side: usize| shift(&node.shifts[side], channel));
    if same && s == t {
        square(shifted(a, s)?)
    } else {
        product(shifted(a, s)?, shifted(b, t)?)
    }
}

fn add_range(add: &Add<i64>, channel: usize, terms: impl Iterator<Item = Range>) -> Option<Range> {
    let bias = shift(&add.bias, channel);
    terms
        .zip(&add.factors)
        .try_fold((bias, bias), |sum: Range, (term, factors)| {
            let factor = factors.get(channel).copied().unwrap_or(I256::ONE);
            let term = product(term, (factor, factor))?;
            Some((sum.0.checked_add(term.0)?, sum.1.checked_add(term.1)?))
        })
}

fn power_range(power: &Power<i64>, channel: usize, range: Range) -> Option<Range> {
    let y = shifted(range, shift(&power.shift, channel))?;
    let terms = power.lower.get(channel).map_or(&[][..], Vec::as_slice);
    match (power.degree, terms) {
        (3, [b1]) => product(y, shifted(square(y)?, *b1)?),
        (4, [b1, b2]) => {
            let half = *b2 / 2;
            let constant = half.checked_mul(half)?;
            let outer = square(shifted(square(y)?, half)?)?;
            let line = product(y, (*b1, *b1))?;
            let end = |a: I256, b: I256| a.checked_add(b)?.checked_sub(constant);
            Some((end(outer.0, line.0)?, end(outer.1, line.1)?))
        }
        _ => None,
    }
}
