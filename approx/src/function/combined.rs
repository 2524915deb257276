//! `scale · g(rate x) + slope x`: what the smooth twins of kinked functions are made of.

use super::{Function, Softplus, Symmetry};

/// `scale · inner(rate x) + slope x`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Combined<F> {
    pub inner: F,
    pub rate: f64,
    pub scale: f64,
    pub slope: f64,
}

impl Combined<Softplus> {
    /// `ln(1 + exp(κ x)) / κ`, which differs from ReLU by at most `ln 2 / κ`.
    pub(crate) fn softplus(kappa: f64) -> Self {
        Self {
            inner: Softplus,
            rate: kappa,
            scale: 1.0 / kappa,
            slope: 0.0,
        }
    }
}

impl<F: Function> Function for Combined<F> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn value(&self, x: f64) -> f64 {
        self.scale * self.inner.value(self.rate * x) + self.slope * x
    }

    fn derivative(&self, x: f64) -> f64 {
        // the product of the constants first: for a softplus it is 1
        (self.scale * self.rate) * self.inner.derivative(self.rate * x) + self.slope
    }

    fn symmetry(&self) -> Symmetry {
        match self.inner.symmetry() {
            Symmetry::Even { slope } => Symmetry::Even {
                slope: (self.scale * self.rate) * slope + self.slope,
            },
            Symmetry::Odd { constant } => Symmetry::Odd {
                constant: self.scale * constant,
            },
            Symmetry::None => Symmetry::None,
        }
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        let mut series = self.inner.taylor(self.rate * at, order)?;
        let mut factor = self.scale;
        for c in &mut series {
            *c *= factor;
            factor *= self.rate;
        }
        series[0] += self.slope * at;
        if order > 0 {
            series[1] += self.slope;
        }
        Some(series)
    }
}
