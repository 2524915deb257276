//! `fit --compare`: the methods side by side.

use super::text::{Style, aligned, rows_as_csv, share, short, whole};
use super::{Arguments, open};
use crate::comparison::{self, BEYOND, CompareRow};
use crate::distinct::distinct;
use crate::fitting::FitPoint;
use crate::report;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result, bail};
use std::fmt::Write;

/// Compares, prints, and keeps what was asked to be kept.
pub fn run(points: &[FitPoint], arguments: &Arguments) -> Result<()> {
    if let Style::Text(format) = arguments.format
        && ![approx::Format::Csv, approx::Format::Json].contains(&format)
    {
        bail!(
            "`--compare` prints a table, csv or json: leave it out to print polynomials as {}",
            format.name()
        );
    }
    let run = arguments.out.as_deref().map(open).transpose()?;
    let id = run.as_ref().map_or("", |run| run.id());
    let mut table = run.as_ref().map(RunFolder::table).transpose()?;
    let measured = |index: usize| comparison::compared(&points[index], id);
    let rows = comparison::collect(points.len(), measured, table.as_mut())?;
    let rows: Vec<CompareRow> = rows.into_iter().map(|(row, _)| row).collect();
    let text = match arguments.format {
        Style::Table => tables(&rows)?,
        Style::Text(approx::Format::Json) => {
            serde_json::to_string_pretty(&rows).context("cannot write JSON")? + "\n"
        }
        Style::Text(_) => rows_as_csv(&rows)?,
    };
    print!("{text}");
    if let Some(run) = run {
        let folder = run.path().to_path_buf();
        run.end()?;
        eprintln!(
            "report and figure in `{}`",
            report::write(&folder)?.display()
        );
    } else {
        eprintln!("for a figure of these, add `--out DIR`");
    }
    Ok(())
}

/// One table for each function, interval and degree.
fn tables(rows: &[CompareRow]) -> Result<String> {
    let mut text = String::new();
    for (activation, degree, low, high) in distinct(rows, |row| {
        (row.activation.clone(), row.degree, row.low, row.high)
    }) {
        let here: Vec<&CompareRow> = rows
            .iter()
            .filter(|row| row.activation == activation && row.degree == degree)
            .filter(|row| (row.low, row.high) == (low, high))
            .collect();
        let cells = here.iter().map(|row| {
            let best = row
                .least_error
                .zip(row.certified_error)
                .map(|(least, upper)| upper / least);
            vec![
                row.method.clone(),
                short(row.max_error),
                short(row.certified_error),
                share(row.gap),
                best.map_or("–".to_string(), |ratio| {
                    if ratio < 1e4 {
                        format!("{ratio:.3}")
                    } else {
                        format!("{ratio:.1e}")
                    }
                }),
                short(row.rms_error),
                short(row.error_outside),
                whole(row.depth),
                whole(row.ciphertext_products),
                row.plan.clone().unwrap_or("–".to_string()),
            ]
        });
        writeln!(text, "{activation}, degree {degree} on {low}:{high}")?;
        text += &aligned(
            &[
                "method",
                "sampled",
                "proven ≤",
                "gap",
                "× best",
                "rms",
                "outside",
                "depth",
                "products",
                "plan",
            ],
            &cells.collect::<Vec<_>>(),
        );
        for row in &here {
            if let Some(error) = &row.error {
                writeln!(text, "{}: {error}", row.method)?;
            }
        }
        match here.iter().find_map(|row| row.least_error) {
            Some(least) => writeln!(
                text,
                "proven: no polynomial of degree {degree} has an error below {least:.6e}; `× best` is the proven error over that"
            )?,
            None => writeln!(text, "nothing is proven about the best possible error")?,
        }
        writeln!(
            text,
            "outside: the largest error up to {:.0} % of the half-width beyond either end, sampled\n",
            100.0 * BEYOND
        )?;
    }
    Ok(text)
}
