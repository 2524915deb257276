//! Methods side by side: one fit with all that is known of its error and its cost, and the lowest degree that is good enough.

use crate::fitting::{ERROR_POINTS, FitPoint};
use crate::progress;
use crate::records::{Record, Table};
use anyhow::Result;
use approx::fit::Minimax;
use approx::{Cost, Function, Interval, Polynomial, certify, cheapest_plan, least_error};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How far beyond either end the error outside is looked for, in half-widths.
pub const BEYOND: f64 = 0.25;

/// Points on either side of the interval.
const POINTS_BEYOND: u32 = 1000;

/// One method at one degree, with its error and its cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompareRow {
    pub run_id: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    pub max_error: Option<f64>,
    pub certified_error: Option<f64>,
    pub gap: Option<f64>,
    pub least_error: Option<f64>,
    pub rms_error: Option<f64>,
    pub error_outside: Option<f64>,
    pub plan: Option<String>,
    pub depth: Option<usize>,
    pub levels: Option<usize>,
    pub ciphertext_products: Option<usize>,
    pub plain_products: Option<usize>,
    pub fit_s: Option<f64>,
    pub error: Option<String>,
}

impl Record for CompareRow {
    const FILE: &'static str = "compare.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "activation",
        "method",
        "degree",
        "low",
        "high",
        "max_error",
        "certified_error",
        "gap",
        "least_error",
        "rms_error",
        "error_outside",
        "plan",
        "depth",
        "levels",
        "ciphertext_products",
        "plain_products",
        "fit_s",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            activation,
            method,
            degree,
            low,
            high,
            ..
        } = self;
        format!("{activation} {method} degree {degree} on {low}:{high}")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The lowest degree at which a method is good enough; no degree and no error: none up to the limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LowestRow {
    pub run_id: String,
    pub activation: String,
    pub method: String,
    pub low: f64,
    pub high: f64,
    pub bound: f64,
    pub limit: usize,
    pub degree: Option<usize>,
    pub max_error: Option<f64>,
    pub certified_error: Option<f64>,
    pub gap: Option<f64>,
    pub plan: Option<String>,
    pub depth: Option<usize>,
    pub levels: Option<usize>,
    pub ciphertext_products: Option<usize>,
    pub plain_products: Option<usize>,
    pub search_s: Option<f64>,
    pub error: Option<String>,
}

impl Record for LowestRow {
    const FILE: &'static str = "lowest.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "activation",
        "method",
        "low",
        "high",
        "bound",
        "limit",
        "degree",
        "max_error",
        "certified_error",
        "gap",
        "plan",
        "depth",
        "levels",
        "ciphertext_products",
        "plain_products",
        "search_s",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            activation,
            method,
            low,
            high,
            bound,
            limit,
            ..
        } = self;
        format!("{activation} {method} on {low}:{high} below {bound} up to {limit}")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// What the cheapest plan takes; a constant takes nothing.
fn cost_of(polynomial: &Polynomial) -> (Option<String>, Cost) {
    cheapest_plan(polynomial).map_or((None, Cost::default()), |(plan, cost)| {
        (Some(plan.name().to_string()), cost)
    })
}

/// The largest error at distances of up to `reach` half-widths beyond the ends, on a grid.
pub fn error_beyond(function: &dyn Function, polynomial: &Polynomial, reach: f64) -> f64 {
    let on = polynomial.interval();
    (1..=POINTS_BEYOND)
        .map(|i| reach * f64::from(i) / f64::from(POINTS_BEYOND))
        .map(|distance| error_at_distance(function, polynomial, on, distance))
        .fold(0.0, f64::max)
}

/// The larger error of the two points at a distance beyond the ends, in half-widths.
pub fn error_at_distance(
    function: &dyn Function,
    polynomial: &Polynomial,
    on: Interval,
    distance: f64,
) -> f64 {
    let step = distance * on.half_width();
    [on.low() - step, on.high() + step]
        .map(|x| (function.value(x) - polynomial.eval(x)).abs())
        .into_iter()
        .fold(0.0, f64::max)
}

/// What no polynomial of the degree can be better than, proven; `None` where nothing could be proven.
fn least(function: &dyn Function, on: Interval, degree: usize) -> Option<f64> {
    let best = Minimax::default().on_pieces(function, &[on], degree).ok()?;
    let least = least_error(function, &best, degree).ok()?;
    (least > 0.0).then_some(least)
}

/// One point of a comparison; a fit that fails becomes a row with its error.
pub fn compared(point: &FitPoint, run_id: &str) -> (CompareRow, Option<Polynomial>) {
    let row = CompareRow {
        run_id: run_id.to_string(),
        activation: point.activation.clone(),
        method: point.method.clone(),
        degree: point.degree,
        low: point.on.low(),
        high: point.on.high(),
        ..CompareRow::default()
    };
    match measure(point, row.clone()) {
        Ok((row, polynomial)) => (row, Some(polynomial)),
        Err(error) => {
            let error = Some(format!("{error:#}"));
            (CompareRow { error, ..row }, None)
        }
    }
}

fn measure(point: &FitPoint, row: CompareRow) -> Result<(CompareRow, Polynomial)> {
    let function = approx::function(&point.activation)?;
    let method = approx::method(&point.method)?;
    let start = Instant::now();
    let polynomial = method.fit(&*function, point.on, point.degree)?;
    let fit_s = start.elapsed().as_secs_f64();
    let sampled = approx::sampled_error(&*function, &polynomial, ERROR_POINTS);
    let certified = certify(&*function, &polynomial)?;
    let (plan, cost) = cost_of(&polynomial);
    let row = CompareRow {
        max_error: Some(sampled.max_error),
        certified_error: Some(certified.upper),
        gap: gap(certified.upper, sampled.max_error),
        least_error: least(&*function, point.on, point.degree),
        rms_error: Some(sampled.rms_error),
        error_outside: Some(error_beyond(&*function, &polynomial, BEYOND)),
        plan,
        depth: Some(cost.depth),
        levels: Some(cost.levels),
        ciphertext_products: Some(cost.ciphertext_products),
        plain_products: Some(cost.plain_products),
        fit_s: Some(fit_s),
        ..row
    };
    Ok((row, polynomial))
}

/// How much a bound exceeds what was met, as a share of that; nothing can be said of an exact fit.
fn gap(upper: f64, met: f64) -> Option<f64> {
    (met > 0.0).then(|| upper / met - 1.0)
}

/// The lowest degree up to `limit` of one method whose proven error is at most `bound`.
pub fn lowest(
    (activation, method, on): (&str, &str, Interval),
    bound: f64,
    limit: usize,
    run_id: &str,
) -> (LowestRow, Option<Polynomial>) {
    let row = LowestRow {
        run_id: run_id.to_string(),
        activation: activation.to_string(),
        method: method.to_string(),
        low: on.low(),
        high: on.high(),
        bound,
        limit,
        ..LowestRow::default()
    };
    let start = Instant::now();
    let found = approx::function(activation)
        .map_err(anyhow::Error::from)
        .and_then(|function| {
            let method = approx::method(method)?;
            let found = approx::lowest_degree(&*method, &*function, on, bound, limit)?;
            Ok((function, found))
        });
    let search_s = Some(start.elapsed().as_secs_f64());
    match found {
        Err(error) => {
            let error = Some(format!("{error:#}"));
            (LowestRow { error, ..row }, None)
        }
        Ok((_, None)) => (LowestRow { search_s, ..row }, None),
        Ok((function, Some(found))) => {
            let (plan, cost) = cost_of(&found.polynomial);
            let sampled = approx::sampled_error(&*function, &found.polynomial, ERROR_POINTS);
            let row = LowestRow {
                degree: Some(found.degree),
                max_error: Some(sampled.max_error),
                certified_error: Some(found.error.upper),
                gap: gap(found.error.upper, sampled.max_error),
                plan,
                depth: Some(cost.depth),
                levels: Some(cost.levels),
                ciphertext_products: Some(cost.ciphertext_products),
                plain_products: Some(cost.plain_products),
                search_s,
                ..row
            };
            (row, Some(found.polynomial))
        }
    }
}

/// Measures all rows, with their polynomials, and keeps each in the table, if there is one that does not hold it yet.
pub fn collect<R: Record + Clone>(
    count: usize,
    measured: impl Fn(usize) -> (R, Option<Polynomial>),
    mut table: Option<&mut Table<R>>,
) -> Result<Vec<(R, Option<Polynomial>)>> {
    let bar = progress::bar(count, "fits");
    let mut rows = Vec::new();
    for index in 0..count {
        let (row, polynomial) = measured(index);
        if let Some(table) = table.as_deref_mut()
            && !table.contains(&row.key())
        {
            table.append(row.clone())?;
        }
        rows.push((row, polynomial));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(activation: &str, method: &str, degree: usize) -> FitPoint {
        FitPoint {
            activation: activation.to_string(),
            method: method.to_string(),
            degree,
            on: Interval::new(-1.0, 1.0).unwrap(),
        }
    }

    #[test]
    fn the_best_quadratic_for_relu_is_between_its_bounds() {
        let (row, polynomial) = compared(&point("relu", "minimax", 2), "r");
        let near = |value: Option<f64>| (value.unwrap() - 0.0625).abs() < 1e-4;
        assert!(
            near(row.max_error) && near(row.certified_error) && near(row.least_error),
            "{row:?}"
        );
        assert!(row.least_error <= row.max_error && row.max_error <= row.certified_error);
        assert_eq!(
            (row.plan.as_deref(), row.depth, row.ciphertext_products),
            (Some("square"), Some(1), Some(1))
        );
        // x²/2 + x/2 + 1/16 - x at 1.25, the same as at -1.25
        let outside = 0.5 * 1.25 * 1.25 - 0.5 * 1.25 + 0.0625;
        assert!((row.error_outside.unwrap() - outside).abs() < 1e-9);
        assert_eq!(polynomial.unwrap().degree(), 2);
    }

    #[test]
    fn a_failing_fit_keeps_its_row() {
        let (row, polynomial) = compared(&point("relu", "guess", 2), "r");
        assert!(row.error.unwrap().contains("unknown method `guess`") && polynomial.is_none());
        let on = Interval::new(-1.0, 1.0).unwrap();
        let (row, _) = lowest(("relu", "minimax", on), -1.0, 9, "r");
        assert!(row.error.unwrap().starts_with("the error bound must be"));
    }
}
