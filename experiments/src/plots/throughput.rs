//! Encrypted images an hour, beside what others published on the same data.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::published::{Field, published};

/// One line of the figure.
struct Entry {
    name: String,
    images_per_hour: f64,
    /// Which of the series in the legend.
    class: usize,
}

/// One row a system, sorted; logarithmic axis.
pub fn figure(rows: &Rows) -> Option<Figure> {
    // the clear twins and toy parameters are no encrypted throughput
    let ours: Vec<_> = rows
        .encrypted
        .iter()
        .filter(|row| {
            row.security_bits.is_some_and(|bits| bits >= 128) && row.images_per_hour.is_some()
        })
        .collect();
    ours.first()?;
    let datasets = distinct(&ours, |row| row.dataset.clone());
    let mut entries: Vec<Entry> = ours
        .iter()
        .filter_map(|row| {
            let threads = row
                .threads
                .map_or(String::new(), |threads| format!(", {threads} threads"));
            Some(Entry {
                name: format!("{} ({}{threads})", row.model, row.scheme),
                images_per_hour: row.images_per_hour?,
                class: 0,
            })
        })
        .collect();
    entries.extend(
        published()
            .systems
            .iter()
            .filter(|system| datasets.contains(&system.dataset))
            .filter_map(|system| {
                let class = if system.recalled.contains(&Field::ImagesPerHour) {
                    2
                } else {
                    1
                };
                Some(Entry {
                    name: format!("{} ({})", system.title(), system.hardware),
                    images_per_hour: system.images_per_hour?,
                    class,
                })
            }),
    );
    entries.sort_by(|a, b| b.images_per_hour.total_cmp(&a.images_per_hour));
    let series = ["this run", "published", "published, unverified"]
        .into_iter()
        .enumerate()
        .map(|(class, label)| {
            let of_class = entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.class == class);
            let points = of_class.map(|(place, entry)| Point {
                x: entry.images_per_hour,
                y: place as f64,
                span: None,
                note: short(entry.images_per_hour),
            });
            Series {
                label: label.to_string(),
                shape: Shape::Markers,
                look: Look::nth(class),
                points: points.collect(),
            }
        });
    let series: Vec<Series> = series.filter(|series| !series.points.is_empty()).collect();
    // room for the number beside the last marker
    let rates = entries.iter().map(|entry| entry.images_per_hour);
    let scale = Scale::log_over(rates.flat_map(|rate| [rate, 3.0 * rate]));
    Some(Figure {
        name: "throughput",
        title: format!("Encrypted images classified an hour, {}", datasets.join(" and ").to_uppercase()),
        caption: vec![
            "This run: full batches over server time. Published figures come from other machines, networks and years.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (430.0, 34.0 * entries.len() as f64),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::new("images/h", scale),
            y: Axis::new("", Scale::Names(entries.iter().map(|entry| entry.name.clone()).collect())),
            series,
        }],
    })
}

/// A count with three digits: "164 k", "7.19 M".
fn short(count: f64) -> String {
    match count {
        c if c >= 999_500.0 => format!("{:.*} M", if c < 1e7 { 2 } else { 1 }, c / 1e6),
        c if c >= 999.5 => format!("{:.*} k", usize::from(c < 99_950.0), c / 1e3),
        c => format!("{c:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn counts_are_short() {
        assert_eq!(
            [164e3, 7.19e6, 59e3, 12.0, 10.3e6].map(short),
            ["164 k", "7.19 M", "59.0 k", "12", "10.3 M"]
        );
    }
}
