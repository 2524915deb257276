//! Small graphs of integers with every operation, to compare encrypted results with exact ones.

use cryptodl_fold::{
    Graph, Node, Operation,
    graph::{Add, Layout, Linear, Matrix, Power, Product, Tile, ValueId},
    interpret,
};
use cryptodl_network::Normalisation;
use ethnum::I256;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::interface::Interface;

/// Pixels of an image.
pub const PIXELS: usize = 4;

/// Images and what a graph makes of them, `[image][result]`.
pub fn images(graph: &Graph<i64>, count: usize) -> (Vec<Vec<u8>>, Vec<Vec<f64>>) {
    let mut rng = StdRng::seed_from_u64(2);
    let mut image = || (0..PIXELS).map(|_| rng.random()).collect();
    let images: Vec<Vec<u8>> = (0..count).map(|_| image()).collect();
    let columns = interface(graph)
        .columns(&images.iter().map(Vec::as_slice).collect::<Vec<_>>())
        .unwrap();
    let columns = columns.into_iter();
    let columns = columns.map(|column| column.into_iter().map(I256::from).collect());
    let results = interpret::<I256>(graph, columns.collect()).unwrap();
    let of = |image: usize| {
        results
            .iter()
            .map(|result| result[image].as_f64())
            .collect()
    };
    (images, (0..count).map(of).collect())
}

/// Results as they are.
pub fn interface(graph: &Graph<i64>) -> Interface {
    Interface {
        network: "fixture".into(),
        normalisation: Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        },
        pixels: PIXELS,
        input_levels: graph.input_levels,
        output_scale: graph.output_scale.clone(),
        output_shift: graph.output_shift.clone(),
    }
}

/// A skip over a square, whose sum is squared again and read by two.
pub fn skip() -> Graph<i64> {
    let mut builder = Builder::new();
    let a = builder.dense(&[ValueId::INPUT], layout(2, 2));
    let square = builder.square(a);
    let sum = builder.add(&[(square, 0), (a, 300)]);
    let again = builder.square(sum);
    let sum = builder.add(&[(again, 3), (sum, 1000)]);
    builder.dense(&[sum], layout(3, 1));
    builder.finish()
}

/// Products of two values, and of one with itself after different shifts.
pub fn products() -> Graph<i64> {
    let mut builder = Builder::new();
    let a = builder.dense(&[ValueId::INPUT], layout(2, 1));
    let b = builder.dense(&[ValueId::INPUT], layout(2, 1));
    let product = builder.product(a, b, [50, 0]);
    let shifted = builder.product(a, a, [20, 30]);
    let square = builder.square(b);
    let sum = builder.add(&[(product, 0), (shifted, 9), (square, 0)]);
    builder.dense(&[sum, a], layout(2, 1));
    builder.finish()
}

/// A linear layer of a square and, twice, of what was squared.
pub fn concatenation() -> Graph<i64> {
    let mut builder = Builder::new();
    let a = builder.dense(&[ValueId::INPUT], layout(2, 2));
    let square = builder.square(a);
    builder.dense(&[square, a, a], layout(2, 1));
    builder.finish()
}

/// Polynomials of degree 3 and 4 of one value.
pub fn powers() -> Graph<i64> {
    let mut builder = Builder::new();
    let a = builder.dense(&[ValueId::INPUT], layout(2, 1));
    let cube = builder.power(a, 3);
    let fourth = builder.power(a, 4);
    let sum = builder.add(&[(cube, 50), (fourth, 0), (a, 0)]);
    builder.dense(&[sum], layout(1, 1));
    builder.finish()
}

/// Pixels in a product and, twice, in a sum.
pub fn pixels() -> Graph<i64> {
    let mut builder = Builder::new();
    let a = builder.dense(&[ValueId::INPUT], layout(1, PIXELS));
    let product = builder.product(ValueId::INPUT, a, [0, 9]);
    let sum = builder.add(&[(ValueId::INPUT, 70), (product, 2), (ValueId::INPUT, 0)]);
    builder.square(sum);
    builder.finish()
}

/// A graph in the making.
struct Builder {
    graph: Graph<i64>,
    rng: StdRng,
}

impl Builder {
    fn new() -> Self {
        let graph = Graph {
            input: layout(1, PIXELS),
            input_levels: 15,
            nodes: Vec::new(),
            output_scale: Vec::new(),
            output_shift: Vec::new(),
        };
        Self {
            graph,
            rng: StdRng::seed_from_u64(1),
        }
    }

    fn push(&mut self, operands: &[ValueId], operation: Operation<i64>, output: Layout) -> ValueId {
        let index = self.graph.nodes.len();
        self.graph.nodes.push(Node {
            name: format!("node {index}"),
            operands: operands.to_vec(),
            operation,
            output,
            statistics: None,
        });
        ValueId::of_node(index)
    }

    fn constants(&mut self, channels: usize, most: i64) -> Vec<I256> {
        let mut constant = || self.rng.random_range(-most..=most).into();
        (0..channels).map(|_| constant()).collect()
    }

    /// Weights of -7 to 7 on all numbers of the operands.
    fn dense(&mut self, operands: &[ValueId], output: Layout) -> ValueId {
        let columns = operands.iter().map(|o| self.graph.layout(*o).len()).sum();
        let rows = output.len();
        let data = (0..rows * columns)
            .map(|_| self.rng.random_range(-7..=7))
            .collect();
        let linear = Linear {
            matrices: vec![Matrix {
                rows,
                columns,
                data,
            }],
            tiles: vec![Tile {
                matrix: 0,
                inputs: (0..columns as u32).collect(),
                outputs: (0..rows as u32).collect(),
            }],
            bias: self.constants(rows, 100),
        };
        self.push(operands, Operation::Linear(linear), output)
    }

    fn square(&mut self, value: ValueId) -> ValueId {
        self.product(value, value, [0, 0])
    }

    /// Shifts up to these bounds.
    fn product(&mut self, a: ValueId, b: ValueId, shifts: [i64; 2]) -> ValueId {
        let output = self.graph.layout(a);
        let shifts = shifts.map(|most| match most {
            0 => Vec::new(),
            most => self.constants(output.channels, most),
        });
        self.push(&[a, b], Operation::Product(Product { shifts }), output)
    }

    /// Factors up to these bounds; 0 stands for ones.
    fn add(&mut self, terms: &[(ValueId, i64)]) -> ValueId {
        let operands: Vec<ValueId> = terms.iter().map(|(value, _)| *value).collect();
        let output = self.graph.layout(operands[0]);
        let factors = terms.iter().map(|&(_, most)| match most {
            0 => Vec::new(),
            most => self.constants(output.channels, most),
        });
        let factors = factors.collect();
        let bias = self.constants(output.channels, 1000);
        self.push(&operands, Operation::Add(Add { factors, bias }), output)
    }

    fn power(&mut self, value: ValueId, degree: usize) -> ValueId {
        let output = self.graph.layout(value);
        let channels = output.channels;
        let shift = self.constants(channels, 20);
        let lower = (0..channels).map(|_| {
            let mut terms = self.constants(degree - 2, 500);
            if let Some(even) = terms.get_mut(1) {
                *even *= 2;
            }
            terms
        });
        let lower = lower.collect();
        let power = Power {
            degree,
            shift,
            lower,
        };
        self.push(&[value], Operation::Power(power), output)
    }

    fn finish(mut self) -> Graph<i64> {
        let outputs = self.graph.layout(self.graph.result()).len();
        self.graph.output_scale = vec![1.0; outputs];
        self.graph.output_shift = vec![0.0; outputs];
        self.graph
    }
}

fn layout(channels: usize, positions: usize) -> Layout {
    Layout {
        channels,
        positions,
    }
}
