//! Scales: from a value to its place on an axis, and where the ticks go.

use super::figure::Scale;

/// A tick: the value, and its text (empty: a mark without text).
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub text: String,
}

impl Scale {
    /// Where `value` lies: 0 at the low end of the axis, 1 at the high end; outside values lie outside.
    pub fn place(&self, value: f64) -> f64 {
        match self {
            Self::Linear(low, high) => (value - low) / (high - low),
            Self::Log(low, high) => (value / low).ln() / (high / low).ln(),
            // half a step of room at both ends, so that markers keep clear of the frame
            Self::Counts(low, high) => {
                (value - *low as f64 + 0.4) / (*high as f64 - *low as f64 + 0.8)
            }
            Self::Names(names) => 1.0 - (value + 0.5) / names.len() as f64,
        }
    }

    /// About `wanted` ticks, fewer if round values fall so.
    pub fn ticks(&self, wanted: usize) -> Vec<Tick> {
        match self {
            Self::Linear(low, high) => linear_ticks(*low, *high, wanted),
            Self::Log(low, high) => log_ticks(*low, *high, wanted),
            Self::Counts(low, high) => (*low..=*high)
                .map(|n| Tick {
                    value: n as f64,
                    text: n.to_string(),
                })
                .collect(),
            Self::Names(names) => names
                .iter()
                .enumerate()
                .map(|(row, name)| Tick {
                    value: row as f64,
                    text: name.clone(),
                })
                .collect(),
        }
    }

    /// A linear scale with more room at its high end, by a share of its length: for notes beside the last points.
    pub fn with_room(self, share: f64) -> Self {
        match self {
            Self::Linear(low, high) => Self::Linear(low, high + share * (high - low)),
            other => other,
        }
    }

    /// A linear scale over `values` with a little room.
    pub fn linear_over(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values).unwrap_or((0.0, 1.0));
        let room = if high > low { 0.05 * (high - low) } else { 0.5 };
        Self::Linear(low - room, high + room)
    }

    /// A logarithmic scale over the positive ones of `values`, in whole decades.
    pub fn log_over(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) =
            range(values.into_iter().filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let (first, last) = (low.log10().floor(), high.log10().ceil());
        Self::Log(10_f64.powf(first), 10_f64.powf(last.max(first + 1.0)))
    }
}

fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold(None, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((value.min(low), value.max(high)))
        })
}

fn linear_ticks(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let rough = (high - low) / wanted.max(1) as f64;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 4.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * decade)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            // a true minus sign is as wide as a digit
            Tick {
                value,
                text: format!("{value:.decimals$}").replace('-', "−"),
            }
        })
        .collect()
}

fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let first = (low.log10() - 1e-9).ceil() as i32;
    let last = (high.log10() + 1e-9).floor() as i32;
    let every = ((last - first) as usize / wanted.max(1)) as i32 + 1;
    (first..=last)
        .map(|power| {
            let text = if (power - first) % every == 0 {
                power_of_ten(power)
            } else {
                String::new()
            };
            Tick {
                value: 10_f64.powi(power),
                text,
            }
        })
        .collect()
}

/// "1", "10" and "100" as they are, everything else as "10⁴" or "10⁻¹".
fn power_of_ten(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    if (0..=2).contains(&power) {
        return 10_u32.pow(power.unsigned_abs()).to_string();
    }
    let digits = power.unsigned_abs().to_string();
    let raised: String = digits
        .bytes()
        .map(|digit| DIGITS[usize::from(digit - b'0')])
        .collect();
    format!("10{}{raised}", if power < 0 { "⁻" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |scale: &Scale| {
            scale
                .ticks(5)
                .into_iter()
                .map(|tick| tick.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            texts(&Scale::Linear(-8.0, 8.0)),
            ["−8", "−4", "0", "4", "8"]
        );
        assert_eq!(
            texts(&Scale::Linear(0.0, 1.0)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(&Scale::Log(1e-3, 10.0)),
            ["10⁻³", "10⁻²", "10⁻¹", "1", "10"]
        );
        assert_eq!(texts(&Scale::Log(1e4, 1e7)), ["10⁴", "10⁵", "10⁶", "10⁷"]);
        for scale in [
            Scale::Linear(98.2, 99.7),
            Scale::Log(3.0, 2e9),
            Scale::Counts(1, 9),
        ] {
            for tick in scale.ticks(6) {
                assert!(
                    (-1e-6..=1.0 + 1e-6).contains(&scale.place(tick.value)),
                    "{scale:?} {tick:?}"
                );
            }
        }
    }

    #[test]
    fn scales_cover_their_values() {
        let Scale::Log(low, high) = Scale::log_over([0.0, 0.02, 7.0]) else {
            panic!("a log scale")
        };
        assert!((low - 0.01).abs() < 1e-12 && (high - 10.0).abs() < 1e-9);
        let Scale::Log(low, high) = Scale::log_over([]) else {
            panic!("a log scale")
        };
        assert!(low < high);
        let names = Scale::Names(vec!["a".into(), "b".into()]);
        assert!(names.place(0.0) > names.place(1.0));
    }
}
