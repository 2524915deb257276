//! Sums over the values of a channel.

/// Sums run in this many lanes, and in 64 bits from block to block.
const LANES: usize = 16;
pub(crate) const BLOCK: usize = 2048;

/// `Σ f(a, b)` over pairs of equally long slices.
#[inline(always)]
pub(crate) fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut lanes = [0.0; LANES];
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                lanes[lane] += f(a[lane], b[lane]);
            }
        }
        for ((lane, a), b) in lanes.iter_mut().zip(rest_a).zip(rest_b) {
            *lane += f(*a, *b);
        }
        total += f64::from(lanes.iter().sum::<f32>());
    }
    total
}
