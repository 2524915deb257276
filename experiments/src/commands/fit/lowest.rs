//! `fit --max-error`: the lowest degree of each method that is proven to be good enough.

use super::text::{Style, aligned, rows_as_csv, share, short, source, whole};
use super::{Arguments, Names, open};
use crate::comparison::{self, LowestRow};
use crate::distinct::distinct;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result, bail};
use approx::{Interval, MAX_DEGREE, MIN_DEGREE, Polynomial};
use std::fmt::Write;

/// Searches, prints, and keeps what was asked to be kept.
pub fn run(names: &Names, bound: f64, arguments: &Arguments) -> Result<()> {
    let limit = arguments.up_to;
    if !(bound > 0.0 && bound.is_finite()) {
        bail!("`--max-error` must be a positive number, not {bound}");
    }
    if !(MIN_DEGREE..=MAX_DEGREE).contains(&limit) {
        bail!("`--up-to {limit}` is out of range: take a degree from {MIN_DEGREE} to {MAX_DEGREE}");
    }
    let mut tasks: Vec<(&str, &str, Interval)> = Vec::new();
    for &on in &names.intervals {
        for function in &names.functions {
            tasks.extend(
                names
                    .methods
                    .iter()
                    .map(|method| (function.as_str(), method.as_str(), on)),
            );
        }
    }
    let run = arguments.out.as_deref().map(open).transpose()?;
    let id = run.as_ref().map_or("", |run| run.id());
    let mut table = run.as_ref().map(RunFolder::table).transpose()?;
    let measured = |index: usize| comparison::lowest(tasks[index], bound, limit, id);
    let found = comparison::collect(tasks.len(), measured, table.as_mut())?;
    if let Some(run) = run {
        run.end()?;
    }
    let rows: Vec<LowestRow> = found.iter().map(|(row, _)| row.clone()).collect();
    let text = match arguments.format {
        Style::Table => tables(&rows)?,
        Style::Text(approx::Format::Csv) => rows_as_csv(&rows)?,
        Style::Text(approx::Format::Json) => {
            serde_json::to_string_pretty(&rows).context("cannot write JSON")? + "\n"
        }
        Style::Text(format) => {
            let polynomials: Vec<((&str, &str, usize), &Polynomial)> = found
                .iter()
                .filter_map(|(row, polynomial)| {
                    let name = (row.activation.as_str(), row.method.as_str(), row.degree?);
                    Some((name, polynomial.as_ref()?))
                })
                .collect();
            if polynomials.is_empty() {
                bail!(
                    "no method has a proven error of at most {bound} at a degree up to {limit}: allow a larger error or a higher degree"
                );
            }
            source(format, &polynomials)
        }
    };
    print!("{text}");
    Ok(())
}

/// One table for each function and interval.
fn tables(rows: &[LowestRow]) -> Result<String> {
    let mut text = String::new();
    for (activation, low, high) in distinct(rows, |row| (row.activation.clone(), row.low, row.high))
    {
        let here: Vec<&LowestRow> = rows
            .iter()
            .filter(|row| row.activation == activation && (row.low, row.high) == (low, high))
            .collect();
        let cells = here.iter().map(|row| {
            let degree = match (row.degree, &row.error) {
                (Some(degree), _) => degree.to_string(),
                (None, None) => format!("none up to {}", row.limit),
                (None, Some(_)) => "–".to_string(),
            };
            vec![
                row.method.clone(),
                degree,
                short(row.max_error),
                short(row.certified_error),
                share(row.gap),
                whole(row.depth),
                whole(row.ciphertext_products),
                row.plan.clone().unwrap_or("–".to_string()),
            ]
        });
        let bound = here.first().map_or(0.0, |row| row.bound);
        writeln!(
            text,
            "{activation} on {low}:{high}: the lowest degree whose proven error is at most {bound}"
        )?;
        text += &aligned(
            &[
                "method",
                "degree",
                "sampled",
                "proven ≤",
                "gap",
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
        writeln!(text)?;
    }
    Ok(text)
}
