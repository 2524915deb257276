//! Quantisation: a graph of `f64` weights becomes a graph of small integers.
//!
//! 1. The client's pixels are integers of `input_bits`; channel `c` of a value holds integers that
//!    are `s_c` times the real ones (for pixels, `s` is the encoding step).
//! 2. Row `o` of a linear layer becomes `round(α_o · w_oc / s_c)`, with `α_o` chosen so that the
//!    largest weight of the row is at most `2^(weight_bits - 1) - 1`. The output has scale `α_o`.
//!    Scales of one layer stay within a factor of 1.25: after a square, a channel with three times
//!    the scale has nine times the integers, and with them nine times the rounding errors of the
//!    next layer. Rounding errors are diffused along the row.
//! 3. A monic power turns scale `s` into `s^d`; its lower terms are scaled to match and rounded.
//! 4. The client divides the logits by their scales after decryption.
//!
//! Every later step is exact, so the integer graph and its encrypted evaluation give the same
//! numbers. [`bounds`] proves how large they can become for any image.

use ethnum::{AsI256, I256};
use thiserror::Error;

use crate::graph::{Function, Graph, Linear, Matrix, Node, Operation, PADDING, Power, Tile};

/// Largest ratio between the scales of two channels of a layer.
const SPREAD: f64 = 1.25;

/// How many bits the integers get. The defaults were chosen on training images, where 6 and 4 bits
/// lose less than 0.1 % of accuracy.
#[derive(Clone, Copy, Debug)]
pub struct Quantisation {
    /// Bits of a weight with its sign, 2 to 12.
    pub weight_bits: u32,
    /// Bits of a pixel, 1 to 8.
    pub input_bits: u32,
}

impl Default for Quantisation {
    fn default() -> Self {
        Self {
            weight_bits: 6,
            input_bits: 4,
        }
    }
}

/// Why a graph cannot be made integer.
#[derive(Debug, Error)]
pub enum QuantiseError {
    /// Weight bits out of range.
    #[error("weights of {0} bits are not supported: choose 2 to 12")]
    WeightBits(u32),
    /// Input bits out of range.
    #[error("pixels of {0} bits are not supported: choose 1 to 8")]
    InputBits(u32),
    /// A function without an integer form.
    #[error(
        "`{node}` is not a polynomial of degree 1 to 4, so it has no integer form: only scheme `clear` evaluates it"
    )]
    NotPolynomial {
        /// The node's name.
        node: String,
    },
    /// A layer that rounds.
    #[error("`{node}` rounds its values, and rounding needs a look-up: scheme `tfhe`")]
    Rounding {
        /// The node's name.
        node: String,
    },
    /// A row too large for sums that must be exact.
    #[error(
        "the weights of one output of `{node}` sum to {sum}, and sums are exact below {limit}: use fewer --weight-bits"
    )]
    RowSum {
        /// The node's name.
        node: String,
        /// Sum of the absolute weights.
        sum: i64,
        /// What the kernels can take.
        limit: i64,
    },
    /// The integers outgrow 255 bits.
    #[error(
        "the integers at `{node}` need more than 255 bits: use fewer --weight-bits, a lower degree or fewer layers"
    )]
    TooLarge {
        /// The node's name.
        node: String,
    },
}

/// Rounds the weights of `graph` to integers.
///
/// # Errors
/// When the bits are out of range or an activation has no integer form.
pub fn quantise(graph: &Graph<f64>, bits: Quantisation) -> Result<Graph<i64>, QuantiseError> {
    let largest = largest_weight(bits.weight_bits)?;
    if !(1..=8).contains(&bits.input_bits) {
        return Err(QuantiseError::InputBits(bits.input_bits));
    }
    let input_levels = (1 << bits.input_bits) - 1;
    // scale of each channel of the current value, and how many values a channel has; pixels
    // share one scale whatever their channel
    let mut scale = vec![f64::from(input_levels) / 255.0];
    let mut positions = graph.inputs;
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let operation = match &node.operation {
            Operation::Linear(linear) => {
                let (integer, rows) = quantise_linear(linear, &scale, positions, largest);
                check_row_sums(&integer, &node.name)?;
                (scale, positions) = (rows, linear.positions);
                Operation::Linear(integer)
            }
            Operation::Power(power) => {
                let integer = quantise_power(power, &scale);
                for s in &mut scale {
                    *s = s.powi(power.degree as i32);
                }
                Operation::Power(integer)
            }
            Operation::Function(function) => return Err(no_integers(function, &node.name)),
        };
        nodes.push(Node {
            name: node.name.clone(),
            operation,
        });
    }
    let classes = graph.output_scale.len();
    let output_scale = (0..classes).map(|i| scale[i / positions]).collect();
    let graph = Graph {
        inputs: graph.inputs,
        input_levels,
        nodes,
        output_scale,
    };
    bounds(&graph)?;
    Ok(graph)
}

/// A graph of real numbers whose weights are small integers times one step a linear layer.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The graph with the rounded weights.
    pub graph: Graph<f64>,
    /// The step of each linear layer, in order.
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
pub fn grid(graph: &Graph<f64>, weight_bits: u32) -> Result<Grid, QuantiseError> {
    let largest = largest_weight(weight_bits)?;
    let mut graph = graph.clone();
    let mut steps = Vec::new();
    for node in &mut graph.nodes {
        let Operation::Linear(linear) = &mut node.operation else {
            continue;
        };
        let weights = linear.matrices.iter().flat_map(|matrix| &matrix.data);
        let peak = weights.fold(0.0, |peak: f64, w| peak.max(w.abs()));
        let step = if peak > 0.0 { peak / largest } else { 1.0 };
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
    Ok(Grid { graph, steps })
}

/// The largest integer of so many bits with sign.
fn largest_weight(bits: u32) -> Result<f64, QuantiseError> {
    if (2..=12).contains(&bits) {
        Ok(f64::from((1u32 << (bits - 1)) - 1))
    } else {
        Err(QuantiseError::WeightBits(bits))
    }
}

/// Why a function has no integer form.
fn no_integers(function: &Function, node: &str) -> QuantiseError {
    let node = node.to_owned();
    match function {
        Function::Rounding(_) => QuantiseError::Rounding { node },
        Function::Exact(_) | Function::Polynomial(_) => QuantiseError::NotPolynomial { node },
    }
}

/// The integer layer and the scale of each of its output channels.
fn quantise_linear(
    linear: &Linear<f64>,
    scale: &[f64],
    positions: usize,
    largest: f64,
) -> (Linear<i64>, Vec<f64>) {
    let mut output_scale = vec![1.0; linear.channels];
    let mut matrices = Vec::with_capacity(linear.matrices.len());
    for (index, matrix) in linear.matrices.iter().enumerate() {
        let column_scale = column_scales(linear, index, matrix.columns, scale, positions);
        let real: Vec<Vec<f64>> = (0..matrix.rows)
            .map(|row| {
                matrix
                    .row(row)
                    .iter()
                    .zip(&column_scale)
                    .map(|(w, s)| w / s)
                    .collect()
            })
            .collect();
        let alphas = row_scales(&real, largest);
        for tile in linear.tiles.iter().filter(|tile| tile.matrix == index) {
            for (&output, &alpha) in tile.outputs.iter().zip(&alphas) {
                output_scale[output as usize / linear.positions] = alpha;
            }
        }
        let rows = real.iter().zip(&alphas);
        let data = rows
            .flat_map(|(row, &alpha)| round_row(row, alpha, largest))
            .collect();
        matrices.push(Matrix {
            rows: matrix.rows,
            columns: matrix.columns,
            data,
        });
    }
    let bias = linear.bias.iter().enumerate();
    let bias = bias.map(|(i, b)| (b * output_scale[i / linear.positions]).round().as_i256());
    let integer = Linear {
        matrices,
        tiles: linear.tiles.clone(),
        bias: bias.collect(),
        channels: linear.channels,
        positions: linear.positions,
    };
    (integer, output_scale)
}

/// The largest `Σ |w|` of a row: the linear kernels sum 31-bit halves in 53-bit mantissas.
pub const MAX_ROW_SUM: i64 = 1 << 22;

fn check_row_sums(linear: &Linear<i64>, node: &str) -> Result<(), QuantiseError> {
    for matrix in &linear.matrices {
        for row in 0..matrix.rows {
            let sum = matrix.row(row).iter().map(|w| w.abs()).sum();
            if sum >= MAX_ROW_SUM {
                return Err(QuantiseError::RowSum {
                    node: node.into(),
                    sum,
                    limit: MAX_ROW_SUM,
                });
            }
        }
    }
    Ok(())
}

/// `α` of each row: as large as the row's largest weight allows, but within [`SPREAD`] of the least.
fn row_scales(rows: &[Vec<f64>], largest: f64) -> Vec<f64> {
    let own = rows.iter().map(|row| {
        let peak = row.iter().fold(0.0, |a: f64, w| a.max(w.abs()));
        if peak > 0.0 {
            largest / peak
        } else {
            f64::INFINITY
        }
    });
    let own: Vec<f64> = own.collect();
    let least = own.iter().copied().fold(f64::INFINITY, f64::min);
    let least = if least.is_finite() { least } else { 1.0 };
    own.into_iter()
        .map(|alpha| alpha.min(SPREAD * least))
        .collect()
}

/// Rounds a row, handing each rounding error on to the next weight.
///
/// Neighbours in a row are neighbours in the image, so what one weight lacks the next one adds to
/// a value that is nearly the same (error diffusion; Floyd & Steinberg, 1976, for grey levels).
fn round_row(row: &[f64], alpha: f64, largest: f64) -> Vec<i64> {
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

/// The scale of the input channel under each column of matrix `index`.
fn column_scales(
    linear: &Linear<f64>,
    index: usize,
    columns: usize,
    scale: &[f64],
    positions: usize,
) -> Vec<f64> {
    let mut found = vec![1.0; columns];
    for tile in linear.tiles.iter().filter(|tile| tile.matrix == index) {
        for (slot, &input) in found.iter_mut().zip(&tile.inputs) {
            if input != PADDING {
                *slot = scale[input as usize / positions];
            }
        }
    }
    found
}

fn quantise_power(power: &Power<f64>, scale: &[f64]) -> Power<i64> {
    let channels = power.lower.iter().zip(scale);
    let lower = channels.map(|(terms, s)| {
        let terms = terms.iter().enumerate();
        let terms = terms.map(|(i, b)| {
            // b_k y^k has k = i + 1; everything is multiplied by s^d
            let scaled = b * s.powi((power.degree - i - 1) as i32);
            // y⁴ + b₂y² is evaluated as (y² + b₂/2)² - …, so b₂ must be even
            let step = if power.degree == 4 && i == 1 {
                2.0
            } else {
                1.0
            };
            ((scaled / step).round() * step).as_i256()
        });
        terms.collect()
    });
    Power {
        degree: power.degree,
        lower: lower.collect(),
        positions: power.positions,
        typical: power.typical.clone(),
    }
}

/// The largest absolute value that any image can produce after each node.
///
/// Interval arithmetic in 256-bit integers: exact for a linear layer, and sound after it.
///
/// # Errors
/// When a value could need more than 255 bits.
pub fn bounds(graph: &Graph<i64>) -> Result<Vec<I256>, QuantiseError> {
    let levels = I256::from(graph.input_levels);
    let mut ranges = vec![(I256::ZERO, levels); graph.inputs];
    let mut largest = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let next = match &node.operation {
            Operation::Linear(linear) => linear_ranges(linear, &ranges),
            Operation::Power(power) => ranges
                .iter()
                .enumerate()
                .map(|(i, range)| power_range(power, i, *range))
                .collect(),
            Operation::Function(function) => return Err(no_integers(function, &node.name)),
        };
        ranges = next.ok_or_else(|| QuantiseError::TooLarge {
            node: node.name.clone(),
        })?;
        let peak = ranges
            .iter()
            .map(|(low, high)| low.abs().max(high.abs()))
            .max();
        largest.push(peak.unwrap_or(I256::ZERO));
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

fn power_range(power: &Power<i64>, value: usize, (low, high): Range) -> Option<Range> {
    let square = |(low, high): Range| -> Option<Range> {
        let (a, b) = (low.checked_mul(low)?, high.checked_mul(high)?);
        let least = if low <= I256::ZERO && high >= I256::ZERO {
            I256::ZERO
        } else {
            a.min(b)
        };
        Some((least, a.max(b)))
    };
    let product = |x: Range, y: Range| -> Option<Range> {
        let mut ends = [I256::ZERO; 4];
        for (end, (a, b)) in ends
            .iter_mut()
            .zip([(x.0, y.0), (x.0, y.1), (x.1, y.0), (x.1, y.1)])
        {
            *end = a.checked_mul(b)?;
        }
        Some((*ends.iter().min()?, *ends.iter().max()?))
    };
    let y = (low, high);
    let terms = power
        .lower
        .get(value / power.positions)
        .map_or(&[][..], Vec::as_slice);
    let shifted = |(low, high): Range, by: I256| -> Option<Range> {
        Some((low.checked_add(by)?, high.checked_add(by)?))
    };
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
        _ => square(y),
    }
}
