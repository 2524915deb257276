//! Low-degree polynomials that stand in for the activation functions of neural networks.
//!
//! Homomorphic encryption can add and multiply but not compare, so an encrypted network needs a
//! polynomial in place of ReLU, Sigmoid or tanh. This crate finds it: by the five methods that the
//! CryptoDL paper compares (Hesamifard, Takabi & Ghasemi 2017, arXiv:1711.05189) and by others, on any
//! interval, at degrees 1 to 63, to nearly full double precision; proves its error; and counts what
//! it costs on ciphertexts.
//!
//! ```
//! use approx::{Activation, Interval, methods, sampled_error};
//!
//! let on: Interval = "-8:8".parse()?;
//! for method in methods() {
//!     let polynomial = method.fit(&Activation::Relu, on, 4)?;
//!     let report = sampled_error(&Activation::Relu, &polynomial, 1000);
//!     assert!(report.max_error < 0.25 * on.half_width(), "{}", method.name());
//!     assert_eq!(polynomial.depth(), 2); // two ciphertext products in sequence
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what is in it |
//! |---|---|
//! | `activation` | [`Activation`]: the functions to imitate, with their derivatives |
//! | `function` | [`Function`]: anything that can be imitated; [`functions`] lists those with a name |
//! | `interval` | [`Interval`]: where, and the map to `[-1, 1]` |
//! | `basis` | [`Basis`]: monomial, Chebyshev, Legendre, and the recurrences of each |
//! | `bounds` | [`Bounds`]: interval arithmetic with outward rounding |
//! | `interpolate` | the polynomial through values at Chebyshev nodes |
//! | `polynomial` | [`Polynomial`]: coefficients, basis and interval in one value |
//! | [`fit`](mod@fit) | [`Fit`] and the methods, one file each; [`methods`] lists them |
//! | `projection` | the engine of all weighted least-squares fits |
//! | `remez` | the exchange algorithm behind `minimax` |
//! | `quadrature` | integrals of functions with one kink or steep front |
//! | `certified` | [`certify`]: a proven bound of the error; [`least_error`]: of the best possible one |
//! | `composite` | [`CompositeSign`], [`CompositeRelu`]: minimax polynomials of minimax polynomials |
//! | `cost` | [`Plan`]: evaluators over any [`Algebra`], and their [`Cost`] on ciphertexts |
//! | `search` | [`lowest_degree`]: the lowest degree with a proven error below a bound |
//! | `export` | [`Format`]: a polynomial as source text, CSV or JSON |
//! | `sampled` | [`sampled_error`]: maximum and root-mean-square error on a grid |
//!
//! What it leaves out: nothing here evaluates a polynomial on ciphertexts, trains a network or
//! chooses an interval.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;

mod activation;
mod basis;
mod bounds;
mod certified;
mod composite;
mod cost;
mod export;
pub mod fit;
mod function;
mod interpolate;
mod interval;
mod polynomial;
mod projection;
mod quadrature;
mod remez;
mod sampled;
mod search;
mod series;

pub use activation::{Activation, UnknownActivation, activations};
pub use basis::Basis;
pub use bounds::Bounds;
pub use certified::{CertifiedError, NotCertifiable, certify, certify_on, least_error};
pub use composite::{CompositeRelu, CompositeSign};
pub use cost::{Algebra, Clear, Cost, Meter, Place, Plan, cheapest_plan, plans};
pub use export::{Format, formats};
pub use fit::{Fit, FitError, MAX_DEGREE, MIN_DEGREE, method, methods};
pub use function::{
    Absolute, Custom, Exponential, Function, Gelu, LeakyRelu, Sign, Silu, Softplus, Step, Symmetry,
    UnknownFunction, function, functions,
};
pub use interval::{Interval, IntervalError};
pub use polynomial::{Polynomial, PolynomialError, taylor_shift};
pub use sampled::{ErrorReport, sampled_error};
pub use search::{LowestDegree, SearchError, lowest_degree};
