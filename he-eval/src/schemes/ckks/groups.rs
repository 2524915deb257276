//! Which nodes of a graph are evaluated together, and how many levels each group takes.

use approx::{Basis, Interval, Polynomial, cheapest_plan};

use crate::{
    EvalError,
    graph::{Function, Node, Operation, Power},
    quantise::QuantiseError,
};

/// Nodes that are evaluated together, by their indices.
#[derive(Clone, Debug, PartialEq)]
pub enum Group {
    /// A linear layer alone; takes no level.
    Linear(usize),
    /// A square between linear layers, of which either may be missing. Its results are rescaled if a
    /// product follows later.
    Square {
        /// The linear layer before.
        before: Option<usize>,
        /// The square.
        square: usize,
        /// The linear layer after.
        after: Option<usize>,
        /// Whether a level is taken.
        rescale: bool,
    },
    /// A polynomial for each channel.
    Polynomial {
        /// The activation.
        node: usize,
        /// One polynomial for each channel, or one for all.
        polynomials: Vec<Polynomial>,
        /// Levels of its circuit, by a dry run of the evaluator.
        levels: usize,
    },
}

impl Group {
    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Linear(_) | Self::Polynomial { .. } => 1,
            Self::Square { before, after, .. } => {
                1 + usize::from(before.is_some()) + usize::from(after.is_some())
            }
        }
    }

    /// Primes that it drops.
    pub fn levels(&self) -> usize {
        match self {
            Self::Linear(_) => 0,
            Self::Square { rescale, .. } => usize::from(*rescale),
            // one more brings the scale to where the circuit wants it
            Self::Polynomial { levels, .. } => levels + 1,
        }
    }
}

/// Groups the nodes of a chain.
///
/// # Errors
/// When an activation is not a polynomial.
pub fn groups(nodes: &[Node<f64>]) -> Result<Vec<Group>, EvalError> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < nodes.len() {
        let is_linear = |index: usize| {
            nodes
                .get(index)
                .is_some_and(|node| matches!(node.operation, Operation::Linear(_)))
        };
        let is_square = |index: usize| {
            nodes.get(index).is_some_and(
                |node| matches!(&node.operation, Operation::Power(power) if power.degree == 2),
            )
        };
        let group = if is_square(at) || (is_linear(at) && is_square(at + 1)) {
            let before = is_linear(at).then_some(at);
            let square = at + usize::from(before.is_some());
            let after = is_linear(square + 1).then_some(square + 1);
            let end = after.unwrap_or(square);
            let rest = &nodes[end + 1..];
            Group::Square {
                before,
                square,
                after,
                rescale: rest
                    .iter()
                    .any(|node| !matches!(node.operation, Operation::Linear(_))),
            }
        } else {
            match &nodes[at].operation {
                Operation::Linear(_) => Group::Linear(at),
                Operation::Power(power) => polynomial(at, monic(power)?)?,
                Operation::Function(Function::Polynomial(p)) => polynomial(at, vec![p.clone()])?,
                Operation::Function(Function::Rounding(_)) => {
                    let node = nodes[at].name.clone();
                    return Err(QuantiseError::Rounding { node }.into());
                }
                Operation::Function(Function::Exact(_)) => return Err(EvalError::NotPolynomial),
            }
        };
        at += group.nodes();
        groups.push(group);
    }
    Ok(groups)
}

fn polynomial(node: usize, polynomials: Vec<Polynomial>) -> Result<Group, EvalError> {
    let levels = polynomials
        .iter()
        .map(|p| cheapest_plan(p).map(|(_, cost)| cost.levels));
    let levels = levels
        .collect::<Option<Vec<usize>>>()
        .ok_or(EvalError::NotPolynomial)?;
    Ok(Group::Polynomial {
        node,
        polynomials,
        levels: levels.into_iter().max().unwrap_or(0),
    })
}

/// `y^d + Σ b_k y^k` for each channel.
fn monic(power: &Power<f64>) -> Result<Vec<Polynomial>, EvalError> {
    let on = Interval::new(-1.0, 1.0).expect("in order");
    let channels = power.lower.iter().map(|lower| {
        let mut coefficients = vec![0.0];
        coefficients.extend(lower);
        coefficients.resize(power.degree, 0.0);
        coefficients.push(1.0);
        Polynomial::new(coefficients, Basis::Monomial, on).map_err(|_| EvalError::NotPolynomial)
    });
    channels.collect()
}
