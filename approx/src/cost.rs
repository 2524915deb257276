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

mod circuits;

use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::polynomial::Polynomial;
use circuits::{Table, horner, linear, split, stockmeyer, to_unit, trimmed};

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

/// Half-widths between the centre and the vertex of a quadratic that is still evaluated as a square.
const FARTHEST_VERTEX: f64 = 16.0;

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

    /// Whether the plan can evaluate this polynomial: any, but the square only degree 2, and only if
    /// the vertex is within 16 half-widths of the interval's centre. Farther out the square is that of a
    /// large number, and most of it cancels.
    pub fn fits(self, polynomial: &Polynomial) -> bool {
        if self != Self::Square {
            return true;
        }
        if polynomial.degree() != 2 {
            return false;
        }
        let c = polynomial.to_monomial();
        let on = polynomial.interval();
        on.to_unit(-c[1] / (2.0 * c[2])).abs() <= FARTHEST_VERTEX
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
                let split = split(&coefficients);
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

/// The plan that needs the fewest ciphertext products among those of the least depth; if several do, the
/// one of the fewest levels, then of the most squares, then of the fewest products with numbers.
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
        .min_by_key(|(_, cost)| {
            let mixed = cost.ciphertext_products - cost.squares;
            let products = (cost.ciphertext_products, cost.levels, mixed);
            (cost.depth, products, cost.plain_products)
        })
}

#[cfg(test)]
mod tests;
