//! Every kernel against plain big integers.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    BLOCK, ColumnStep, Kernel, Layer, Matrix, PADDING, Row, Scratch, Tile, Times, evaluate,
};
use crate::modulus::{Modulus, primes};

fn modulus(bits: u32) -> Modulus {
    Modulus::new(primes(bits, 128, 1, &[]).unwrap()[0])
}

/// What goes into the operands.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Random,
    Largest,
    Smallest,
}

struct Case {
    inputs: usize,
    outputs: usize,
    matrices: Vec<Matrix>,
    tiles: Vec<Tile>,
}

impl Case {
    fn dense(rng: &mut StdRng, columns: usize, rows: usize, limit: i32, fill: Fill) -> Self {
        Self {
            inputs: columns,
            outputs: rows,
            matrices: vec![matrix(rng, rows, columns, limit, fill)],
            tiles: vec![Tile {
                matrix: 0,
                inputs: (0..columns as u32).collect(),
                outputs: (0..rows as u32).collect(),
            }],
        }
    }

    /// A convolution with padding.
    fn convolution(
        rng: &mut StdRng,
        (channels, side): (usize, usize),
        (kernel, stride, padding): (usize, usize, usize),
        rows: usize,
    ) -> Self {
        let out = (side + 2 * padding - kernel) / stride + 1;
        let mut tiles = Vec::new();
        for position in 0..out * out {
            let (y, x) = (position / out * stride, position % out * stride);
            let mut inputs = Vec::new();
            for tap in 0..channels * kernel * kernel {
                let c = tap / (kernel * kernel);
                let (dy, dx) = (tap / kernel % kernel, tap % kernel);
                let (y, x) = (
                    (y + dy).wrapping_sub(padding),
                    (x + dx).wrapping_sub(padding),
                );
                inputs.push(if y < side && x < side {
                    ((c * side + y) * side + x) as u32
                } else {
                    PADDING
                });
            }
            let outputs = (0..rows).map(|o| (o * out * out + position) as u32);
            tiles.push(Tile {
                matrix: 0,
                inputs,
                outputs: outputs.collect(),
            });
        }
        Self {
            inputs: channels * side * side,
            outputs: rows * out * out,
            matrices: vec![matrix(
                rng,
                rows,
                channels * kernel * kernel,
                127,
                Fill::Random,
            )],
            tiles,
        }
    }

    fn layer(&self) -> Layer {
        Layer::new(self.inputs, self.outputs, &self.matrices, &self.tiles).unwrap()
    }

    /// `[output][column]` for one component.
    fn expected(&self, m: &Modulus, inputs: &[Row], bias: &[u64]) -> Vec<Row> {
        let q = i128::from(m.value());
        let mut outputs = vec![[0; BLOCK]; self.outputs];
        for tile in &self.tiles {
            let matrix = &self.matrices[tile.matrix];
            for (row, &output) in tile.outputs.iter().enumerate() {
                for column in 0..BLOCK {
                    let mut sum = i128::from(bias[output as usize]);
                    for (k, &input) in tile.inputs.iter().enumerate() {
                        if input != PADDING {
                            let w = matrix.data[row * matrix.columns + k];
                            sum += i128::from(w) * i128::from(inputs[input as usize][column]);
                        }
                    }
                    outputs[output as usize][column] = sum.rem_euclid(q) as u64;
                }
            }
        }
        outputs
    }
}

fn matrix(rng: &mut StdRng, rows: usize, columns: usize, limit: i32, fill: Fill) -> Matrix {
    let data = (0..rows * columns).map(|_| match fill {
        Fill::Random => rng.random_range(-limit..=limit),
        Fill::Largest => limit,
        Fill::Smallest => -limit,
    });
    Matrix {
        rows,
        columns,
        data: data.collect(),
    }
}

fn rows(rng: &mut StdRng, m: &Modulus, count: usize, fill: Fill) -> Vec<Row> {
    (0..count)
        .map(|_| {
            std::array::from_fn(|_| match fill {
                Fill::Random => rng.random_range(0..m.value()),
                Fill::Largest | Fill::Smallest => m.value() - 1,
            })
        })
        .collect()
}

fn run(
    kernel: Kernel,
    m: &Modulus,
    steps: &[ColumnStep],
    inputs: &[Row],
    count: usize,
) -> Vec<Row> {
    let references: Vec<&Row> = inputs.iter().collect();
    let mut output = vec![[u64::MAX; BLOCK]; count];
    // a scratch that another run has used
    let mut scratch = Scratch::default();
    scratch.sums.resize(7, super::Sums([-1; BLOCK]));
    scratch.quads.resize(300, super::Quad([[255; 4]; BLOCK]));
    let mut times = Times::default();
    for _ in 0..2 {
        evaluate(
            kernel,
            m,
            steps,
            &references,
            &mut output,
            &mut scratch,
            &mut times,
        );
    }
    output
}

#[test]
fn every_kernel_computes_dense_layers_exactly() {
    let mut rng = StdRng::seed_from_u64(1);
    for bits in [20, 24, 25, 32, 36, 40, 41, 48, 49] {
        let m = modulus(bits);
        for (columns, outputs) in [
            (1, 1),
            (3, 2),
            (4, 16),
            (63, 17),
            (64, 5),
            (65, 33),
            (300, 101),
        ] {
            for (limit, fill) in [
                (127, Fill::Random),
                (127, Fill::Largest),
                (127, Fill::Smallest),
                (2047, Fill::Random),
                (32_000, Fill::Largest),
                (32_000, Fill::Smallest),
            ] {
                let case = Case::dense(&mut rng, columns, outputs, limit, fill);
                let inputs = rows(&mut rng, &m, 2 * columns, fill);
                let bias: Vec<u64> = (0..outputs as u64).map(|i| m.value() - 1 - i).collect();
                let layer = case.layer();
                let steps = [ColumnStep::Linear {
                    layer: &layer,
                    bias: &bias,
                }];
                let components: Vec<Vec<Row>> = (0..2)
                    .map(|component| {
                        let own: Vec<Row> =
                            inputs.iter().skip(component).step_by(2).copied().collect();
                        let zero = vec![0; outputs];
                        case.expected(&m, &own, if component == 0 { &bias } else { &zero })
                    })
                    .collect();
                for kernel in Kernel::available() {
                    let found = run(kernel, &m, &steps, &inputs, 2 * outputs);
                    for (i, row) in found.iter().enumerate() {
                        assert_eq!(
                            row,
                            &components[i % 2][i / 2],
                            "{kernel:?}, {bits} bits, {columns} to {outputs}, weights {limit}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sums_may_be_as_large_as_a_layer_allows() {
    let mut rng = StdRng::seed_from_u64(6);
    // 127 · 255 · 8288 is just below 2^28
    let columns = 8288;
    for (bits, fill) in [
        (49, Fill::Largest),
        (49, Fill::Smallest),
        (40, Fill::Largest),
    ] {
        let m = modulus(bits);
        let case = Case::dense(&mut rng, columns, 1, 127, fill);
        let layer = case.layer();
        assert_eq!(layer.sum_bits, 28);
        let steps = [ColumnStep::Linear {
            layer: &layer,
            bias: &[m.value() - 1],
        }];
        let input = rows(&mut rng, &m, 2, fill);
        let inputs: Vec<Row> = input.into_iter().cycle().take(2 * columns).collect();
        let own: Vec<Row> = inputs.iter().step_by(2).copied().collect();
        let expected = case.expected(&m, &own, &[m.value() - 1]);
        for kernel in Kernel::available() {
            let found = run(kernel, &m, &steps, &inputs, 2);
            assert_eq!(found[0], expected[0], "{kernel:?}, {bits} bits");
        }
    }
}

#[test]
fn a_position_outside_the_image_has_its_bias_alone() {
    let mut rng = StdRng::seed_from_u64(7);
    let m = modulus(40);
    // the windows at the corners lie in the padding whole, and sixteen channels are a group of their own
    let case = Case::convolution(&mut rng, (1, 3), (2, 1, 2), 16);
    let outputs = case.outputs;
    let layer = case.layer();
    let inputs = rows(&mut rng, &m, 2 * case.inputs, Fill::Random);
    let bias: Vec<u64> = (0..outputs as u64).collect();
    let steps = [ColumnStep::Linear {
        layer: &layer,
        bias: &bias,
    }];
    let own: Vec<Row> = inputs.iter().step_by(2).copied().collect();
    let expected = case.expected(&m, &own, &bias);
    for kernel in Kernel::available() {
        let found = run(kernel, &m, &steps, &inputs, 2 * outputs);
        for (found, expected) in found.iter().step_by(2).zip(&expected) {
            assert_eq!(found, expected, "{kernel:?}");
        }
    }
}

#[test]
fn a_run_of_layers_and_squares_is_what_its_steps_are() {
    let mut rng = StdRng::seed_from_u64(2);
    for bits in [36, 48] {
        let m = modulus(bits);
        for first in [
            Case::convolution(&mut rng, (1, 12), (5, 2, 1), 5),
            Case::convolution(&mut rng, (1, 12), (6, 2, 0), 16),
            Case::convolution(&mut rng, (2, 6), (3, 1, 1), 3),
        ] {
            let second = Case::dense(&mut rng, first.outputs, 20, 127, Fill::Random);
            let inputs = rows(&mut rng, &m, 2 * first.inputs, Fill::Random);
            let mut bias = |count| -> Vec<u64> {
                (0..count).map(|_| rng.random_range(0..m.value())).collect()
            };
            let (one, two) = (bias(first.outputs), bias(second.outputs));
            let component = |component: usize, inputs: &[Row], components: usize| -> Vec<Row> {
                inputs
                    .iter()
                    .skip(component)
                    .step_by(components)
                    .copied()
                    .collect()
            };
            let zero = vec![0; first.outputs.max(20)];
            let a = first.expected(&m, &component(0, &inputs, 2), &one);
            let b = first.expected(&m, &component(1, &inputs, 2), &zero);
            let multiply = |a: &[Row], b: &[Row], factor: u64| -> Vec<Row> {
                let pairs = a.iter().zip(b);
                pairs
                    .map(|(a, b)| std::array::from_fn(|i| m.mul(factor, m.mul(a[i], b[i]))))
                    .collect()
            };
            let squares = [
                multiply(&a, &a, 1),
                multiply(&a, &b, 2),
                multiply(&b, &b, 1),
            ];
            let results: Vec<Vec<Row>> = squares
                .iter()
                .enumerate()
                .map(|(component, s)| {
                    second.expected(&m, s, if component == 0 { &two } else { &zero })
                })
                .collect();
            let (layer_one, layer_two) = (first.layer(), second.layer());
            let steps = [
                ColumnStep::Linear {
                    layer: &layer_one,
                    bias: &one,
                },
                ColumnStep::Square { shifts: &[] },
                ColumnStep::Linear {
                    layer: &layer_two,
                    bias: &two,
                },
            ];
            for kernel in Kernel::available() {
                let whole = run(kernel, &m, &steps, &inputs, 60);
                for (i, row) in whole.iter().enumerate() {
                    assert_eq!(row, &results[i % 3][i / 3], "{kernel:?}");
                }
                let to_squares = run(kernel, &m, &steps[..2], &inputs, 3 * first.outputs);
                for (i, row) in to_squares.iter().enumerate() {
                    assert_eq!(row, &squares[i % 3][i / 3], "{kernel:?}");
                }
            }
        }
    }
}

#[test]
fn inputs_that_come_together_share_a_quad() {
    let mut rng = StdRng::seed_from_u64(3);
    let even = Case::convolution(&mut rng, (1, 28), (6, 2, 0), 16).layer();
    assert_eq!(even.quads.len(), 14 * 14, "blocks of 2 × 2 pixels");
    let channels = Case::convolution(&mut rng, (16, 12), (6, 2, 0), 48).layer();
    assert_eq!(channels.quads.len(), 16 * 12 * 12 / 4);
    assert!(
        channels
            .tiles
            .iter()
            .all(|tile| tile.direct.iter().all(|&d| d))
    );
    let few = Case::convolution(&mut rng, (1, 28), (5, 2, 1), 5).layer();
    assert!(few.tiles.len() < 60, "three positions at a time, of 169");
}

#[test]
fn a_malformed_layer_is_refused() {
    let mut rng = StdRng::seed_from_u64(4);
    let fine = Case::dense(&mut rng, 4, 2, 9, Fill::Random);
    let fails = |change: &dyn Fn(&mut Case)| {
        let mut case = Case {
            matrices: fine.matrices.clone(),
            tiles: fine.tiles.clone(),
            ..fine
        };
        change(&mut case);
        Layer::new(case.inputs, case.outputs, &case.matrices, &case.tiles)
            .unwrap_err()
            .to_string()
    };
    assert!(fails(&|c| c.tiles[0].inputs[0] = 4).contains("reads input 4 of 4"));
    assert!(fails(&|c| c.tiles[0].outputs[1] = 0).contains("made twice"));
    assert!(fails(&|c| c.tiles[0].outputs[1] = 9).contains("does not exist"));
    assert!(fails(&|c| c.outputs = 3).contains("no tile makes output 2"));
    assert!(fails(&|c| c.tiles[0].matrix = 1).contains("uses matrix 1"));
    assert!(fails(&|c| c.tiles[0].inputs.push(0)).contains("does not fit"));
    assert!(fails(&|c| c.matrices[0].data[0] = 40_000).contains("beyond"));
    assert!(fails(&|c| c.matrices[0].data[0] = i32::MIN).contains("beyond"));
    assert!(fails(&|c| c.matrices[0].data.truncate(7)).contains("has 7 weights"));
    let huge = Matrix {
        rows: 1,
        columns: 9000,
        data: vec![127; 9000],
    };
    for inputs in [vec![0; 9000], (0..9000).collect()] {
        let tile = Tile {
            matrix: 0,
            inputs,
            outputs: vec![0],
        };
        let refused = Layer::new(9000, 1, std::slice::from_ref(&huge), &[tile]);
        assert!(refused.is_err(), "a sum of 1,143,000 is too large");
    }
}
