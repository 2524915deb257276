//! Figures of the paper and of other systems, read from `assets/published.toml`, each with how sure it is.

use serde::Deserialize;

/// How sure a published figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// In the abstract or contribution list of the paper itself.
    Printed,
    /// By a later paper, or in the system's repository.
    Quoted,
    /// Recalled, never seen in print.
    Unverified,
}

impl Certainty {
    /// The word in tables and figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Printed => "printed in the paper",
            Self::Quoted => "quoted",
            Self::Unverified => "unverified",
        }
    }
}

/// A number of a [`System`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Accuracy,
    Hardware,
    Seconds,
    ImagesPerHour,
}

/// A published system and what it achieved on a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub name: String,
    /// Of the publication; none for software that has no paper.
    pub year: Option<u32>,
    pub dataset: String,
    /// Fraction of test images.
    pub accuracy: f64,
    pub hardware: String,
    /// Time of one `unit`.
    pub seconds: f64,
    pub unit: String,
    /// Where batches are the point.
    pub images_per_hour: Option<f64>,
    pub certainty: Certainty,
    /// Fields that were recalled, and never seen in print.
    #[serde(default)]
    pub recalled: Vec<Field>,
    #[serde(default)]
    pub note: String,
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Best encrypted accuracy.
    Accuracy,
    /// Accuracy of a network with the activation itself.
    AccuracyExact,
    /// Best throughput.
    ImagesPerHour,
    /// Server seconds of one batch.
    BatchS,
    /// Input ciphertexts of one batch.
    CiphertextBytes,
}

/// One statement of the paper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub what: String,
    /// What of a run answers it.
    pub quantity: Quantity,
    pub value: String,
    pub certainty: Certainty,
}

/// The paper's accuracy with one of its methods.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub name: String,
    /// Fraction of test images.
    pub accuracy: f64,
    pub certainty: Certainty,
}

/// A polynomial for ReLU that the authors' code computes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub method: String,
    /// Low end of the symmetric interval `[-l, l]`.
    pub low: f64,
    /// `c0, c2, c4, …` in `p(x) = x/2 + l Σ c_k u^k`, `u = x/l`.
    pub even: Vec<f64>,
}

/// All of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    #[serde(rename = "system")]
    pub systems: Vec<System>,
    #[serde(rename = "statement")]
    pub statements: Vec<Statement>,
    #[serde(rename = "method")]
    pub methods: Vec<Method>,
    #[serde(rename = "polynomial")]
    pub polynomials: Vec<Known>,
}

impl System {
    /// Name and year.
    pub fn title(&self) -> String {
        self.year
            .map_or_else(|| self.name.clone(), |year| format!("{} {year}", self.name))
    }

    /// A value of that field with a tilde if it was recalled.
    pub fn marked(&self, field: Field, value: &str) -> String {
        format!(
            "{}{value}",
            if self.recalled.contains(&field) {
                "~"
            } else {
                ""
            }
        )
    }
}

impl Known {
    /// Degree of the polynomial.
    pub fn degree(&self) -> usize {
        2 * (self.even.len() - 1)
    }

    /// What our fit gives for the same coefficients.
    pub fn ours(&self) -> Option<Vec<f64>> {
        let l = -self.low;
        let on = approx::Interval::new(self.low, l).ok()?;
        let polynomial = approx::method(&self.method)
            .ok()?
            .fit(&approx::Activation::Relu, on, self.degree())
            .ok()?;
        let powers = polynomial.to_monomial();
        let even = (0..self.even.len())
            .map(|k| powers.get(2 * k).copied().unwrap_or(0.0) * l.powi(2 * k as i32 - 1));
        Some(even.collect())
    }
}

/// The figures that the program carries.
pub fn published() -> Published {
    toml::from_str(include_str!("../assets/published.toml"))
        .expect("the embedded file was parsed by a test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_figures_are_well_formed() {
        let published = published();
        assert!(
            published
                .systems
                .iter()
                .all(|system| (0.5..1.0).contains(&system.accuracy) && system.seconds > 0.0)
        );
        let method_known = |method: &Method| {
            approx::methods()
                .iter()
                .any(|known| known.name() == method.name)
        };
        assert!(published.methods.iter().all(method_known));
        for known in &published.polynomials {
            for (theirs, ours) in known.even.iter().zip(known.ours().unwrap()) {
                // they print seven digits; at a finite l the Sigmoid is not quite a step
                assert!(
                    (theirs - ours).abs() < 2e-6,
                    "{} degree {}: {theirs} {ours}",
                    known.method,
                    known.degree()
                );
            }
        }
        // the paper's own claims, exactly as printed
        let paper = &published.systems[0];
        assert_eq!(
            (paper.name.as_str(), paper.accuracy, paper.images_per_hour),
            ("CryptoDL", 0.9952, Some(164_000.0))
        );
    }
}
