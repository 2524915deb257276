//! The linear kernel on one dense layer, 845 → 100 values of 8,192 residues modulo one prime, beside
//! the plain loop over 128-bit sums. The counter is words multiplied and added.

use cryptodl_fold::graph::{Linear, Matrix, Tile};
use cryptodl_he_eval::schemes::bfv::kernel::{self, Residues};
use divan::{Bencher, counter::ItemsCount};
use ethnum::I256;
use rand::{Rng, SeedableRng, rngs::StdRng};

const INPUTS: usize = 845;
const OUTPUTS: usize = 100;
const COLUMNS: usize = 8192;
const PRIME: u64 = (1 << 62) - 57;

struct Fixture {
    layer: Linear<i64>,
    words: Vec<Vec<u64>>,
    bias: Vec<u64>,
}

impl Fixture {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let data = (0..OUTPUTS * INPUTS)
            .map(|_| rng.random_range(-31..=31))
            .collect();
        let layer = Linear {
            matrices: vec![Matrix {
                rows: OUTPUTS,
                columns: INPUTS,
                data,
            }],
            tiles: vec![Tile {
                matrix: 0,
                inputs: (0..INPUTS as u32).collect(),
                outputs: (0..OUTPUTS as u32).collect(),
            }],
            bias: vec![I256::ZERO; OUTPUTS],
        };
        let mut words = || (0..COLUMNS).map(|_| rng.random_range(0..PRIME)).collect();
        let words = (0..INPUTS).map(|_| words()).collect();
        Self {
            layer,
            words,
            bias: vec![1; OUTPUTS],
        }
    }

    fn residues(&self) -> Residues<'_> {
        Residues {
            modulus: PRIME,
            rows: self.words.iter().map(Vec::as_slice).collect(),
        }
    }
}

fn main() {
    divan::main();
}

/// All threads of the machine.
#[divan::bench]
fn exact_halves(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new();
    let mut out = vec![vec![0; COLUMNS]; OUTPUTS];
    bencher
        .counter(ItemsCount::new(INPUTS * OUTPUTS * COLUMNS))
        .bench_local(|| {
            let out = out.iter_mut().map(Vec::as_mut_slice).collect();
            kernel::apply(&fixture.layer, &fixture.residues(), &fixture.bias, out);
        });
}

/// One thread, eight columns at a time would not help: the sums need 128 bits.
#[divan::bench]
fn plain_loop(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new();
    let rows = 4;
    bencher
        .counter(ItemsCount::new(INPUTS * rows * COLUMNS))
        .bench_local(|| {
            let mut out = vec![vec![0u64; COLUMNS]; rows];
            for (row, out) in out.iter_mut().enumerate() {
                let mut sums = vec![0i128; COLUMNS];
                for (&w, words) in fixture.layer.matrices[0]
                    .row(row)
                    .iter()
                    .zip(&fixture.words)
                {
                    for (sum, &word) in sums.iter_mut().zip(words) {
                        *sum += i128::from(w) * i128::from(word);
                    }
                }
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = sum.rem_euclid(i128::from(PRIME)) as u64;
                }
            }
            out
        });
}
