//! Values without repetition, in order of first appearance.

/// The values, each once.
pub fn unique<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}

/// What `of` makes of the rows, each value once.
pub fn distinct<T, V: PartialEq>(rows: &[T], of: impl Fn(&T) -> V) -> Vec<V> {
    unique(rows.iter().map(of))
}
