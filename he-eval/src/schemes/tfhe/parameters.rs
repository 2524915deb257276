//! The choice of a parameter set: the fastest of the named ones that keeps every look-up and every
//! decryption right.

#[allow(
    clippy::wildcard_imports,
    reason = "all the sets of one failure probability"
)]
use tfhe::shortint::parameters::v1_4::*;
use tfhe::shortint::{ClassicPBSParameters, parameters::LweDimension};

use cryptodl_fold::{Graph, Operation, lookup::ranges};

use super::{
    error::TfheError,
    noise::{LOG2_FAILURE, Noise, half_box, log2_failure},
    turns,
};

/// A parameter set under the name that TFHE-rs gives it.
pub(super) struct Named {
    pub name: &'static str,
    pub set: ClassicPBSParameters,
}

macro_rules! named {
    ($($name:ident)*) => {
        &[$(Named { name: stringify!($name), set: $name }),*]
    };
}

/// The sets of 128-bit security and failure probability 2⁻¹²⁸ that TFHE-rs 1.8 has for bootstraps of 1
/// to 8 bits. Those of one precision differ in the sum of squared weights that they allow.
pub(super) const SETS: &[Named] = named! {
    V1_4_PARAM_MESSAGE_1_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_2_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_3_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_4_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_5_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_6_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_1_CARRY_7_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_2_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_3_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_4_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_2_CARRY_5_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_3_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_3_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_3_CARRY_2_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_3_CARRY_3_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_3_CARRY_4_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_4_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_4_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_4_CARRY_2_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_4_CARRY_3_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_5_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_5_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_5_CARRY_2_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_6_CARRY_0_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_6_CARRY_1_KS_PBS_GAUSSIAN_2M128
    V1_4_PARAM_MESSAGE_7_CARRY_0_KS_PBS_GAUSSIAN_2M128
};

/// Bits of the modulus of every ciphertext.
pub(super) const LOG2_MODULUS: f64 = 64.0;

/// LWE dimension of toy runs: a bootstrap is so many times faster, and anyone can find the key.
const TOY_LWE_DIMENSION: usize = 24;

/// Partial sums that the last layer is split into at most.
const MOST_PARTS: usize = 64;

/// What one linear layer asks of a parameter set.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub node: String,
    /// Boxes on half the torus in front of a look-up, see [`turns`]; in front of a decryption, values that
    /// the widest accumulator can take.
    pub values: usize,
    /// Largest sum of squared weights of an accumulator.
    pub squares: f64,
    /// Whether every table has two results, which meet where the halves of the torus do.
    pub steps: bool,
}

/// The chosen set, and how every layer is encoded.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub name: &'static str,
    pub set: ClassicPBSParameters,
    /// For each linear layer, the torus distance of neighbouring accumulators, as a fraction of 2⁶⁴.
    pub deltas: Vec<u64>,
    /// What the layers that a look-up follows ask for.
    pub inner: Vec<Demand>,
    /// The last layer, as it is split.
    pub last: Demand,
    /// Partial sums of an output.
    pub parts: usize,
    /// log2 of the largest failure probability of a look-up or an output.
    pub log2_failure: f64,
    /// Standard deviation of the noise of an output, as a fraction of its half-box.
    pub output_deviation: f64,
}

impl Choice {
    /// Chooses for a graph of [`cryptodl_fold::lookup::tables`].
    pub fn new(graph: &Graph<i64>, is_toy: bool) -> Result<Self, TfheError> {
        let (inner, outputs) = demands(graph);
        let mut sets: Vec<&Named> = SETS.iter().collect();
        sets.sort_by(|a, b| work(&a.set).total_cmp(&work(&b.set)));
        let found = sets
            .iter()
            .find_map(|named| choose(named, &inner, &outputs));
        let Some(mut choice) = found else {
            return Err(refusal(&inner, &outputs));
        };
        if is_toy {
            choice.set = toy(choice.set);
        }
        Ok(choice)
    }
}

/// The set without security. Its noise stays an upper bound: fewer terms of the same size.
pub(super) fn toy(set: ClassicPBSParameters) -> ClassicPBSParameters {
    ClassicPBSParameters {
        lwe_dimension: LweDimension(TOY_LWE_DIMENSION),
        ..set
    }
}

/// The demands of the layers before a look-up, and those of the last one by the number of parts.
fn demands(graph: &Graph<i64>) -> (Vec<Demand>, Vec<Demand>) {
    let all = ranges(graph);
    let mut inner = Vec::new();
    let mut outputs = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let Operation::Linear(linear) = &node.operation else {
            continue;
        };
        let inputs = &all[index - 1];
        let mut demand = |parts: usize| {
            let mut demand = Demand {
                node: node.name.clone(),
                values: 1,
                squares: 0.0,
                steps: false,
            };
            for (weights, tile) in linear.rows() {
                for part in super::split::columns(weights.len(), parts) {
                    let (mut width, mut squares) = (0, 0.0);
                    for (&w, &input) in weights[part.clone()].iter().zip(&tile.inputs[part]) {
                        if let Some((low, high)) = inputs.get(input as usize) {
                            width += w.abs() * (high - low);
                            squares += (w * w) as f64;
                        }
                    }
                    demand.values = demand.values.max(width as usize + 1);
                    demand.squares = demand.squares.max(squares);
                }
            }
            demand
        };
        if index + 1 < graph.nodes.len() {
            let mut demand = demand(1);
            if let Operation::Table(tables) = &graph.nodes[index + 1].operation {
                demand.values = turns::boxes(&tables.tables);
                demand.steps = tables.tables.iter().all(turns::is_step);
            }
            inner.push(demand);
        } else {
            let parts = (0..).map(|k| 1 << k).take_while(|&p| p <= MOST_PARTS);
            outputs.extend(parts.map(&mut demand));
        }
    }
    (inner, outputs)
}

/// Variance of what a layer reads: fresh ciphertexts or bootstrapped ones.
fn input_variance(noise: &Noise, layer: usize) -> f64 {
    if layer == 0 {
        noise.fresh
    } else {
        noise.bootstrap
    }
}

fn inner_failure(set: &ClassicPBSParameters, layer: usize, demand: &Demand) -> f64 {
    let noise = Noise::of(set);
    let variance = demand.squares * input_variance(&noise, layer) + noise.look_up;
    let half_width = if demand.steps {
        // no box begins between two positions
        0.25 / demand.values as f64
    } else {
        half_box(demand.values, set.polynomial_size.0)
    };
    log2_failure(half_width, variance)
}

fn output_failure(set: &ClassicPBSParameters, layer: usize, demand: &Demand) -> (f64, f64) {
    let variance = demand.squares * input_variance(&Noise::of(set), layer);
    let half = 0.5 / demand.values as f64;
    (log2_failure(half, variance), variance.sqrt() / half)
}

fn choose(named: &Named, inner: &[Demand], outputs: &[Demand]) -> Option<Choice> {
    let set = &named.set;
    let mut worst = f64::NEG_INFINITY;
    for (layer, demand) in inner.iter().enumerate() {
        worst = worst.max(inner_failure(set, layer, demand));
    }
    let (split, last, (log2, deviation)) = outputs
        .iter()
        .enumerate()
        .map(|(split, demand)| (split, demand, output_failure(set, inner.len(), demand)))
        .find(|(_, _, (log2, _))| *log2 <= LOG2_FAILURE)?;
    worst = worst.max(log2);
    if worst > LOG2_FAILURE {
        return None;
    }
    // half the torus for a look-up, all of it for a decryption
    let deltas = inner
        .iter()
        .map(|demand| (1_u64 << 63) / demand.values as u64)
        .chain([(u128::from(u64::MAX) / last.values as u128) as u64])
        .collect();
    Some(Choice {
        name: named.name,
        set: *set,
        deltas,
        inner: inner.to_vec(),
        last: last.clone(),
        parts: 1 << split,
        log2_failure: worst,
        output_deviation: deviation,
    })
}

/// Says which layer fits no set, and how far it is from the one that comes closest.
fn refusal(inner: &[Demand], outputs: &[Demand]) -> TfheError {
    let best = |failure: &dyn Fn(&ClassicPBSParameters) -> f64| {
        let of = |named: &'static Named| (failure(&named.set), named.name);
        SETS.iter()
            .map(of)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("there are sets")
    };
    let last = outputs.last().expect("there is a last layer");
    let all = inner.iter().enumerate().map(|(layer, demand)| {
        let (log2, name) = best(&|set| inner_failure(set, layer, demand));
        (demand, log2, name)
    });
    let (log2, name) = best(&|set| output_failure(set, inner.len(), last).0);
    let (demand, log2, name) = all
        .chain([(last, log2, name)])
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there is a last layer");
    TfheError::NoLookUp {
        node: demand.node.clone(),
        values: demand.values,
        norm: demand.squares.sqrt(),
        set: name,
        log2_failure: log2,
    }
}

/// Work of a bootstrap in multiply-adds, roughly: transforms and products of the blind rotation, and
/// the key switch.
fn work(set: &ClassicPBSParameters) -> f64 {
    let (n, k, size) = (
        set.lwe_dimension.0 as f64,
        set.glwe_dimension.0 as f64,
        set.polynomial_size.0 as f64,
    );
    let levels = set.pbs_level.0 as f64;
    let transforms = (k + 1.0) * (levels + 1.0) * size * size.log2();
    let products = (k + 1.0) * (k + 1.0) * levels * 2.0 * size;
    n * (transforms + products) + k * size * set.ks_level.0 as f64 * n
}

/// Values that follow a look-up, in all layers: bootstraps for one image.
pub(super) fn bootstraps(graph: &Graph<i64>) -> usize {
    let tables = graph
        .nodes
        .iter()
        .skip(1)
        .map(|node| match &node.operation {
            Operation::Table(tables) => tables.of.len(),
            _ => 0,
        });
    tables.sum()
}
