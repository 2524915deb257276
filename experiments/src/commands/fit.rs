//! `cryptodl fit`: polynomials for activations, printed at full precision, recorded if asked.

use crate::cli::RunFlags;
use crate::fitting::{self, FitPoint};
use crate::manifest::Settings;
use crate::rows::FitRow;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval, MAX_DEGREE, MIN_DEGREE, Polynomial};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Flags of `fit`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: the paper's quadratic for raw pixels, and two others, as JSON\n  \
    cryptodl fit --method derivative,chebyshev,legendre --degree 2 --interval=-255:255 --format json"
)]
pub struct Arguments {
    /// Activations, separated by commas, or `all`.
    #[arg(
        long,
        short,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "relu"
    )]
    pub activation: Vec<String>,
    /// Methods, separated by commas, or `all`.
    #[arg(
        long,
        short,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "all"
    )]
    pub method: Vec<String>,
    /// Degrees: numbers and ranges, separated by commas, for instance `2,4` or `1-9`.
    #[arg(
        long,
        short,
        value_name = "DEGREES",
        value_delimiter = ',',
        default_value = "2"
    )]
    pub degree: Vec<Degrees>,
    /// Intervals, separated by commas; write the equals sign, since the value begins with a minus.
    #[arg(
        long,
        short,
        value_name = "LOW:HIGH",
        value_delimiter = ',',
        default_value = "-8:8",
        allow_hyphen_values = true
    )]
    pub interval: Vec<Interval>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Also keep the rows and a manifest in this run folder, `DIR/fit.csv`; rows that are there are not fitted again.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// How coefficients are printed: always with all their digits.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// A paragraph a polynomial, for reading.
    Table,
    /// One line a coefficient.
    Csv,
    /// One array of all polynomials.
    Json,
}

/// A degree or a range of them, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Degrees {
    first: usize,
    last: usize,
}

impl FromStr for Degrees {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sentence = || {
            format!(
                "`{text}` is not a degree from {MIN_DEGREE} to {MAX_DEGREE} or a range of them like `1-9`"
            )
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| sentence());
        let degrees = Self {
            first: number(first)?,
            last: number(last)?,
        };
        if degrees.first < MIN_DEGREE || degrees.last > MAX_DEGREE || degrees.first > degrees.last {
            return Err(sentence());
        }
        Ok(degrees)
    }
}

impl Degrees {
    /// All degrees of several ranges, each once, in the order given.
    pub fn flatten(ranges: &[Self]) -> Vec<usize> {
        unique(ranges.iter().flat_map(|range| range.first..=range.last))
    }
}

/// The values, each once.
pub fn unique<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}

/// The methods of these names, `all` standing for every one.
pub fn method_names(names: &[String]) -> Result<Vec<String>> {
    let expanded = names.iter().flat_map(|name| match name.as_str() {
        "all" => approx::methods()
            .iter()
            .map(|method| Ok(method.name().to_string()))
            .collect(),
        name => vec![approx::method(name).map(|method| method.name().to_string())],
    });
    Ok(unique(expanded.collect::<Result<Vec<_>, _>>()?))
}

/// The activations of these names, `all` standing for every one.
pub fn activation_names(names: &[String]) -> Result<Vec<Activation>> {
    let expanded = names.iter().flat_map(|name| match name.as_str() {
        "all" => approx::activations().iter().copied().map(Ok).collect(),
        name => vec![name.parse::<Activation>()],
    });
    Ok(unique(expanded.collect::<Result<Vec<_>, _>>()?))
}

/// A fit as it is printed.
#[derive(Serialize)]
struct Fitted {
    activation: String,
    method: String,
    degree: usize,
    low: f64,
    high: f64,
    /// Coefficients in the method's own basis, with basis and interval.
    polynomial: Polynomial,
    /// Coefficients of the powers of x.
    monomial: Vec<f64>,
    max_error: Option<f64>,
    max_error_at: Option<f64>,
    rms_error: Option<f64>,
    depth: Option<usize>,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let activations = activation_names(&arguments.activation)?;
    let methods = method_names(&arguments.method)?;
    let points = fitting::grid(
        &activations,
        &methods,
        &Degrees::flatten(&arguments.degree),
        &unique(arguments.interval.iter().copied()),
    );
    if let Some(folder) = &arguments.out {
        record(folder, &points)?;
    }
    let fits: Vec<Fitted> = points.iter().map(fitted).collect::<Result<_>>()?;
    let text = match arguments.format {
        Format::Table => table(&fits)?,
        Format::Csv => csv_text(&fits)?,
        Format::Json => serde_json::to_string_pretty(&fits).context("cannot write JSON")? + "\n",
    };
    print!("{text}");
    Ok(())
}

fn record(folder: &Path, points: &[FitPoint]) -> Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        bail!("`{}` does not name a folder to write to", folder.display())
    };
    let results = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let flags = RunFlags {
        results: results.to_path_buf(),
        run_id: Some(name.to_string()),
        fresh: false,
        resume: false,
    };
    let run = RunFolder::open(&flags, name, None, Settings::new())?;
    let mut table = run.table::<FitRow>()?;
    fitting::record(points, run.id(), &mut table)?;
    run.end()
}

fn fitted(point: &FitPoint) -> Result<Fitted> {
    let (row, polynomial) = point.measure("")?;
    Ok(Fitted {
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

fn basis_name(polynomial: &Polynomial) -> Result<String> {
    let name = serde_json::to_value(polynomial.basis()).context("cannot name the basis")?;
    Ok(name.as_str().unwrap_or_default().to_string())
}

fn table(fits: &[Fitted]) -> Result<String> {
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
                "  error: at most {max:.6e} (sampled), at x = {at:.6}; root mean square {rms:.6e}; depth {depth}"
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

fn csv_text(fits: &[Fitted]) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_numbers_and_ranges() {
        let parse = |text: &str| text.parse::<Degrees>();
        assert_eq!(
            Degrees::flatten(&[parse("2").unwrap(), parse("1-3").unwrap()]),
            [2, 1, 3]
        );
        for bad in ["0", "200", "3-1", "x", "", "1-", "-1"] {
            assert!(
                parse(bad)
                    .unwrap_err()
                    .contains("not a degree from 1 to 63"),
                "{bad}"
            );
        }
    }

    #[test]
    fn all_stands_for_every_name_once() {
        let all = method_names(&["legendre".to_string(), "all".to_string()]).unwrap();
        assert_eq!(all.len(), approx::methods().len());
        assert_eq!(all[0], "legendre");
        assert!(
            format!("{:#}", method_names(&["guess".to_string()]).unwrap_err())
                .contains("chebyshev")
        );
        assert!(
            format!("{:#}", activation_names(&["gelu".to_string()]).unwrap_err())
                .contains("sigmoid")
        );
    }

    #[test]
    fn printed_coefficients_read_back_bit_for_bit() {
        let on = Interval::new(-8.0, 8.0).unwrap();
        let point = FitPoint {
            activation: Activation::Sigmoid,
            method: "legendre".to_string(),
            degree: 5,
            on,
        };
        let fit = fitted(&point).unwrap();
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
}
