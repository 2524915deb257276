//! Numbers for reading, and tables of them in Markdown.

use crate::statistics::wilson;

/// A table; cells may hold anything.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header.iter().map(|cell| (*cell).to_string()).collect());
    text += &line(vec!["---".to_string(); header.len()]);
    for row in rows {
        text += &line(row.iter().map(|cell| cell_text(cell)).collect());
    }
    text
}

/// A cell cannot hold bars or line ends as they are.
pub fn cell_text(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// "99.05 %"; a dash where nothing was measured.
pub fn percent(fraction: Option<f64>) -> String {
    fraction.map_or("–".to_string(), |fraction| {
        format!("{:.2} %", 100.0 * fraction)
    })
}

/// "99.05 % (98.84–99.22)", with the 95 % interval of Wilson for that many images.
pub fn percent_of(fraction: Option<f64>, images: usize) -> String {
    fraction.map_or("–".to_string(), |fraction| {
        let (low, high) = wilson(fraction, images);
        format!(
            "{:.2} % ({:.2}–{:.2})",
            100.0 * fraction,
            100.0 * low,
            100.0 * high
        )
    })
}

/// A number of seconds, bytes or whatever, formatted if it was measured.
pub fn shown(value: Option<f64>, format: impl Fn(f64) -> String) -> String {
    value.map_or("–".to_string(), format)
}

/// "3.50 M", "164.0 k".
pub fn count(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

/// "336.7 MB", decimal.
pub fn bytes(value: u64) -> String {
    match value as f64 {
        v if v >= 1e9 => format!("{:.2} GB", v / 1e9),
        v if v >= 1e6 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.1} kB", v / 1e3),
    }
}

/// Seconds with three digits: "0.123", "12.3", "1234".
pub fn seconds(value: f64) -> String {
    let decimals = (2.0 - value.max(1e-4).log10().floor()).max(0.0) as usize;
    format!("{value:.decimals$} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        assert_eq!([3.5e6, 164e3, 12.0].map(count), ["3.50 M", "164.0 k", "12"]);
        assert_eq!([336_700_000, 1_200].map(bytes), ["336.7 MB", "1.2 kB"]);
        assert_eq!(
            [0.1234, 12.34, 1234.4].map(seconds),
            ["0.123 s", "12.3 s", "1234 s"]
        );
        assert_eq!(percent_of(Some(0.9905), 10_000), "99.05 % (98.84–99.22)");
        assert_eq!(percent(None), "–");
    }

    #[test]
    fn a_cell_stays_one_cell() {
        let text = table(&["a"], &[vec!["x | y\nz".to_string()]]);
        assert_eq!(text, "| a |\n| --- |\n| x \\| y z |\n");
    }
}
