//! Accuracy from the activation itself to integer weights, stage by stage.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, run_line};
use crate::budget::{BudgetRow, STAGES};
use crate::distinct::distinct;
use crate::statistics::wilson;

/// One panel a network, one row a stage.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let measured: Vec<&BudgetRow> = (rows.budget.iter())
        .filter(|row| row.accuracy.is_some())
        .collect();
    let activation = display_name(&measured.first()?.activation).to_string();
    let networks = distinct(&measured, |row| row.network.clone());
    let panels = networks.iter().map(|network| {
        let points = measured.iter().filter(|row| row.network == *network);
        let points = points.filter_map(|row| {
            let accuracy = row.accuracy?;
            let place = STAGES.iter().position(|stage| *stage == row.stage)?;
            let (low, high) = wilson(accuracy, row.images);
            Some(Point {
                x: 100.0 * accuracy,
                y: place as f64,
                span: Some((100.0 * low, 100.0 * high)),
                note: format!("{:.2} %", 100.0 * accuracy),
            })
        });
        let series = Series {
            label: "test images".to_string(),
            shape: Shape::Markers,
            look: Look::nth(0),
            points: points.collect(),
        };
        let spans = series.points.iter().filter_map(|point| point.span);
        let scale = Scale::linear_over(spans.flat_map(|(low, high)| [low, high])).with_room(0.15);
        let names = [
            format!("{activation} itself"),
            "polynomials, not retrained".to_string(),
            "polynomials, retrained".to_string(),
            "with integer weights".to_string(),
        ];
        Panel {
            title: network.clone(),
            x: Axis::new("test images classified correctly (%)", scale),
            y: Axis::new("", Scale::Names(names.to_vec())),
            series: vec![series],
        }
    });
    Some(Figure {
        name: "budget",
        title: "Where accuracy goes and what retraining gives back".to_string(),
        caption: vec![
            "Bars: 95 % interval of Wilson.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (420.0, 150.0),
        panels: panels.collect(),
    })
}
