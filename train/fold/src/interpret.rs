//! The reference interpreter: a graph in the clear, in floating point or in exact integers.
//!
//! A number of a value is a column over a batch of images, so that the inner loops run over images. A value is dropped
//! after its last reader.

use std::{convert::identity, time::Instant};

use ethnum::I256;
use rayon::prelude::*;

use crate::{
    graph::{Add, Function, Graph, Node, Operation, Power, Product},
    linear::{Linear, PADDING},
    table::{Table, Tables},
    weight::Weight,
};

/// One value of a graph for a batch: `[number][image]`.
pub type Columns<N> = Vec<Vec<N>>;

/// What a node could not be evaluated by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{node}` is no polynomial of degree 4 at most, and these integers evaluate nothing else: take scheme `clear`"
)]
pub struct NotInIntegers {
    /// The node's name.
    pub node: String,
}

/// Numbers that a graph is evaluated with.
pub trait Arithmetic: Copy + Send + Sync + 'static {
    /// Weight type of the graph.
    type Weight: Weight;
    /// A bias, a shift, a factor of a sum or a lower term of a polynomial.
    fn constant(bias: <Self::Weight as Weight>::Bias) -> Self;
    /// An encoded pixel.
    fn pixel(pixel: u32) -> Self;
    /// `self + weight · x`.
    #[must_use]
    fn add_product(self, weight: Self::Weight, x: Self) -> Self;
    /// `self · x`.
    #[must_use]
    fn times(self, x: Self) -> Self;
    /// `self + x`.
    #[must_use]
    fn plus(self, x: Self) -> Self;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// A function of real numbers alone; none for integers.
    fn real(self, function: impl Fn(f64) -> f64) -> Option<Self>;
    /// The result of a table for a whole number.
    #[must_use]
    fn look_up(self, table: &Table) -> Self;
}

impl Arithmetic for f64 {
    type Weight = f64;
    fn constant(bias: f64) -> Self {
        bias
    }
    fn pixel(pixel: u32) -> Self {
        f64::from(pixel)
    }
    fn add_product(self, weight: f64, x: Self) -> Self {
        self + weight * x
    }
    fn times(self, x: Self) -> Self {
        self * x
    }
    fn plus(self, x: Self) -> Self {
        self + x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn real(self, function: impl Fn(f64) -> f64) -> Option<Self> {
        Some(function(self))
    }
    fn look_up(self, table: &Table) -> Self {
        table.at(self as i64) as f64
    }
}

// The integers differ in width only. Plain operators: `bounds` proved that nothing overflows.
macro_rules! integer_arithmetic {
    ($number:ty, $from_bias:expr, $from_i64:expr, $to_i64:expr, $to_f64:expr) => {
        impl Arithmetic for $number {
            type Weight = i64;
            fn constant(bias: I256) -> Self {
                $from_bias(bias)
            }
            fn pixel(pixel: u32) -> Self {
                $from_i64(i64::from(pixel))
            }
            fn add_product(self, weight: i64, x: Self) -> Self {
                self + $from_i64(weight) * x
            }
            fn times(self, x: Self) -> Self {
                self * x
            }
            fn plus(self, x: Self) -> Self {
                self + x
            }
            fn to_f64(self) -> f64 {
                $to_f64(self)
            }
            fn real(self, _: impl Fn(f64) -> f64) -> Option<Self> {
                None
            }
            fn look_up(self, table: &Table) -> Self {
                $from_i64(table.at($to_i64(self)))
            }
        }
    };
}

integer_arithmetic!(i64, I256::as_i64, identity, identity, |v: i64| v as f64);
integer_arithmetic!(
    i128,
    I256::as_i128,
    i128::from,
    |v: i128| v as i64,
    |v: i128| v as f64
);
integer_arithmetic!(I256, identity, I256::from, I256::as_i64, I256::as_f64);

/// Evaluates all nodes on encoded pixels `[pixel][image]` and returns the result, still in units of the output scale.
///
/// # Errors
/// When a node is no polynomial and the numbers are integers.
pub fn interpret<N: Arithmetic>(
    graph: &Graph<N::Weight>,
    pixels: Columns<N>,
) -> Result<Columns<N>, NotInIntegers> {
    interpret_observed(graph, pixels, &mut |_, _| ())
}

/// As [`interpret`]; tells the seconds of each node.
///
/// # Errors
/// As there.
pub fn interpret_observed<N: Arithmetic>(
    graph: &Graph<N::Weight>,
    pixels: Columns<N>,
    observe: &mut dyn FnMut(&Node<N::Weight>, f64),
) -> Result<Columns<N>, NotInIntegers> {
    let last = graph.last_readers();
    let mut values: Vec<Columns<N>> = vec![pixels];
    for (index, node) in graph.nodes.iter().enumerate() {
        let operands: Vec<&Columns<N>> = (node.operands.iter())
            .map(|operand| &values[operand.0])
            .collect();
        let start = Instant::now();
        let made = evaluate(node, &operands)?;
        observe(node, start.elapsed().as_secs_f64());
        for operand in &node.operands {
            if last[operand.0] == Some(index) {
                values[operand.0] = Vec::new();
            }
        }
        values.push(made);
    }
    Ok(values.pop().expect("a graph has nodes"))
}

/// What one node makes of its operands.
///
/// # Errors
/// When it is no polynomial and the numbers are integers.
pub fn evaluate<N: Arithmetic>(
    node: &Node<N::Weight>,
    operands: &[&Columns<N>],
) -> Result<Columns<N>, NotInIntegers> {
    let positions = node.output.positions;
    let refused = || NotInIntegers {
        node: node.name.clone(),
    };
    let real = |function: &(dyn Fn(f64) -> f64 + Sync)| {
        let columns = operands[0].par_iter().map(|column| {
            let numbers = column.iter().map(|x| x.real(function));
            numbers.collect::<Option<Vec<N>>>()
        });
        columns.collect::<Option<Columns<N>>>().ok_or_else(refused)
    };
    match &node.operation {
        Operation::Linear(linear) => Ok(evaluate_linear(linear, operands)),
        Operation::Product(product) => Ok(evaluate_product(product, operands, positions)),
        Operation::Power(power) => Ok(evaluate_power(power, operands[0], positions)),
        Operation::Add(add) => Ok(evaluate_add(add, operands, node.output.len(), positions)),
        Operation::Table(tables) => Ok(evaluate_tables(tables, operands[0])),
        Operation::Polynomial(polynomial) => real(&|x| polynomial.eval(x)),
        Operation::Function(Function::Exact(activation)) => real(&|x| activation.value(x)),
        Operation::Function(Function::Rounding(rounding)) => real(&|x| rounding.value(x)),
    }
}

fn evaluate_linear<N: Arithmetic>(
    linear: &Linear<N::Weight>,
    operands: &[&Columns<N>],
) -> Columns<N> {
    let inputs: Vec<&Vec<N>> = operands.iter().flat_map(|operand| operand.iter()).collect();
    let images = inputs.first().map_or(0, |column| column.len());
    let rows = linear.rows();
    let outputs = rows
        .par_iter()
        .zip(&linear.bias)
        .map(|((weights, tile), bias)| {
            let mut sum = vec![N::constant(*bias); images];
            for (&w, &input) in weights.iter().zip(&tile.inputs) {
                if input != PADDING {
                    let x = inputs[input as usize];
                    sum.iter_mut()
                        .zip(x)
                        .for_each(|(s, &x)| *s = s.add_product(w, x));
                }
            }
            sum
        });
    outputs.collect()
}

fn evaluate_product<N: Arithmetic>(
    product: &Product<N::Weight>,
    operands: &[&Columns<N>],
    positions: usize,
) -> Columns<N> {
    let shifted = |side: usize, channel: usize, x: N| match product.shifts[side].get(channel) {
        Some(&shift) => x.plus(N::constant(shift)),
        None => x,
    };
    let columns = operands[0].par_iter().zip(operands[1]).enumerate();
    let products = columns.map(|(i, (a, b))| {
        let channel = i / positions;
        let pairs = a.iter().zip(b);
        pairs
            .map(|(&a, &b)| shifted(0, channel, a).times(shifted(1, channel, b)))
            .collect()
    });
    products.collect()
}

fn evaluate_power<N: Arithmetic>(
    power: &Power<N::Weight>,
    operand: &Columns<N>,
    positions: usize,
) -> Columns<N> {
    let powers = operand.par_iter().enumerate().map(|(i, column)| {
        let channel = i / positions;
        let shift = power.shift.get(channel).map(|&shift| N::constant(shift));
        let lower: Vec<N> = power.lower[channel]
            .iter()
            .map(|&b| N::constant(b))
            .collect();
        let numbers = column.iter().map(|&x| {
            let y = shift.map_or(x, |shift| x.plus(shift));
            // Horner from y^d + 0·y^(d-1): the constant term is zero
            let mut sum = y.times(y);
            for &b in lower.iter().rev() {
                sum = sum.plus(b).times(y);
            }
            sum
        });
        numbers.collect()
    });
    powers.collect()
}

fn evaluate_add<N: Arithmetic>(
    add: &Add<N::Weight>,
    operands: &[&Columns<N>],
    numbers: usize,
    positions: usize,
) -> Columns<N> {
    let sums = (0..numbers).into_par_iter().map(|i| {
        let channel = i / positions;
        let mut sum: Option<Vec<N>> = None;
        for (operand, factors) in operands.iter().zip(&add.factors) {
            let factor = factors.get(channel).map(|&factor| N::constant(factor));
            let term = operand[i].iter().map(|&x| factor.map_or(x, |f| x.times(f)));
            match &mut sum {
                None => sum = Some(term.collect()),
                Some(sum) => sum.iter_mut().zip(term).for_each(|(s, x)| *s = s.plus(x)),
            }
        }
        let mut sum = sum.unwrap_or_default();
        if let Some(&bias) = add.bias.get(channel) {
            let bias = N::constant(bias);
            for s in &mut sum {
                *s = s.plus(bias);
            }
        }
        sum
    });
    sums.collect()
}

fn evaluate_tables<N: Arithmetic>(tables: &Tables, operand: &Columns<N>) -> Columns<N> {
    let columns = operand.par_iter().zip(&tables.of).map(|(column, &table)| {
        let table = &tables.tables[table as usize];
        column.iter().map(|x| x.look_up(table)).collect()
    });
    columns.collect()
}
