//! What the server does modulo one plaintext modulus.

use std::{borrow::Cow, sync::Arc};

use cryptodl_fold::graph::{Add, Layout, Linear, Power, Product};
use ethnum::I256;
use fhe::bfv::{BfvParameters, Ciphertext, RelinearizationKey};
use fhe_math::rq::{Context, Poly, Representation, traits::TryConvertFrom};
use fhe_traits::DeserializeParametrized;
use ndarray::Array2;
use num_bigint::BigUint;
use rayon::prelude::*;

use super::{
    error::BfvError,
    kernel::{self, Residues},
};

/// A value that a node reads, one ciphertext a number: its own where nothing reads it again.
pub(super) type Operand<'a> = Vec<Cow<'a, Ciphertext>>;

/// A value that a node makes.
pub(super) type Value = Vec<Ciphertext>;

/// The parameters of one plaintext modulus and a relinearisation key.
pub(super) struct Component {
    parameters: Arc<BfvParameters>,
    context: Arc<Context>,
    relinearisation: RelinearizationKey,
}

impl Component {
    /// With the bytes of a relinearisation key.
    pub fn new(parameters: Arc<BfvParameters>, key: &[u8]) -> Result<Self, BfvError> {
        let context = parameters.context_at_level(0)?.clone();
        let relinearisation = RelinearizationKey::from_bytes(key, &parameters)?;
        Ok(Self {
            parameters,
            context,
            relinearisation,
        })
    }

    /// A linear layer, whose results are relinearised.
    pub fn linear(
        &self,
        layer: &Linear<i64>,
        operands: Vec<Operand<'_>>,
    ) -> Result<Value, BfvError> {
        let inputs: Vec<&Ciphertext> = operands.iter().flatten().map(|input| &**input).collect();
        let parts = inputs.iter().map(|input| input.len()).max().unwrap_or(2);
        let moduli = self.parameters.moduli();
        let shape = (moduli.len(), self.parameters.degree());
        // what a ciphertext of two polynomials has for a third
        let zeros = vec![0; shape.1];
        let biases = layer.bias.iter().map(|&bias| self.scaled_constant(bias));
        let biases: Vec<Vec<u64>> = biases.collect();
        let mut outputs: Vec<Vec<Poly>> = vec![Vec::with_capacity(parts); layer.outputs()];
        for part in 0..parts {
            let sources = inputs.iter().map(|input| input.get(part).map(residues));
            let sources: Vec<Option<&[u64]>> = sources.collect();
            let mut results = vec![Array2::<u64>::zeros(shape); layer.outputs()];
            for (prime, &modulus) in moduli.iter().enumerate() {
                let words = prime * shape.1..(prime + 1) * shape.1;
                let rows = sources.iter();
                let rows = rows.map(|source| source.map_or(&zeros[..], |s| &s[words.clone()]));
                let inputs = Residues {
                    modulus,
                    rows: rows.collect(),
                };
                let out = results.iter_mut().map(|result| {
                    let all = result.as_slice_mut().expect("made contiguous above");
                    &mut all[words.clone()]
                });
                let bias = biases.iter();
                let bias: Vec<u64> = bias.map(|b| if part == 0 { b[prime] } else { 0 }).collect();
                kernel::apply(layer, &inputs, &bias, out.collect());
            }
            for (output, result) in outputs.iter_mut().zip(results) {
                output.push(self.poly(result)?);
            }
        }
        drop(operands);
        let outputs = outputs.into_par_iter();
        outputs.map(|parts| self.ciphertext(parts, true)).collect()
    }

    /// A product of two values, or of one with itself.
    pub fn product(
        &self,
        product: &Product<i64>,
        layout: Layout,
        operands: Vec<Operand<'_>>,
        relinearise: bool,
    ) -> Result<Value, BfvError> {
        let shifts = |number: usize| {
            let of = |side: usize| channel(&product.shifts[side], number, layout);
            (of(0), of(1))
        };
        let finish = |mut made: Ciphertext| {
            if relinearise {
                self.relinearise(&mut made)?;
            }
            Ok(made)
        };
        let mut operands = operands.into_iter();
        let first = operands.next().expect("a product has operands");
        let first = first.into_par_iter().enumerate();
        let Some(second) = operands.next() else {
            let squares = first.map(|(number, x)| match shifts(number) {
                (s, t) if s == t => {
                    let y = self.shifted(x, s)?;
                    finish(&*y * &*y)
                }
                (s, t) => {
                    let y = self.shifted(Cow::Borrowed(&*x), s)?;
                    finish(&*y * &*self.shifted(Cow::Borrowed(&*x), t)?)
                }
            });
            return squares.collect();
        };
        let products = first.zip(second).map(|((number, x), y)| {
            let (s, t) = shifts(number);
            finish(&*self.shifted(x, s)? * &*self.shifted(y, t)?)
        });
        products.collect()
    }

    /// A monic polynomial of degree 3 or 4 of every number.
    pub fn power(
        &self,
        power: &Power<i64>,
        layout: Layout,
        operand: Operand<'_>,
        relinearise: bool,
    ) -> Result<Value, BfvError> {
        let powers = operand.into_par_iter().enumerate().map(|(number, x)| {
            let y = self.shifted(x, channel(&power.shift, number, layout))?;
            let lower = &power.lower[number / layout.positions];
            let mut made = self.power_one(&y, lower)?;
            if relinearise {
                self.relinearise(&mut made)?;
            }
            Ok(made)
        });
        powers.collect()
    }

    /// `y³ + b₁y` or `y⁴ + b₂y² + b₁y`; the result has three parts.
    fn power_one(&self, y: &Ciphertext, lower: &[I256]) -> Result<Ciphertext, BfvError> {
        let mut square = y * y;
        self.relinearise(&mut square)?;
        if let &[b1, b2] = lower {
            // y⁴ + b₂y² + b₁y = (y² + b₂/2)² + b₁y - (b₂/2)²
            let half = b2 / 2;
            self.add_constant(&mut square, half)?;
            let mut outer = &square * &square;
            let factor = self.scalar(b1);
            for part in 0..2 {
                outer[part] += &(&y[part] * &factor);
            }
            self.add_constant(&mut outer, -(half * half))?;
            return Ok(outer);
        }
        self.add_constant(&mut square, lower[0])?;
        Ok(&square * y)
    }

    /// A sum of values, each times its factors.
    pub fn add(
        &self,
        add: &Add<i64>,
        layout: Layout,
        operands: Vec<Operand<'_>>,
        relinearise: bool,
    ) -> Result<Value, BfvError> {
        let mut operands = operands.into_iter();
        let first = operands.next().expect("a sum has operands");
        let others: Vec<Operand<'_>> = operands.collect();
        let sums = first.into_par_iter().enumerate().map(|(number, x)| {
            let factor = |operand: usize| channel(&add.factors[operand], number, layout);
            let mut sum = polynomials(x);
            if let Some(factor) = factor(0) {
                let factor = self.scalar(factor);
                for part in &mut sum {
                    *part *= &factor;
                }
            }
            for (operand, other) in others.iter().enumerate() {
                let factor = factor(operand + 1).map(|factor| self.scalar(factor));
                for (part, term) in other[number].iter().enumerate() {
                    let term = match &factor {
                        Some(factor) => Cow::Owned(term * factor),
                        None => Cow::Borrowed(term),
                    };
                    match sum.get_mut(part) {
                        Some(sum) => *sum += &*term,
                        None => sum.push(term.into_owned()),
                    }
                }
            }
            let mut sum = self.ciphertext(sum, relinearise)?;
            if let Some(bias) = channel(&add.bias, number, layout) {
                self.add_constant(&mut sum, bias)?;
            }
            Ok(sum)
        });
        sums.collect()
    }

    /// `value` plus a constant, if there is one.
    fn shifted<'a>(
        &self,
        mut value: Cow<'a, Ciphertext>,
        shift: Option<I256>,
    ) -> Result<Cow<'a, Ciphertext>, BfvError> {
        if let Some(shift) = shift {
            self.add_constant(value.to_mut(), shift)?;
        }
        Ok(value)
    }

    fn add_constant(&self, value: &mut Ciphertext, constant: I256) -> Result<(), BfvError> {
        let residues = self.scaled_constant(constant);
        let degree = self.parameters.degree();
        let filled = Array2::from_shape_fn((residues.len(), degree), |(row, _)| residues[row]);
        value[0] += &self.poly(filled)?;
        Ok(())
    }

    /// The residues of `round(Q · value / t)`: what adding the plaintext `value` adds to `c0`, in
    /// every slot of the transform since the polynomial is constant.
    fn scaled_constant(&self, value: I256) -> Vec<u64> {
        let plain = self.parameters.plaintext();
        let residue = value.rem_euclid(I256::from(plain)).as_u64();
        let scaled = (self.context.modulus() * residue + plain / 2) / plain;
        let residues = self.parameters.moduli().iter();
        residues
            .map(|&q| (&scaled % q).try_into().expect("below a 64-bit modulus"))
            .collect()
    }

    /// What multiplying by the plaintext `value` multiplies with: the least number of its class, modulo Q.
    fn scalar(&self, value: I256) -> BigUint {
        let plain = self.parameters.plaintext();
        let residue = value.rem_euclid(I256::from(plain)).as_u64();
        if residue > plain / 2 {
            self.context.modulus() - (plain - residue)
        } else {
            residue.into()
        }
    }

    fn poly(&self, residues: Array2<u64>) -> Result<Poly, BfvError> {
        let form = Representation::Ntt;
        Ok(Poly::try_convert_from(residues, &self.context, true, form)?)
    }

    fn ciphertext(&self, parts: Vec<Poly>, relinearise: bool) -> Result<Ciphertext, BfvError> {
        let mut value = Ciphertext::new(parts, &self.parameters)?;
        if relinearise {
            self.relinearise(&mut value)?;
        }
        Ok(value)
    }

    /// Two parts of three; two stay as they are.
    fn relinearise(&self, value: &mut Ciphertext) -> Result<(), BfvError> {
        if value.len() == 3 {
            self.relinearisation.relinearizes(value)?;
        }
        Ok(())
    }
}

/// The constant of a number's channel, from a list that may be empty.
fn channel(list: &[I256], number: usize, layout: Layout) -> Option<I256> {
    list.get(number / layout.positions).copied()
}

/// The residues of a polynomial, prime by prime.
fn residues(part: &Poly) -> &[u64] {
    let residues = part.coefficients().to_slice();
    residues.expect("polynomials are contiguous")
}

/// The polynomials of a ciphertext; no copy where it is nobody else's.
fn polynomials(value: Cow<'_, Ciphertext>) -> Vec<Poly> {
    match value {
        Cow::Borrowed(value) => value.to_vec(),
        Cow::Owned(mut value) => value.iter_mut().map(std::mem::take).collect(),
    }
}
