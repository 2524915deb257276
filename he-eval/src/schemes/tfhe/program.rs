//! A graph made ready for look-ups: how each layer is encoded, and the tables as polynomials.

use tfhe::{
    core_crypto::prelude::{
        CiphertextModulus, GlweCiphertext, PlaintextList,
        allocate_and_trivially_encrypt_new_glwe_ciphertext,
    },
    shortint::{ClassicPBSParameters, ciphertext::Degree, server_key::LookupTableOwned},
};

use super::{noise::entry, parameters::Choice, split::split, turns};
use crate::{
    graph::{Function, Graph, Operation, Table, Tables},
    lookup::{Range, linear_ranges, table_ranges},
};

/// What client and server agree on.
pub(super) struct Program {
    pub choice: Choice,
    /// The level of every value of each input: what the client encrypts.
    pub pixels: Tables,
    pub layers: Vec<Layer>,
}

/// A linear layer and the look-up after it.
pub(super) struct Layer {
    /// Torus distance of neighbouring accumulators.
    pub delta: u64,
    /// What each accumulator can be.
    pub ranges: Vec<Range>,
    /// What each accumulator becomes; none after the last layer.
    pub look_up: Option<LookUp>,
}

/// The tables of a layer.
pub(super) struct LookUp {
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

impl Program {
    /// Encodes a graph of [`crate::lookup::lower`], and returns what is left of it on the server: linear
    /// layers and tables, the last layer in parts.
    pub fn new(graph: Graph<i64>, choice: Choice) -> (Self, Graph<i64>) {
        let mut graph = graph;
        let Operation::Function(Function::Tables(pixels)) = graph.nodes.remove(0).operation else {
            unreachable!("a lowered graph begins with the table of the pixels");
        };
        if let Some(Operation::Linear(last)) = graph.nodes.last_mut().map(|n| &mut n.operation) {
            *last = split(last, choice.parts);
        }
        let mut inputs = table_ranges(&pixels);
        let mut layers = Vec::new();
        let mut nodes = graph.nodes.iter();
        while let Some(node) = nodes.next() {
            let Operation::Linear(linear) = &node.operation else {
                unreachable!("tables follow linear layers");
            };
            let index = layers.len();
            let table = match nodes.next().map(|node| &node.operation) {
                Some(Operation::Function(Function::Tables(tables))) => Some(tables),
                _ => None,
            };
            let ranges = linear_ranges(linear, &inputs);
            let look_up = table.map(|tables| {
                inputs = table_ranges(tables);
                let demand = &choice.inner[index];
                let next = choice.deltas[index + 1];
                let encode = |table| polynomial(table, demand.values, next, &choice);
                LookUp {
                    tables: tables.tables.iter().map(encode).collect(),
                    of: tables.of.clone(),
                }
            });
            layers.push(Layer {
                delta: choice.deltas[index],
                ranges,
                look_up,
            });
        }
        let program = Self {
            choice,
            pixels,
            layers,
        };
        (program, graph)
    }

    /// LWE dimension of every ciphertext outside a bootstrap.
    pub fn dimension(&self) -> usize {
        self.choice.set.glwe_dimension.0 * self.choice.set.polynomial_size.0
    }

    /// Bytes of all table polynomials.
    pub fn table_bytes(&self) -> usize {
        let set = &self.choice.set;
        let one = (set.glwe_dimension.0 + 1) * set.polynomial_size.0 * size_of::<u64>();
        let tables = self
            .layers
            .iter()
            .filter_map(|layer| layer.look_up.as_ref());
        tables.map(|look_up| look_up.tables.len() * one).sum()
    }
}

impl Layer {
    /// What is added to the body of an accumulator: its smallest value becomes 0, and in front of a
    /// look-up exact sums point to the middle of their box of positions.
    pub fn shift(&self, output: usize, choice: &Choice) -> u64 {
        let base = |origin: i64| self.delta.wrapping_mul(origin.wrapping_neg() as u64);
        match &self.look_up {
            Some(look_up) => {
                let half_position = (1 << 62) / choice.set.polynomial_size.0 as u64;
                base(look_up.table(output).origin)
                    .wrapping_add(self.delta / 2)
                    .wrapping_sub(half_position)
            }
            None => base(self.ranges[output].0),
        }
    }
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
