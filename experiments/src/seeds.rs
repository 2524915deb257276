//! Trainings that differ in nothing but the seed.

use crate::distinct::distinct;
use crate::rows::TrainRow;
use crate::statistics::mean_and_spread;
use crate::training::EXACT;

/// The trainings of one network with one stand-in, recipe aside.
#[derive(Clone, Debug)]
pub struct Group {
    pub network: String,
    pub dataset: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    pub epochs: usize,
    /// How many, those that failed left out.
    pub seeds: usize,
    /// How many failed.
    pub failed: usize,
    /// Test accuracies: mean, sample standard deviation (0 for one seed), least and most.
    pub mean: f64,
    pub deviation: f64,
    pub least: f64,
    pub most: f64,
    /// Mean accuracy on the validation images.
    pub validation: f64,
    /// Mean seconds of a training.
    pub train_s: f64,
}

impl Group {
    /// For a row of a table or figure.
    pub fn name(&self) -> String {
        let Self {
            network,
            activation,
            method,
            degree,
            ..
        } = self;
        if method == EXACT {
            format!("{network}, {activation} itself")
        } else {
            format!("{network}, {activation} {method} {degree}")
        }
    }
}

/// Groups in the order of the rows; one in which every training failed is left out. Variants of a recipe are no groups, and
/// a training that was given up counts as failed.
pub fn groups(rows: &[TrainRow]) -> Vec<Group> {
    let key = |row: &TrainRow| {
        let TrainRow {
            network,
            dataset,
            activation,
            method,
            ..
        } = row.clone();
        let on = (row.low, row.high);
        (
            network, dataset, activation, method, row.degree, on, row.epochs,
        )
    };
    let rows: Vec<&TrainRow> = rows.iter().filter(|row| row.variant.is_empty()).collect();
    let keys = distinct(&rows, |row| key(row));
    keys.into_iter()
        .filter_map(|wanted| {
            let here = || rows.iter().filter(|row| key(row) == wanted);
            let whole = || here().filter(|row| row.stopped_after.is_none());
            let tests: Vec<f64> = whole().filter_map(|row| row.test_accuracy).collect();
            if tests.is_empty() {
                return None;
            }
            let mean_of = |value: fn(&TrainRow) -> Option<f64>| {
                let tested = whole().filter(|row| row.test_accuracy.is_some());
                tested.filter_map(|row| value(row)).sum::<f64>() / tests.len() as f64
            };
            let (mean, deviation) = mean_and_spread(&tests);
            let (network, dataset, activation, method, degree, (low, high), epochs) =
                wanted.clone();
            Some(Group {
                network,
                dataset,
                activation,
                method,
                degree,
                low,
                high,
                epochs,
                seeds: tests.len(),
                failed: here().count() - tests.len(),
                mean,
                deviation,
                least: tests.iter().copied().fold(f64::INFINITY, f64::min),
                most: tests.iter().copied().fold(0.0, f64::max),
                validation: mean_of(|row| row.validation_accuracy),
                train_s: mean_of(|row| row.train_s),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, seed: u64, test_accuracy: Option<f64>) -> TrainRow {
        TrainRow {
            run_id: "r".to_string(),
            network: "lenet".to_string(),
            dataset: "mnist".to_string(),
            activation: "relu".to_string(),
            method: method.to_string(),
            degree: 2,
            low: -4.0,
            high: 4.0,
            seed,
            epochs: 3,
            variant: String::new(),
            stopped_after: None,
            parameters: None,
            train_accuracy: None,
            validation_accuracy: test_accuracy,
            test_accuracy,
            train_s: Some(1.0),
            error: None,
        }
    }

    #[test]
    fn seeds_of_one_kind_are_gathered() {
        let rows = [
            row("chebyshev", 1, Some(0.98)),
            row(EXACT, 1, Some(0.95)),
            row("chebyshev", 2, Some(0.96)),
            row("chebyshev", 3, None),
            row("taylor", 1, None),
        ];
        let groups = groups(&rows);
        assert_eq!(groups.len(), 2);
        let group = &groups[0];
        assert_eq!((group.seeds, group.failed), (2, 1));
        assert!((group.mean - 0.97).abs() < 1e-12);
        assert!((group.deviation - 0.02 / 2_f64.sqrt()).abs() < 1e-12);
        assert_eq!((group.least, group.most), (0.96, 0.98));
        assert_eq!(group.name(), "lenet, relu chebyshev 2");
        assert_eq!(groups[1].name(), "lenet, relu itself");
        assert!(groups[1].deviation.abs() < 1e-12);
    }
}
