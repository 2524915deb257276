//! What must hold whatever a reader reads; the tests of the crate use it, too.

use std::{io, marker::PhantomData, sync::LazyLock};

use cryptodl_ckks::{Parameters, ParametersLiteral};
use cryptodl_wire::{Kind, Reader, Wire, WireError, Writer};

/// Parameters so small that a fuzzer comes to every residue.
pub static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let literal = ParametersLiteral {
        ring_degree: 32,
        prime_bits: vec![20, 24],
        special_bits: vec![22],
    };
    Parameters::toy(&literal).expect("the literal is sound")
});

/// Any payload, with the header and checksum that a `T` has.
struct Framed<T>(Vec<u8>, PhantomData<T>);

impl<T: Wire<Parameters = Parameters>> Wire for Framed<T> {
    const KIND: Kind = T::KIND;
    const WORD_BYTES: u8 = T::WORD_BYTES;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &PARAMETERS
    }

    fn payload_size(&self) -> u64 {
        self.0.len() as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        to.bytes(&self.0)
    }

    fn read_payload(_: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut payload = vec![0; from.left() as usize];
        from.bytes(&mut payload)?;
        Ok(Self(payload, PhantomData))
    }
}

/// The payload among the bytes of a value.
#[allow(dead_code, reason = "the fuzz targets make payloads themselves")]
pub fn payload<T: Wire<Parameters = Parameters>>(bytes: &[u8]) -> Vec<u8> {
    Framed::<T>::from_bytes(&PARAMETERS, bytes)
        .expect("bytes of a value")
        .0
}

/// Reads the bytes as they are, and as a payload between the right header and checksum: what is read at all must be
/// written as the same bytes again.
pub fn check<T: Wire<Parameters = Parameters>>(data: &[u8]) {
    let framed = Framed::<T>(data.to_vec(), PhantomData).to_bytes();
    for bytes in [data, &framed] {
        if let Ok(value) = T::from_bytes(&PARAMETERS, bytes) {
            assert_eq!(value.to_bytes(), bytes, "{}", T::KIND);
        }
    }
}
