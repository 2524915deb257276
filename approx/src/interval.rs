//! Where a stand-in has to be good: a checked interval and its map to `[-1, 1]`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Half-width below which an interval counts as a point, relative to its larger end: the map to
/// `[-1, 1]` would otherwise lose more than a quarter of its digits.
const NARROWEST: f64 = 1e-12;

/// An interval `[low, high]`: both ends finite, `low < high`, wide enough for double precision.
///
/// The same value is read from and written as text, `-8:8`, and as JSON, `{"low":-8.0,"high":8.0}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Ends")]
pub struct Interval {
    low: f64,
    high: f64,
}

/// What an interval looks like before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    low: f64,
    high: f64,
}

/// Why two numbers, or a text, are no interval.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IntervalError {
    /// An end is infinite or not a number.
    #[error("the ends of an interval must be finite numbers, not {low}:{high}")]
    NotFinite {
        /// The low end that was given.
        low: f64,
        /// The high end that was given.
        high: f64,
    },
    /// The low end is above the high end.
    #[error("the interval {low}:{high} is upside down: write {high}:{low}")]
    UpsideDown {
        /// The low end that was given.
        low: f64,
        /// The high end that was given.
        high: f64,
    },
    /// The ends are equal, or too close together for double precision.
    #[error("the interval {low}:{high} is too narrow to fit anything on")]
    TooNarrow {
        /// The low end that was given.
        low: f64,
        /// The high end that was given.
        high: f64,
    },
    /// The text is not two numbers with a colon between them.
    #[error("`{text}` is not an interval: write `low:high`, for instance `-8:8`")]
    NotAnInterval {
        /// The text that was given.
        text: String,
    },
}

impl Interval {
    /// The interval `[low, high]`.
    ///
    /// # Errors
    /// [`IntervalError`] if an end is not finite, if `low > high`, or if the ends (nearly) coincide.
    pub fn new(low: f64, high: f64) -> Result<Self, IntervalError> {
        if !low.is_finite() || !high.is_finite() {
            return Err(IntervalError::NotFinite { low, high });
        }
        if low > high {
            return Err(IntervalError::UpsideDown { low, high });
        }
        // the second limit keeps 1 / half_width finite
        let narrowest = (NARROWEST * low.abs().max(high.abs())).max(f64::MIN_POSITIVE);
        if 0.5 * high - 0.5 * low < narrowest {
            return Err(IntervalError::TooNarrow { low, high });
        }
        Ok(Self { low, high })
    }

    /// The low end.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The high end.
    pub fn high(self) -> f64 {
        self.high
    }

    /// The middle, `(low + high) / 2`.
    pub fn centre(self) -> f64 {
        0.5 * self.low + 0.5 * self.high
    }

    /// Half the width, `(high - low) / 2`; positive.
    pub fn half_width(self) -> f64 {
        0.5 * self.high - 0.5 * self.low
    }

    /// The affine map that takes the interval to `[-1, 1]`: `u = (x - centre) / half_width`.
    /// Points outside the interval land outside `[-1, 1]`.
    pub fn to_unit(self, x: f64) -> f64 {
        (x - self.centre()) / self.half_width()
    }

    /// The inverse of [`to_unit`](Self::to_unit): `x = centre + half_width u`.
    pub fn from_unit(self, u: f64) -> f64 {
        self.half_width().mul_add(u, self.centre())
    }

    /// Whether `low ≤ x ≤ high`.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The point of the interval nearest to `x`.
    pub fn clamp(self, x: f64) -> f64 {
        x.clamp(self.low, self.high)
    }
}

impl TryFrom<Ends> for Interval {
    type Error = IntervalError;

    fn try_from(ends: Ends) -> Result<Self, Self::Error> {
        Self::new(ends.low, ends.high)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.low, self.high)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text
            .split_once(':')
            .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        let (low, high) = ends.ok_or_else(|| IntervalError::NotAnInterval {
            text: text.to_owned(),
        })?;
        Self::new(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_read_back_as_the_same_interval() {
        for (low, high) in [(-8.0, 8.0), (0.0, 255.0), (-0.1, 1e-3), (-1e300, 1e308)] {
            let interval = Interval::new(low, high).unwrap();
            assert_eq!(interval.to_string().parse(), Ok(interval));
            let json = serde_json::to_string(&interval).unwrap();
            assert_eq!(serde_json::from_str::<Interval>(&json).unwrap(), interval);
        }
        assert_eq!(Interval::new(-8.0, 8.0).unwrap().to_string(), "-8:8");
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn the_unit_map_sends_the_ends_to_plus_and_minus_one_and_back() {
        for text in ["-8:8", "0:255", "-3:17", "1000:1001", "-1e308:1e308"] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.to_unit(interval.low()), -1.0);
            assert_eq!(interval.to_unit(interval.high()), 1.0);
            assert_eq!(interval.to_unit(interval.centre()), 0.0);
            let x = interval.from_unit(0.3);
            assert!((interval.to_unit(x) - 0.3).abs() < 1e-12);
            assert!(interval.contains(x) && !interval.contains(f64::INFINITY));
        }
    }

    #[test]
    fn bad_input_gets_one_clear_sentence() {
        for (text, sentence) in [
            ("3:-3", "the interval 3:-3 is upside down: write -3:3"),
            ("3:3", "the interval 3:3 is too narrow to fit anything on"),
            ("0:1e-320", "the interval 0:0.00"),
            (
                "NaN:3",
                "the ends of an interval must be finite numbers, not NaN:3",
            ),
            (
                "-inf:3",
                "the ends of an interval must be finite numbers, not -inf:3",
            ),
            (
                "abc",
                "`abc` is not an interval: write `low:high`, for instance `-8:8`",
            ),
            (
                "-8:x",
                "`-8:x` is not an interval: write `low:high`, for instance `-8:8`",
            ),
            (
                "",
                "`` is not an interval: write `low:high`, for instance `-8:8`",
            ),
        ] {
            let error = text.parse::<Interval>().unwrap_err().to_string();
            assert!(error.starts_with(sentence), "{text}: {error}");
        }
        let json = r#"{"low":3,"high":-3}"#;
        let error = serde_json::from_str::<Interval>(json)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "the interval 3:-3 is upside down: write -3:3");
    }
}
