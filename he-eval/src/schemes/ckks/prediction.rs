//! The noise that a polynomial's circuit makes, by a dry run of it on typical values.
//!
//! The circuit is the one that ciphertexts go through ([`super::polynomial`]). Here it carries, for a
//! few typical inputs, the value, its slope (what noise that came in is multiplied by) and the variance
//! of the noise that was added on the way.

use approx::{Algebra, Polynomial, cheapest_plan};
use cryptodl_ckks::noise::{self, Sizes};

use super::polynomial::scales;

/// Typical inputs: as many quantiles of a normal variable.
const SAMPLES: usize = 15;

/// What a circuit does to noise, on average over typical inputs.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    /// Variance of the results' noise for each unit of the inputs'.
    pub gain: f64,
    /// Variance of the noise that the circuit adds.
    pub added: f64,
    /// Mean square of the results.
    pub square: f64,
}

/// The effect of `p` on inputs of root mean square `typical` with `primes` primes, for results of scale
/// `target` after `levels` levels and one for the entry.
pub fn effect(
    p: &Polynomial,
    typical: f64,
    sizes: &Sizes,
    primes: usize,
    levels: usize,
    target: f64,
) -> Option<Effect> {
    let top = primes - 1;
    let mut circuit = Circuit {
        sizes,
        scales: scales(&sizes.primes, top, top - levels, target),
    };
    let (plan, _) = cheapest_plan(p)?;
    let input = Samples {
        primes,
        at: quantiles().map(|z| Noisy {
            value: z * typical,
            slope: 1.0,
            added: 0.0,
        }),
    };
    let input = circuit.lower(&input, top);
    let result = plan.evaluate(&mut circuit, p, &input)?;
    let result = circuit.lower(&result, top - levels);
    let mean = |of: fn(&Noisy) -> f64| result.at.iter().map(of).sum::<f64>() / SAMPLES as f64;
    Some(Effect {
        gain: mean(|x| x.slope * x.slope),
        added: mean(|x| x.added),
        square: mean(|x| x.value * x.value),
    })
}

/// Quantiles of a normal variable, scaled to mean square 1: `Φ⁻¹((k + ½) / n)` by the logistic
/// approximation `z ≈ ln(u / (1 - u)) / 1.702`, which is as good as the assumption of normality.
fn quantiles() -> [f64; SAMPLES] {
    let raw: [f64; SAMPLES] = std::array::from_fn(|k| {
        let u = (k as f64 + 0.5) / SAMPLES as f64;
        (u / (1.0 - u)).ln()
    });
    let rms = (raw.iter().map(|z| z * z).sum::<f64>() / SAMPLES as f64).sqrt();
    raw.map(|z| z / rms)
}

#[derive(Clone)]
struct Samples {
    primes: usize,
    at: [Noisy; SAMPLES],
}

#[derive(Clone, Copy)]
struct Noisy {
    value: f64,
    slope: f64,
    /// Variance.
    added: f64,
}

struct Circuit<'a> {
    sizes: &'a Sizes,
    scales: Vec<f64>,
}

impl Circuit<'_> {
    /// Times a number, with the noise of rescaling to `primes` primes.
    fn scaled(&self, a: &Samples, factor: f64, primes: usize) -> Samples {
        let added = noise::rescale(self.sizes, primes + 1, false) / self.scales[primes];
        Samples {
            primes,
            at: a.at.map(|x| Noisy {
                value: x.value * factor,
                slope: x.slope * factor,
                added: x.added * factor * factor + added * added,
            }),
        }
    }

    fn lower(&self, a: &Samples, primes: usize) -> Samples {
        if a.primes == primes {
            a.clone()
        } else {
            self.scaled(a, 1.0, primes)
        }
    }
}

impl Algebra for Circuit<'_> {
    type Value = Samples;

    fn add(&mut self, a: &Samples, b: &Samples) -> Samples {
        let primes = a.primes.min(b.primes);
        let (a, b) = (self.lower(a, primes), self.lower(b, primes));
        Samples {
            primes,
            at: std::array::from_fn(|k| Noisy {
                value: a.at[k].value + b.at[k].value,
                slope: a.at[k].slope + b.at[k].slope,
                added: a.at[k].added + b.at[k].added,
            }),
        }
    }

    fn multiply(&mut self, a: &Samples, b: &Samples) -> Samples {
        let primes = a.primes.min(b.primes);
        let (a, b) = (self.lower(a, primes), self.lower(b, primes));
        let next = primes - 1;
        let added = noise::rescale(self.sizes, primes, true) / self.scales[next];
        Samples {
            primes: next,
            at: std::array::from_fn(|k| {
                let (x, y) = (a.at[k], b.at[k]);
                // noise of both is taken as the same noise: so it is in a square
                let both = x.value.abs() * y.added.sqrt() + y.value.abs() * x.added.sqrt();
                Noisy {
                    value: x.value * y.value,
                    slope: x.slope * y.value + y.slope * x.value,
                    added: both * both + added * added,
                }
            }),
        }
    }

    fn scale(&mut self, a: &Samples, factor: f64) -> Samples {
        if factor.abs().to_bits() == 1f64.to_bits() {
            return Samples {
                primes: a.primes,
                at: a.at.map(|x| Noisy {
                    value: x.value * factor,
                    slope: x.slope * factor,
                    ..x
                }),
            };
        }
        self.scaled(a, factor, a.primes - 1)
    }

    fn shift(&mut self, a: &Samples, constant: f64) -> Samples {
        let mut sum = a.clone();
        sum.at.iter_mut().for_each(|x| x.value += constant);
        sum
    }
}
