//! Evaluation without encryption, in floating point or in exact integers.
//!
//! A value is one feature of a batch of images, as in the batched encrypted schemes, so that the
//! inner loops run over images.

use std::{convert::identity, marker::PhantomData};

use cryptodl_network::Artifact;
use ethnum::I256;
use rayon::prelude::*;

use crate::{
    EvalError,
    evaluate::{evaluate, prepared},
    graph::{Function, Graph, Linear, PADDING, Power, Table, Weight},
    lookup,
    plan::Plan,
    quantise::{bounds, quantise},
    scheme::{Client, NodeByNode, Scheme},
    schemes::{Evaluate, Job, Prepared, Under},
};

/// Images evaluated at a time, of so many: columns that stay in cache.
pub(crate) fn slots(images: usize) -> usize {
    images.clamp(1, 500)
}

/// Plans an evaluation in floating point.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of every scheme's `prepare`"
)]
pub(super) fn prepare_float(job: &Job<'_>) -> Result<Prepared, EvalError> {
    Ok(Prepared {
        plan: Plan::new("clear", job, job.graph, slots(job.images)),
        evaluation: float(job.graph.clone(), job.images),
        twin: None,
        yardstick: None,
    })
}

/// Plans an evaluation of quantised weights.
pub(super) fn prepare_integer(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let graph = quantise(job.graph, job.options.quantisation())?;
    Ok(Prepared {
        plan: Plan::new("clear-integer", job, &graph, slots(job.images)),
        evaluation: integer(graph, job.images)?,
        twin: None,
        yardstick: None,
    })
}

/// Plans an evaluation of integer weights and look-up tables.
pub(super) fn prepare_tables(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let graph = lookup::lower(job.artifact)?;
    Ok(Prepared {
        plan: Plan::new("clear-tables", job, &graph, slots(job.images)),
        evaluation: tables(graph, job.images),
        twin: None,
        yardstick: None,
    })
}

/// A graph of integer weights and look-up tables.
pub(super) fn tables(graph: Graph<i64>, images: usize) -> Box<dyn Evaluate> {
    let scheme = Clear::<i64>::new(slots(images));
    Box::new(Under { graph, scheme })
}

/// A graph in floating point.
pub(super) fn float(graph: Graph<f64>, images: usize) -> Box<dyn Evaluate> {
    let scheme = Clear::<f64>::new(slots(images));
    Box::new(Under { graph, scheme })
}

/// A graph in the narrowest integers that cannot overflow.
pub(super) fn integer(graph: Graph<i64>, images: usize) -> Result<Box<dyn Evaluate>, EvalError> {
    let largest = bounds(&graph)?.into_iter().max().unwrap_or(I256::ZERO);
    // a few bits of room for partial sums
    Ok(if largest < I256::ONE << 120 {
        let scheme = Clear::<i128>::new(slots(images));
        Box::new(Under { graph, scheme })
    } else {
        let scheme = Clear::<I256>::new(slots(images));
        Box::new(Under { graph, scheme })
    })
}

/// Logits `[image][class]` of an artifact on `pixels` (`[image][channel, y, x]`, one byte each), in 64-bit floats: what
/// training computes in 32 bits.
///
/// # Errors
/// When the network cannot be lowered, or the pixels are no whole images.
pub fn logits(artifact: &Artifact, pixels: &[u8]) -> Result<Vec<Vec<f64>>, EvalError> {
    let graph = crate::lower(artifact)?;
    let images = pixels.len() / graph.inputs;
    if pixels.len() != images * graph.inputs {
        return Err(EvalError::Mismatch {
            pixels: pixels.len(),
            labels: images,
            size: graph.inputs,
        });
    }
    let pixels = prepared(&artifact.network.normalisation, pixels, graph.inputs);
    let scheme = Clear::<f64>::new(slots(images));
    Ok(evaluate(&graph, &scheme, &pixels, &mut |_| ())?.logits)
}

/// Numbers that a clear evaluation computes with.
pub trait Arithmetic: Copy + Send + Sync + 'static {
    /// Weight type of the graph.
    type Weight: Weight;
    /// A bias or a lower term of a polynomial.
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
    /// A function outside the integer schemes.
    ///
    /// # Errors
    /// Unless the numbers are real.
    fn function(self, function: &Function) -> Result<Self, EvalError>;
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
    fn function(self, function: &Function) -> Result<Self, EvalError> {
        Ok(match function {
            Function::Exact(activation) => activation.value(self),
            Function::Polynomial(polynomial) => polynomial.eval(self),
            Function::Rounding(rounding) => rounding.value(self),
            Function::Tables(_) => return Err(EvalError::NotPolynomial),
        })
    }
    fn look_up(self, table: &Table) -> Self {
        table.at(self as i64) as f64
    }
}

// The twins differ in width only. Plain operators: `bounds` proved that nothing overflows.
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
            fn function(self, _: &Function) -> Result<Self, EvalError> {
                Err(EvalError::NotPolynomial)
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

/// The scheme that encrypts nothing.
pub struct Clear<N> {
    slots: usize,
    number: PhantomData<fn() -> N>,
}

impl<N> Clear<N> {
    /// Evaluates `slots` images at a time.
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            number: PhantomData,
        }
    }
}

/// The client of [`Clear`]: it converts numbers.
pub struct ClearClient<N>(PhantomData<N>);

/// The server of [`Clear`].
pub struct ClearServer<N>(PhantomData<N>);

impl<N: Arithmetic> Scheme for Clear<N> {
    type Weight = N::Weight;
    type Value = Vec<N>;
    type Client = ClearClient<N>;
    type Server = ClearServer<N>;

    fn slots(&self) -> usize {
        self.slots
    }

    fn keys(&self) -> Result<(Self::Client, Vec<Self::Server>), EvalError> {
        Ok((ClearClient(PhantomData), vec![ClearServer(PhantomData)]))
    }

    fn value_bytes(&self) -> usize {
        self.slots * size_of::<N>()
    }
}

impl<N: Arithmetic> Client for ClearClient<N> {
    type Value = Vec<N>;

    fn encrypt(&self, _share: usize, features: &[Vec<u32>]) -> Result<Vec<Vec<N>>, EvalError> {
        Ok(features
            .iter()
            .map(|feature| feature.iter().map(|&pixel| N::pixel(pixel)).collect())
            .collect())
    }

    fn decrypt(&self, shares: &[Vec<Vec<N>>], _images: usize) -> Result<Vec<Vec<f64>>, EvalError> {
        let outputs = &shares[0];
        Ok(outputs
            .iter()
            .map(|output| output.iter().map(|v| v.to_f64()).collect())
            .collect())
    }
}

impl<N: Arithmetic> NodeByNode for ClearServer<N> {
    type Weight = N::Weight;
    type Value = Vec<N>;

    fn linear(
        &self,
        layer: &Linear<N::Weight>,
        inputs: Vec<Vec<N>>,
    ) -> Result<Vec<Vec<N>>, EvalError> {
        let images = inputs.first().map_or(0, Vec::len);
        let mut outputs = vec![Vec::new(); layer.outputs()];
        // which tile and row makes each output
        let mut source = vec![(0, 0); layer.outputs()];
        for (t, tile) in layer.tiles.iter().enumerate() {
            for (row, &output) in tile.outputs.iter().enumerate() {
                source[output as usize] = (t, row);
            }
        }
        outputs.par_iter_mut().enumerate().for_each(|(o, output)| {
            let tile = &layer.tiles[source[o].0];
            let mut sum = vec![N::constant(layer.bias[o]); images];
            let weights = layer.matrices[tile.matrix].row(source[o].1);
            for (&w, &input) in weights.iter().zip(&tile.inputs) {
                if input != PADDING {
                    let x = &inputs[input as usize];
                    sum.iter_mut()
                        .zip(x)
                        .for_each(|(s, &x)| *s = s.add_product(w, x));
                }
            }
            *output = sum;
        });
        Ok(outputs)
    }

    fn power(
        &self,
        power: &Power<N::Weight>,
        mut inputs: Vec<Vec<N>>,
    ) -> Result<Vec<Vec<N>>, EvalError> {
        inputs.par_iter_mut().enumerate().for_each(|(i, value)| {
            let lower: Vec<N> = power
                .lower
                .get(i / power.positions)
                .map_or_else(Vec::new, |terms| {
                    terms.iter().map(|&b| N::constant(b)).collect()
                });
            for y in value {
                // Horner from y^d + 0·y^(d-1): the constant term is zero
                let mut sum = y.times(*y);
                for &b in lower.iter().rev() {
                    sum = sum.plus(b).times(*y);
                }
                *y = sum;
            }
        });
        Ok(inputs)
    }

    fn function(
        &self,
        function: &Function,
        mut inputs: Vec<Vec<N>>,
    ) -> Result<Vec<Vec<N>>, EvalError> {
        if let Function::Tables(tables) = function {
            inputs
                .par_iter_mut()
                .zip(&tables.of)
                .for_each(|(value, &table)| {
                    let table = &tables.tables[table as usize];
                    for x in value {
                        *x = x.look_up(table);
                    }
                });
            return Ok(inputs);
        }
        inputs.par_iter_mut().try_for_each(|value| {
            value.iter_mut().try_for_each(|x| {
                *x = x.function(function)?;
                Ok::<(), EvalError>(())
            })
        })?;
        Ok(inputs)
    }
}
