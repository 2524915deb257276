//! Interval arithmetic with outward rounding: what certified error bounds are computed in.
//!
//! Every operation returns an interval that contains the exact result for all numbers in its
//! operands. The basic operations of IEEE 754 are correctly rounded, so one step to the next double
//! outwards is enough. The elementary functions come from the system's and the `libm` crate's
//! libraries, whose documented errors are 1 to 2 units in the last place; they are widened by
//! [`LIBRARY_ERROR`], which is four times as much and the one assumption made here.

use std::{
    f64::consts::PI,
    ops::{Add, Mul, Neg, Sub},
};

/// Relative error granted to a library function and the few operations around it: 8 units.
const LIBRARY_ERROR: f64 = 8.0 * f64::EPSILON;

/// All numbers from `low` to `high`; an end may be infinite.
///
/// Unlike [`Interval`](crate::Interval), which says where a fit should be good, this is a set of
/// possible values of one quantity; it may be a single point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    /// Every real number: what is known of a result that overflowed.
    pub const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// The numbers between two ends, in either order; all numbers if an end is not a number.
    pub fn new(one: f64, other: f64) -> Self {
        if one.is_nan() || other.is_nan() {
            Self::ALL
        } else {
            Self {
                low: one.min(other),
                high: one.max(other),
            }
        }
    }

    /// The single number `x`.
    pub fn point(x: f64) -> Self {
        Self::new(x, x)
    }

    /// `centre ± radius`, rounded outwards.
    pub fn around(centre: f64, radius: f64) -> Self {
        Self::outwards(centre - radius, centre + radius)
    }

    /// One step outwards from two rounded ends.
    fn outwards(low: f64, high: f64) -> Self {
        if low.is_nan() || high.is_nan() {
            return Self::ALL;
        }
        Self {
            low: low.next_down(),
            high: high.next_up(),
        }
    }

    /// Ends that come from a library function, widened by its error.
    fn from_library(low: f64, high: f64, relative: f64) -> Self {
        // the smallest normal number covers results that are rounded among the subnormal ones
        let widen = |end: f64| relative * end.abs() + f64::MIN_POSITIVE;
        if low.is_nan() || high.is_nan() {
            return Self::ALL;
        }
        Self {
            low: if low.is_infinite() {
                f64::MAX.min(low)
            } else {
                low - widen(low)
            },
            high: high + widen(high),
        }
    }

    /// The low end.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The high end.
    pub fn high(self) -> f64 {
        self.high
    }

    /// A number near the middle.
    pub fn middle(self) -> f64 {
        0.5 * self.low + 0.5 * self.high
    }

    /// `high - low`, rounded up.
    pub fn width(self) -> f64 {
        (self.high - self.low).next_up()
    }

    /// The largest absolute value in it.
    pub fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// The smallest absolute value in it.
    pub fn mignitude(self) -> f64 {
        if self.contains(0.0) {
            0.0
        } else {
            self.low.abs().min(self.high.abs())
        }
    }

    /// Whether `x` lies in it.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The smallest one that contains both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// An increasing library function of every number in it.
    pub(crate) fn increasing(self, f: impl Fn(f64) -> f64) -> Self {
        Self::from_library(f(self.low), f(self.high), LIBRARY_ERROR)
    }

    /// An even library function that falls as `|x|` grows; `condition` is the extra relative error
    /// at the largest `|x|`, in units of [`LIBRARY_ERROR`].
    pub(crate) fn falling_from_zero(self, f: impl Fn(f64) -> f64, condition: f64) -> Self {
        Self::from_library(
            f(self.magnitude()),
            f(self.mignitude()),
            LIBRARY_ERROR * (1.0 + condition),
        )
    }

    /// A wave of period 2π and height 1, with a peak at `peak`: whatever it takes between the ends and, where a peak or a
    /// trough may lie between them, that.
    pub(crate) fn wave(self, f: impl Fn(f64) -> f64, peak: f64) -> Self {
        let all = Self::new(-1.0, 1.0);
        // further out, the rounding of the argument alone could move an end past a peak
        if self.magnitude() >= 1e6 || self.width() >= PI {
            return all;
        }
        let end = |x: f64| Self::around(f(x), LIBRARY_ERROR);
        let mut hull = end(self.low).hull(end(self.high));
        for (at, height) in [(peak, 1.0), (peak - PI, -1.0)] {
            let turns = |x: f64| (x - at) / (2.0 * PI);
            if (turns(self.low) - 1e-9).ceil() <= turns(self.high) + 1e-9 {
                hull = hull.hull(Self::point(height));
            }
        }
        Self {
            low: hull.low.max(-1.0),
            high: hull.high.min(1.0),
        }
    }

    /// An increasing library function whose relative error at `x` is `condition(x)` times the usual.
    pub(crate) fn increasing_with(
        self,
        f: impl Fn(f64) -> f64,
        condition: impl Fn(f64) -> f64,
    ) -> Self {
        let at = |x: f64| Self::from_library(f(x), f(x), LIBRARY_ERROR * condition(x).max(1.0));
        at(self.low).hull(at(self.high))
    }
}

impl Add for Bounds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::outwards(self.low + other.low, self.high + other.high)
    }
}

impl Sub for Bounds {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::outwards(self.low - other.high, self.high - other.low)
    }
}

impl Neg for Bounds {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            low: -self.high,
            high: -self.low,
        }
    }
}

impl Mul for Bounds {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let zero = Self::point(0.0);
        // exactly zero, also when the other one is unbounded
        if self == zero || other == zero {
            return zero;
        }
        let products = [
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        ];
        if products.iter().any(|product| product.is_nan()) {
            return Self::ALL;
        }
        let low = products.into_iter().fold(f64::INFINITY, f64::min);
        let high = products.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self::outwards(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_contain_the_exact_result() {
        // 0.1 + 0.2 and 0.1 · 0.2 in exact arithmetic of their binary values, in units of 2^-110
        let (a, b) = (Bounds::point(0.1), Bounds::point(0.2));
        let sum = a + b;
        assert!(sum.low() < sum.high() && sum.contains(0.3));
        assert!(sum.width() < 2.0e-16);
        let product = a * b;
        assert!(product.contains(0.02) && product.width() < 1e-17);
        let signs = Bounds::new(-2.0, 3.0) * Bounds::new(-5.0, 1.0);
        assert!(signs.contains(-15.0) && signs.contains(10.0) && !signs.contains(10.1));
        assert!((a - a).contains(0.0));
    }

    #[test]
    fn unbounded_values_stay_unbounded_and_zero_stays_zero() {
        assert_eq!(Bounds::ALL * Bounds::point(0.0), Bounds::point(0.0));
        assert_eq!(Bounds::ALL * Bounds::new(-1.0, 2.0), Bounds::ALL);
        assert_eq!(Bounds::new(f64::NAN, 1.0), Bounds::ALL);
        let overflow = Bounds::point(1e308) * Bounds::point(10.0);
        assert!(overflow.low() <= f64::MAX && overflow.high() == f64::INFINITY);
    }

    #[test]
    fn library_functions_are_widened_outwards() {
        let e = Bounds::point(1.0).increasing(f64::exp);
        assert!(e.low() < std::f64::consts::E && std::f64::consts::E < e.high());
        let bell = Bounds::new(-1.0, 3.0).falling_from_zero(|x| (-x * x).exp(), 18.0);
        assert!(bell.contains(1.0) && bell.contains((-9.0_f64).exp()));
        let huge = Bounds::new(0.0, 1000.0).increasing(f64::exp);
        assert!(huge.contains(1.0) && huge.high() == f64::INFINITY);
    }

    #[test]
    fn magnitude_and_mignitude_bracket_the_absolute_value() {
        let across = Bounds::new(-2.0, 1.0);
        assert_eq!((across.mignitude(), across.magnitude()), (0.0, 2.0));
        let left = Bounds::new(-2.0, -1.0);
        assert_eq!((left.mignitude(), left.magnitude()), (1.0, 2.0));
        assert!(left.hull(across).contains(1.0));
        assert!((Bounds::around(1.0, 0.5).middle() - 1.0).abs() < 1e-15);
    }
}
