//! Client and server of encrypted integers.

use std::{sync::Arc, time::Instant};

use cryptodl_fold::{
    Operation,
    graph::{Add, Layout, Linear, Power, Product, ValueId},
};
use ethnum::I256;
use tfhe::integer::{
    ClientKey, IntegerCiphertext, RadixClientKey, ServerKey, SignedRadixCiphertext, gen_keys_radix,
};

use super::{
    error::IntegerError,
    program::{IntegerProgram, IntegerSpec},
};
use crate::{
    interface::Interface,
    scheme::{Client, Server},
    work::{Observe, Work},
};

/// A value in encrypted integers.
type Value = Vec<SignedRadixCiphertext>;

/// The role with the secret key.
pub struct IntegerClient {
    key: RadixClientKey,
    interface: Interface,
    blocks: usize,
}

/// The evaluation key.
pub struct IntegerKeys(ServerKey);

/// The role with the evaluation key.
pub struct IntegerServer {
    key: ServerKey,
    program: Arc<IntegerProgram>,
}

/// The values of an image, by their numbers; those that are read no more are gone.
pub struct IntegerBatch(Vec<Option<Value>>);

/// Encrypted pixels, or encrypted results.
pub struct IntegerCiphertexts(Value);

impl IntegerClient {
    /// An encrypted integer of so many blocks.
    pub(super) fn integer(&self, value: i128, blocks: usize) -> SignedRadixCiphertext {
        let key: &ClientKey = self.key.as_ref();
        key.encrypt_signed_radix(value, blocks)
    }
}

impl Client for IntegerClient {
    type Spec = IntegerSpec;
    type Keys = IntegerKeys;
    type Request = IntegerCiphertexts;
    type Response = IntegerCiphertexts;
    type Error = IntegerError;

    fn generate(spec: &IntegerSpec) -> Result<(Self, IntegerKeys), IntegerError> {
        let set = spec.set();
        let (client_key, key) = gen_keys_radix(set, spec.blocks);
        let client = Self {
            key: client_key,
            interface: spec.interface.clone(),
            blocks: spec.blocks,
        };
        Ok((client, IntegerKeys(key)))
    }

    fn encrypt(
        &self,
        images: &[&[u8]],
        _component: usize,
    ) -> Result<IntegerCiphertexts, IntegerError> {
        let got = images.len();
        if got != 1 {
            return Err(IntegerError::Images { got });
        }
        let columns = self.interface.columns(images)?;
        let pixels = columns
            .iter()
            .map(|pixel| self.integer(pixel[0].into(), self.blocks));
        Ok(IntegerCiphertexts(pixels.collect()))
    }

    fn decrypt(
        &self,
        responses: &[IntegerCiphertexts],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, IntegerError> {
        let key: &ClientKey = self.key.as_ref();
        let values = responses.iter().flat_map(|response| &response.0);
        let values = values.map(|value| vec![key.decrypt_signed_radix::<i128>(value) as f64]);
        let values: Vec<Vec<f64>> = values.collect();
        Ok(self.interface.logits(&values, images.min(1)))
    }
}

impl IntegerServer {
    /// The same value with so many blocks, at least as many as it has.
    fn widen(&self, value: &SignedRadixCiphertext, blocks: usize) -> SignedRadixCiphertext {
        let more = blocks.saturating_sub(value.blocks().len());
        self.key.extend_radix_with_sign_msb(value, more)
    }

    /// `value` plus a constant; wider constants than values are taken modulo their width.
    fn plus(&self, mut value: SignedRadixCiphertext, constant: I256) -> SignedRadixCiphertext {
        let constant = constant.as_i128();
        self.key
            .scalar_add_assign_parallelized(&mut value, constant);
        value
    }

    pub(super) fn times(
        &self,
        value: &SignedRadixCiphertext,
        factor: u128,
    ) -> SignedRadixCiphertext {
        self.key.scalar_mul_parallelized(value, factor)
    }

    pub(super) fn product(
        &self,
        a: &SignedRadixCiphertext,
        b: &SignedRadixCiphertext,
    ) -> SignedRadixCiphertext {
        self.key.mul_parallelized(a, b)
    }

    pub(super) fn sum(&self, terms: &[SignedRadixCiphertext]) -> Option<SignedRadixCiphertext> {
        self.key.sum_ciphertexts_parallelized(terms)
    }

    /// `Σ factor · value + constant`.
    fn weighted_sum<'a>(
        &self,
        terms: impl Iterator<Item = (i128, &'a SignedRadixCiphertext)>,
        constant: I256,
        blocks: usize,
    ) -> SignedRadixCiphertext {
        // TFHE-rs reads a negative factor as 64 bits, whatever the width: signs are ours to keep
        let (mut plus, mut minus) = (Vec::new(), Vec::new());
        for (factor, value) in terms {
            let side = if factor > 0 { &mut plus } else { &mut minus };
            match factor.unsigned_abs() {
                0 => {}
                1 => side.push(value.clone()),
                factor => side.push(self.times(value, factor)),
            }
        }
        let zero = || self.key.create_trivial_zero_radix(blocks);
        let mut sum = self.sum(&plus).unwrap_or_else(zero);
        if let Some(minus) = self.sum(&minus) {
            sum = self.key.sub_parallelized(&sum, &minus);
        }
        self.plus(sum, constant)
    }

    /// Output by output, with TFHE-rs's own parallelism inside; `inputs` are as wide as the outputs.
    fn linear(
        &self,
        linear: &Linear<i64>,
        inputs: &[&SignedRadixCiphertext],
        blocks: usize,
        done: &mut dyn FnMut(f64),
    ) -> Value {
        let count = linear.outputs() as f64;
        let rows = linear.rows().into_iter().zip(&linear.bias).enumerate();
        let outputs = rows.map(|(output, ((weights, tile), &bias))| {
            let terms = weights.iter().zip(&tile.inputs);
            // padding is beyond all inputs
            let terms = terms.filter_map(|(&w, &i)| Some((w.into(), *inputs.get(i as usize)?)));
            let sum = self.weighted_sum(terms, bias, blocks);
            done((output + 1) as f64 / count);
            sum
        });
        outputs.collect()
    }

    /// `(a + s) · (b + t)`.
    fn products(
        &self,
        product: &Product<i64>,
        layout: Layout,
        operands: [&[SignedRadixCiphertext]; 2],
        done: &mut dyn FnMut(f64),
    ) -> Value {
        let pairs = operands[0].iter().zip(operands[1]).enumerate();
        let products = pairs.map(|(number, (a, b))| {
            let shifted = |side: usize, value: &SignedRadixCiphertext| {
                let shift = product.shifts[side].get(number / layout.positions);
                shift.map_or_else(|| value.clone(), |shift| self.plus(value.clone(), *shift))
            };
            let made = self.product(&shifted(0, a), &shifted(1, b));
            done((number + 1) as f64 / layout.len() as f64);
            made
        });
        products.collect()
    }

    /// `y^d + Σ b_k y^k` by Horner's rule.
    fn powers(
        &self,
        power: &Power<i64>,
        layout: Layout,
        operand: &[SignedRadixCiphertext],
        done: &mut dyn FnMut(f64),
    ) -> Value {
        let powers = operand.iter().enumerate().map(|(number, x)| {
            let channel = number / layout.positions;
            let shift = power.shift.get(channel);
            let y = shift.map_or_else(|| x.clone(), |shift| self.plus(x.clone(), *shift));
            let mut sum = self.product(&y, &y);
            for b in power.lower[channel].iter().rev() {
                sum = self.product(&self.plus(sum, *b), &y);
            }
            done((number + 1) as f64 / layout.len() as f64);
            sum
        });
        powers.collect()
    }

    fn sums(
        &self,
        add: &Add<i64>,
        layout: Layout,
        operands: &[&[SignedRadixCiphertext]],
        blocks: usize,
        done: &mut dyn FnMut(f64),
    ) -> Value {
        let sums = (0..layout.len()).map(|number| {
            let channel = number / layout.positions;
            let terms = add.factors.iter().zip(operands).map(|(factors, operand)| {
                let factor = factors.get(channel).map_or(1, |factor| factor.as_i128());
                (factor, &operand[number])
            });
            let bias = add.bias.get(channel).copied().unwrap_or(I256::ZERO);
            let sum = self.weighted_sum(terms, bias, blocks);
            done((number + 1) as f64 / layout.len() as f64);
            sum
        });
        sums.collect()
    }
}

impl Server for IntegerServer {
    type Program = IntegerProgram;
    type Keys = IntegerKeys;
    type Request = IntegerCiphertexts;
    type Response = IntegerCiphertexts;
    type Batch = IntegerBatch;
    type Error = IntegerError;

    fn new(program: Arc<IntegerProgram>, keys: IntegerKeys) -> Result<Self, IntegerError> {
        Ok(Self {
            key: keys.0,
            program,
        })
    }

    fn begin(&self, request: IntegerCiphertexts) -> Result<IntegerBatch, IntegerError> {
        Ok(IntegerBatch(vec![Some(request.0)]))
    }

    fn steps(&self) -> usize {
        self.program.graph.nodes.len()
    }

    fn step(
        &self,
        index: usize,
        batch: &mut IntegerBatch,
        observe: Observe<'_>,
    ) -> Result<(), IntegerError> {
        let IntegerProgram {
            graph,
            blocks,
            last_readers,
        } = &*self.program;
        let node = &graph.nodes[index];
        let pixels = batch.0.first().and_then(Option::as_ref).map(Vec::len);
        if batch.0.len() != index + 1 || pixels.is_some_and(|pixels| pixels != graph.inputs()) {
            return Err(IntegerError::Batch { index });
        }
        let mut start = Instant::now();
        let mut report = |done: f64| {
            observe(Work {
                node: &node.name,
                kind: node.operation.kind(),
                seconds: start.elapsed().as_secs_f64(),
                word_products: None,
                done,
            });
            start = Instant::now();
        };
        let blocks = blocks[ValueId::of_node(index).0];
        let widened = node.operands.iter().map(|operand| {
            let value = batch.0[operand.0].as_ref()?;
            Some(
                value
                    .iter()
                    .map(|number| self.widen(number, blocks))
                    .collect(),
            )
        });
        let widened: Option<Vec<Value>> = widened.collect();
        let widened = widened.ok_or(IntegerError::Batch { index })?;
        let operands: Vec<&[SignedRadixCiphertext]> = widened.iter().map(Vec::as_slice).collect();
        let made = match &node.operation {
            Operation::Linear(linear) => {
                let inputs: Vec<&SignedRadixCiphertext> = widened.iter().flatten().collect();
                self.linear(linear, &inputs, blocks, &mut report)
            }
            Operation::Product(product) => {
                let operands = [operands[0], operands[1]];
                self.products(product, node.output, operands, &mut report)
            }
            Operation::Power(power) => self.powers(power, node.output, operands[0], &mut report),
            Operation::Add(add) => self.sums(add, node.output, &operands, blocks, &mut report),
            _ => unreachable!("quantisation refuses what has no integer form"),
        };
        for operand in &node.operands {
            if last_readers[operand.0] == Some(index) {
                batch.0[operand.0] = None;
            }
        }
        batch.0.push(Some(made));
        Ok(())
    }

    fn finish(&self, mut batch: IntegerBatch) -> Result<IntegerCiphertexts, IntegerError> {
        let (index, steps) = (batch.0.len() - 1, self.steps());
        match batch.0.pop().flatten() {
            Some(result) if index == steps => Ok(IntegerCiphertexts(result)),
            _ => Err(IntegerError::Batch { index }),
        }
    }
}
