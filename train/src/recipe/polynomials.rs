//! How polynomials take the place of activations.

use super::check::{Check, finite};
use approx::Activation;
use cryptodl_network::{Layer, Network, NetworkError, Nonlinearity};
use serde::{Deserialize, Serialize};

/// What training may do with the coefficients of polynomials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coefficients {
    /// What the network says: they are frozen, or learned for each layer.
    #[default]
    Given,
    /// They are learned, one set a layer.
    Layer,
    /// They are learned, one set a channel. Of degree 2, a batch norm before and a linear layer behind make that
    /// redundant, see [`Nonlinearity::Channels`].
    Channel,
}

impl Coefficients {
    /// The network with polynomials of that kind.
    pub(crate) fn applied(self, network: &Network) -> Result<Network, NetworkError> {
        let mut network = network.clone();
        if self == Self::Given {
            return Ok(network);
        }
        let shapes = network.shapes()?;
        for (node, shape) in network.nodes.iter_mut().zip(shapes) {
            let Layer::Activation(used) = &mut node.layer else {
                continue;
            };
            match (self, &mut *used) {
                (Self::Channel, Nonlinearity::Polynomial { polynomial, .. }) => {
                    let polynomials = vec![polynomial.clone(); shape.channels];
                    *used = Nonlinearity::Channels {
                        polynomials,
                        learnable: true,
                    };
                }
                (
                    _,
                    Nonlinearity::Polynomial { learnable, .. }
                    | Nonlinearity::Channels { learnable, .. },
                ) => *learnable = true,
                (_, Nonlinearity::Exact(_)) => {}
            }
        }
        Ok(network)
    }
}

/// How polynomials take the place of activations while training goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomials {
    /// Share of all steps during which activations turn from `z` into their polynomials: `(1 - t) z + t p(z)`, `t` from
    /// 0 to 1. A deep network of polynomials is tame at first and learns to keep its inputs small. 0 switches it off.
    pub near_linear: f64,
    /// The same from the activation that the polynomial stands for: best with a `start` that was trained with it.
    /// After Baruch et al. (2022), *A methodology for training homomorphic encryption friendly neural networks*.
    pub replacement: f64,
    /// Whether the polynomial sees inputs cut to its interval while it is not alone yet.
    pub replacement_clip: bool,
    /// What training may do with the coefficients of polynomials.
    pub coefficients: Coefficients,
    /// Whether each polynomial is the Hermite series of `replaced` instead, of the same degree, its terms normalised one
    /// by one for each channel and folded into polynomials of each channel when exported (AESPA).
    pub hermite: bool,
    /// The activation that `replacement` begins with and `hermite` expands; ReLU if none is named. `cryptodl` names the one that was fitted.
    pub replaced: Option<Activation>,
}

impl Default for Polynomials {
    fn default() -> Self {
        Self {
            near_linear: 0.0,
            replacement: 0.0,
            replacement_clip: false,
            coefficients: Coefficients::Given,
            hermite: false,
            replaced: None,
        }
    }
}

impl Polynomials {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (
                !self.hermite
                    || self.near_linear == 0.0
                        && self.replacement == 0.0
                        && self.coefficients == Coefficients::Given,
                "hermite goes without near_linear, replacement and coefficients",
            ),
            (
                finite(self.near_linear) && self.near_linear <= 1.0,
                "near_linear must be in [0, 1]",
            ),
            (
                finite(self.replacement) && self.replacement <= 1.0,
                "replacement must be in [0, 1]",
            ),
            (
                self.near_linear == 0.0 || self.replacement == 0.0,
                "near_linear and replacement exclude each other: set one of them to 0",
            ),
            (
                !self.replacement_clip || self.replacement > 0.0,
                "replacement_clip is about what replacement does: set that to more than 0",
            ),
        ]
    }
}
