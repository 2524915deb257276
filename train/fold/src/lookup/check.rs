//! Whether a graph that came as bytes is one of look-ups.

use ethnum::I256;

use crate::{
    check::Malformed,
    graph::{Graph, Operation, ValueId},
    linear::{Linear, PADDING},
    lookup::table_ranges,
    table::Tables,
};

/// Weights, levels and accumulators are smaller, by far, so that nothing overflows.
const MOST: i64 = 1 << 40;

/// Compares a graph with what [`tables`](super::tables) makes: tables of the pixels, then linear layers with tables in
/// between that cover every accumulator, each reading the one before.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(graph: &Graph<i64>) -> Result<(), Malformed> {
    graph.check()?;
    let mut inputs = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let problem = |problem| Malformed {
            node: node.name.clone(),
            problem,
        };
        if node.operands != [ValueId(index)] {
            return Err(problem("an operand that is not what was made before it"));
        }
        inputs = match &node.operation {
            Operation::Table(tables) if index % 2 == 0 => {
                if index == 0 {
                    inputs = vec![(0, 255); graph.inputs()];
                }
                covered(tables, &inputs).map_err(problem)?;
                table_ranges(tables)
            }
            Operation::Linear(linear) if index % 2 == 1 => {
                ranges(linear, &inputs).map_err(problem)?
            }
            _ => return Err(problem("an operation out of place")),
        };
    }
    match graph.nodes.last().map(|node| &node.operation) {
        Some(Operation::Linear(_)) => Ok(()),
        _ => Err(Malformed {
            node: "the graph".into(),
            problem: "no linear layer at its end",
        }),
    }
}

fn is_large(number: i64) -> bool {
    !(-MOST..=MOST).contains(&number)
}

/// Every table has a result, of moderate size, for all that it may be asked for.
fn covered(tables: &Tables, inputs: &[(i64, i64)]) -> Result<(), &'static str> {
    for table in &tables.tables {
        if is_large(table.low) || table.results.iter().copied().any(is_large) {
            return Err("a table of numbers that are too large");
        }
    }
    for (&of, &(low, high)) in tables.of.iter().zip(inputs) {
        let table = &tables.tables[of as usize];
        if low < table.low || high >= table.low + table.results.len() as i64 {
            return Err("a table that does not cover what it is asked for");
        }
    }
    Ok(())
}

/// The ranges of a layer's accumulators.
fn ranges(linear: &Linear<i64>, inputs: &[(i64, i64)]) -> Result<Vec<(i64, i64)>, &'static str> {
    let too_large = "an accumulator that can become too large";
    let most = i128::from(MOST);
    let bounded = |bias: &I256| (I256::from(-MOST)..=I256::from(MOST)).contains(bias);
    if !linear.bias.iter().all(bounded) {
        return Err(too_large);
    }
    let mut ranges = Vec::with_capacity(linear.outputs());
    for ((weights, tile), bias) in linear.rows().into_iter().zip(&linear.bias) {
        let (mut low, mut high) = (bias.as_i128(), bias.as_i128());
        for (&w, &input) in weights.iter().zip(&tile.inputs) {
            if input != PADDING {
                let (a, b) = inputs[input as usize];
                let ends = [i128::from(w) * i128::from(a), i128::from(w) * i128::from(b)];
                low = low.saturating_add(ends[0].min(ends[1]));
                high = high.saturating_add(ends[0].max(ends[1]));
            }
        }
        if weights.iter().copied().any(is_large) || low < -most || high > most {
            return Err(too_large);
        }
        ranges.push((low as i64, high as i64));
    }
    Ok(ranges)
}
