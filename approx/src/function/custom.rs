//! A function given in code.

use std::fmt;

use super::{Function, Symmetry};
use crate::bounds::Bounds;

type Value = Box<dyn Fn(f64) -> f64 + Send + Sync>;
type Series = Box<dyn Fn(f64, usize) -> Option<Vec<f64>> + Send + Sync>;
type Enclosure = Box<dyn Fn(Bounds, usize) -> Option<Vec<Bounds>> + Send + Sync>;

/// A function of the user's own: a name, a closure, and whatever else is known of it.
///
/// ```
/// use approx::{Custom, Fit, Symmetry, fit::Interpolation};
///
/// let witch = Custom::new("witch", |x: f64| 1.0 / (1.0 + x * x))
///     .with_derivative(|x| -2.0 * x / (1.0 + x * x).powi(2))
///     .with_symmetry(Symmetry::Even { slope: 0.0 });
/// let p = Interpolation.fit(&witch, "-5:5".parse()?, 10)?;
/// assert_eq!(p.coefficients()[3], 0.0); // even, exactly
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Custom {
    name: String,
    value: Value,
    derivative: Option<Value>,
    symmetry: Symmetry,
    kink: Option<f64>,
    taylor: Option<Series>,
    enclosure: Option<Enclosure>,
}

impl Custom {
    /// The function `value`, of which nothing else is known: its derivative is taken numerically,
    /// it has no Taylor series, and its errors are sampled, not certified.
    pub fn new(
        name: impl Into<String>,
        value: impl Fn(f64) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            value: Box::new(value),
            derivative: None,
            symmetry: Symmetry::None,
            kink: None,
            taylor: None,
            enclosure: None,
        }
    }

    /// States the derivative.
    #[must_use]
    pub fn with_derivative(mut self, f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        self.derivative = Some(Box::new(f));
        self
    }

    /// States a symmetry, which must hold exactly: fits then set the coefficients to zero that it
    /// kills.
    #[must_use]
    pub fn with_symmetry(mut self, symmetry: Symmetry) -> Self {
        self.symmetry = symmetry;
        self
    }

    /// States where the function or its derivative jumps.
    #[must_use]
    pub fn with_kink(mut self, at: f64) -> Self {
        self.kink = Some(at);
        self
    }

    /// States the Taylor coefficients, as [`Function::taylor`] describes them.
    #[must_use]
    pub fn with_taylor(
        mut self,
        f: impl Fn(f64, usize) -> Option<Vec<f64>> + Send + Sync + 'static,
    ) -> Self {
        self.taylor = Some(Box::new(f));
        self
    }

    /// States rigorous bounds, as [`Function::enclose`] describes them; errors can then be
    /// certified.
    #[must_use]
    pub fn with_enclosure(
        mut self,
        f: impl Fn(Bounds, usize) -> Option<Vec<Bounds>> + Send + Sync + 'static,
    ) -> Self {
        self.enclosure = Some(Box::new(f));
        self
    }

    /// The least that makes errors certifiable: the slope of every chord is at most `slope` in
    /// absolute value, and `value` is computed to a relative error of `rounding`.
    #[must_use]
    pub fn with_lipschitz_bound(self, slope: f64, rounding: f64) -> Self {
        let Self { value, .. } = self;
        let value = std::sync::Arc::new(value);
        let inside = std::sync::Arc::clone(&value);
        let enclosure = move |at: Bounds, order: usize| {
            let middle = at.middle().clamp(at.low(), at.high());
            let known = inside(middle);
            let slopes = Bounds::new(-slope, slope);
            let values = Bounds::around(known, rounding * known.abs())
                + slopes * (at - Bounds::point(middle));
            let mut bounds = vec![values, slopes];
            bounds.truncate(order + 1);
            Some(bounds)
        };
        Self {
            value: Box::new(move |x| value(x)),
            enclosure: Some(Box::new(enclosure)),
            ..self
        }
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom")
            .field("name", &self.name)
            .field("symmetry", &self.symmetry)
            .field("kink", &self.kink)
            .finish_non_exhaustive()
    }
}

impl Function for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn value(&self, x: f64) -> f64 {
        (self.value)(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        if let Some(derivative) = &self.derivative {
            return derivative(x);
        }
        let h = 6e-6 * x.abs().max(1.0);
        (self.value(x + h) - self.value(x - h)) / (2.0 * h)
    }

    fn symmetry(&self) -> Symmetry {
        self.symmetry
    }

    fn kink(&self) -> Option<f64> {
        self.kink
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        self.taylor.as_ref()?(at, order)
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        self.enclosure.as_ref()?(at, order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_has_a_default_or_is_missing() {
        let plain = Custom::new("cubic", |x: f64| x.powi(3));
        assert!((plain.derivative(2.0) - 12.0).abs() < 1e-8);
        assert_eq!(plain.taylor(0.0, 3), None);
        assert_eq!(plain.enclose(Bounds::point(1.0), 3), None);
        assert_eq!((plain.name(), plain.kink()), ("cubic", None));
    }

    #[test]
    fn what_is_stated_is_used() {
        let stated = Custom::new("cubic", |x: f64| x.powi(3))
            .with_derivative(|x| 3.0 * x * x)
            .with_kink(1.0)
            .with_symmetry(Symmetry::Odd { constant: 0.0 })
            .with_taylor(|at, _| Some(vec![at.powi(3), 3.0 * at * at, 3.0 * at, 1.0]));
        assert!((stated.derivative(2.0) - 12.0).abs() < 1e-15);
        assert_eq!(stated.kink(), Some(1.0));
        assert!(stated.taylor(0.0, 3).unwrap().len() == 4);
        assert!(format!("{stated:?}").contains("cubic"));
    }

    #[test]
    fn a_lipschitz_bound_encloses_all_values() {
        let sine = Custom::new("sine", f64::sin).with_lipschitz_bound(1.0, 1e-15);
        let bounds = sine.enclose(Bounds::new(0.5, 0.9), 4).unwrap();
        assert_eq!(bounds.len(), 2);
        assert!(bounds[0].contains(0.5_f64.sin()) && bounds[0].contains(0.9_f64.sin()));
        assert!((sine.value(0.5) - 0.5_f64.sin()).abs() < 1e-16);
    }
}
