//! Why a network cannot be folded, or a graph not made integer.

use thiserror::Error;

use crate::graph::{Function, Operation};
use crate::weight::Weight;

/// Why a network cannot be folded.
#[derive(Debug, Error)]
pub enum FoldError {
    /// The network itself is inconsistent.
    #[error(transparent)]
    Network(#[from] cryptodl_network::NetworkError),
    /// An activation polynomial without any slope.
    #[error("the activation of layer {layer} is a constant: fit it again on another interval")]
    ConstantActivation {
        /// The node of the network.
        layer: usize,
    },
    /// An activation polynomial whose leading coefficient vanishes.
    #[error(
        "the polynomial of layer {layer} cannot be brought to leading coefficient 1: fit it with a lower degree"
    )]
    Leading {
        /// The node of the network.
        layer: usize,
    },
    /// Polynomials of each channel's own that would have to be evaluated in their own basis.
    #[error(
        "the polynomials of layer {layer} have degree {degree}, one for each channel: train them with a degree of at most 4, or one for all channels"
    )]
    ChannelDegree {
        /// The node of the network.
        layer: usize,
        /// The highest of their degrees.
        degree: usize,
    },
    /// A tensor the network needs is not in the artifact.
    #[error("the artifact has no tensor `{name}`: train the network again")]
    MissingTensor {
        /// Its name.
        name: String,
    },
}

/// Why a graph cannot be made integer.
#[derive(Debug, Error)]
pub enum QuantiseError {
    /// Weight bits out of range.
    #[error("weights of {0} bits are not supported: choose 2 to 12")]
    WeightBits(u32),
    /// Input bits out of range.
    #[error("pixels of {0} bits are not supported: choose 1 to 8")]
    InputBits(u32),
    /// A function without an integer form.
    #[error(
        "`{node}` is not a polynomial of degree 1 to 4, so it has no integer form: only scheme `clear` evaluates it"
    )]
    NotPolynomial {
        /// The node's name.
        node: String,
    },
    /// A layer that rounds.
    #[error("`{node}` rounds its values, and rounding needs a look-up: scheme `tfhe`")]
    Rounding {
        /// The node's name.
        node: String,
    },
    /// The integers outgrow 255 bits.
    #[error(
        "the integers at `{node}` need more than 255 bits: use fewer --weight-bits, a lower degree or fewer layers"
    )]
    TooLarge {
        /// The node's name.
        node: String,
    },
}

impl QuantiseError {
    /// Why an operation has no integer form.
    pub fn of<T: Weight>(operation: &Operation<T>, node: &str) -> Self {
        let node = node.to_owned();
        match operation {
            Operation::Function(Function::Rounding(_)) => Self::Rounding { node },
            _ => Self::NotPolynomial { node },
        }
    }
}
