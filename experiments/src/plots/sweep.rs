//! Accuracy after retraining with polynomials of each method, as the degree grows.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, look, run_line};
use crate::distinct::distinct;
use crate::rows::TrainRow;
use crate::training::EXACT;

/// One panel an activation (and network and interval, where there are several), one line a method, the mean over seeds; the
/// activation itself, where it was trained too, is a level line.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let good = || rows.train.iter().filter(|row| row.test_accuracy.is_some());
    let fitted: Vec<&TrainRow> = good().filter(|row| row.method != EXACT).collect();
    let exact: Vec<&TrainRow> = good().filter(|row| row.method == EXACT).collect();
    let degrees = || fitted.iter().map(|row| row.degree);
    let (first, last) = (degrees().min()?, degrees().max()?);
    if first == last {
        return None;
    }
    let networks = distinct(&fitted, |row| row.network.clone());
    let intervals = distinct(&fitted, |row| (row.low, row.high));
    let seeds = distinct(&fitted, |row| row.seed).len();
    let epochs = distinct(&fitted, |row| row.epochs.to_string()).join(", ");
    let all = good().filter_map(|row| row.test_accuracy);
    let scale = match Scale::linear_over(all.map(|accuracy| 100.0 * accuracy)) {
        Scale::Linear(low, high) => Scale::Linear(low.max(0.0), high.min(100.2)),
        other => other,
    };
    let place = |row: &&TrainRow| {
        (
            row.network.clone(),
            row.activation.clone(),
            row.low,
            row.high,
        )
    };
    let panels = distinct(&fitted, place).into_iter().map(|here| {
        let (network, activation, low, high) = &here;
        let mut title = display_name(activation).to_string();
        if networks.len() > 1 {
            title = format!("{title}, {network}");
        }
        if intervals.len() > 1 {
            title = format!("{title} on {low}:{high}");
        }
        let rows: Vec<&TrainRow> = fitted
            .iter()
            .copied()
            .filter(|row| place(row) == here)
            .collect();
        let same = exact
            .iter()
            .copied()
            .filter(|row| row.network == *network && row.activation == *activation);
        let level = mean(same).map(|y| Series {
            label: EXACT.to_string(),
            shape: Shape::Line,
            look: Look::reference(),
            points: [first as f64 - 0.4, last as f64 + 0.4]
                .map(|x| Point::at(x, y))
                .to_vec(),
        });
        let lines = distinct(&rows, |row| row.method.clone())
            .into_iter()
            .map(|method| line(&rows, method));
        Panel {
            title,
            x: Axis::new("degree", Scale::Counts(first, last)),
            y: Axis::new("test accuracy (%)", scale.clone()),
            series: level.into_iter().chain(lines).collect(),
        }
    });
    let over = if seeds > 1 {
        format!("mean over {seeds} seeds")
    } else {
        "one seed".to_string()
    };
    let unit = if epochs == "1" { "epoch" } else { "epochs" };
    Some(Figure {
        name: "sweep",
        title: format!(
            "Accuracy of {} after retraining with the polynomials in place",
            networks.join(" and ")
        ),
        caption: vec![
            format!("{epochs} {unit}, {over}; points that could not be trained are left out."),
            run_line(&rows.run_id),
        ],
        columns: 3,
        panel: (270.0, 250.0),
        panels: panels.collect(),
    })
}

/// Percent over all rows; none without rows.
fn mean<'a>(rows: impl Iterator<Item = &'a TrainRow>) -> Option<f64> {
    let accuracies: Vec<f64> = rows.filter_map(|row| row.test_accuracy).collect();
    (!accuracies.is_empty())
        .then(|| 100.0 * accuracies.iter().sum::<f64>() / accuracies.len() as f64)
}

fn line(here: &[&TrainRow], method: String) -> Series {
    let mut points: Vec<Point> = distinct(here, |row| row.degree)
        .into_iter()
        .filter_map(|degree| {
            let same = here
                .iter()
                .copied()
                .filter(|row| row.method == method && row.degree == degree);
            Some(Point::at(degree as f64, mean(same)?))
        })
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    Series {
        look: look(&method),
        label: method,
        shape: Shape::MarkedLine,
        points,
    }
}
