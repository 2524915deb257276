//! Tables of fits and of trainings.

use crate::comparison::{BEYOND, CompareRow};
use crate::distinct::distinct;
use crate::plots::shared::{display_name, intervals};
use crate::rows::{FitRow, TrainRow};
use crate::seeds::groups;
use crate::text::{percent, seconds, shown, table};
use std::fmt::Write;

/// Degrees that the table of errors shows: those that encryption affords.
const SHOWN_DEGREES: std::ops::RangeInclusive<usize> = 2..=4;

/// Largest error by method and degree, one table an interval.
pub fn errors(rows: &[FitRow]) -> String {
    let mut text = String::from(
        "Largest error on the interval, found by sampling (a lower bound of the true one):\n\n",
    );
    let degrees: Vec<usize> = distinct(rows, |row| row.degree)
        .into_iter()
        .filter(|degree| SHOWN_DEGREES.contains(degree))
        .collect();
    let activations = distinct(rows, |row| row.activation.clone());
    for on in intervals(rows) {
        let mut header = vec![format!("method on {on}")];
        for activation in &activations {
            header.extend(
                degrees
                    .iter()
                    .map(|degree| format!("{} {degree}", display_name(activation))),
            );
        }
        let lines: Vec<Vec<String>> = distinct(rows, |row| row.method.clone())
            .into_iter()
            .map(|method| {
                let cells = activations
                    .iter()
                    .flat_map(|activation| degrees.iter().map(move |degree| (activation, *degree)));
                let cells = cells.map(|(activation, degree)| {
                    let found = rows.iter().find(|row| {
                        row.method == method
                            && row.activation == *activation
                            && row.degree == degree
                            && row.is_on(on)
                    });
                    shown(found.and_then(|row| row.max_error), short)
                });
                std::iter::once(method.clone()).chain(cells).collect()
            })
            .collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{}", table(&header, &lines));
    }
    text
}

/// The command that makes these fits, and no others.
pub fn command(rows: &[FitRow]) -> String {
    let list = |values: Vec<String>| values.join(",");
    format!(
        "cryptodl fit --activation {} --method {} --degree {} --interval={} --out results/fits",
        list(distinct(rows, |row| row.activation.clone())),
        list(distinct(rows, |row| row.method.clone())),
        list(distinct(rows, |row| row.degree.to_string())),
        list(intervals(rows).iter().map(ToString::to_string).collect()),
    )
}

/// Three digits, without a power of ten where that is shorter.
fn short(error: f64) -> String {
    if (1e-3..1e4).contains(&error) {
        format!(
            "{error:.*}",
            (2.0 - error.log10().floor()).max(0.0) as usize
        )
    } else {
        format!("{error:.2e}")
    }
}

/// One line a method: errors sampled and proven, and what the polynomial costs on ciphertexts.
pub fn compared(rows: &[CompareRow]) -> String {
    let several = distinct(rows, |row| {
        (row.activation.clone(), row.degree, row.low, row.high)
    });
    let header = [
        "method",
        "sampled error",
        "proven error ≤",
        "gap",
        "proven ÷ best possible",
        "root mean square",
        "error outside",
        "depth",
        "products",
    ];
    let mut text = String::new();
    for (activation, degree, low, high) in several {
        let here: Vec<&CompareRow> = rows
            .iter()
            .filter(|row| row.activation == activation && row.degree == degree)
            .filter(|row| (row.low, row.high) == (low, high) && row.error.is_none())
            .collect();
        let lines: Vec<Vec<String>> = here
            .iter()
            .map(|row| {
                let ratio = row.certified_error.zip(row.least_error);
                let whole =
                    |count: Option<usize>| count.map_or("–".to_string(), |n| n.to_string());
                vec![
                    row.method.clone(),
                    shown(row.max_error, short),
                    shown(row.certified_error, short),
                    shown(row.gap, |gap| format!("{:.2} %", 100.0 * gap)),
                    shown(ratio.map(|(upper, least)| upper / least), short),
                    shown(row.rms_error, short),
                    shown(row.error_outside, short),
                    whole(row.depth),
                    whole(row.ciphertext_products),
                ]
            })
            .collect();
        let _ = writeln!(
            text,
            "{}, degree {degree} on {low}:{high}; outside is up to {:.0} % of the half-width beyond the ends:\n\n{}",
            display_name(&activation),
            100.0 * BEYOND,
            table(&header, &lines)
        );
    }
    text
}

/// One line for all seeds of a kind; nothing if there is one seed of each.
pub fn seeds(rows: &[TrainRow]) -> String {
    let groups = groups(rows);
    if groups.iter().all(|group| group.seeds < 2) {
        return String::new();
    }
    let lines: Vec<Vec<String>> = groups
        .iter()
        .map(|group| {
            let failed = match group.failed {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            vec![
                group.dataset.clone(),
                group.name(),
                format!("{}:{}", group.low, group.high),
                group.epochs.to_string(),
                percent(Some(group.validation)),
                format!(
                    "{:.2} ± {:.2} % (n = {}{failed})",
                    100.0 * group.mean,
                    100.0 * group.deviation,
                    group.seeds
                ),
                format!("{:.2}–{:.2} %", 100.0 * group.least, 100.0 * group.most),
                seconds(group.train_s),
            ]
        })
        .collect();
    let header = [
        "data",
        "network and activation",
        "interval",
        "epochs",
        "validation",
        "test, mean ± standard deviation",
        "lowest–highest",
        "time of one",
    ];
    table(&header, &lines) + "\n"
}

/// One line a training.
pub fn training(rows: &[TrainRow]) -> String {
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.network.clone(),
                format!("{} {} {}", row.activation, row.method, row.degree),
                format!("{}:{}", row.low, row.high),
                row.seed.to_string(),
                row.stopped_after.map_or_else(
                    || row.epochs.to_string(),
                    |after| format!("{after} of {} (given up)", row.epochs),
                ),
                row.variant.clone(),
                percent(row.train_accuracy),
                percent(row.validation_accuracy),
                percent(row.test_accuracy),
                shown(row.train_s, seconds),
                row.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        &[
            "network",
            "activation",
            "interval",
            "seed",
            "epochs",
            "variant",
            "train",
            "validation",
            "test",
            "time",
            "error",
        ],
        &lines,
    ) + "\n"
}
