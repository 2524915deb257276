//! The least that reads digits: `lookup` with 100 look-ups.

use super::Width;
use crate::Network;

pub(super) const NAME: &str = "lookup-tiny";
pub(super) const SUMMARY: &str =
    "for 100 look-ups of 4 bits: pixels of 1 bit → dense 100 → act of 4 values → dense 10";

pub(super) fn network(width: Width) -> Network {
    super::lookup::of_look_ups(NAME, width.of(100))
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn there_are_100_activations() {
        assert_eq!(super::network(Width::FULL).activation_outputs(), 100);
    }
}
