//! Ways to print fits: a paragraph each, one CSV, one JSON array, source text; and tables of aligned columns.

use crate::fitting::FitPoint;
use anyhow::{Context, Result};
use approx::Polynomial;
use serde::Serialize;
use std::fmt::Write;
use std::str::FromStr;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For reading.
    Table,
    /// What `approx` writes.
    Text(approx::Format),
}

impl Style {
    /// Every name that is accepted.
    pub fn names() -> Vec<&'static str> {
        let formats = approx::formats().into_iter().map(approx::Format::name);
        std::iter::once("table").chain(formats).collect()
    }
}

impl FromStr for Style {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "table" {
            return Ok(Self::Table);
        }
        approx::formats()
            .into_iter()
            .find(|format| format.name() == text)
            .map(Self::Text)
            .ok_or_else(|| {
                format!(
                    "`{text}` is no format: the known ones are {}",
                    Self::names().join(", ")
                )
            })
    }
}

/// A fit as it is printed.
#[derive(Serialize)]
pub struct Fitted {
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    /// Coefficients in the method's own basis, with basis and interval.
    pub polynomial: Polynomial,
    /// Coefficients of the powers of x.
    pub monomial: Vec<f64>,
    pub max_error: Option<f64>,
    pub max_error_at: Option<f64>,
    pub rms_error: Option<f64>,
    pub depth: Option<usize>,
}

impl Fitted {
    /// Fits, and measures the error.
    pub fn new(point: &FitPoint) -> Result<Self> {
        let (row, polynomial) = point.measure("")?;
        Ok(Self {
            activation: row.activation,
            method: row.method,
            degree: row.degree,
            low: row.low,
            high: row.high,
            monomial: polynomial.to_monomial(),
            polynomial,
            max_error: row.max_error,
            max_error_at: row.max_error_at,
            rms_error: row.rms_error,
            depth: row.depth,
        })
    }
}

/// All fits in one style.
pub fn print(fits: &[Fitted], style: Style) -> Result<String> {
    match style {
        Style::Table => paragraphs(fits),
        Style::Text(approx::Format::Csv) => csv_text(fits),
        Style::Text(approx::Format::Json) => {
            Ok(serde_json::to_string_pretty(fits).context("cannot write JSON")? + "\n")
        }
        Style::Text(format) => {
            let named = fits.iter().map(|fit| {
                let name = (fit.activation.as_str(), fit.method.as_str(), fit.degree);
                (name, &fit.polynomial)
            });
            Ok(source(format, &named.collect::<Vec<_>>()))
        }
    }
}

/// Source text of polynomials, each under an identifier made of activation, method and degree, and of the interval where there are
/// several.
pub fn source(
    format: approx::Format,
    polynomials: &[((&str, &str, usize), &Polynomial)],
) -> String {
    let several = polynomials
        .iter()
        .any(|(_, polynomial)| polynomial.interval() != polynomials[0].1.interval());
    let mut text = String::new();
    for ((activation, method, degree), polynomial) in polynomials {
        let mut name = format!("{activation}_{method}_{degree}").replace('-', "_");
        if several {
            let on = polynomial.interval();
            for end in [on.low(), on.high()] {
                name += &format!("_{end}").replace('-', "m").replace('.', "p");
            }
        }
        let own = format.write(polynomial, &name);
        // the Python of every polynomial begins with the same import
        let own = match own.split_once("import numpy\n\n") {
            Some(("", rest)) if !text.is_empty() => rest,
            _ => own.as_str(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text += own;
    }
    text
}

fn basis_name(polynomial: &Polynomial) -> Result<String> {
    let name = serde_json::to_value(polynomial.basis()).context("cannot name the basis")?;
    Ok(name.as_str().unwrap_or_default().to_string())
}

fn paragraphs(fits: &[Fitted]) -> Result<String> {
    let mut text = String::new();
    for fit in fits {
        let Fitted {
            activation,
            method,
            degree,
            low,
            high,
            ..
        } = fit;
        writeln!(
            text,
            "{activation}, {method}, degree {degree} on {low}:{high}"
        )?;
        if let (Some(max), Some(at), Some(rms), Some(depth)) =
            (fit.max_error, fit.max_error_at, fit.rms_error, fit.depth)
        {
            writeln!(
                text,
                "  largest sampled error {max:.6e}, at x = {at:.6}; root mean square {rms:.6e}; depth {depth}"
            )?;
        }
        let basis = basis_name(&fit.polynomial)?;
        if basis != "monomial" {
            for (index, coefficient) in fit.polynomial.coefficients().iter().enumerate() {
                writeln!(text, "  {basis:<10} {index:>2}  {coefficient:?}")?;
            }
        }
        for (power, coefficient) in fit.monomial.iter().enumerate() {
            writeln!(text, "  {:<10} {power:>2}  {coefficient:?}", "power of x")?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// One line a coefficient.
pub fn csv_text(fits: &[Fitted]) -> Result<String> {
    let mut text =
        String::from("activation,method,degree,low,high,basis,index,coefficient,monomial\n");
    for fit in fits {
        let Fitted {
            activation,
            method,
            degree,
            low,
            high,
            ..
        } = fit;
        let basis = basis_name(&fit.polynomial)?;
        for (index, monomial) in fit.monomial.iter().enumerate() {
            let coefficient = fit
                .polynomial
                .coefficients()
                .get(index)
                .copied()
                .unwrap_or(0.0);
            writeln!(
                text,
                "{activation},{method},{degree},{low},{high},{basis},{index},{coefficient:?},{monomial:?}"
            )?;
        }
    }
    Ok(text)
}

/// The rows of a table as CSV, with their header.
pub fn rows_as_csv<R: Serialize>(rows: &[R]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).context("cannot write CSV")?;
    }
    let bytes = writer.into_inner().context("cannot write CSV")?;
    String::from_utf8(bytes).context("cannot write CSV")
}

/// Columns of one width each: the first to the left, numbers to the right.
pub fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut line = format!("{:<1$}", cells[0], widths[0]);
        for (cell, width) in cells.iter().zip(&widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        line.trim_end().to_string() + "\n"
    };
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_string()).collect();
    std::iter::once(line(&header))
        .chain(rows.iter().map(|row| line(row)))
        .collect()
}

/// Four digits, or a dash.
pub fn short(value: Option<f64>) -> String {
    value.map_or("–".to_string(), |value| {
        if value == 0.0 || (1e-3..1e4).contains(&value) {
            format!("{value:.5}")
        } else {
            format!("{value:.3e}")
        }
    })
}

/// A share in percent, or a dash.
pub fn share(value: Option<f64>) -> String {
    value.map_or("–".to_string(), |value| {
        let percent = 100.0 * value;
        if percent.abs() < 1e4 {
            format!("{percent:.2} %")
        } else {
            format!("{percent:.1e} %")
        }
    })
}

/// A count, or a dash.
pub fn whole(value: Option<usize>) -> String {
    value.map_or("–".to_string(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::Interval;

    fn fitted(method: &str, on: &str) -> Fitted {
        Fitted::new(&FitPoint {
            activation: "sigmoid".to_string(),
            method: method.to_string(),
            degree: 5,
            on: on.parse::<Interval>().unwrap(),
        })
        .unwrap()
    }

    #[test]
    fn printed_coefficients_read_back_bit_for_bit() {
        let fit = fitted("legendre", "-8:8");
        let text = csv_text(std::slice::from_ref(&fit)).unwrap();
        let printed: Vec<f64> = text
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(printed, fit.monomial);
        let json = serde_json::to_string(&fit).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let read: Polynomial = serde_json::from_value(value["polynomial"].clone()).unwrap();
        assert_eq!(read.coefficients(), fit.polynomial.coefficients());
    }

    #[test]
    fn identifiers_differ_and_imports_stand_once() {
        let fits = [
            fitted("caratheodory-fejer", "-8:8"),
            fitted("minimax", "-8:8"),
        ];
        let python = print(&fits, "python".parse().unwrap()).unwrap();
        assert_eq!(python.matches("import numpy").count(), 1, "{python}");
        assert!(python.contains("sigmoid_caratheodory_fejer_5 = numpy.polynomial.Chebyshev"));
        let fits = [fitted("minimax", "-8:8"), fitted("minimax", "-2.5:2.5")];
        let c = print(&fits, "c".parse().unwrap()).unwrap();
        assert!(c.contains("double sigmoid_minimax_5_m8_8(") && c.contains("_5_m2p5_2p5("));
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["a".to_string(), "10".to_string()],
            vec!["long".to_string(), "9".to_string()],
        ];
        assert_eq!(
            aligned(&["name", "n"], &rows),
            "name   n\na     10\nlong   9\n"
        );
    }
}
