//! One fit: a point of the grid in, a polynomial and a row out.

use crate::progress;
use crate::records::{Record, Table};
use crate::rows::FitRow;
use anyhow::Result;
use approx::{Interval, Polynomial};
use std::time::Instant;

/// Points of the even grid on which errors are looked for.
pub const ERROR_POINTS: usize = 20_001;

/// The inputs of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct FitPoint {
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub on: Interval,
}

/// Every combination, in the order of the nested loops interval, activation, method, degree.
pub fn grid(
    activations: &[String],
    methods: &[String],
    degrees: &[usize],
    intervals: &[Interval],
) -> Vec<FitPoint> {
    let mut points = Vec::new();
    for &on in intervals {
        for activation in activations {
            for method in methods {
                points.extend(degrees.iter().map(|&degree| FitPoint {
                    activation: activation.clone(),
                    method: method.clone(),
                    degree,
                    on,
                }));
            }
        }
    }
    points
}

impl FitPoint {
    /// A row with this point's inputs and nothing measured.
    pub fn row(&self, run_id: &str) -> FitRow {
        FitRow {
            run_id: run_id.to_string(),
            activation: self.activation.clone(),
            method: self.method.clone(),
            degree: self.degree,
            low: self.on.low(),
            high: self.on.high(),
            max_error: None,
            max_error_at: None,
            rms_error: None,
            depth: None,
            fit_s: None,
            error: None,
        }
    }

    /// Fits, and measures the error.
    pub fn measure(&self, run_id: &str) -> Result<(FitRow, Polynomial)> {
        let function = approx::function(&self.activation)?;
        let method = approx::method(&self.method)?;
        let start = Instant::now();
        let polynomial = method.fit(&*function, self.on, self.degree)?;
        let fit_s = start.elapsed().as_secs_f64();
        let report = approx::sampled_error(&*function, &polynomial, ERROR_POINTS);
        let row = FitRow {
            max_error: Some(report.max_error),
            max_error_at: Some(report.max_error_at),
            rms_error: Some(report.rms_error),
            depth: Some(polynomial.depth()),
            fit_s: Some(fit_s),
            ..self.row(run_id)
        };
        Ok((row, polynomial))
    }
}

/// Fits the points that the table does not hold yet. A fit that fails becomes a row with its error.
pub fn record(points: &[FitPoint], run_id: &str, table: &mut Table<FitRow>) -> Result<()> {
    let missing: Vec<&FitPoint> = points
        .iter()
        .filter(|point| !table.contains(&point.row(run_id).key()))
        .collect();
    let bar = progress::bar(missing.len(), "fits");
    for point in missing {
        let row = match point.measure(run_id) {
            Ok((row, _)) => row,
            Err(error) => FitRow {
                error: Some(format!("{error:#}")),
                ..point.row(run_id)
            },
        };
        table.append(row)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_recorded_once_and_a_failing_point_keeps_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let on = Interval::new(-1.0, 1.0).unwrap();
        let points = grid(
            &["tanh".to_string()],
            &["legendre".to_string(), "guess".to_string()],
            &[1, 2, 3],
            &[on],
        );
        record(&points[..2], "r", &mut Table::open(folder.path()).unwrap()).unwrap();
        record(&points, "r", &mut Table::open(folder.path()).unwrap()).unwrap();
        let rows = Table::<FitRow>::read(folder.path()).unwrap();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows.iter().filter(|row| row.error().is_some()).count(), 3);
        assert!(rows[5].error().unwrap().contains("unknown method `guess`"));
    }
}
