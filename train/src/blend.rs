//! Activations that turn into their polynomials while training goes on.
//!
//! At step `n` of `N` an activation is `(1 - t) f(z) + t p(z)` with `t = n / (share · N)`, and `p(z)` alone from `t = 1`
//! on. `f` is the identity (`near_linear`) or the activation that `p` stands for (`replacement`). The weights that are
//! evaluated after an epoch are always evaluated with `p` alone.
//!
//! # References
//! - Baruch et al. (2022), *A methodology for training homomorphic encryption friendly neural networks*, arXiv 2111.03362.

use crate::recipe::Polynomials;
use approx::Activation;

/// What polynomials are mixed with at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blend {
    /// The activation; `None` for the identity.
    pub with: Option<Activation>,
    /// Share of the polynomial, at least 0 and below 1.
    pub share: f64,
    /// Whether the polynomial sees inputs cut to its interval.
    pub clip: bool,
}

impl Blend {
    /// At the `done`-th step, counted from 0, of `total`; `None` where the polynomial is alone.
    pub(crate) fn at(polynomials: &Polynomials, done: usize, total: usize) -> Option<Self> {
        let (over, with) = if polynomials.replacement > 0.0 {
            let activation = polynomials.replaced.unwrap_or(Activation::Relu);
            (polynomials.replacement, Some(activation))
        } else {
            (polynomials.near_linear, None)
        };
        let steps = over * total as f64;
        let done = done as f64;
        (done < steps).then(|| Self {
            with,
            share: done / steps,
            clip: with.is_some() && polynomials.replacement_clip,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_rises_to_one_and_stays_there() {
        let polynomials = Polynomials {
            near_linear: 0.5,
            ..Polynomials::default()
        };
        let shares: Vec<Option<f64>> = (0..8)
            .map(|step| Blend::at(&polynomials, step, 8).map(|blend| blend.share))
            .collect();
        let rising = [Some(0.0), Some(0.25), Some(0.5), Some(0.75)];
        assert_eq!(shares, [rising, [None; 4]].concat());
        assert_eq!(Blend::at(&Polynomials::default(), 0, 8), None);
        let polynomials = Polynomials {
            replacement: 1.0,
            replacement_clip: true,
            ..Polynomials::default()
        };
        let last = Blend::at(&polynomials, 7, 8).unwrap();
        assert_eq!(last.with, Some(Activation::Relu));
        assert!(last.clip && last.share < 1.0);
    }
}
