//! What it costs to evaluate a polynomial on encrypted values, and the evaluators themselves.
//!
//! Each [`Plan`] is written once, over an [`Algebra`]: with numbers it computes, with ciphertexts it
//! evaluates, and with [`Meter`] it only counts. The cost in a table is therefore the cost of the
//! very code that an encrypted run executes.
//!
//! | plan | products of ciphertexts | in sequence |
//! |---|---|---|
//! | Horner | `n - 1` | `n - 1` |
//! | powers | one a power of `x` that is needed, `x^k = x^⌈k/2⌉ x^⌊k/2⌋` | `⌈log2 n⌉` |
//! | Chebyshev | one a `T_k` that is needed, `T_{a+b} = 2 T_a T_b - T_{a-b}` | `⌈log2 n⌉` |
//! | Paterson–Stockmeyer | about `√(2n) + log2 n` | `⌈log2 n⌉` or one more |
//! | square | 1, degree 2 only: `a (x + b/2a)² + c - b²/4a` | 1 |
//!
//! Odd and even polynomials save what their zero coefficients make superfluous: terms that are
//! exactly zero are never computed. Products with plaintext numbers are counted apart: they need no
//! relinearisation, but under CKKS each level of them costs a modulus, as a product does.
//!
//! # References
//! - Paterson & Stockmeyer (1973), On the number of nonscalar multiplications necessary to evaluate
//!   polynomials, SIAM J. Comput. 2:60–66.
//! - Han & Ki (2020), Better bootstrapping for approximate homomorphic encryption, CT-RSA, §3 (the
//!   same in the Chebyshev basis).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Basis, Polynomial};

/// What an evaluator needs of encrypted values: a ring that holds real numbers.
pub trait Algebra {
    /// An encrypted value.
    type Value: Clone;
    /// The sum.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// The product of two encrypted values; the expensive one.
    fn multiply(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// The product with a number.
    fn scale(&mut self, a: &Self::Value, factor: f64) -> Self::Value;
    /// The sum with a number.
    fn shift(&mut self, a: &Self::Value, constant: f64) -> Self::Value;

    /// The square; cheaper than a product in most schemes.
    fn square(&mut self, a: &Self::Value) -> Self::Value {
        self.multiply(a, a)
    }
}

/// How a polynomial is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// `(… (c_n x + c_{n-1}) x + …) x + c_0`, over powers of `x`.
    Horner,
    /// All powers of `x` that are needed, each from two halves.
    Powers,
    /// All `T_k(u)` that are needed, each from two halves; stable at any degree.
    Chebyshev,
    /// Baby steps `T_1 … T_{m-1}`, giant steps `T_m, T_2m, T_4m, …`, and division by the giant
    /// steps, in the Chebyshev basis; stable at any degree.
    PatersonStockmeyer,
    /// One squaring, for degree 2.
    Square,
}

/// Every plan, in the order in which tables list them.
pub fn plans() -> [Plan; 5] {
    [
        Plan::Horner,
        Plan::Powers,
        Plan::Chebyshev,
        Plan::PatersonStockmeyer,
        Plan::Square,
    ]
}

/// What one evaluation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cost {
    /// Products of two ciphertexts that must follow one another.
    pub depth: usize,
    /// Products of any kind that must follow one another: the levels of a CKKS circuit that
    /// rescales after each.
    pub levels: usize,
    /// Products of two different ciphertexts and squares.
    pub ciphertext_products: usize,
    /// How many of these are squares.
    pub squares: usize,
    /// Products of a ciphertext with a number.
    pub plain_products: usize,
    /// Sums of two ciphertexts.
    pub additions: usize,
}

/// An algebra that counts instead of computing.
///
/// ```
/// use approx::{Activation, Meter, Plan, method};
///
/// let p = method("minimax")?.fit(&Activation::Relu, "-4:4".parse()?, 2)?;
/// let cost = Plan::Square.cost(&p).unwrap();
/// assert_eq!((cost.ciphertext_products, cost.depth), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    cost: Cost,
}

impl Meter {
    /// What was counted so far, with the depth of the circuit's result.
    pub fn cost_at(&self, end: Place) -> Cost {
        Cost {
            depth: end.depth,
            levels: end.levels,
            ..self.cost
        }
    }
}

/// How deep in the circuit a value of the [`Meter`] lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    depth: usize,
    levels: usize,
}

impl Place {
    fn after(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
        }
    }
}

impl Algebra for Meter {
    type Value = Place;

    fn add(&mut self, a: &Place, b: &Place) -> Place {
        self.cost.additions += 1;
        a.after(*b)
    }

    fn multiply(&mut self, a: &Place, b: &Place) -> Place {
        self.cost.ciphertext_products += 1;
        let inputs = a.after(*b);
        Place {
            depth: inputs.depth + 1,
            levels: inputs.levels + 1,
        }
    }

    fn scale(&mut self, a: &Place, _: f64) -> Place {
        self.cost.plain_products += 1;
        Place {
            levels: a.levels + 1,
            ..*a
        }
    }

    fn shift(&mut self, a: &Place, _: f64) -> Place {
        *a
    }

    fn square(&mut self, a: &Place) -> Place {
        self.cost.squares += 1;
        self.multiply(a, a)
    }
}

/// The algebra of plain numbers: what the encrypted result should be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clear;

impl Algebra for Clear {
    type Value = f64;

    fn add(&mut self, a: &f64, b: &f64) -> f64 {
        a + b
    }
    fn multiply(&mut self, a: &f64, b: &f64) -> f64 {
        a * b
    }
    fn scale(&mut self, a: &f64, factor: f64) -> f64 {
        factor * a
    }
    fn shift(&mut self, a: &f64, constant: f64) -> f64 {
        a + constant
    }
}

impl Plan {
    /// The name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Horner => "horner",
            Self::Powers => "powers",
            Self::Chebyshev => "chebyshev",
            Self::PatersonStockmeyer => "paterson-stockmeyer",
            Self::Square => "square",
        }
    }

    /// Whether the plan can evaluate this polynomial: any, but the square only degree 2.
    pub fn fits(self, polynomial: &Polynomial) -> bool {
        self != Self::Square || polynomial.degree() == 2
    }

    /// `p(x)` in the given algebra, up to the [`degree`](Polynomial::degree), which leaves out terms
    /// below 1e-12 of the largest; `None` if the plan does not [fit](Self::fits), or if the
    /// polynomial is a constant, which needs no encrypted value.
    pub fn evaluate<A: Algebra>(
        self,
        algebra: &mut A,
        polynomial: &Polynomial,
        x: &A::Value,
    ) -> Option<A::Value> {
        let degree = polynomial.degree();
        if degree == 0 || !self.fits(polynomial) {
            return None;
        }
        match self {
            Self::Horner => {
                let powers = trimmed(polynomial.to_monomial(), degree);
                Some(horner(algebra, &powers, x))
            }
            Self::Square => {
                let c = polynomial.to_monomial();
                // a (x + b/2a)² + c - b²/4a; an even one needs no shift
                let centred = match c[1] / (2.0 * c[2]) {
                    0.0 => x.clone(),
                    shift => algebra.shift(x, shift),
                };
                let square = algebra.square(&centred);
                let scaled = algebra.scale(&square, c[2]);
                Some(algebra.shift(&scaled, c[0] - c[1] * c[1] / (4.0 * c[2])))
            }
            Self::Powers => {
                let powers = trimmed(polynomial.to_monomial(), degree);
                let mut table = Table::new(Basis::Monomial, x.clone());
                linear(algebra, &mut table, &powers)
            }
            Self::Chebyshev | Self::PatersonStockmeyer => {
                let coefficients = trimmed(polynomial.to_chebyshev(), degree);
                let u = to_unit(algebra, polynomial, x);
                let mut table = Table::new(Basis::Chebyshev, u);
                if self == Self::Chebyshev {
                    return linear(algebra, &mut table, &coefficients);
                }
                let mut split = baby_steps(degree);
                // the narrower of two splits may save a product; the meter decides
                if split > 2
                    && stockmeyer_cost(&coefficients, split / 2)
                        < stockmeyer_cost(&coefficients, split)
                {
                    split /= 2;
                }
                stockmeyer(algebra, &mut table, &coefficients, split)
            }
        }
    }

    /// What [`evaluate`](Self::evaluate) takes, by a dry run of it; `None` where that gives none.
    pub fn cost(self, polynomial: &Polynomial) -> Option<Cost> {
        let mut meter = Meter::default();
        let end = self.evaluate(&mut meter, polynomial, &Place::default())?;
        Some(meter.cost_at(end))
    }
}

/// The plan that needs the fewest ciphertext products among those of the least depth.
///
/// ```
/// use approx::{Activation, Plan, cheapest_plan, method};
///
/// let p = method("minimax")?.fit(&Activation::Sigmoid, "-8:8".parse()?, 31)?;
/// let (plan, cost) = cheapest_plan(&p).unwrap();
/// assert_eq!(plan, Plan::PatersonStockmeyer);
/// assert!(cost.depth == 5 && cost.ciphertext_products <= 11);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cheapest_plan(polynomial: &Polynomial) -> Option<(Plan, Cost)> {
    plans()
        .into_iter()
        .filter_map(|plan| Some((plan, plan.cost(polynomial)?)))
        .min_by_key(|(_, cost)| (cost.depth, cost.ciphertext_products, cost.levels))
}

fn trimmed(mut coefficients: Vec<f64>, degree: usize) -> Vec<f64> {
    coefficients.truncate(degree + 1);
    coefficients
}

/// `u = (x - centre) / half_width`, sparing what is nothing.
fn to_unit<A: Algebra>(algebra: &mut A, polynomial: &Polynomial, x: &A::Value) -> A::Value {
    let on = polynomial.interval();
    let (rate, offset) = (1.0 / on.half_width(), -on.centre() / on.half_width());
    let scaled = if rate.to_bits() == 1.0_f64.to_bits() {
        x.clone()
    } else {
        algebra.scale(x, rate)
    };
    if offset == 0.0 {
        scaled
    } else {
        algebra.shift(&scaled, offset)
    }
}

/// Over powers of `x`; in `x²` if only even or only odd ones occur.
fn horner<A: Algebra>(algebra: &mut A, c: &[f64], x: &A::Value) -> A::Value {
    let n = c.len() - 1;
    let zero = |parity: usize| c.iter().skip(parity).step_by(2).all(|v| *v == 0.0);
    if n >= 2 && zero(1) {
        let half: Vec<f64> = c.iter().copied().step_by(2).collect();
        let square = algebra.square(x);
        return horner(algebra, &half, &square);
    }
    if n >= 3 && zero(0) {
        let half: Vec<f64> = c.iter().copied().skip(1).step_by(2).collect();
        let square = algebra.square(x);
        let even = horner(algebra, &half, &square);
        return algebra.multiply(&even, x);
    }
    let mut sum = algebra.scale(x, c[n]);
    for k in (1..n).rev() {
        if c[k] != 0.0 {
            sum = algebra.shift(&sum, c[k]);
        }
        sum = algebra.multiply(&sum, x);
    }
    if c[0] == 0.0 {
        sum
    } else {
        algebra.shift(&sum, c[0])
    }
}

/// The basis functions computed so far.
struct Table<V> {
    basis: Basis,
    known: BTreeMap<usize, V>,
}

impl<V: Clone> Table<V> {
    fn new(basis: Basis, first: V) -> Self {
        Self {
            basis,
            known: BTreeMap::from([(1, first)]),
        }
    }

    /// Function `k ≥ 1`, from two halves: `x^{a+b} = x^a x^b`, `T_{a+b} = 2 T_a T_b - T_{a-b}`.
    fn get<A: Algebra<Value = V>>(&mut self, algebra: &mut A, k: usize) -> V {
        if let Some(value) = self.known.get(&k) {
            return value.clone();
        }
        let (mut a, mut b) = (k.div_ceil(2), k / 2);
        // a power of two as one half keeps the depth, and an odd function free of even ones
        let power = k.next_power_of_two() / 2;
        if !k.is_power_of_two() && k % 2 == 1 && self.basis == Basis::Chebyshev {
            (a, b) = (power.max(k - power), power.min(k - power));
        }
        let value = if a == b {
            let half = self.get(algebra, a);
            algebra.square(&half)
        } else {
            let (one, other) = (self.get(algebra, a), self.get(algebra, b));
            algebra.multiply(&one, &other)
        };
        let value = if self.basis == Basis::Chebyshev {
            // a sum with itself is no product, so it costs no level
            let double = algebra.add(&value, &value);
            if a == b {
                algebra.shift(&double, -1.0)
            } else {
                let back = self.get(algebra, a - b);
                let negative = algebra.scale(&back, -1.0);
                algebra.add(&double, &negative)
            }
        } else {
            value
        };
        self.known.insert(k, value.clone());
        value
    }
}

/// `c_0 + Σ c_k φ_k`; `None` if all but `c_0` are zero.
fn linear<A: Algebra>(algebra: &mut A, table: &mut Table<A::Value>, c: &[f64]) -> Option<A::Value> {
    let mut sum: Option<A::Value> = None;
    for (k, &factor) in c.iter().enumerate().skip(1) {
        if factor == 0.0 {
            continue;
        }
        let value = table.get(algebra, k);
        let term = algebra.scale(&value, factor);
        sum = Some(match sum {
            Some(sum) => algebra.add(&sum, &term),
            None => term,
        });
    }
    sum.map(|sum| {
        if c[0] == 0.0 {
            sum
        } else {
            algebra.shift(&sum, c[0])
        }
    })
}

/// The power of two near `√(degree / 2)` or above: how far the baby steps go.
fn baby_steps(degree: usize) -> usize {
    let target = ((degree as f64) / 2.0).sqrt().ceil() as usize;
    (2 * target).next_power_of_two().max(2)
}

fn stockmeyer_cost(c: &[f64], split: usize) -> (usize, usize) {
    let mut meter = Meter::default();
    let mut table = Table::new(Basis::Chebyshev, Place::default());
    let end = stockmeyer(&mut meter, &mut table, c, split).unwrap_or_default();
    (end.depth, meter.cost.ciphertext_products)
}

/// `Σ c_k T_k`: below `split` directly, else `p = q T_m + r` with the largest giant step `m`.
fn stockmeyer<A: Algebra>(
    algebra: &mut A,
    table: &mut Table<A::Value>,
    c: &[f64],
    split: usize,
) -> Option<A::Value> {
    let degree = c.iter().rposition(|v| *v != 0.0).unwrap_or(0);
    if degree < split || degree < 2 {
        return linear(algebra, table, &c[..=degree]);
    }
    let mut m = split;
    while 2 * m <= degree {
        m *= 2;
    }
    // T_{m+j} = 2 T_m T_j - T_{m-j}
    let mut remainder = c[..m].to_vec();
    let mut quotient = vec![0.0; degree - m + 1];
    quotient[0] = c[m];
    for j in 1..=degree - m {
        quotient[j] = 2.0 * c[m + j];
        remainder[m - j] -= c[m + j];
    }
    let giant = table.get(algebra, m);
    let head = match stockmeyer(algebra, table, &quotient, split) {
        Some(quotient) => algebra.multiply(&quotient, &giant),
        None => algebra.scale(&giant, quotient[0]),
    };
    Some(match stockmeyer(algebra, table, &remainder, split) {
        Some(rest) => algebra.add(&head, &rest),
        None if remainder[0] == 0.0 => head,
        None => algebra.shift(&head, remainder[0]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Interval, function, method};

    fn fit(name: &str, on: &str, degree: usize) -> Polynomial {
        let on: Interval = on.parse().unwrap();
        method("minimax")
            .unwrap()
            .fit(&*function(name).unwrap(), on, degree)
            .unwrap()
    }

    #[test]
    fn every_plan_computes_the_polynomial() {
        for (name, on) in [
            ("relu", "-8:8"),
            ("tanh", "-1:1"),
            ("gelu", "-3:5"),
            ("exp", "0:1"),
        ] {
            for degree in [1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 31, 40, 63] {
                let p = fit(name, on, degree);
                for plan in plans() {
                    let powers = [Plan::Horner, Plan::Powers].contains(&plan);
                    // powers of x lose half a digit a degree
                    if !plan.fits(&p) || (powers && degree > 8) {
                        continue;
                    }
                    for u in [-1.0, -0.4, 0.0, 0.7, 1.0] {
                        let x = p.interval().from_unit(u);
                        let found = plan.evaluate(&mut Clear, &p, &x).unwrap();
                        let error = (found - p.eval(x)).abs();
                        // terms below 1e-12 of the largest are left out, as `degree` does
                        let allowed = if powers { 1e-8 } else { 1e-11 };
                        assert!(
                            error < allowed * p.interval().half_width(),
                            "{plan:?} {name} {degree} {x}: {error:e}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_depth_is_logarithmic_and_the_products_are_counted() {
        let cost = |plan: Plan, degree| plan.cost(&fit("exp", "-1:1", degree)).unwrap();
        for degree in [2, 3, 4, 7, 8, 10] {
            let depth = usize::next_power_of_two(degree).ilog2() as usize;
            let direct = cost(Plan::Powers, degree);
            assert_eq!(
                (direct.depth, direct.ciphertext_products),
                (depth, degree - 1)
            );
            assert_eq!(cost(Plan::Chebyshev, degree).depth, depth);
            assert_eq!(cost(Plan::Horner, degree).depth, degree - 1);
        }
    }

    #[test]
    fn paterson_stockmeyer_needs_few_products_and_at_most_one_level_more() {
        let on: Interval = "-1:1".parse().unwrap();
        for degree in 2..=63_usize {
            let p = Polynomial::new(vec![1.0; degree + 1], Basis::Chebyshev, on).unwrap();
            let cost = Plan::PatersonStockmeyer.cost(&p).unwrap();
            let n = degree as f64;
            let limit = 2.0 * (2.0 * n).sqrt() + n.log2();
            assert!(
                cost.ciphertext_products as f64 <= limit,
                "{degree}: {cost:?}"
            );
            assert!(cost.ciphertext_products < degree, "{degree}: {cost:?}");
            assert!(cost.depth <= p.depth() + 1, "{degree}: {cost:?}");
        }
    }

    #[test]
    fn odd_and_even_polynomials_save_products() {
        for degree in [7, 15, 31] {
            let (odd, full) = (fit("tanh", "-4:4", degree), fit("exp", "-4:4", 12));
            for plan in [Plan::Horner, Plan::Powers, Plan::Chebyshev] {
                let cost = plan.cost(&odd).unwrap();
                assert!(
                    cost.ciphertext_products < degree - 1,
                    "{plan:?} {degree}: {cost:?}"
                );
            }
            assert!(Plan::Powers.cost(&full).unwrap().ciphertext_products == full.degree() - 1);
        }
        // x³ alone: one square, one product
        let cube = fit("tanh", "-1:1", 3);
        assert_eq!(Plan::Horner.cost(&cube).unwrap().ciphertext_products, 2);
    }

    #[test]
    fn a_quadratic_costs_one_square() {
        for name in ["relu", "gelu", "exp"] {
            let p = fit(name, "-4:4", 2);
            let cost = Plan::Square.cost(&p).unwrap();
            assert_eq!(
                (cost.ciphertext_products, cost.squares, cost.depth),
                (1, 1, 1)
            );
            assert_eq!(Plan::Square.cost(&fit(name, "-4:4", 4)), None);
        }
        assert_eq!(
            cheapest_plan(&fit("relu", "-4:4", 3))
                .unwrap()
                .1
                .ciphertext_products,
            1
        );
    }

    #[test]
    fn a_constant_needs_no_plan() {
        let on: Interval = "-1:1".parse().unwrap();
        let p = Polynomial::new(vec![3.0], Basis::Monomial, on).unwrap();
        assert!(cheapest_plan(&p).is_none());
        let line = method("minimax")
            .unwrap()
            .fit(&Activation::Tanh, on, 1)
            .unwrap();
        assert_eq!(cheapest_plan(&line).unwrap().1.ciphertext_products, 0);
    }
}
