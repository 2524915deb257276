//! Polynomials on ciphertexts, by the evaluators of [`approx`].
//!
//! Every number of primes n has one scale Δ_n, with `Δ_(n-1) = Δ_n² / q_(n-1)`: what a product of two
//! values with n primes has after rescaling. Products with numbers choose the number's scale so that
//! they arrive there, too, and a value that meets one of fewer primes is multiplied by 1 on its way
//! down. So sums always find equal scales, and none is ever approximated.

use approx::{Algebra, Polynomial, cheapest_plan};
use cryptodl_ckks::{Ciphertext, Error, Evaluator};

/// The scale that a circuit begins with to end with `target` after it dropped these primes, last first.
pub fn entry_scale(primes: &[f64], target: f64) -> f64 {
    let back = |scale: f64, prime: &f64| (scale * prime).sqrt();
    primes.iter().fold(target, back)
}

/// Δ_n for n from `bottom` to `top`, which is `target` at the bottom.
pub fn scales(primes: &[f64], top: usize, bottom: usize, target: f64) -> Vec<f64> {
    let mut scales = vec![0.0; top + 1];
    scales[top] = entry_scale(&primes[bottom..top], target);
    for n in (bottom + 1..=top).rev() {
        scales[n - 1] = scales[n].powi(2) / primes[n - 1];
    }
    scales
}

/// `p(x)`; the result has `levels + 1` primes fewer and the scale `target`.
///
/// # Errors
/// When there are too few primes, or the polynomial is a constant.
pub fn evaluate(
    evaluator: &Evaluator,
    polynomial: &Polynomial,
    x: &Ciphertext,
    levels: usize,
    target: f64,
) -> Result<Ciphertext, Error> {
    let parameters = evaluator.parameters();
    let top = x.primes().checked_sub(1).ok_or(Error::NoLevel)?;
    let bottom = top.checked_sub(levels).ok_or(Error::NoLevel)?;
    let primes: Vec<f64> = (0..top).map(|i| parameters.prime(i) as f64).collect();
    let mut circuit = Circuit {
        evaluator,
        scales: scales(&primes, top, bottom, target),
        error: None,
    };
    let (plan, _) = cheapest_plan(polynomial)
        .ok_or_else(|| Error::Mismatch("a constant polynomial needs no evaluation".into()))?;
    let x = circuit.lower(x, top);
    let result = plan.evaluate(&mut circuit, polynomial, &x);
    let result = result.map(|value| circuit.lower(&value, bottom));
    match (circuit.error, result) {
        (Some(error), _) => Err(error),
        (None, Some(result)) => Ok(result),
        (None, None) => Err(Error::Mismatch("a constant polynomial".into())),
    }
}

/// The algebra of ciphertexts. Its first error is kept; what is computed after it means nothing.
struct Circuit<'a> {
    evaluator: &'a Evaluator,
    /// Δ_n.
    scales: Vec<f64>,
    error: Option<Error>,
}

impl Circuit<'_> {
    fn keep(&mut self, result: Result<Ciphertext, Error>, instead: &Ciphertext) -> Ciphertext {
        result.unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            instead.clone()
        })
    }

    /// The value times `factor`, with `primes` primes and their scale; takes one level at least.
    fn scaled(&mut self, a: &Ciphertext, factor: f64, primes: usize) -> Ciphertext {
        let product = self.try_scaled(a, factor, primes);
        self.keep(product, a)
    }

    fn try_scaled(&self, a: &Ciphertext, factor: f64, primes: usize) -> Result<Ciphertext, Error> {
        let dropped = self.evaluator.parameters().prime(primes) as f64;
        let scale = self.scales[primes] * dropped / a.scale();
        let product = self
            .evaluator
            .multiply_number(&a.drop_to(primes + 1)?, factor, scale)?;
        // exact by construction, up to the rounding of these doubles
        Ok(self
            .evaluator
            .rescale(&product)?
            .with_scale(self.scales[primes]))
    }

    /// The value with `primes` primes and their scale.
    fn lower(&mut self, a: &Ciphertext, primes: usize) -> Ciphertext {
        if a.primes() == primes {
            a.clone()
        } else {
            self.scaled(a, 1.0, primes)
        }
    }

    fn level(&mut self, a: &Ciphertext) -> Option<usize> {
        let primes = a.primes() - 1;
        if primes == 0 || self.scales[primes] == 0.0 {
            self.error.get_or_insert(Error::NoLevel);
            return None;
        }
        Some(primes)
    }
}

impl Algebra for Circuit<'_> {
    type Value = Ciphertext;

    fn add(&mut self, a: &Ciphertext, b: &Ciphertext) -> Ciphertext {
        let primes = a.primes().min(b.primes());
        let (a, b) = (self.lower(a, primes), self.lower(b, primes));
        let sum = self.evaluator.add(&a, &b);
        self.keep(sum, &a)
    }

    fn multiply(&mut self, a: &Ciphertext, b: &Ciphertext) -> Ciphertext {
        let primes = a.primes().min(b.primes());
        let (a, b) = (self.lower(a, primes), self.lower(b, primes));
        let Some(next) = self.level(&a) else { return a };
        let product = self
            .evaluator
            .multiply(&a, &b)
            .and_then(|product| self.evaluator.rescale(&product))
            .map(|product| product.with_scale(self.scales[next]));
        self.keep(product, &a)
    }

    fn scale(&mut self, a: &Ciphertext, factor: f64) -> Ciphertext {
        // whole numbers take no level, and these two are all that circuits use
        if factor.abs().to_bits() == 1f64.to_bits() {
            let same = self.evaluator.multiply_number(a, factor, 1.0);
            return self.keep(same, a);
        }
        match self.level(a) {
            Some(next) => self.scaled(a, factor, next),
            None => a.clone(),
        }
    }

    fn shift(&mut self, a: &Ciphertext, constant: f64) -> Ciphertext {
        let sum = self.evaluator.add_number(a, constant);
        self.keep(sum, a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{Interval, Plan, function, method};
    use cryptodl_ckks::{Parameters, ParametersLiteral, SecretKey};

    /// A circuit that counts what it executes: products of ciphertexts, and how many follow one another.
    struct Counted<'a> {
        circuit: Circuit<'a>,
        products: usize,
    }

    impl Algebra for Counted<'_> {
        type Value = (Ciphertext, usize);

        fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value {
            (self.circuit.add(&a.0, &b.0), a.1.max(b.1))
        }

        fn multiply(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value {
            self.products += 1;
            (self.circuit.multiply(&a.0, &b.0), a.1.max(b.1) + 1)
        }

        fn scale(&mut self, a: &Self::Value, factor: f64) -> Self::Value {
            (self.circuit.scale(&a.0, factor), a.1)
        }

        fn shift(&mut self, a: &Self::Value, constant: f64) -> Self::Value {
            (self.circuit.shift(&a.0, constant), a.1)
        }
    }

    #[test]
    fn what_is_executed_on_ciphertexts_is_what_the_dry_run_says() {
        let parameters = Parameters::toy(&ParametersLiteral {
            ring_degree: 256,
            prime_bits: vec![45; 14],
            special_bits: vec![49],
        })
        .unwrap();
        let secret = SecretKey::generate(&parameters);
        let key = secret.relinearisation_key();
        let evaluator = Evaluator::new(&parameters, Some(key)).unwrap();
        let target = 40f64.exp2();
        let mut plans_seen = Vec::new();
        for (name, on, degree) in [
            ("relu", "-4:4", 2), // a completed square
            ("relu", "-4:4", 4), // even but for x/2
            ("tanh", "-4:4", 7), // odd
            ("exp", "-1:1", 5),
            ("gelu", "-3:5", 12),
            ("sigmoid", "-8:8", 31),
            ("abs", "-1:1", 48), // even
        ] {
            let on: Interval = on.parse().unwrap();
            let p = method("minimax")
                .unwrap()
                .fit(&*function(name).unwrap(), on, degree)
                .unwrap();
            let (plan, cost) = cheapest_plan(&p).unwrap();
            plans_seen.push(plan);
            let slots: Vec<f64> = (0..256)
                .map(|i| on.from_unit(f64::from(i) / 127.5 - 1.0))
                .collect();
            let x = secret.encrypt(&slots, target, 14).unwrap().expand();

            let primes: Vec<f64> = (0..13).map(|i| parameters.prime(i) as f64).collect();
            let bottom = 13 - cost.levels;
            let mut circuit = Circuit {
                evaluator: &evaluator,
                scales: scales(&primes, 13, bottom, target),
                error: None,
            };
            let x_low = circuit.lower(&x, 13);
            let mut counted = Counted {
                circuit,
                products: 0,
            };
            let (result, depth) = plan.evaluate(&mut counted, &p, &(x_low, 0)).unwrap();
            assert!(counted.circuit.error.is_none(), "{name} {degree}");
            assert_eq!(
                (counted.products, depth, 13 - result.primes()),
                (cost.ciphertext_products, cost.depth, cost.levels),
                "{name} {degree} by {plan:?}"
            );

            // and the entry that networks use computes the same
            let whole = evaluate(&evaluator, &p, &x, cost.levels, target).unwrap();
            assert_eq!(whole.primes(), bottom);
            for result in [&result, &whole] {
                for (found, x) in secret.decrypt(result).unwrap().iter().zip(&slots) {
                    let expected = p.eval(*x);
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{name} {degree} at {x}: {found} {expected}"
                    );
                }
            }
        }
        for plan in [Plan::Square, Plan::PatersonStockmeyer] {
            assert!(plans_seen.contains(&plan), "{plans_seen:?}");
        }
    }
}
