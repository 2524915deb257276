//! The role with the evaluation key: sums on raw words, then one bootstrap a value.

use std::{sync::Arc, time::Instant};

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
    client::TfheValue,
    parameters::bootstraps_of,
    program::{Encoded, Layer, Program},
    wire::{Kind, Reader, WireError, Writer},
};
use crate::{
    EvalError,
    graph::{Linear, Node, Operation, PADDING},
    lookup::rows_of,
    scheme::{Observe, Server, Stage},
};

/// Bootstraps of a thread between two reports of progress.
const BETWEEN_REPORTS: usize = 8;

/// Evaluates on encrypted levels.
pub struct TfheServer {
    pub(super) key: StandardAtomicPatternServerKey,
    pub(super) identity: u128,
    pub(super) program: Arc<Program>,
}

impl TfheServer {
    /// The encrypted accumulators of linear layer `layer` (counted from 0), the first of `nodes`.
    ///
    /// # Panics
    /// If the node is no linear layer.
    pub fn sums(&self, layer: usize, node: &Node<i64>, inputs: Vec<TfheValue>) -> Vec<TfheValue> {
        let Operation::Linear(linear) = &node.operation else {
            panic!("`{}` is no linear layer", node.name);
        };
        let dimension = self.program.dimension();
        let inputs: Vec<Vec<u64>> = inputs
            .into_par_iter()
            .map(|value| value.whole(dimension))
            .collect();
        let sums = self.add_up(&self.program.layers[layer], linear, &inputs);
        sums.into_iter().map(TfheValue::Whole).collect()
    }

    /// The weighted sums of a linear layer, shifted into place.
    fn add_up(&self, layer: &Layer, linear: &Linear<i64>, inputs: &[Vec<u64>]) -> Vec<Vec<u64>> {
        let size = self.program.dimension() + 1;
        let rows = rows_of(linear);
        let sum = |(output, (weights, tile)): (usize, &(&[i64], &crate::graph::Tile))| {
            let mut sum = vec![0_u64; size];
            for (&w, &input) in weights.iter().zip(&tile.inputs) {
                if w != 0 && input != PADDING {
                    add_product(&mut sum, w as u64, &inputs[input as usize]);
                }
            }
            let shift = layer.shift(output, &self.program.choice);
            sum[size - 1] = sum[size - 1].wrapping_add(shift);
            sum
        };
        rows.par_iter().enumerate().map(sum).collect()
    }

    /// One bootstrap.
    fn look_up(&self, sum: TfheValue, table: &Encoded) -> TfheValue {
        let dimension = self.program.dimension();
        let set = &self.program.choice.set;
        let words = sum.whole(dimension);
        let mut words = bootstrap(&self.key, words, &table.polynomial, set);
        words[dimension] = words[dimension].wrapping_add(table.after);
        TfheValue::Whole(words)
    }

    /// Encrypted results as bytes.
    ///
    /// # Panics
    /// If a value is no result of this server.
    pub fn outputs_to_bytes(&self, values: &[TfheValue]) -> Vec<u8> {
        let words = values.len() * (self.program.dimension() + 1);
        let set = &self.program.choice.set;
        let mut writer = Writer::new(Kind::Outputs, set, self.identity, words);
        for value in values {
            let TfheValue::Whole(words) = value else {
                panic!("results are whole ciphertexts");
            };
            writer.words(words);
        }
        writer.end()
    }

    /// Reads an encrypted image.
    ///
    /// # Errors
    /// When it is cut, damaged, of other parameters or of another key.
    pub fn inputs_from_bytes(&self, bytes: &[u8]) -> Result<Vec<TfheValue>, WireError> {
        let count = self.program.pixels.of.len();
        let mut reader = Reader::new(Kind::Inputs, bytes, &self.program.choice.set, 3 * count)?;
        if reader.identity() != self.identity {
            return Err(WireError::Identity(Kind::Inputs));
        }
        let value = |_| TfheValue::Seeded {
            seed: reader.seed(),
            body: reader.words(1)[0],
        };
        Ok((0..count).map(value).collect())
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
    type Weight = i64;
    type Value = TfheValue;

    fn advance(
        &self,
        nodes: &[Node<i64>],
        inputs: Vec<TfheValue>,
        observe: Observe<'_>,
    ) -> Result<(usize, Vec<TfheValue>), EvalError> {
        // linear layer and table in turn, and a linear layer at the end
        let layers = &self.program.layers;
        let index = layers.len() - nodes.len().div_ceil(2);
        let layer = &layers[index];
        let start = Instant::now();
        let sums = self.sums(index, &nodes[0], inputs);
        let all = layers.iter().map(bootstraps_of).sum::<usize>().max(1) as f64;
        let mut done = layers[..index].iter().map(bootstraps_of).sum::<usize>();
        observe(Stage {
            node: &nodes[0].name,
            kind: "linear",
            seconds: start.elapsed().as_secs_f64(),
            word_products: None,
            done: Some(done as f64 / all),
        });
        let Some(look_up) = &layer.look_up else {
            return Ok((1, sums));
        };
        let mut outputs = Vec::with_capacity(sums.len());
        let mut sums = sums.into_iter().enumerate();
        let chunk = BETWEEN_REPORTS * rayon::current_num_threads();
        loop {
            let start = Instant::now();
            let some: Vec<(usize, TfheValue)> = sums.by_ref().take(chunk).collect();
            if some.is_empty() {
                return Ok((2, outputs));
            }
            done += some.len();
            let bootstrapped = some
                .into_par_iter()
                .with_max_len(1)
                .map(|(output, sum)| self.look_up(sum, look_up.table(output)));
            outputs.par_extend(bootstrapped);
            observe(Stage {
                node: &nodes[1].name,
                kind: "bootstrap",
                seconds: start.elapsed().as_secs_f64(),
                word_products: None,
                done: Some(done as f64 / all),
            });
        }
    }
}
