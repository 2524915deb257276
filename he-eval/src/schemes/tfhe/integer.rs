//! Polynomials the expensive way: whole networks in TFHE-rs's encrypted integers.
//!
//! A value is a radix integer, two bits a ciphertext; additions, products with weights and products of
//! two values are TFHE-rs's own, each of dozens to hundreds of bootstraps. The graph is the one that
//! `bfv` evaluates, and so are the results, bit for bit. It is here to show what it costs; the plan
//! says so before the run, and more than [`MOST_SECONDS`] an image is refused unless asked for.

use std::time::Instant;

use ethnum::I256;
use tfhe::{
    integer::{
        IntegerCiphertext, RadixClientKey, ServerKey, SignedRadixCiphertext, gen_keys_radix,
    },
    shortint::{ClassicPBSParameters, parameters::PARAM_MESSAGE_2_CARRY_2_KS_PBS},
};

use super::{keys::key_bytes, keys::long_dimension, parameters::toy};
use crate::{
    EvalError, MOST_SECONDS,
    graph::{Graph, Linear, Operation, Power},
    lookup::rows_of,
    plan::{EncryptionPlan, Plan, Quality, Seconds},
    quantise::{bounds, quantise},
    scheme::{Client, Observe, Scheme, Server, Stage},
    schemes::{Job, Prepared, Under, clear},
};

/// Bits of a block.
const BLOCK_BITS: u32 = 2;

/// Bits of the widest value that is decrypted.
const MOST_BITS: u32 = 127;

/// Bits between the noise and the bound: a set's failure probability of 2⁻¹²⁸ leaves 13 deviations, and
/// the worst of many results lies around four of them.
const NOISE_BITS_LEFT: f64 = 1.7;

/// Encrypted integers wide enough for one graph.
pub struct TfheInteger {
    set: ClassicPBSParameters,
    /// Blocks of the inputs.
    inputs: usize,
    /// Blocks after each node.
    blocks: Vec<usize>,
}

/// The role with the secret key.
pub struct IntegerClient {
    key: RadixClientKey,
    blocks: usize,
}

/// The role with the evaluation key.
pub struct IntegerServer {
    key: ServerKey,
    blocks: Vec<usize>,
}

impl TfheInteger {
    /// Widths for a graph of integer weights.
    ///
    /// # Errors
    /// When a value has more than 127 bits.
    pub fn new(graph: &Graph<i64>, is_toy: bool) -> Result<Self, EvalError> {
        let set = PARAM_MESSAGE_2_CARRY_2_KS_PBS;
        let peaks = bounds(graph)?;
        let bits = |peak: I256| 257 - peak.leading_zeros();
        let widest = peaks.iter().copied().map(bits).max().unwrap_or(1);
        if widest > MOST_BITS {
            return Err(EvalError::WideInteger {
                bits: widest,
                most: MOST_BITS,
            });
        }
        let blocks = |peak: I256| bits(peak).div_ceil(BLOCK_BITS) as usize;
        Ok(Self {
            set: if is_toy { toy(set) } else { set },
            inputs: blocks(I256::from(graph.input_levels)),
            // never narrower than before: nothing is cut off
            blocks: peaks
                .into_iter()
                .scan(0, |widest, peak| {
                    *widest = blocks(peak).max(*widest);
                    Some(*widest)
                })
                .collect(),
        })
    }

    fn block_bytes(&self) -> usize {
        8 * (long_dimension(&self.set) + 1)
    }

    /// Seconds of every node for one image, each timed on one small operation of its kind and width.
    fn predict(&self, graph: &Graph<i64>) -> Result<Seconds, EvalError> {
        let (client, servers) = self.keys()?;
        let server = &servers[0];
        let time = |work: &dyn Fn()| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        };
        let mut seconds = 0.0;
        let mut before = self.inputs;
        for (node, &after) in graph.nodes.iter().zip(&self.blocks) {
            let value = client.key.as_ref().encrypt_signed_radix(1_i128, before);
            match &node.operation {
                Operation::Linear(linear) => {
                    // one sum of all inputs of an average row, its products timed on two of them
                    let rows = linear.outputs().max(1);
                    let terms = (linear.products() / rows).max(2);
                    let wide = server.widen(&value, after);
                    let product = time(&|| {
                        server.key.scalar_mul_parallelized(&wide, 21_u64);
                        server.key.scalar_mul_parallelized(&wide, 13_u64);
                    }) / 2.0;
                    let sum = time(&|| drop(server.sum(&vec![wide.clone(); terms])));
                    seconds += rows as f64 * (terms as f64 * product + sum);
                }
                Operation::Power(power) => {
                    let wide = server.widen(&value, after);
                    let product = time(&|| drop(server.key.mul_parallelized(&wide, &wide)));
                    let values = power.lower.len().max(1) * power.positions;
                    seconds += (values * power.products().max(power.degree - 1)) as f64 * product;
                }
                Operation::Function(_) => return Err(EvalError::NotPolynomial),
            }
            before = after;
        }
        let encrypt = time(&|| {
            client
                .key
                .as_ref()
                .encrypt_signed_radix(1_i128, self.inputs);
        });
        Ok(Seconds {
            encrypt: encrypt * graph.inputs as f64,
            infer: seconds,
            decrypt: encrypt * (before * graph.output_scale.len()) as f64,
        })
    }
}

/// Plans an evaluation.
pub(in crate::schemes) fn prepare(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let graph = quantise(job.graph, job.options.quantisation())?;
    let scheme = TfheInteger::new(&graph, job.options.toy)?;
    let widest = scheme.blocks.iter().max().copied().unwrap_or(1);
    let values = graph.linears().map(Linear::outputs).max().unwrap_or(0) + graph.inputs;
    let memory_bytes = 3 * scheme.key_bytes() + 2 * values * scheme.value_bytes();
    EncryptionPlan::check_memory(memory_bytes)?;
    let seconds = scheme.predict(&graph)?;
    if seconds.infer > MOST_SECONDS && !job.options.any_cost {
        return Err(EvalError::TooSlow {
            seconds: seconds.infer,
            most: MOST_SECONDS,
        });
    }
    let mut plan = Plan::new("tfhe-integer", job, &graph, scheme.slots());
    plan.encryption = Some(EncryptionPlan {
        ring_degree: scheme.set.polynomial_size.0,
        log2_qp: super::LOG2_MODULUS,
        moduli: format!(
            "PARAM_MESSAGE_2_CARRY_2_KS_PBS, LWE dimension {}; integers of up to {} bits",
            scheme.set.lwe_dimension.0,
            widest * BLOCK_BITS as usize
        ),
        shares: 1,
        security_bits: if job.options.toy { 0 } else { 128 },
        quality: Quality::Exact {
            value_bits: widest as u32 * BLOCK_BITS,
            noise_bits_left: NOISE_BITS_LEFT,
        },
        key_bytes: scheme.key_bytes(),
        ciphertext_bytes: graph.inputs * scheme.inputs * scheme.block_bytes(),
        memory_bytes,
        seconds: seconds.times(plan.batches),
    });
    let twin = clear::integer(graph.clone(), job.images)?;
    Ok(Prepared {
        plan,
        evaluation: Box::new(Under { graph, scheme }),
        twin: Some(twin),
        yardstick: None,
    })
}

impl Scheme for TfheInteger {
    type Weight = i64;
    type Value = SignedRadixCiphertext;
    type Client = IntegerClient;
    type Server = IntegerServer;

    fn slots(&self) -> usize {
        1
    }

    fn keys(&self) -> Result<(IntegerClient, Vec<IntegerServer>), EvalError> {
        let (key_of_client, key) = gen_keys_radix(self.set, self.inputs);
        let client = IntegerClient {
            key: key_of_client,
            blocks: self.inputs,
        };
        let blocks = self.blocks.clone();
        Ok((client, vec![IntegerServer { key, blocks }]))
    }

    fn key_bytes(&self) -> usize {
        key_bytes(&self.set)
    }

    fn value_bytes(&self) -> usize {
        self.blocks.iter().max().unwrap_or(&1) * self.block_bytes()
    }
}

impl Client for IntegerClient {
    type Value = SignedRadixCiphertext;

    fn encrypt(
        &self,
        _share: usize,
        features: &[Vec<u32>],
    ) -> Result<Vec<SignedRadixCiphertext>, EvalError> {
        let key: &tfhe::integer::ClientKey = self.key.as_ref();
        let values = features.iter();
        let encrypted =
            values.map(|pixel| key.encrypt_signed_radix(i128::from(pixel[0]), self.blocks));
        Ok(encrypted.collect())
    }

    fn decrypt(
        &self,
        shares: &[Vec<SignedRadixCiphertext>],
        _images: usize,
    ) -> Result<Vec<Vec<f64>>, EvalError> {
        let key: &tfhe::integer::ClientKey = self.key.as_ref();
        let values = shares[0].iter();
        let decrypted = values.map(|value| vec![key.decrypt_signed_radix::<i128>(value) as f64]);
        Ok(decrypted.collect())
    }
}

impl IntegerServer {
    /// The same value with so many blocks, at least as many as it has.
    fn widen(&self, value: &SignedRadixCiphertext, blocks: usize) -> SignedRadixCiphertext {
        let more = blocks.saturating_sub(value.blocks().len());
        self.key.extend_radix_with_sign_msb(value, more)
    }

    fn sum(&self, terms: &[SignedRadixCiphertext]) -> Option<SignedRadixCiphertext> {
        self.key.sum_ciphertexts_parallelized(terms)
    }

    /// Output by output, with TFHE-rs's own parallelism inside.
    fn linear(
        &self,
        linear: &Linear<i64>,
        inputs: &[SignedRadixCiphertext],
        blocks: usize,
        mut done: impl FnMut(usize),
    ) -> Vec<SignedRadixCiphertext> {
        let inputs: Vec<SignedRadixCiphertext> = inputs
            .iter()
            .map(|value| self.widen(value, blocks))
            .collect();
        let mut outputs = Vec::with_capacity(linear.outputs());
        for (output, (weights, tile)) in rows_of(linear).into_iter().enumerate() {
            // TFHE-rs reads a negative weight as 64 bits, whatever the width: signs are ours to keep
            let (mut plus, mut minus) = (Vec::new(), Vec::new());
            for (&w, &input) in weights.iter().zip(&tile.inputs) {
                let Some(value) = inputs.get(input as usize).filter(|_| w != 0) else {
                    continue;
                };
                let side = if w > 0 { &mut plus } else { &mut minus };
                side.push(self.key.scalar_mul_parallelized(value, w.unsigned_abs()));
            }
            let zero = || self.key.create_trivial_zero_radix(blocks);
            let mut sum = self.sum(&plus).unwrap_or_else(zero);
            if let Some(minus) = self.sum(&minus) {
                sum = self.key.sub_parallelized(&sum, &minus);
            }
            let bias = linear.bias[output].as_i128();
            self.key.scalar_add_assign_parallelized(&mut sum, bias);
            outputs.push(sum);
            done(outputs.len());
        }
        outputs
    }

    /// `y^d + Σ b_k y^k` by Horner's rule.
    fn power(
        &self,
        power: &Power<i64>,
        index: usize,
        y: &SignedRadixCiphertext,
    ) -> SignedRadixCiphertext {
        let mut sum = self.key.mul_parallelized(y, y);
        let lower = power.lower.get(index / power.positions);
        for b in lower.into_iter().flatten().rev() {
            self.key
                .scalar_add_assign_parallelized(&mut sum, b.as_i128());
            self.key.mul_assign_parallelized(&mut sum, y);
        }
        sum
    }
}

impl Server for IntegerServer {
    type Weight = i64;
    type Value = SignedRadixCiphertext;

    fn advance(
        &self,
        nodes: &[crate::graph::Node<i64>],
        inputs: Vec<SignedRadixCiphertext>,
        observe: Observe<'_>,
    ) -> Result<(usize, Vec<SignedRadixCiphertext>), EvalError> {
        let (node, all) = (&nodes[0], self.blocks.len());
        let index = all - nodes.len();
        let blocks = self.blocks[index];
        let mut start = Instant::now();
        let mut report = |share: f64| {
            observe(Stage {
                node: &node.name,
                kind: node.operation.kind(),
                seconds: start.elapsed().as_secs_f64(),
                word_products: None,
                done: Some((index as f64 + share) / all as f64),
            });
            start = Instant::now();
        };
        let outputs = match &node.operation {
            Operation::Linear(linear) => {
                let count = linear.outputs() as f64;
                self.linear(linear, &inputs, blocks, |done| report(done as f64 / count))
            }
            Operation::Power(power) => {
                let count = inputs.len() as f64;
                let mut outputs = Vec::with_capacity(inputs.len());
                for (i, y) in inputs.iter().enumerate() {
                    let y = self.widen(y, blocks);
                    outputs.push(self.power(power, i, &y));
                    report((i + 1) as f64 / count);
                }
                outputs
            }
            Operation::Function(_) => return Err(EvalError::NotPolynomial),
        };
        Ok((1, outputs))
    }
}
