//! How time and memory of a batch grow with the network and the ring.

use super::Rows;
use super::figure::{Axis, Figure, Panel, Point, Scale};
use super::shared::{measured_and_predicted, run_line};
use crate::distinct::distinct;
use crate::growth::GrowthRow;

type Column = fn(&GrowthRow) -> Option<f64>;

/// Three panels of seconds above three of memory, measured and predicted.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let measured: Vec<&GrowthRow> = rows
        .growth
        .iter()
        .filter(|row| row.infer_s.is_some())
        .collect();
    let scheme = &measured.first()?.scheme;
    let axes: [(&str, &str, Column); 3] = [
        ("width", "products with a weight", |row| {
            row.plain_products.map(|n| n as f64)
        }),
        ("depth", "products in sequence", |row| {
            Some(row.depth as f64)
        }),
        ("ring_degree", "ring degree N = images a batch", |row| {
            row.ring_degree.map(|n| n as f64)
        }),
    ];
    let seconds: [Column; 2] = [|row| row.infer_s, |row| row.predicted_infer_s];
    let memory: [Column; 2] = [
        |row| {
            row.peak_rss_bytes
                .map(|bytes| bytes as f64 / f64::from(1 << 20))
        },
        |row| {
            row.predicted_memory_bytes
                .map(|bytes| bytes as f64 / f64::from(1 << 20))
        },
    ];
    let kinds = [
        ("server time of a batch (s)", seconds),
        ("peak memory (MiB)", memory),
    ];
    let panels = kinds.iter().flat_map(|(label, columns)| {
        axes.iter().map(|(varied, name, x)| {
            let own: Vec<&GrowthRow> = measured
                .iter()
                .filter(|row| row.varied == *varied)
                .copied()
                .collect();
            panel(&own, (name, *x), (label, columns))
        })
    });
    let threads = distinct(&measured, |row| row.threads);
    let threads = match threads.as_slice() {
        [Some(threads)] => format!(", {threads} threads"),
        _ => String::new(),
    };
    Some(Figure {
        name: "growth",
        title: format!("What a batch costs as network and ring grow ({scheme}{threads})"),
        caption: vec![
            "Dense layers and squares on 784 pixels. Left: widths at depth 2; middle: depths at width 64; right: rings at both.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 3,
        panel: (190.0, 150.0),
        panels: panels.collect(),
    })
}

fn panel(
    rows: &[&GrowthRow],
    (name, x): (&str, Column),
    (label, y): (&str, &[Column; 2]),
) -> Panel {
    let series = measured_and_predicted(rows, x, y);
    let values = |of: fn(&Point) -> f64| -> Vec<f64> {
        let points = series.iter().flat_map(|series| &series.points);
        points.map(of).collect()
    };
    Panel {
        title: String::new(),
        x: Axis::new(name, Scale::log_over(values(|point| point.x))),
        y: Axis::new(label, Scale::log_over(values(|point| point.y))),
        series,
    }
}
