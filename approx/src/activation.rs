//! The functions to imitate, with formulas that neither overflow nor cancel for any finite input.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::series::{bump, sigmoid};

/// An activation function of a neural network: a name that stands for `f: R → R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `sin(x)`: repeats with the opposite sign, as a look-up on the torus does, so that sums in front of it may be of any
    /// size.
    Sine,
}

/// Every known activation, in the order in which tables list them.
pub fn activations() -> &'static [Activation] {
    &[
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Sine,
    ]
}

/// A word that names no activation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown activation `{name}`: the known ones are {known}")]
pub struct UnknownActivation {
    /// The word that was given.
    pub name: String,
    /// The names that would have been accepted, separated by commas.
    pub known: String,
}

impl Activation {
    /// The name in tables, file names and on the command line: lower case, no spaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Sine => "sine",
        }
    }

    /// `f(x)`.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Sine => x.sin(),
        }
    }

    /// `f'(x)`; for ReLU the step, 0 at the kink itself as in the training frameworks.
    pub fn derivative(self, x: f64) -> f64 {
        match self {
            Self::Relu => f64::from(u8::from(x > 0.0)),
            Self::Sigmoid => bump(x),
            // tanh(x) = 2 sigmoid(2x) - 1
            Self::Tanh => 4.0 * bump(2.0 * x),
            Self::Sine => x.cos(),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        activations()
            .iter()
            .copied()
            .find(|activation| activation.name() == name)
            .ok_or_else(|| UnknownActivation {
                name: name.to_owned(),
                known: activations()
                    .iter()
                    .map(|a| a.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::softplus;

    #[test]
    fn names_read_back_as_the_activation_they_name() {
        for &activation in activations() {
            assert_eq!(activation.to_string().parse(), Ok(activation));
            let json = serde_json::to_string(&activation).unwrap();
            assert_eq!(json, format!("\"{activation}\""));
            assert_eq!(
                serde_json::from_str::<Activation>(&json).unwrap(),
                activation
            );
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "swoosh".parse::<Activation>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown activation `swoosh`: the known ones are relu, sigmoid, tanh, sine"
        );
    }

    #[test]
    fn derivatives_agree_with_central_differences() {
        let h = 1e-5;
        for &activation in activations() {
            for x in [-7.3, -2.0, -0.4, 0.3, 1.0, 6.5] {
                let difference = (activation.value(x + h) - activation.value(x - h)) / (2.0 * h);
                // h² truncation plus 1e-16 / h rounding
                assert!(
                    (activation.derivative(x) - difference).abs() < 1e-9,
                    "{activation} {x}"
                );
            }
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn the_tails_neither_overflow_nor_cancel() {
        for &activation in activations() {
            for x in [-1e308, -800.0, 800.0, 1e308] {
                assert!(activation.value(x).is_finite(), "{activation} {x}");
                assert!(activation.derivative(x).is_finite(), "{activation} {x}");
            }
        }
        let left = Activation::Sigmoid.value(-700.0);
        assert!((left / (-700.0_f64).exp() - 1.0).abs() < 1e-14);
        let slope = Activation::Tanh.derivative(30.0);
        assert!((slope / (4.0 * (-60.0_f64).exp()) - 1.0).abs() < 1e-14);
        assert_eq!(softplus(-800.0), 0.0);
        assert_eq!(softplus(800.0), 800.0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn the_three_functions_take_their_textbook_values() {
        assert_eq!(Activation::Relu.value(-3.0), 0.0);
        assert_eq!(Activation::Relu.value(3.0), 3.0);
        assert_eq!(Activation::Relu.derivative(0.0), 0.0);
        assert_eq!(Activation::Sigmoid.value(0.0), 0.5);
        assert_eq!(Activation::Sigmoid.derivative(0.0), 0.25);
        assert_eq!(Activation::Tanh.value(1.0), 1.0_f64.tanh());
        assert_eq!(Activation::Tanh.derivative(0.0), 1.0);
    }
}
