//! How folding holds a value of the network.

use std::ops::Range;

use cryptodl_network::{Shape, ValueId};

use crate::{
    affine::Affine,
    graph::Statistics,
    stage::{Pool, Stage},
};

/// A value of the network.
#[derive(Clone)]
pub(super) enum Held {
    /// Values of the graph, and what is still to be done to them.
    Values(Values),
    /// Linear layers and sums that later layers may still change.
    Open(Open),
}

/// Values of the graph that stand, one behind the other, for a value of the network.
#[derive(Clone)]
pub(super) struct Values {
    pub parts: Vec<Part>,
    /// Shape of all of them together, before `pool`.
    pub shape: Shape,
    /// What is still to be applied, channel by channel, before `pool`.
    pub affine: Affine,
    /// A mean pooling that is still to be done.
    pub pool: Option<Pool>,
}

/// One of several values.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub value: ValueId,
    pub channels: usize,
}

impl Values {
    /// A value with nothing left to do.
    pub fn single(value: ValueId, shape: Shape) -> Self {
        let channels = shape.channels;
        Self {
            parts: vec![Part { value, channels }],
            shape,
            affine: Affine::identity(channels),
            pool: None,
        }
    }

    /// The shape that the layers see.
    pub fn seen(&self) -> Shape {
        self.pool.map_or(self.shape, |pool| pool.output(self.shape))
    }

    /// Whether it is one value of the graph with nothing left to do.
    pub fn is_bare(&self) -> bool {
        self.parts.len() == 1 && self.pool.is_none() && self.affine.is_identity()
    }

    /// Whether pixels are among them.
    pub fn reads_input(&self) -> bool {
        self.parts.iter().any(|part| part.value == ValueId::INPUT)
    }

    /// The parts with their channels.
    pub fn ranges(&self) -> Vec<(Part, Range<usize>)> {
        let parts = self.parts.iter().scan(0, |first, part| {
            let range = *first..*first + part.channels;
            *first = range.end;
            Some((*part, range))
        });
        parts.collect()
    }
}

/// A sum of terms, of one reader; a single term is a linear layer.
#[derive(Clone)]
pub(super) struct Open {
    /// The node of the network that began it.
    pub index: usize,
    pub terms: Vec<Term>,
    /// Shape of the sum.
    pub output: Shape,
    /// Of the sum, where a batch norm told.
    pub statistics: Option<Statistics>,
}

/// A term of a sum.
#[derive(Clone)]
pub(super) enum Term {
    /// A linear layer that is still to be emitted.
    Linear {
        /// The node of the network that it came from.
        index: usize,
        stage: Stage,
        /// What it reads; without a pool.
        from: Values,
    },
    /// One value times its own affine map.
    Values(Values),
}

impl Open {
    /// A linear layer.
    pub fn linear(index: usize, stage: Stage, from: Values) -> Self {
        Self {
            index,
            output: stage.output,
            terms: vec![Term::Linear { index, stage, from }],
            statistics: None,
        }
    }

    /// Appends a channel-wise affine map.
    pub fn then(&mut self, next: &Affine) {
        // the shift is one term's alone
        let scale_only = Affine {
            scale: next.scale.clone(),
            shift: vec![0.0; next.shift.len()],
        };
        for (position, term) in self.terms.iter_mut().enumerate() {
            let next = if position == 0 { next } else { &scale_only };
            match term {
                Term::Linear { stage, .. } => stage.then(next),
                Term::Values(values) => values.affine.then(next),
            }
        }
        if let Some(Statistics { mean, deviation }) = &mut self.statistics {
            for channel in 0..mean.len() {
                mean[channel] = next.scale[channel] * mean[channel] + next.shift[channel];
                deviation[channel] *= next.scale[channel].abs();
            }
        }
    }
}
