//! The server: evaluation keys only.

use std::sync::Arc;

use ethnum::I256;
use fhe::bfv::{BfvParameters, Ciphertext, RelinearizationKey};
use fhe_math::rq::{Context, Poly, Representation, traits::TryConvertFrom};
use ndarray::Array2;
use num_bigint::BigUint;
use rayon::prelude::*;

use super::{
    kernel::{self, Residues},
    library,
};
use crate::{
    EvalError,
    graph::{Linear, Power},
    scheme::NodeByNode,
};

/// Evaluates one share: the parameters of one plaintext modulus and its relinearisation key.
pub struct BfvServer {
    parameters: Arc<BfvParameters>,
    context: Arc<Context>,
    relinearisation: RelinearizationKey,
}

impl BfvServer {
    pub(super) fn new(
        parameters: Arc<BfvParameters>,
        relinearisation: RelinearizationKey,
    ) -> Result<Self, EvalError> {
        let context = parameters.context_at_level(0).map_err(library)?.clone();
        Ok(Self {
            parameters,
            context,
            relinearisation,
        })
    }

    /// `value` modulo the plaintext modulus.
    fn residue(&self, value: I256) -> u64 {
        value
            .rem_euclid(I256::from(self.parameters.plaintext()))
            .as_u64()
    }

    /// The residues of `round(Q · value / t)`: what adding the plaintext `value` adds to `c0`, in
    /// every slot of the transform since the polynomial is constant.
    fn scaled_constant(&self, value: I256) -> Vec<u64> {
        let plain = self.parameters.plaintext();
        let scaled = (self.context.modulus() * self.residue(value) + plain / 2) / plain;
        let residues = self.parameters.moduli().iter();
        residues
            .map(|&q| (&scaled % q).try_into().expect("below a 64-bit modulus"))
            .collect()
    }

    fn add_constant(&self, value: &mut Ciphertext, constant: I256) -> Result<(), EvalError> {
        let residues = self.scaled_constant(constant);
        let degree = self.parameters.degree();
        let filled = Array2::from_shape_fn((residues.len(), degree), |(row, _)| residues[row]);
        value[0] += &self.poly(filled)?;
        Ok(())
    }

    fn poly(&self, residues: Array2<u64>) -> Result<Poly, EvalError> {
        Poly::try_convert_from(residues, &self.context, true, Representation::Ntt).map_err(library)
    }

    fn relinearise(&self, value: &mut Ciphertext) -> Result<(), EvalError> {
        if value.len() == 3 {
            self.relinearisation.relinearizes(value).map_err(library)?;
        }
        Ok(())
    }

    /// `y^d` and its lower terms; the result has three parts.
    fn power_one(
        &self,
        y: &Ciphertext,
        degree: usize,
        lower: &[I256],
    ) -> Result<Ciphertext, EvalError> {
        let mut square = y * y;
        match (degree, lower) {
            (3, &[b1]) => {
                self.relinearise(&mut square)?;
                self.add_constant(&mut square, b1)?;
                Ok(&square * y)
            }
            (4, &[b1, b2]) => {
                // y⁴ + b₂y² + b₁y = (y² + b₂/2)² + b₁y - (b₂/2)²
                let half = b2 / 2;
                self.relinearise(&mut square)?;
                self.add_constant(&mut square, half)?;
                let mut outer = &square * &square;
                let factor = BigUint::from(self.residue(b1));
                for part in 0..2 {
                    outer[part] += &(&y[part] * &factor);
                }
                self.add_constant(&mut outer, -(half * half))?;
                Ok(outer)
            }
            _ => Ok(square),
        }
    }
}

impl NodeByNode for BfvServer {
    type Weight = i64;
    type Value = Ciphertext;

    fn linear(
        &self,
        layer: &Linear<i64>,
        inputs: Vec<Ciphertext>,
    ) -> Result<Vec<Ciphertext>, EvalError> {
        let moduli = self.parameters.moduli();
        let parts = inputs.first().map_or(2, |input| input.len());
        let shape = (moduli.len(), self.parameters.degree());
        let bias: Vec<Vec<u64>> = layer
            .bias
            .iter()
            .map(|&b| self.scaled_constant(b))
            .collect();
        let mut outputs: Vec<Vec<Poly>> = vec![Vec::with_capacity(parts); layer.outputs()];
        for part in 0..parts {
            let sources: Vec<_> = inputs
                .iter()
                .map(|input| input[part].coefficients())
                .collect();
            let rows = |prime: usize| -> Vec<&[u64]> {
                let words = prime * shape.1..(prime + 1) * shape.1;
                let all = sources
                    .iter()
                    .map(|s| s.to_slice().expect("polynomials are contiguous"));
                all.map(|s| &s[words.clone()]).collect()
            };
            let mut results = vec![Array2::<u64>::zeros(shape); layer.outputs()];
            for (prime, &modulus) in moduli.iter().enumerate() {
                let out: Vec<&mut [u64]> = results
                    .iter_mut()
                    .map(|r| {
                        let all = r.as_slice_mut().expect("made contiguous above");
                        &mut all[prime * shape.1..(prime + 1) * shape.1]
                    })
                    .collect();
                let bias: Vec<u64> = bias
                    .iter()
                    .map(|b| if part == 0 { b[prime] } else { 0 })
                    .collect();
                kernel::apply(
                    layer,
                    &Residues {
                        modulus,
                        rows: rows(prime),
                    },
                    &bias,
                    out,
                );
            }
            for (output, result) in outputs.iter_mut().zip(results) {
                output.push(self.poly(result)?);
            }
        }
        drop(inputs);
        outputs
            .into_par_iter()
            .map(|parts| {
                let mut value = Ciphertext::new(parts, &self.parameters).map_err(library)?;
                self.relinearise(&mut value)?;
                Ok(value)
            })
            .collect()
    }

    fn power(
        &self,
        power: &Power<i64>,
        inputs: Vec<Ciphertext>,
    ) -> Result<Vec<Ciphertext>, EvalError> {
        inputs
            .into_par_iter()
            .enumerate()
            .map(|(i, y)| {
                let lower = power
                    .lower
                    .get(i / power.positions)
                    .map_or(&[][..], Vec::as_slice);
                self.power_one(&y, power.degree, lower)
            })
            .collect()
    }
}
