//! Specs, programs, keys and ciphertexts on their way, in the format of [`cryptodl_wire`].
//!
//! Payloads of keys and ciphertexts begin with the identity of the client's key; then come seeds and 64-bit words. Every
//! word is a valid number of the torus: hostile ones decrypt to nonsense, and that is all they can do.

use std::io;

use cryptodl_fold::{Graph, lookup};
use cryptodl_wire::{Document, Json, Kind, Reader, Wire, WireError, Writer, binary_size};
use serde::Serialize;
use tfhe::core_crypto::{
    commons::math::random::{CompressionSeed, Seed},
    prelude::{CiphertextModulus, LweSecretKeyOwned, SeededLweBootstrapKey, SeededLweKeyswitchKey},
};
use zeroize::Zeroizing;

use super::{
    batch::{SeededValue, TfheRequest, TfheResponse},
    keys::{TfheKeys, TfheParameters, TfheSecretKey, long_dimension, seeded_words},
    parameters::Choice,
    program::TfheProgram,
    spec::TfheSpec,
};
use crate::interface::Interface;

/// Bytes of an identity, or of a seed.
const SEED: u64 = 16;
/// Bytes of a number of values.
const COUNT: u64 = 4;
/// Bytes of a word.
const WORD: u64 = 8;

/// Bytes of an encrypted pixel as sent.
pub(super) const SEEDED_BYTES: usize = (SEED + WORD) as usize;

fn write_seed(to: &mut Writer<'_>, seed: u128) -> io::Result<()> {
    to.bytes(&seed.to_le_bytes())
}

fn read_seed(from: &mut Reader<'_>) -> Result<u128, WireError> {
    Ok(u128::from_le_bytes(from.array()?))
}

fn read_words(from: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, WireError> {
    let mut words = vec![0; count];
    from.words(&mut words)?;
    Ok(words)
}

impl Document for TfheSpec {
    const KIND: Kind = Kind {
        tag: *b"t-sp",
        name: "a spec of scheme `tfhe`",
    };
}

impl TfheProgram {
    /// What everything else follows from.
    fn parts(&self) -> impl Serialize {
        (self.toy, Json(&self.interface), &self.graph)
    }
}

impl Wire for TfheProgram {
    const KIND: Kind = Kind {
        tag: *b"t-pr",
        name: "a program of scheme `tfhe`",
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
        let (toy, Json(interface), graph): (bool, Json<Interface>, Graph<i64>) = from.binary()?;
        lookup::check(&graph).map_err(|e| from.malformed(e.to_string()))?;
        let choice = Choice::new(&graph, toy).map_err(|e| from.malformed(e.to_string()))?;
        Ok(Self::new(graph, choice, interface, toy).0)
    }
}

impl Wire for TfheSecretKey {
    const KIND: Kind = Kind {
        tag: *b"t-sk",
        name: "a secret key",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = TfheParameters;

    fn parameters(&self) -> &TfheParameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        SEED + WORD * (self.short.as_ref().len() + self.long.as_ref().len()) as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_seed(to, self.identity)?;
        to.words(self.short.as_ref())?;
        to.words(self.long.as_ref())
    }

    fn read_payload(parameters: &TfheParameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let set = &parameters.0;
        let (short, long) = (set.lwe_dimension.0, long_dimension(set));
        from.expect(SEED + WORD * (short + long) as u64)?;
        let identity = read_seed(from)?;
        let mut bits = |count| read_words(from, count).map(Zeroizing::new);
        let (short, long) = (bits(short)?, bits(long)?);
        if short.iter().chain(long.iter()).any(|&bit| bit > 1) {
            return Err(from.malformed("a bit of it is neither 0 nor 1"));
        }
        Ok(Self {
            parameters: *parameters,
            identity,
            short: LweSecretKeyOwned::from_container(short.to_vec()),
            long: LweSecretKeyOwned::from_container(long.to_vec()),
        })
    }
}

impl Wire for TfheKeys {
    const KIND: Kind = Kind {
        tag: *b"t-ek",
        name: "an evaluation key",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = TfheParameters;

    fn parameters(&self) -> &TfheParameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        keys_size(&self.parameters)
    }

    /// The halves that are not random, and the seeds of the others.
    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_seed(to, self.identity)?;
        self.seeds
            .iter()
            .try_for_each(|seed| write_seed(to, *seed))?;
        to.words(self.bootstrap.as_view().into_container())?;
        to.words(self.switch.as_ref())
    }

    fn read_payload(parameters: &TfheParameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let set = &parameters.0;
        from.expect(keys_size(parameters))?;
        let (bootstrap, switch) = seeded_words(set);
        let identity = read_seed(from)?;
        let seeds = [read_seed(from)?, read_seed(from)?];
        let [first, second] = seeds.map(|seed| CompressionSeed::from(Seed(seed)));
        Ok(Self {
            parameters: *parameters,
            identity,
            seeds,
            bootstrap: SeededLweBootstrapKey::from_container(
                read_words(from, bootstrap)?,
                set.glwe_dimension.to_glwe_size(),
                set.polynomial_size,
                set.pbs_base_log,
                set.pbs_level,
                first,
                CiphertextModulus::new_native(),
            ),
            switch: SeededLweKeyswitchKey::from_container(
                read_words(from, switch)?,
                set.ks_base_log,
                set.ks_level,
                set.lwe_dimension.to_lwe_size(),
                second,
                CiphertextModulus::new_native(),
            ),
        })
    }
}

fn keys_size(parameters: &TfheParameters) -> u64 {
    let (bootstrap, switch) = seeded_words(&parameters.0);
    3 * SEED + WORD * (bootstrap + switch) as u64
}

impl Wire for TfheRequest {
    const KIND: Kind = Kind {
        tag: *b"t-rq",
        name: "an encrypted image",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = TfheParameters;

    fn parameters(&self) -> &TfheParameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        SEED + COUNT + (SEED + WORD) * self.pixels.len() as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_seed(to, self.identity)?;
        to.u32(u32::try_from(self.pixels.len()).expect("pixels are far below 2^32"))?;
        self.pixels.iter().try_for_each(|pixel| {
            write_seed(to, pixel.seed)?;
            to.u64(pixel.body)
        })
    }

    fn read_payload(parameters: &TfheParameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let identity = read_seed(from)?;
        let count = from.u32()?;
        from.expect((SEED + WORD) * u64::from(count))?;
        let pixels = (0..count).map(|_| {
            Ok(SeededValue {
                seed: read_seed(from)?,
                body: from.u64()?,
            })
        });
        Ok(Self {
            pixels: pixels.collect::<Result<_, WireError>>()?,
            parameters: *parameters,
            identity,
        })
    }
}

impl Wire for TfheResponse {
    const KIND: Kind = Kind {
        tag: *b"t-rs",
        name: "an encrypted result",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = TfheParameters;

    fn parameters(&self) -> &TfheParameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        let words = long_dimension(&self.parameters.0) + 1;
        SEED + COUNT + WORD * (self.values.len() * words) as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_seed(to, self.identity)?;
        to.u32(u32::try_from(self.values.len()).expect("results are far below 2^32"))?;
        self.values.iter().try_for_each(|value| to.words(value))
    }

    fn read_payload(parameters: &TfheParameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let identity = read_seed(from)?;
        let count = from.u32()?;
        let words = long_dimension(&parameters.0) + 1;
        from.expect(WORD * words as u64 * u64::from(count))?;
        let values = (0..count).map(|_| read_words(from, words));
        Ok(Self {
            values: values.collect::<Result<_, _>>()?,
            parameters: *parameters,
            identity,
        })
    }
}
