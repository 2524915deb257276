//! Weights as whole multiples of a step.
//!
//! One step serves a whole linear layer, and along each row the error of a rounding is handed on to the next weight.
//! Training that gets used to rounding and evaluation that does it both call [`steps`] and [`round_row`].

use crate::{
    error::QuantiseError,
    graph::{Graph, Operation},
};

/// A graph of real numbers whose weights are small integers times one step a linear layer.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The graph with the rounded weights.
    pub graph: Graph<f64>,
    /// The step of each node's weights; 1 for nodes without.
    pub steps: Vec<f64>,
}

/// Rounds the weights of `graph` to multiples of a step, one for each linear layer, so that the
/// largest weight of the layer is `2^(weight_bits - 1) - 1` steps; everything else stays real.
///
/// Schemes on real numbers multiply by the integers and change the scale of the result, so neither
/// the values nor what is added to them need to be integers, and nothing grows from layer to layer.
///
/// # Errors
/// When the bits are out of range.
pub fn steps(graph: &Graph<f64>, weight_bits: u32) -> Result<Stepped, QuantiseError> {
    let largest = largest_weight(weight_bits)?;
    let mut graph = graph.clone();
    let mut steps = Vec::with_capacity(graph.nodes.len());
    for node in &mut graph.nodes {
        let Operation::Linear(linear) = &mut node.operation else {
            steps.push(1.0);
            continue;
        };
        let step = step(
            linear.matrices.iter().flat_map(|matrix| &matrix.data),
            largest,
        );
        for matrix in &mut linear.matrices {
            for row in matrix.data.chunks_mut(matrix.columns.max(1)) {
                let rounded = round_row(row, 1.0 / step, largest);
                for (w, integer) in row.iter_mut().zip(rounded) {
                    *w = integer as f64 * step;
                }
            }
        }
        steps.push(step);
    }
    Ok(Stepped { graph, steps })
}

/// The step that makes the largest weight `largest` steps.
pub fn step<'a>(weights: impl Iterator<Item = &'a f64>, largest: f64) -> f64 {
    let peak = weights.fold(0.0, |peak: f64, w| peak.max(w.abs()));
    if peak > 0.0 { peak / largest } else { 1.0 }
}

/// The largest integer of so many bits with sign.
///
/// # Errors
/// When they are not 2 to 12.
pub fn largest_weight(bits: u32) -> Result<f64, QuantiseError> {
    if (2..=12).contains(&bits) {
        Ok(f64::from((1u32 << (bits - 1)) - 1))
    } else {
        Err(QuantiseError::WeightBits(bits))
    }
}

/// Rounds a row, handing each rounding error on to the next weight.
///
/// Neighbours in a row are neighbours in the image, so what one weight lacks the next one adds to
/// a value that is nearly the same (error diffusion; Floyd & Steinberg, 1976, for grey levels).
pub fn round_row(row: &[f64], alpha: f64, largest: f64) -> Vec<i64> {
    let mut carry = 0.0;
    row.iter()
        .map(|w| {
            let wanted = w * alpha + carry;
            let rounded = wanted.round().clamp(-largest, largest);
            carry = wanted - rounded;
            rounded as i64
        })
        .collect()
}
