//! `cryptodl fit`: polynomials for activations, printed at full precision, recorded if asked; methods side by side; the lowest degree
//! that is good enough.

mod compare;
mod lowest;
mod text;

use crate::distinct::unique;
use crate::fitting;
use crate::flags::RunFlags;
use crate::manifest::Settings;
use crate::rows::FitRow;
use crate::run_folder::RunFolder;
use anyhow::{Result, bail};
use approx::{Interval, MAX_DEGREE, MIN_DEGREE};
use clap::Args;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use text::{Fitted, Style};

/// Flags of `fit`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples: the paper's quadratic for raw pixels, and two others, as JSON; all methods side by side, with a \
    figure;\nthe lowest degree that is good enough, as C\n  \
    cryptodl fit --method derivative,chebyshev,legendre --degree 2 --interval=-255:255 --format json\n  \
    cryptodl fit --compare --activation sigmoid --degree 7 --interval=-8:8 --out results/compare\n  \
    cryptodl fit --max-error 0.01 --activation sigmoid --method minimax --interval=-8:8 --format c"
)]
pub struct Arguments {
    /// Functions, separated by commas, or `all` (see `cryptodl list activations`).
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
    /// Degrees: numbers and ranges, separated by commas, for instance `2,4` or `1-9` [default: 2].
    #[arg(long, short, value_name = "DEGREES", value_delimiter = ',')]
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
    /// Put the methods side by side: errors sampled and proven, cost on ciphertexts, error beyond the interval.
    #[arg(long)]
    pub compare: bool,
    /// Find the lowest degree whose proven error is at most this, for each method.
    #[arg(long, value_name = "ERROR")]
    pub max_error: Option<f64>,
    /// The highest degree that `--max-error` tries.
    #[arg(long, value_name = "DEGREE", default_value_t = MAX_DEGREE)]
    pub up_to: usize,
    /// How to print: table, or one of rust, python, c, openfhe, lattigo, csv, json; always with all digits.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Style,
    /// Also keep rows, manifest, report and figures in this run folder; what is there is not fitted again.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
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

/// The functions of these names, `all` standing for every one.
pub fn function_names(names: &[String]) -> Result<Vec<String>> {
    let expanded = names.iter().flat_map(|name| match name.as_str() {
        "all" => approx::functions()
            .iter()
            .map(|function| Ok(function.name().to_string()))
            .collect(),
        name => vec![approx::function(name).map(|function| function.name().to_string())],
    });
    Ok(unique(expanded.collect::<Result<Vec<_>, _>>()?))
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let names = Names {
        functions: function_names(&arguments.activation)?,
        methods: method_names(&arguments.method)?,
        intervals: unique(arguments.interval.iter().copied()),
    };
    let degrees = match Degrees::flatten(&arguments.degree) {
        none if none.is_empty() => vec![2],
        degrees => degrees,
    };
    if let Some(bound) = arguments.max_error {
        if arguments.compare {
            bail!("`--compare` needs degrees and `--max-error` finds them: use one of the two");
        }
        if !arguments.degree.is_empty() {
            bail!(
                "`--max-error` finds the degree: leave `--degree` out, or set the limit with `--up-to`"
            );
        }
        return lowest::run(&names, bound, arguments);
    }
    if arguments.up_to != MAX_DEGREE {
        bail!("`--up-to` is the limit of `--max-error`: add that, or leave it out");
    }
    let points = fitting::grid(&names.functions, &names.methods, &degrees, &names.intervals);
    if arguments.compare {
        return compare::run(&points, arguments);
    }
    if let Some(folder) = &arguments.out {
        let run = open(folder)?;
        let mut table = run.table::<FitRow>()?;
        fitting::record(&points, run.id(), &mut table)?;
        run.end()?;
    }
    let fits: Vec<Fitted> = points.iter().map(Fitted::new).collect::<Result<_>>()?;
    print!("{}", text::print(&fits, arguments.format)?);
    Ok(())
}

/// What was asked for, every name known.
pub struct Names {
    pub functions: Vec<String>,
    pub methods: Vec<String>,
    pub intervals: Vec<Interval>,
}

/// The run folder `folder`, begun or gone on with.
fn open(folder: &Path) -> Result<RunFolder> {
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
    RunFolder::open(&flags, name, None, Settings::new())
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
            format!("{:#}", function_names(&["swoosh".to_string()]).unwrap_err())
                .contains("sigmoid")
        );
    }
}
