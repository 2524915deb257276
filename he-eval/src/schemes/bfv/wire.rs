//! Specs, programs, keys and ciphertexts on their way, in the format of [`cryptodl_wire`].
//!
//! A residue takes as many bytes as its prime has, and is compared with it when it is read. Relinearisation keys are as
//! `fhe` writes them, a seed in place of one half.

use std::io;

use cryptodl_fold::{Graph, Operation};
use cryptodl_wire::{Document, Json, Kind, Reader, Wire, WireError, Writer, binary_size};
use fhe::bfv::{BfvParameters, Ciphertext, RelinearizationKey};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};
use fhe_traits::DeserializeParametrized;
use ndarray::Array2;
use serde::Serialize;

use super::{
    batch::BfvCiphertexts, components::BfvComponents, keys::BfvKeys, program::BfvProgram,
    spec::BfvSpec,
};

/// Bytes of the number of a component, or of a count.
const COUNT: u64 = 4;

impl Document for BfvSpec {
    const KIND: Kind = Kind {
        tag: *b"b-sp",
        name: "a spec of scheme `bfv`",
    };
}

impl BfvProgram {
    /// What everything else follows from.
    fn parts(&self) -> impl Serialize {
        (Json(&self.spec), &self.graph)
    }
}

impl Wire for BfvProgram {
    const KIND: Kind = Kind {
        tag: *b"b-pr",
        name: "a program of scheme `bfv`",
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
        let (Json(spec), graph): (Json<BfvSpec>, Graph<i64>) = from.binary()?;
        graph.check().map_err(|e| from.malformed(e.to_string()))?;
        if let Some(node) = graph.nodes.iter().find(|node| !is_exact(&node.operation)) {
            return Err(from.malformed(format!("`{}` has no integer form", node.name)));
        }
        Self::new(graph, &spec).map_err(|e| from.malformed(e.to_string()))
    }
}

/// Whether quantisation makes such an operation.
fn is_exact(operation: &Operation<i64>) -> bool {
    matches!(
        operation,
        Operation::Linear(_) | Operation::Product(_) | Operation::Power(_) | Operation::Add(_)
    )
}

/// Bytes of a polynomial's residue modulo each prime.
fn widths(parameters: &BfvParameters) -> impl Iterator<Item = usize> {
    let bits = |modulus: &u64| modulus.ilog2() + 1;
    let moduli = parameters.moduli().iter();
    moduli.map(move |modulus| bits(modulus).div_ceil(8) as usize)
}

/// Bytes of a ciphertext of two polynomials.
pub(super) fn ciphertext_size(parameters: &BfvParameters) -> u64 {
    2 * (parameters.degree() * widths(parameters).sum::<usize>()) as u64
}

impl Wire for BfvCiphertexts {
    const KIND: Kind = Kind {
        tag: *b"b-ct",
        name: "a list of ciphertexts",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = BfvComponents;

    fn parameters(&self) -> &BfvComponents {
        &self.components
    }

    fn payload_size(&self) -> u64 {
        let one = ciphertext_size(&self.components[self.component]);
        2 * COUNT + self.values.len() as u64 * one
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        let parameters = &self.components[self.component];
        to.u32(self.component as u32)?;
        to.u32(self.values.len() as u32)?;
        for polynomial in self.values.iter().flat_map(|value| value.iter()) {
            let rows = polynomial.coefficients();
            for (row, width) in rows.outer_iter().zip(widths(parameters)) {
                to.packed(row.to_slice().expect("rows are contiguous"), width)?;
            }
        }
        Ok(())
    }

    fn read_payload(components: &BfvComponents, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let component = from.u32()? as usize;
        let count = from.u32()?;
        let Some(parameters) = components.get(component) else {
            return Err(from.malformed(format!("there is no CRT component {component}")));
        };
        // below 2^32 ciphertexts of below 2^30 bytes
        from.expect(u64::from(count) * ciphertext_size(parameters))?;
        let values = (0..count).map(|_| read_ciphertext(parameters, from));
        Ok(Self {
            component,
            values: values.collect::<Result<_, _>>()?,
            components: components.clone(),
        })
    }
}

fn read_ciphertext(
    parameters: &std::sync::Arc<BfvParameters>,
    from: &mut Reader<'_>,
) -> Result<Ciphertext, WireError> {
    let context = parameters.context_at_level(0).expect("every chain has one");
    let mut polynomial = || {
        let shape = (parameters.moduli().len(), parameters.degree());
        let mut residues = Array2::zeros(shape);
        let rows = residues.as_slice_mut().expect("made contiguous above");
        let rows = rows.chunks_mut(shape.1).zip(parameters.moduli());
        for ((row, &modulus), width) in rows.zip(widths(parameters)) {
            from.packed(row, width, modulus)?;
        }
        let made = Poly::try_convert_from(residues, context, true, Representation::Ntt);
        made.map_err(|e| from.malformed(e.to_string()))
    };
    let polynomials = vec![polynomial()?, polynomial()?];
    Ciphertext::new(polynomials, parameters).map_err(|e| from.malformed(e.to_string()))
}

impl Wire for BfvKeys {
    const KIND: Kind = Kind {
        tag: *b"b-rk",
        name: "a list of relinearisation keys",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = BfvComponents;

    fn parameters(&self) -> &BfvComponents {
        &self.components
    }

    fn payload_size(&self) -> u64 {
        let keys = self.keys.iter().map(|key| COUNT + key.len() as u64);
        COUNT + keys.sum::<u64>()
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        to.u32(self.keys.len() as u32)?;
        for key in &self.keys {
            to.u32(u32::try_from(key.len()).expect("keys are far below 4 GiB"))?;
            to.bytes(key)?;
        }
        Ok(())
    }

    fn read_payload(components: &BfvComponents, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = from.u32()? as usize;
        if count != components.len() {
            return Err(from.malformed(format!("it has {count} keys")));
        }
        let mut keys = Vec::new();
        for parameters in components.iter() {
            let bytes = from.u32()? as usize;
            let key = from.list::<1>(bytes)?.into_flattened();
            RelinearizationKey::from_bytes(&key, parameters)
                .map_err(|e| from.malformed(e.to_string()))?;
            keys.push(key);
        }
        Ok(Self {
            components: components.clone(),
            keys,
        })
    }
}
