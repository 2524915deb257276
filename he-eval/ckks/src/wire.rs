//! Keys and ciphertexts on their way, in the format of [`cryptodl_wire`].
//!
//! Payloads begin with counts of four bytes and scales of eight; then come seeds and residues. A residue takes as many
//! bytes as its prime has, and is compared with it when it is read. Lengths follow from parameters and counts, and are
//! compared with what there is before memory is set aside. A secret key is its ternary coefficients, a byte each.
//!
//! Batches and bundles may be of any length. Large ones are read into pages that the system hands out when
//! they are written to, so that their memory grows with the bytes that come, and goes back to the system afterwards.

use std::io;

use cryptodl_wire::{Fingerprint, Kind, Reader, Wire, WireError, Writer};
use zeroize::Zeroizing;

use crate::{
    ciphertext::{Bundle, Ciphertext, SeededBatch, SeededCiphertext},
    columns::{BLOCK, Row},
    keys::{PublicKey, RelinearisationKey, SecretKey},
    parameters::Parameters,
    pool::Buffer,
    sample::Seed,
};

/// Bytes of a number of components, primes or ciphertexts.
const COUNT: u64 = 4;
/// Bytes of a scale.
const SCALE: u64 = 8;

impl cryptodl_wire::Parameters for Parameters {
    fn fingerprint(&self) -> Fingerprint {
        Parameters::fingerprint(self)
    }
}

/// Bytes of a residue modulo prime `index`, special primes last.
fn width(parameters: &Parameters, index: usize) -> usize {
    parameters.modulus(index).bits().div_ceil(8) as usize
}

/// Bytes of one component modulo the first `primes` primes.
fn component_size(parameters: &Parameters, primes: usize) -> u64 {
    let widths = (0..primes).map(|prime| width(parameters, prime));
    (parameters.ring_degree() * widths.sum::<usize>()) as u64
}

fn write_count(to: &mut Writer<'_>, count: usize) -> io::Result<()> {
    to.u32(u32::try_from(count).expect("counts are far below 2^32"))
}

/// A count from `least` to `most`.
fn read_count(
    from: &mut Reader<'_>,
    what: &str,
    least: usize,
    most: usize,
) -> Result<usize, WireError> {
    let count = from.u32()? as usize;
    if (least..=most).contains(&count) {
        Ok(count)
    } else {
        Err(from.malformed(format!("it has {count} {what}")))
    }
}

fn read_scale(from: &mut Reader<'_>) -> Result<f64, WireError> {
    let scale = from.f64()?;
    if scale.is_normal() && scale > 0.0 {
        Ok(scale)
    } else {
        Err(from.malformed(format!("it has a scale of {scale}")))
    }
}

fn write_residues(
    to: &mut Writer<'_>,
    parameters: &Parameters,
    prime: usize,
    residues: &[u64],
) -> io::Result<()> {
    to.packed(residues, width(parameters, prime))
}

fn read_residues(
    from: &mut Reader<'_>,
    parameters: &Parameters,
    prime: usize,
    residues: &mut [u64],
) -> Result<(), WireError> {
    let bound = parameters.modulus(prime).value();
    from.packed(residues, width(parameters, prime), bound)
}

/// Memory for what a stranger sent.
fn memory(from: &Reader<'_>, rows: usize) -> Result<Buffer, WireError> {
    let bytes = rows as u64 * size_of::<Row>() as u64;
    Buffer::single(rows).ok_or_else(|| from.no_memory(bytes))
}

impl Wire for SecretKey {
    const KIND: Kind = Kind {
        tag: *b"c-sk",
        name: "a secret key",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        self.parameters.ring_degree() as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        // of the right size from the start: growing would leave copies behind
        let mut bytes = Zeroizing::new(vec![0; self.parameters.ring_degree()]);
        for (byte, x) in bytes.iter_mut().zip(self.ternary().iter()) {
            *byte = (x + 1) as u8;
        }
        to.bytes(&bytes)
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let n = parameters.ring_degree();
        from.expect(n as u64)?;
        let mut bytes = Zeroizing::new(vec![0; n]);
        from.bytes(&mut bytes)?;
        if bytes.iter().any(|x| *x > 2) {
            return Err(from.malformed("a coefficient is none of -1, 0 and 1"));
        }
        if bytes.iter().all(|x| *x == 1) {
            return Err(from.malformed("all its coefficients are zero"));
        }
        let mut coefficients = Zeroizing::new(vec![0; n]);
        for (x, byte) in coefficients.iter_mut().zip(bytes.iter()) {
            *x = i64::from(*byte) - 1;
        }
        Ok(Self::from_ternary(parameters, &coefficients))
    }
}

impl SecretKey {
    /// The key as bytes, which are wiped when dropped.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Wire::to_bytes(self))
    }
}

impl Wire for Ciphertext {
    const KIND: Kind = Kind {
        tag: *b"c-ct",
        name: "a ciphertext",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        2 * COUNT + SCALE + self.components as u64 * component_size(&self.parameters, self.primes)
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_count(to, self.components)?;
        write_count(to, self.primes)?;
        to.f64(self.scale)?;
        for component in 0..self.components {
            for prime in 0..self.primes {
                write_residues(to, &self.parameters, prime, self.row(component, prime))?;
            }
        }
        Ok(())
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let components = read_count(from, "components", 2, 3)?;
        let primes = read_count(from, "primes", 1, parameters.primes())?;
        let scale = read_scale(from)?;
        from.expect(components as u64 * component_size(parameters, primes))?;
        let rows = components * primes * parameters.ring_degree() / BLOCK;
        let mut ciphertext = Self {
            parameters: parameters.clone(),
            components,
            primes,
            scale,
            data: memory(from, rows)?,
        };
        for component in 0..components {
            for prime in 0..primes {
                let row = ciphertext.row_mut(component, prime);
                read_residues(from, parameters, prime, row)?;
            }
        }
        Ok(ciphertext)
    }
}

impl Wire for PublicKey {
    const KIND: Kind = Kind {
        tag: *b"c-pk",
        name: "a public key",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.0.parameters
    }

    fn payload_size(&self) -> u64 {
        self.0.payload_size()
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        self.0.write_payload(to)
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let key = Ciphertext::read_payload(parameters, from)?;
        if key.components != 2 || key.primes != parameters.primes() {
            return Err(from.malformed("it has not two components modulo every prime"));
        }
        Ok(Self(key))
    }
}

impl Wire for RelinearisationKey {
    const KIND: Kind = Kind {
        tag: *b"c-rk",
        name: "a relinearisation key",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        relinearisation_size(&self.parameters)
    }

    /// One half, and the seed of the other.
    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        let p = &self.parameters;
        to.bytes(&self.seed)?;
        let all = p.all_rings().len();
        for (index, row) in self.masked.chunks(p.ring_degree()).enumerate() {
            write_residues(to, p, index % all, row)?;
        }
        Ok(())
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.expect(relinearisation_size(parameters))?;
        let seed: Seed = from.array()?;
        let all = parameters.all_rings().len();
        let n = parameters.ring_degree();
        let mut masked = vec![0; parameters.primes() * all * n];
        for (index, row) in masked.chunks_mut(n).enumerate() {
            read_residues(from, parameters, index % all, row)?;
        }
        Ok(Self {
            parameters: parameters.clone(),
            seed,
            masked,
            random: Self::random(parameters, &seed),
        })
    }
}

fn relinearisation_size(parameters: &Parameters) -> u64 {
    let all = component_size(parameters, parameters.all_rings().len());
    size_of::<Seed>() as u64 + parameters.primes() as u64 * all
}

impl Wire for SeededCiphertext {
    const KIND: Kind = Kind {
        tag: *b"c-sc",
        name: "a seeded ciphertext",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        COUNT + SCALE + size_of::<Seed>() as u64 + component_size(&self.parameters, self.primes)
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        write_count(to, self.primes)?;
        to.f64(self.scale)?;
        to.bytes(&self.seed)?;
        let rows = self.data.chunks(self.parameters.ring_degree());
        for (prime, row) in rows.enumerate() {
            write_residues(to, &self.parameters, prime, row)?;
        }
        Ok(())
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let primes = read_count(from, "primes", 1, parameters.primes())?;
        let scale = read_scale(from)?;
        from.expect(size_of::<Seed>() as u64 + component_size(parameters, primes))?;
        let seed = from.array()?;
        let mut data = vec![0; primes * parameters.ring_degree()];
        for (prime, row) in data.chunks_mut(parameters.ring_degree()).enumerate() {
            read_residues(from, parameters, prime, row)?;
        }
        Ok(Self {
            parameters: parameters.clone(),
            primes,
            scale,
            seed,
            data,
        })
    }
}

impl Wire for SeededBatch {
    const KIND: Kind = Kind {
        tag: *b"c-sb",
        name: "a batch of seeded ciphertexts",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        batch_size(&self.parameters, self.len(), self.primes)
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        let p = &self.parameters;
        write_count(to, self.len())?;
        write_count(to, self.primes)?;
        to.f64(self.scale)?;
        to.bytes(self.seeds.as_flattened())?;
        let of_prime = p.ring_degree() / BLOCK * self.len();
        for (prime, rows) in self.rows.chunks(of_prime).enumerate() {
            write_residues(to, p, prime, rows.as_flattened())?;
        }
        Ok(())
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = read_count(from, "ciphertexts", 1, u32::MAX as usize)?;
        let primes = read_count(from, "primes", 1, parameters.primes())?;
        let scale = read_scale(from)?;
        let one = size_of::<Seed>() as u64 + component_size(parameters, primes);
        // below 2^32 ciphertexts of below 2^25 bytes
        from.expect(count as u64 * one)?;
        let seeds = from.list(count)?;
        let of_prime = parameters.ring_degree() / BLOCK * count;
        let mut rows = memory(from, of_prime * primes)?;
        for (prime, rows) in rows.chunks_mut(of_prime).enumerate() {
            read_residues(from, parameters, prime, rows.as_flattened_mut())?;
        }
        Ok(Self {
            parameters: parameters.clone(),
            primes,
            scale,
            seeds,
            rows,
        })
    }
}

/// Bytes of the payload of a batch.
fn batch_size(parameters: &Parameters, count: usize, primes: usize) -> u64 {
    let one = size_of::<Seed>() as u64 + component_size(parameters, primes);
    2 * COUNT + SCALE + count as u64 * one
}

impl SeededBatch {
    /// Bytes of the whole of a batch of so many ciphertexts modulo the first `primes` primes, before there is one.
    pub fn size_of(parameters: &Parameters, count: usize, primes: usize) -> u64 {
        cryptodl_wire::frame::size(batch_size(parameters, count, primes))
    }
}

impl Wire for Bundle {
    const KIND: Kind = Kind {
        tag: *b"c-bu",
        name: "a bundle of ciphertexts",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Parameters;

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn payload_size(&self) -> u64 {
        let one = self.components as u64 * component_size(&self.parameters, self.primes);
        3 * COUNT + SCALE + self.count as u64 * one
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        let p = &self.parameters;
        write_count(to, self.count)?;
        write_count(to, self.components)?;
        write_count(to, self.primes)?;
        to.f64(self.scale)?;
        for (index, rows) in self.rows.chunks(p.ring_degree() / BLOCK).enumerate() {
            write_residues(to, p, index % self.primes, rows.as_flattened())?;
        }
        Ok(())
    }

    fn read_payload(parameters: &Parameters, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = read_count(from, "ciphertexts", 1, u32::MAX as usize)?;
        let components = read_count(from, "components", 2, 3)?;
        let primes = read_count(from, "primes", 1, parameters.primes())?;
        let scale = read_scale(from)?;
        // below 2^32 ciphertexts of below 2^27 bytes
        from.expect(count as u64 * components as u64 * component_size(parameters, primes))?;
        let row = parameters.ring_degree() / BLOCK;
        let mut bundle = Self {
            parameters: parameters.clone(),
            count,
            components,
            primes,
            scale,
            rows: memory(from, count * components * primes * row)?,
        };
        for (index, rows) in bundle.rows.chunks_mut(row).enumerate() {
            read_residues(from, parameters, index % primes, rows.as_flattened_mut())?;
        }
        Ok(bundle)
    }
}
