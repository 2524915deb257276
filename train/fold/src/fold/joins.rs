//! Where values of the network meet: sums, products, concatenations.

use cryptodl_network::Shape;

use super::{
    Folding,
    held::{Held, Open, Term, Values},
    layout, some,
};
use crate::{
    affine::Affine,
    graph::{Operation, Product},
};

impl Folding<'_> {
    pub(super) fn add(&mut self, index: usize, first: Held, second: Held) -> Open {
        let mut sum = self.terms(index, first);
        let other = self.terms(index, second);
        sum.terms.extend(other.terms);
        (sum.index, sum.statistics) = (index, None);
        sum
    }

    /// A value as terms of a sum.
    fn terms(&mut self, index: usize, held: Held) -> Open {
        match held {
            Held::Open(open) => open,
            Held::Values(values) => {
                let pixels = values.reads_input() && self.network.mirrored;
                if values.pool.is_none() && values.parts.len() == 1 && !pixels {
                    Open {
                        index,
                        output: values.shape,
                        terms: vec![Term::Values(values)],
                        statistics: None,
                    }
                } else {
                    Self::identity(index, values)
                }
            }
        }
    }

    pub(super) fn product(&mut self, index: usize, factors: [Held; 2]) -> Values {
        let [a, b] = factors.map(|factor| {
            let values = self.close(factor);
            // the shift of a pixel would be rounded to few levels
            let usable = values.pool.is_none() && !values.affine.forgets() && !values.reads_input();
            if usable && values.parts.len() == 1 {
                values
            } else {
                self.made(index, values)
            }
        });
        let shift = |values: &Values| {
            let pairs = values.affine.shift.iter().zip(&values.affine.scale);
            let shifts: Vec<f64> = pairs.map(|(shift, scale)| shift / scale).collect();
            some(shifts, 0.0)
        };
        let product = Product {
            shifts: [shift(&a), shift(&b)],
        };
        let scales = a.affine.scale.iter().zip(&b.affine.scale);
        let affine = Affine {
            scale: scales.map(|(a, b)| a * b).collect(),
            shift: vec![0.0; a.shape.channels],
        };
        let operands = vec![a.parts[0].value, b.parts[0].value];
        let value = self.push(
            index,
            operands,
            Operation::Product(product),
            layout(a.shape),
        );
        Values {
            affine,
            ..Values::single(value, a.shape)
        }
    }

    pub(super) fn concatenation(
        &mut self,
        index: usize,
        inputs: impl Iterator<Item = Held>,
        after: Shape,
    ) -> Values {
        let mut all: Vec<Values> = inputs.map(|input| self.close(input)).collect();
        let pool = all[0].pool;
        let alike = all.iter().all(|v| {
            v.pool == pool
                && (v.shape.height, v.shape.width) == (all[0].shape.height, all[0].shape.width)
        });
        if !alike {
            all = all.into_iter().map(|v| self.pooled(index, v)).collect();
        }
        let mut all = all.into_iter();
        let mut whole = all.next().expect("a concatenation has inputs");
        for values in all {
            whole.parts.extend(values.parts);
            whole.affine.extend(&values.affine);
        }
        whole.shape.channels = after.channels;
        whole
    }
}
