//! Seconds of one image by message bits and by number of activations.

use super::Rows;
use super::figure::{Axis, Figure, Panel, Scale};
use super::shared::{measured_and_predicted, run_line};
use crate::distinct::distinct;
use crate::latency::LatencyRow;

type Column = fn(&LatencyRow) -> Option<f64>;

/// Two panels, measured and predicted.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let measured: Vec<&LatencyRow> = rows
        .latency
        .iter()
        .filter(|row| row.infer_s.is_some())
        .collect();
    measured.first()?;
    let of = |varied: &str| -> Vec<&LatencyRow> {
        let own = measured.iter().filter(|row| row.varied == varied);
        own.copied().collect()
    };
    let (bits, counts) = (of("bits"), of("activations"));
    let range = |values: &[u32]| {
        let (low, high) = (values.iter().min(), values.iter().max());
        Some(Scale::Counts(*low? as usize, *high? as usize))
    };
    let by_bits = range(&bits.iter().map(|row| row.bits).collect::<Vec<_>>()).map(|scale| {
        let x = Axis::new("message bits", scale);
        panel(&bits, x, |row| Some(f64::from(row.bits)))
    });
    let activations: Column = |row| Some(row.activations as f64);
    let by_count = (!counts.is_empty()).then(|| {
        let values = counts.iter().filter_map(|row| activations(row));
        let x = Axis::new("activations", Scale::log_over(values));
        panel(&counts, x, activations)
    });
    let threads = match distinct(&measured, |row| row.threads).as_slice() {
        [Some(threads)] => format!(", {threads} threads"),
        _ => String::new(),
    };
    let all = |rows: &[&LatencyRow], of: fn(&LatencyRow) -> String| {
        distinct(rows, |row| of(row)).join(", ")
    };
    Some(Figure {
        name: "latency",
        title: format!("One image by look-up (tfhe{threads})"),
        caption: vec![
            format!(
                "Left: {} activations. Right: {} message bits. Failure below 2⁻¹²⁸ a look-up.",
                all(&bits, |row| row.activations.to_string()),
                all(&counts, |row| row.bits.to_string())
            ),
            run_line(&rows.run_id),
        ],
        columns: 2,
        panel: (270.0, 220.0),
        panels: by_bits.into_iter().chain(by_count).collect(),
    })
}

fn panel(rows: &[&LatencyRow], x: Axis, of: Column) -> Panel {
    let columns: [Column; 2] = [|row| row.infer_s, |row| row.predicted_infer_s];
    let series = measured_and_predicted(rows, of, &columns);
    let seconds = series.iter().flat_map(|series| &series.points);
    let seconds: Vec<f64> = seconds.map(|point| point.y).collect();
    Panel {
        title: String::new(),
        x,
        y: Axis::new("server time of an image (s)", Scale::log_over(seconds)),
        series,
    }
}
