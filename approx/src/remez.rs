//! The exchange algorithm: best weighted approximation by polynomials on a union of intervals.
//!
//! It finds the polynomial `q` of degree at most `m` that minimises the largest `w(z) |g(z) - q(z)|`
//! over a closed set of numbers `z`.
//!
//! 1. Start with a reference of `m + 2` points of the set, spread like the extrema of a Chebyshev
//!    polynomial.
//! 2. Find `q` and the levelled error `h` with `w_i (g_i - q(z_i)) = (-1)^i h` on the reference, in
//!    barycentric form: with `b_i = 1 / Π (z_i - z_j)`,
//!    `h = Σ b_i g_i / Σ (-1)^i b_i / w_i`, `q(z_i) = g_i - (-1)^i h / w_i`.
//! 3. Evaluate the error on a grid that is fine between the points of the reference and graded
//!    towards the places where `g` may be steep; take the largest error of each run of equal sign,
//!    and refine it by golden section.
//! 4. Drop surplus extrema, the smallest first and such that signs go on alternating, until `m + 2`
//!    are left; they are the new reference.
//! 5. Stop when the largest error is within the tolerance of `|h|`, or so near to it that rounding
//!    of the function's values explains the difference.
//!
//! Why it works: for any reference `|h|` is a lower bound of the smallest possible maximum (de la
//! Vallée-Poussin), each exchange raises it, and at the end it is attained. The barycentric form
//! never solves a linear system, so degree 63 costs no digits.
//!
//! A reference on which `h` vanishes says nothing about the errors between its points. That happens
//! for references with a symmetry that the function has too, so the caller splits symmetries off
//! first; what remains is met by bending the reference.
//!
//! # References
//! - Pachón & Trefethen (2009), Barycentric-Remez algorithms for best polynomial approximation in
//!   the chebfun system, BIT 49:721–741.
//! - Filip (2016), A robust and scalable implementation of the Parks–McClellan algorithm, ACM TOMS
//!   43(1):7 (unions of intervals, weights).
//! - Powell (1981), Approximation Theory and Methods, ch. 8 and 9.

use std::f64::consts::PI;

/// Exchanges before giving up; quadratic convergence needs some 8, kinks and gaps up to 30.
const MOST_EXCHANGES: usize = 100;

/// Grid points between two neighbouring points of the reference.
const PER_GAP: usize = 8;

/// Golden-section steps: 0.618^40 = 4e-9 of the bracket, and the maximum is flat or a kink, which
/// is on the grid.
const REFINEMENTS: usize = 40;

/// What is to be approximated: `g` with weight `w` on the set.
pub(crate) struct Problem<'a> {
    /// The function, finite on the set.
    pub function: &'a dyn Fn(f64) -> f64,
    /// The weight, positive on the set.
    pub weight: &'a dyn Fn(f64) -> f64,
    /// Disjoint intervals in ascending order, at least one.
    pub pieces: Vec<(f64, f64)>,
    /// Where the function may have a kink or a steep front.
    pub special: Vec<f64>,
    /// Whether the error vanishes at the low end by construction, so that the reference should
    /// begin half a step away from it.
    pub open: bool,
    /// What rounded arguments make of the function's values.
    pub rounding: f64,
    /// The degree of the approximation, at least 0.
    pub degree: usize,
}

/// The best approximation found.
pub(crate) struct Solution {
    pub interpolant: Interpolant,
    /// The last reference, in ascending order, `degree + 2` points.
    pub reference: Vec<f64>,
    /// `|h|` on it: no polynomial of the degree has a smaller maximum error, up to rounding.
    pub levelled: f64,
    /// The largest error found on the grid and by refinement.
    pub largest: f64,
    /// What rounding alone makes of the error.
    pub rounding: f64,
    pub exchanges: usize,
}

/// A polynomial given by its values at points, in barycentric form.
pub(crate) struct Interpolant {
    points: Vec<f64>,
    values: Vec<f64>,
    factors: Vec<f64>,
}

impl Interpolant {
    /// `Σ b_i v_i / (z - z_i) / Σ b_i / (z - z_i)`.
    pub fn eval(&self, z: f64) -> f64 {
        let (mut above, mut below) = (0.0, 0.0);
        for ((point, value), factor) in self.points.iter().zip(&self.values).zip(&self.factors) {
            let distance = z - point;
            if distance == 0.0 {
                return *value;
            }
            let term = factor / distance;
            above += term * value;
            below += term;
        }
        above / below
    }
}

impl Problem<'_> {
    /// Runs the exchange algorithm until the largest error is at most `1 + tolerance` times the
    /// levelled one, or at rounding level, and returns the best approximation met.
    pub fn solve(&self, tolerance: f64) -> Solution {
        let mut best = self.exchange(tolerance, self.first_reference(0.0));
        // bent first references, for functions with a symmetry that the caller does not know of
        for bend in [0.3, -0.5] {
            if best.largest <= (1.0 + 1e-3) * best.levelled + best.rounding {
                break;
            }
            let other = self.exchange(tolerance, self.first_reference(bend));
            if other.largest < best.largest {
                best = other;
            }
        }
        best
    }

    fn exchange(&self, tolerance: f64, mut reference: Vec<f64>) -> Solution {
        let mut best: Option<Solution> = None;
        let mut without_progress = 0;
        for exchanges in 1.. {
            let (interpolant, levelled) = self.level(&reference);
            let error = |z: f64| (self.weight)(z) * ((self.function)(z) - interpolant.eval(z));
            let grid = self.grid(&reference);
            let errors: Vec<f64> = grid.iter().map(|&z| error(z)).collect();
            let extrema = alternating_extrema(&grid, &errors, &error, &self.pieces);
            let largest = extrema.iter().fold(0.0_f64, |m, (_, e)| m.max(e.abs()));
            let size = reference.iter().fold(0.0_f64, |m, &z| {
                m.max(((self.weight)(z) * (self.function)(z)).abs())
            });
            let rounding = 32.0 * f64::EPSILON * size + self.rounding;
            let next = thin_out(extrema, self.degree + 2);

            without_progress += 1;
            if best.as_ref().is_none_or(|b| largest < b.largest) {
                without_progress = 0;
                best = Some(Solution {
                    interpolant,
                    reference,
                    levelled,
                    largest,
                    rounding,
                    exchanges,
                });
            }
            // an error is a difference of numbers of this size, so it carries some four units of
            // theirs; and the last exchanges can be moved by rounding alone: the first few without
            // progress may still be on the way, twenty are not
            let done = largest <= (1.0 + tolerance) * levelled + rounding / 8.0
                || largest <= rounding
                || without_progress > 20
                || exchanges == MOST_EXCHANGES;
            match next {
                Some(next) if !done => reference = next,
                _ => break,
            }
        }
        best.expect("the first exchange is an improvement")
    }

    /// Step 2: the interpolant that has errors of equal size and alternating sign, and that size.
    fn level(&self, reference: &[f64]) -> (Interpolant, f64) {
        let factors = barycentric_factors(reference);
        let values: Vec<f64> = reference.iter().map(|&z| (self.function)(z)).collect();
        let signs = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let above: f64 = factors.iter().zip(&values).map(|(b, g)| b * g).sum();
        let below: f64 = factors
            .iter()
            .zip(reference)
            .enumerate()
            .map(|(i, (b, &z))| signs(i) * b / (self.weight)(z))
            .sum();
        let h = above / below;
        let values = values
            .iter()
            .zip(reference)
            .enumerate()
            .map(|(i, (g, &z))| g - signs(i) * h / (self.weight)(z))
            .collect();
        let interpolant = Interpolant {
            points: reference.to_vec(),
            values,
            factors,
        };
        (interpolant, h.abs())
    }

    /// Step 1. Points `(1 - cos θ) / 2` with θ evenly spaced, laid along the pieces as if the gaps
    /// between them were not there. A bend moves them, to break symmetries: `θ + bend sin²θ / 2`.
    fn first_reference(&self, bend: f64) -> Vec<f64> {
        let total: f64 = self.pieces.iter().map(|(low, high)| high - low).sum();
        let count = self.degree + 2;
        let mut reference: Vec<f64> = (0..count)
            .map(|i| {
                let (first, steps) = if self.open {
                    (0.5, count as f64 - 0.5)
                } else {
                    (0.0, count as f64 - 1.0)
                };
                let theta = PI * (first + i as f64) / steps;
                let theta = theta + 0.5 * bend * theta.sin().powi(2);
                let mut along = 0.5 * (1.0 - theta.cos()) * total;
                for &(low, high) in &self.pieces {
                    if along <= high - low {
                        return low + along;
                    }
                    along -= high - low;
                }
                self.pieces[self.pieces.len() - 1].1
            })
            .collect();
        reference.dedup();
        reference
    }

    /// Step 3: the reference itself, points between, the ends of the pieces, and points graded
    /// towards the special ones; in ascending order.
    fn grid(&self, reference: &[f64]) -> Vec<f64> {
        let mut grid = Vec::with_capacity((PER_GAP + 1) * (reference.len() + 4));
        for &(low, high) in &self.pieces {
            let mut marks = vec![low];
            marks.extend(reference.iter().filter(|&&z| low < z && z < high));
            marks.push(high);
            for pair in marks.windows(2) {
                let width = pair[1] - pair[0];
                // denser at both ends of the gap, which may be the end of the set
                grid.extend((0..PER_GAP).map(|i| {
                    let s = 0.5 - 0.5 * (PI * i as f64 / PER_GAP as f64).cos();
                    pair[0] + s * width
                }));
            }
            grid.push(high);
            for &special in &self.special {
                if special < low || special > high {
                    continue;
                }
                grid.push(special);
                for halving in 1..36 {
                    let step = (high - low) * 0.5_f64.powi(halving);
                    grid.extend(
                        [
                            special - step,
                            special + step,
                            special - 0.75 * step,
                            special + 0.75 * step,
                        ]
                        .into_iter()
                        .filter(|z| (low..=high).contains(z)),
                    );
                }
            }
        }
        grid.sort_by(f64::total_cmp);
        // two points that all but coincide have equal errors up to rounding, and would hide on
        // which side of them the extremum lies
        let scale = self.pieces[self.pieces.len() - 1].1 - self.pieces[0].0;
        grid.dedup_by(|next, kept| {
            let graded = self.special.iter().map(|special| (*next - special).abs());
            let distance = graded.fold(scale, f64::min);
            *next - *kept <= 1e-7 * distance
        });
        // but both ends of every piece stay, exactly
        for &(low, high) in &self.pieces {
            for end in [low, high] {
                let nearest = grid.partition_point(|&z| z < end);
                if grid.get(nearest).is_none_or(|&z| z > end) {
                    grid.insert(nearest, end);
                }
            }
        }
        grid
    }
}

/// `1 / Π_{j≠i} (z_i - z_j)`, all scaled by one number so that they neither overflow nor vanish.
fn barycentric_factors(points: &[f64]) -> Vec<f64> {
    let logarithms: Vec<(f64, f64)> = points
        .iter()
        .enumerate()
        .map(|(i, z)| {
            let (mut sign, mut logarithm) = (1.0, 0.0);
            // products of a few differences at a time spare logarithms
            let mut product = 1.0_f64;
            for (j, other) in points.iter().enumerate() {
                if i == j {
                    continue;
                }
                product *= z - other;
                if !(1e-100..1e100).contains(&product.abs()) {
                    logarithm += product.abs().ln();
                    sign *= product.signum();
                    product = 1.0;
                }
            }
            (sign * product.signum(), logarithm + product.abs().ln())
        })
        .collect();
    let smallest = logarithms.iter().fold(f64::INFINITY, |m, (_, l)| m.min(*l));
    logarithms
        .iter()
        .map(|(sign, logarithm)| sign * (smallest - logarithm).exp())
        .collect()
}

/// The largest error of each run of equal sign, refined: places and signed errors.
fn alternating_extrema(
    grid: &[f64],
    errors: &[f64],
    error: &dyn Fn(f64) -> f64,
    pieces: &[(f64, f64)],
) -> Vec<(f64, f64)> {
    let mut extrema: Vec<(usize, f64)> = Vec::new();
    for (i, &e) in errors.iter().enumerate() {
        match extrema.last_mut() {
            _ if e == 0.0 || e.is_nan() => {}
            Some(last) if (last.1 > 0.0) == (e > 0.0) => {
                if e.abs() > last.1.abs() {
                    *last = (i, e);
                }
            }
            _ => extrema.push((i, e)),
        }
    }
    extrema
        .into_iter()
        .map(|(i, e)| {
            let z = grid[i];
            let &(low, high) = pieces
                .iter()
                .find(|(low, high)| (*low..=*high).contains(&z))
                .expect("grid points lie in the pieces");
            let left = if i > 0 { grid[i - 1].max(low) } else { low };
            let right = if i + 1 < grid.len() {
                grid[i + 1].min(high)
            } else {
                high
            };
            refine(error, e.signum(), (left, z, right), e)
        })
        .collect()
}

/// The largest `sign · error` met by golden section in a bracket around `z`.
fn refine(
    error: &dyn Fn(f64) -> f64,
    sign: f64,
    (mut low, z, mut high): (f64, f64, f64),
    at_z: f64,
) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let mut best = (z, at_z);
    let (mut left, mut right) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_left, mut at_right) = (sign * error(left), sign * error(right));
    for _ in 0..REFINEMENTS {
        for (place, value) in [(left, at_left), (right, at_right)] {
            if value > sign * best.1 {
                best = (place, sign * value);
            }
        }
        if high - low <= 1e-9 * (low.abs() + high.abs()) {
            break;
        }
        if at_left > at_right {
            high = right;
            (right, at_right) = (left, at_left);
            left = high - RATIO * (high - low);
            at_left = sign * error(left);
        } else {
            low = left;
            (left, at_left) = (right, at_right);
            right = low + RATIO * (high - low);
            at_right = sign * error(right);
        }
    }
    best
}

/// Step 4: `count` of the extrema, still alternating, without giving up the largest. `None` if there
/// are too few.
fn thin_out(mut extrema: Vec<(f64, f64)>, count: usize) -> Option<Vec<f64>> {
    while extrema.len() > count {
        let size = |i: usize| extrema[i].1.abs();
        let last = extrema.len() - 1;
        if extrema.len() == count + 1 {
            // one too many: an end can go alone
            extrema.remove(if size(0) < size(last) { 0 } else { last });
            continue;
        }
        // otherwise the smallest goes, and inside also the smaller of its neighbours, which would
        // else be next to one of the same sign
        let smallest = (0..=last).min_by(|&i, &j| size(i).total_cmp(&size(j)));
        let smallest = smallest.expect("there are extrema");
        if smallest == 0 || smallest == last {
            extrema.remove(smallest);
        } else {
            let left = size(smallest - 1) < size(smallest + 1);
            let first = if left { smallest - 1 } else { smallest };
            extrema.drain(first..first + 2);
        }
    }
    (extrema.len() == count).then(|| extrema.into_iter().map(|(z, _)| z).collect())
}
