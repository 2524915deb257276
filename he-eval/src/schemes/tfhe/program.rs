//! A graph made ready for look-ups: how each layer is encoded, and the tables as polynomials.

use tfhe::{
    core_crypto::prelude::{
        CiphertextModulus, GlweCiphertext, PlaintextList,
        allocate_and_trivially_encrypt_new_glwe_ciphertext,
    },
    shortint::{ClassicPBSParameters, ciphertext::Degree, server_key::LookupTableOwned},
};

use cryptodl_fold::{
    Graph, Node, Operation,
    graph::{Linear, Table},
    lookup::{linear_ranges, table_ranges},
};

use super::{
    keys::{TfheParameters, long_dimension},
    noise::entry,
    parameters::Choice,
    spec::{Encoding, TfheSpec},
    split::split,
    turns,
};
use crate::interface::Interface;

/// What the server runs: linear layers of whole-number weights, and tables.
pub struct TfheProgram {
    /// What was compiled, from which everything else follows.
    pub(super) graph: Graph<i64>,
    pub(super) interface: Interface,
    pub(super) toy: bool,
    pub(super) parameters: TfheParameters,
    pub(super) choice: Choice,
    /// Numbers of an image.
    pub(super) inputs: usize,
    pub(super) layers: Vec<Layer>,
}

/// A linear layer and the look-up after it.
pub(super) struct Layer {
    pub name: String,
    pub linear: Linear<i64>,
    /// Where its accumulators are.
    pub encoding: Encoding,
    /// What each accumulator becomes; none after the last layer.
    pub look_up: Option<LookUp>,
}

/// The tables of a layer.
pub(super) struct LookUp {
    pub name: String,
    /// As polynomials.
    pub tables: Vec<Encoded>,
    /// The table of each accumulator.
    pub of: Vec<u32>,
}

/// A table as a polynomial of a bootstrap.
pub(super) struct Encoded {
    pub polynomial: LookupTableOwned,
    /// Which accumulator points to the beginning of the torus.
    pub origin: i64,
    /// What is added to the body afterwards.
    pub after: u64,
}

impl TfheProgram {
    /// Encodes a graph of [`cryptodl_fold::lookup::tables`], the last layer in parts, and says what the client must know.
    pub(super) fn new(
        graph: Graph<i64>,
        choice: Choice,
        interface: Interface,
        toy: bool,
    ) -> (Self, TfheSpec) {
        let mut nodes = graph.nodes.iter();
        let Some(Operation::Table(pixels)) = nodes.next().map(|node| &node.operation) else {
            unreachable!("a graph of look-ups begins with the table of the pixels");
        };
        let mut inputs = table_ranges(pixels);
        let mut layers = Vec::new();
        while let Some(node) = nodes.next() {
            let Operation::Linear(linear) = &node.operation else {
                unreachable!("tables follow linear layers");
            };
            let (layer, outputs) =
                Layer::new(node, linear, nodes.next(), &inputs, &choice, layers.len());
            layers.push(layer);
            inputs = outputs;
        }
        let (levels, of) = TfheSpec::levels(pixels);
        let spec = TfheSpec {
            interface: interface.clone(),
            parameter_set: choice.name.into(),
            toy,
            levels,
            pixels: of,
            delta: choice.deltas[0],
            results: layers
                .last()
                .expect("a network has layers")
                .encoding
                .clone(),
            parts: choice.parts,
            deviation: choice.output_deviation,
        };
        let program = Self {
            inputs: graph.inputs(),
            parameters: TfheParameters(choice.set),
            interface,
            toy,
            choice,
            layers,
            graph,
        };
        (program, spec)
    }

    /// How many values make a turn of the torus in front of linear layer `layer`'s look-up, counted from 0:
    /// accumulators that are wider are known up to whole turns. None where no look-up follows.
    pub fn turn(&self, layer: usize) -> Option<i64> {
        let demand = self.choice.inner.get(layer)?;
        Some(2 * demand.values as i64)
    }

    /// LWE dimension of every ciphertext outside a bootstrap.
    pub(super) fn dimension(&self) -> usize {
        long_dimension(&self.choice.set)
    }

    /// Bytes of all table polynomials.
    pub(super) fn table_bytes(&self) -> usize {
        let set = &self.choice.set;
        let one = (set.glwe_dimension.0 + 1) * set.polynomial_size.0 * size_of::<u64>();
        let look_ups = self
            .layers
            .iter()
            .filter_map(|layer| layer.look_up.as_ref());
        look_ups.map(|look_up| look_up.tables.len() * one).sum()
    }
}

impl Layer {
    /// Layer `index`, and the ranges of what comes after it.
    fn new(
        node: &Node<i64>,
        linear: &Linear<i64>,
        table: Option<&Node<i64>>,
        inputs: &[(i64, i64)],
        choice: &Choice,
        index: usize,
    ) -> (Self, Vec<(i64, i64)>) {
        let delta = choice.deltas[index];
        let Some((name, Operation::Table(tables))) =
            table.map(|node| (&node.name, &node.operation))
        else {
            // no table follows the last layer
            let linear = split(linear, choice.parts);
            let ranges = linear_ranges(&linear, inputs);
            let shifts = ranges.iter().map(|(low, _)| place(delta, *low));
            let layer = Self {
                name: node.name.clone(),
                encoding: Encoding {
                    delta,
                    shifts: shifts.collect(),
                    ranges,
                },
                linear,
                look_up: None,
            };
            return (layer, Vec::new());
        };
        let demand = &choice.inner[index];
        let next = choice.deltas[index + 1];
        let encode = |table| polynomial(table, demand.values, next, choice);
        let look_up = LookUp {
            name: name.clone(),
            tables: tables.tables.iter().map(encode).collect(),
            of: tables.of.clone(),
        };
        // exact sums point to the middle of their box of positions
        let half_position = (1 << 62) / choice.set.polynomial_size.0 as u64;
        let middle = (delta / 2).wrapping_sub(half_position);
        let outputs = 0..tables.of.len();
        let shifts = outputs.map(|o| place(delta, look_up.table(o).origin).wrapping_add(middle));
        let layer = Self {
            name: node.name.clone(),
            encoding: Encoding {
                delta,
                ranges: linear_ranges(linear, inputs),
                shifts: shifts.collect(),
            },
            linear: linear.clone(),
            look_up: Some(look_up),
        };
        (layer, table_ranges(tables))
    }
}

/// What brings `origin` to the beginning of the torus.
fn place(delta: u64, origin: i64) -> u64 {
    delta.wrapping_mul(origin.wrapping_neg() as u64)
}

/// A table of one entry, 0.
pub(super) fn constant(set: &ClassicPBSParameters) -> LookupTableOwned {
    encoded(vec![0; set.polynomial_size.0], set)
}

/// The table as the polynomial of a bootstrap: coefficient `j` is what an accumulator at position `j`
/// becomes, in units of the next layer, less half of what it and its opposite add up to.
fn polynomial(table: &Table, values: usize, next: u64, choice: &Choice) -> Encoded {
    let set = &choice.set;
    let size = set.polynomial_size.0;
    let sum = turns::sum_after(table, values).expect("as many boxes as the tables need");
    // a multiple of half a unit, to the last of 64 bits
    let halves = |count: i64| ((i128::from(next) * i128::from(count)) >> 1) as u64;
    let origin = turns::origin(table);
    let last = table.low + table.results.len() as i64 - 1;
    let coefficients = (0..size).map(|j| {
        let accumulator = origin + entry(j, values, size) as i64;
        let opposite = accumulator - values as i64;
        let result = if accumulator > last && opposite >= table.low {
            sum - table.at(opposite)
        } else {
            // no accumulator is beyond the last one
            table.at(accumulator.min(last))
        };
        halves(2 * result - sum)
    });
    Encoded {
        polynomial: encoded(coefficients.collect(), set),
        origin,
        after: halves(sum),
    }
}

impl LookUp {
    /// The table of an accumulator.
    pub fn table(&self, output: usize) -> &Encoded {
        &self.tables[self.of[output] as usize]
    }
}

fn encoded(coefficients: Vec<u64>, set: &ClassicPBSParameters) -> LookupTableOwned {
    let acc: GlweCiphertext<Vec<u64>> = allocate_and_trivially_encrypt_new_glwe_ciphertext(
        set.glwe_dimension.to_glwe_size(),
        &PlaintextList::from_container(coefficients),
        CiphertextModulus::new_native(),
    );
    LookupTableOwned {
        acc,
        // TFHE-rs counts what is left of its own encoding by it; we have our own
        degree: Degree::new(0),
    }
}
