//! How fast the product alone can be: the yardstick for whole layers.

use std::time::{Duration, Instant};

use super::{
    BLOCK, Kernel, Layer, MAX_PLANES, Matrix, Quad, Sums, Tile,
    layer::{CHUNK, ROWS},
};

/// Six tiles of the matrix unit, as many as a kernel holds at a time.
const HEIGHT: usize = 6 * ROWS;
/// Inputs: four chunks, which stay in the fastest cache.
const WIDTH: usize = 4 * 4 * CHUNK;
/// Products between two looks at the clock.
const ROUND: usize = 64;

/// Products of a weight with a residue of `prime_bits` bits that one thread does in a second, with
/// operands that are packed and in cache, for at least `duration`. No layer can be faster than its
/// kernel is here; what is missing went into splitting, interleaving, putting sums together and memory.
///
/// # Panics
/// When residues of so many bits do not fit eight bytes.
pub fn bare_rate(kernel: Kernel, prime_bits: u32, duration: Duration) -> f64 {
    let planes = prime_bits.div_ceil(8) as usize;
    assert!(planes <= MAX_PLANES, "residues have eight bytes at most");
    let matrix = Matrix {
        rows: HEIGHT,
        columns: WIDTH,
        data: (0..HEIGHT * WIDTH)
            .map(|i| (i * 37 % 255) as i32 - 127)
            .collect(),
    };
    let tile = Tile {
        matrix: 0,
        inputs: (0..WIDTH as u32).collect(),
        outputs: (0..HEIGHT as u32).collect(),
    };
    let layer = Layer::new(WIDTH, HEIGHT, &[matrix], &[tile]).expect("the layer is well-formed");
    let quads = vec![Quad([[201; 4]; BLOCK]); WIDTH / 4 * planes];
    let mut sums = vec![Sums::ZERO; HEIGHT * planes];
    let mut panel = Vec::new();
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || start.elapsed() < duration {
        for _ in 0..ROUND {
            kernel.product(
                &layer.matrices[0],
                &layer.tiles[0],
                planes,
                planes,
                std::hint::black_box(&quads),
                &mut panel,
                &mut sums,
            );
            std::hint::black_box(&sums);
        }
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    (rounds * ROUND * HEIGHT * WIDTH * BLOCK) as f64 / seconds
}
