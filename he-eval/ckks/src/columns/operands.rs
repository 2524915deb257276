//! What a product of weights with bytes reads, whatever the instructions.

use super::{
    Quad,
    layer::{Gather, Packed},
};

/// What a product reads.
pub(super) struct Operands<'a> {
    pub matrix: &'a Packed,
    pub gather: &'a Gather,
    /// Bytes of a residue.
    pub planes: usize,
    /// Sums of a row.
    pub count: usize,
    /// `[quad][plane]`.
    pub quads: &'a [Quad],
}

impl Operands<'_> {
    /// The digits that meet plane `s - digit` in sum `s`.
    pub fn digits(&self, s: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let planes = self.planes;
        (0..self.matrix.digits.len()).filter_map(move |digit| {
            let plane = s.checked_sub(digit)?;
            (plane < planes).then_some((digit, plane))
        })
    }
}
