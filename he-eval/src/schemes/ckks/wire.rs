//! Specs and programs on their way, in the format of [`cryptodl_wire`]; keys, requests and responses are those of
//! [`cryptodl_ckks`].

use std::io;

use cryptodl_fold::{Graph, rounding::Stepped};
use cryptodl_wire::{Document, Json, Kind, Reader, Wire, WireError, Writer, binary_size};
use serde::Serialize;

use super::{client::CkksSpec, program::CkksProgram, segments::Schedule};

impl Document for CkksSpec {
    const KIND: Kind = Kind {
        tag: *b"c-sp",
        name: "a spec of scheme `ckks`",
    };
}

impl CkksProgram {
    /// What everything else follows from.
    fn parts(&self) -> impl Serialize {
        (Json(&self.spec), &self.scales, &self.steps, &self.graph)
    }
}

impl Wire for CkksProgram {
    const KIND: Kind = Kind {
        tag: *b"c-pr",
        name: "a program of scheme `ckks`",
    };
    const WORD_BYTES: u8 = 0;
    type Parameters = ();

    fn parameters(&self) -> &() {
        &()
    }

    fn payload_size(&self) -> u64 {
        binary_size(&self.parts())
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        to.binary(&self.parts())
    }

    fn read_payload((): &(), from: &mut Reader<'_>) -> Result<Self, WireError> {
        type Parts = (Json<CkksSpec>, Vec<f64>, Vec<f64>, Graph<f64>);
        let (Json(spec), scales, steps, graph): Parts = from.binary()?;
        graph.check().map_err(|e| from.malformed(e.to_string()))?;
        if steps.len() != graph.nodes.len() || !steps.iter().copied().all(is_scale) {
            return Err(from.malformed("it has not one step for each node"));
        }
        let schedule = Schedule::new(&graph).map_err(|e| from.malformed(e.to_string()))?;
        if !has_scales(&schedule, &scales) {
            return Err(from.malformed("it has not one scale for each value"));
        }
        if spec.prime_bits.len() <= schedule.levels() {
            return Err(from.malformed("it has fewer primes than levels"));
        }
        let stepped = Stepped { graph, steps };
        Self::new(stepped, schedule, scales, &spec).map_err(|e| from.malformed(e.to_string()))
    }
}

fn is_scale(x: f64) -> bool {
    x.is_normal() && x > 0.0
}

/// Whether there is one for each value, and one that makes sense for those that are ever there.
fn has_scales(schedule: &Schedule, scales: &[f64]) -> bool {
    let mut segments = schedule.segments.iter();
    let is_there = |value: &usize| scales.get(*value).copied().is_some_and(is_scale);
    scales.len() == schedule.above.len()
        && segments.all(|segment| segment.reads.iter().all(is_there) && is_there(&segment.makes))
}
