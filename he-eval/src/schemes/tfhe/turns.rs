//! Accumulators that go round the torus.
//!
//! A bootstrap looks up half the torus and negates on the other. So a table whose results change sign after
//! `n` values, but for a constant that is added afterwards, needs no more than the `n` boxes of one half,
//! and its accumulator may go round as often as it likes. Such are, with half the boxes that all values
//! would take, tables of two results (below a threshold and from it on), and with any number of values the
//! tables of a sine; tables whose results do not change towards both ends save some. A table of no more than
//! `n + 1` values is one in any case.

use cryptodl_fold::graph::Table;

/// The fewest boxes on half the torus that hold all of these tables.
pub(super) fn boxes(tables: &[Table]) -> usize {
    let most = tables.iter().map(|table| table.results.len()).max();
    (1..most.unwrap_or(1))
        .find(|&n| tables.iter().all(|table| sum_after(table, n).is_some()))
        .unwrap_or(most.unwrap_or(1))
}

/// What results `n` values apart add up to, if that is the same for all; 0 if none are so far apart.
pub(super) fn sum_after(table: &Table, n: usize) -> Option<i64> {
    let mut sums = table.results.iter().zip(table.results.iter().skip(n));
    let first = sums.next().map_or(0, |(a, b)| a + b);
    sums.all(|(a, b)| a + b == first).then_some(first)
}

/// Where a table begins on the torus: its first value, or the threshold of two results, which then lies on
/// no box but where the halves meet.
pub(super) fn origin(table: &Table) -> i64 {
    let below = table
        .results
        .iter()
        .take_while(|&result| *result == table.results[0]);
    match below.count() {
        count if is_step(table) => table.low + count as i64,
        _ => table.low,
    }
}

/// Whether the results change no more than once.
pub(super) fn is_step(table: &Table) -> bool {
    let pairs = table.results.windows(2);
    pairs.filter(|pair| pair[0] != pair[1]).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(results: &[i64]) -> Table {
        Table {
            low: -2,
            results: results.to_vec(),
        }
    }

    fn fewest(all: &[&[i64]]) -> usize {
        let tables: Vec<Table> = all.iter().map(|results| table(results)).collect();
        boxes(&tables)
    }

    #[test]
    fn steps_and_waves_need_half_and_anything_else_all_but_one() {
        assert_eq!(fewest(&[&[0, 0, 0, 3, 3]]), 3);
        assert_eq!(fewest(&[&[0, 3, 3, 3, 3]]), 4);
        assert_eq!(fewest(&[&[5, 1]]), 1);
        assert_eq!(fewest(&[&[4; 4]]), 1);
        assert_eq!(fewest(&[&[0, 1, 2]]), 2);
        assert_eq!(fewest(&[&[0, 0, 0, 0, 1, 2, 2, 2, 2]]), 5);
        // three values and the same upside down, twice
        assert_eq!(fewest(&[&[5, 7, 6, 3, 1, 2, 5, 7, 6, 3]]), 3);
        assert_eq!(fewest(&[&[5, 7, 6, 3, 1, 2, 5, 7, 7, 3]]), 9);
    }

    #[test]
    fn all_tables_of_a_layer_get_as_many() {
        let wave: &[i64] = &[5, 7, 6, 3, 1, 2, 5, 7, 6, 3];
        assert_eq!(fewest(&[wave, &[1, 2, 4]]), 3);
        assert_eq!(fewest(&[wave, &[1, 2, 4, 7]]), 3);
        // waves that turn after 3 values turn after 9, too, which 5 different values fit in
        assert_eq!(fewest(&[wave, &[1, 2, 4, 5, 5]]), 9);
        assert_eq!(sum_after(&table(wave), 3), Some(8));
        assert_eq!(sum_after(&table(wave), 2), None);
        assert_eq!(sum_after(&table(wave), 10), Some(0));
    }

    #[test]
    fn steps_begin_at_their_threshold() {
        for (results, expected, step) in [
            (&[0, 0, 0, 3, 3][..], 1, true),
            (&[5, 1], -1, true),
            (&[4, 4], 0, true),
            (&[0, 1, 0], -2, false),
        ] {
            let table = table(results);
            assert_eq!((origin(&table), is_step(&table)), (expected, step));
        }
    }
}
