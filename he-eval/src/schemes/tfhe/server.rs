//! The role with the evaluation key: sums on raw words, then one bootstrap a value.

use std::{sync::Arc, time::Instant};

use cryptodl_fold::graph::PADDING;
use rayon::prelude::*;
use tfhe::{
    core_crypto::prelude::{CiphertextModulus, LweCiphertext},
    shortint::{
        Ciphertext, PBSOrder,
        atomic_pattern::{AtomicPattern, AtomicPatternKind, StandardAtomicPatternServerKey},
        ciphertext::{Degree, NoiseLevel},
        server_key::LookupTableOwned,
    },
};

use super::{
    batch::{TfheBatch, TfheRequest, TfheResponse, TfheValue},
    error::TfheError,
    keys::TfheKeys,
    program::{Encoded, Layer, TfheProgram},
};
use crate::{
    interface::WrongImage,
    scheme::Server,
    work::{Observe, Work},
};

/// Bootstraps of a thread between two reports of progress.
const BETWEEN_REPORTS: usize = 8;

/// Evaluates on encrypted levels.
pub struct TfheServer {
    key: StandardAtomicPatternServerKey,
    identity: u128,
    program: Arc<TfheProgram>,
}

impl TfheServer {
    /// The encrypted accumulators of the linear layer that comes next.
    ///
    /// # Errors
    /// When the batch is past the last layer.
    pub fn sums(&self, batch: &TfheBatch) -> Result<Vec<TfheValue>, TfheError> {
        let index = batch.step;
        let layer = self.program.layers.get(index);
        let layer = layer.ok_or(TfheError::Batch { index })?;
        Ok(self.add_up(layer, &batch.values))
    }

    /// The weighted sums of a linear layer, shifted into place.
    fn add_up(&self, layer: &Layer, inputs: &[TfheValue]) -> Vec<TfheValue> {
        let dimension = self.program.dimension();
        let rows = layer.linear.rows();
        let sums = rows.par_iter().zip(&layer.encoding.shifts);
        let sums = sums.map(|((weights, tile), shift)| {
            let mut sum = vec![0_u64; dimension + 1];
            for (&w, &input) in weights.iter().zip(&tile.inputs) {
                if w != 0 && input != PADDING {
                    add_product(&mut sum, w as u64, &inputs[input as usize]);
                }
            }
            sum[dimension] = sum[dimension].wrapping_add(*shift);
            sum
        });
        sums.collect()
    }

    /// One bootstrap.
    fn look_up(&self, sum: TfheValue, table: &Encoded) -> TfheValue {
        let dimension = self.program.dimension();
        let set = &self.program.choice.set;
        let mut words = bootstrap(&self.key, sum, &table.polynomial, set);
        words[dimension] = words[dimension].wrapping_add(table.after);
        words
    }
}

/// One key switch and bootstrap with `table`.
pub(super) fn bootstrap(
    key: &StandardAtomicPatternServerKey,
    words: Vec<u64>,
    table: &LookupTableOwned,
    set: &tfhe::shortint::ClassicPBSParameters,
) -> Vec<u64> {
    let mut ciphertext = Ciphertext::new(
        LweCiphertext::from_container(words, CiphertextModulus::new_native()),
        Degree::new(0),
        NoiseLevel::NOMINAL,
        set.message_modulus,
        set.carry_modulus,
        AtomicPatternKind::Standard(PBSOrder::KeyswitchBootstrap),
    );
    key.apply_lookup_table_assign(&mut ciphertext, table);
    ciphertext.ct.into_container()
}

/// `sum += w · x`, modulo 2⁶⁴.
pub(super) fn add_product(sum: &mut [u64], w: u64, x: &[u64]) {
    for (s, &x) in sum.iter_mut().zip(x) {
        *s = s.wrapping_add(w.wrapping_mul(x));
    }
}

impl Server for TfheServer {
    type Program = TfheProgram;
    type Keys = TfheKeys;
    type Request = TfheRequest;
    type Response = TfheResponse;
    type Batch = TfheBatch;
    type Error = TfheError;

    fn new(program: Arc<TfheProgram>, keys: TfheKeys) -> Result<Self, TfheError> {
        if keys.parameters != program.parameters {
            return Err(TfheError::OtherParameters);
        }
        Ok(Self {
            identity: keys.identity,
            key: keys.expand(),
            program,
        })
    }

    fn begin(&self, request: TfheRequest) -> Result<TfheBatch, TfheError> {
        if request.parameters != self.program.parameters {
            return Err(TfheError::OtherParameters);
        }
        if request.identity != self.identity {
            return Err(TfheError::OtherKey);
        }
        let (expected, got) = (self.program.inputs, request.pixels.len());
        if expected != got {
            return Err(WrongImage { expected, got }.into());
        }
        let set = &self.program.choice.set;
        let pixels = request.pixels.into_par_iter();
        Ok(TfheBatch {
            step: 0,
            values: pixels.map(|pixel| pixel.expand(set)).collect(),
        })
    }

    fn steps(&self) -> usize {
        self.program.layers.len()
    }

    /// A linear layer and the look-ups behind it, which are most of the time.
    fn step(
        &self,
        index: usize,
        batch: &mut TfheBatch,
        observe: Observe<'_>,
    ) -> Result<(), TfheError> {
        let layer = &self.program.layers[index];
        let inputs = match index {
            0 => self.program.inputs,
            _ => self.program.layers[index - 1].linear.outputs(),
        };
        if batch.step != index || batch.values.len() != inputs {
            return Err(TfheError::Batch { index });
        }
        batch.step = index + 1;
        let start = Instant::now();
        let sums = self.add_up(layer, &std::mem::take(&mut batch.values));
        observe(Work {
            node: &layer.name,
            kind: "linear",
            seconds: start.elapsed().as_secs_f64(),
            word_products: None,
            done: if layer.look_up.is_some() { 0.0 } else { 1.0 },
        });
        let Some(look_up) = &layer.look_up else {
            batch.values = sums;
            return Ok(());
        };
        let all = sums.len();
        let mut sums = sums.into_iter().enumerate();
        let chunk = BETWEEN_REPORTS * rayon::current_num_threads();
        while batch.values.len() < all {
            let start = Instant::now();
            let some: Vec<(usize, TfheValue)> = sums.by_ref().take(chunk).collect();
            let bootstrapped = some
                .into_par_iter()
                .with_max_len(1)
                .map(|(output, sum)| self.look_up(sum, look_up.table(output)));
            batch.values.par_extend(bootstrapped);
            observe(Work {
                node: &look_up.name,
                kind: "bootstrap",
                seconds: start.elapsed().as_secs_f64(),
                word_products: None,
                done: batch.values.len() as f64 / all as f64,
            });
        }
        Ok(())
    }

    fn finish(&self, batch: TfheBatch) -> Result<TfheResponse, TfheError> {
        let index = batch.step;
        if index != self.steps() {
            return Err(TfheError::Batch { index });
        }
        Ok(TfheResponse {
            parameters: self.program.parameters,
            identity: self.identity,
            values: batch.values,
        })
    }
}
