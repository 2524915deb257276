//! Keys and ciphertexts as bytes.
//!
//! All begin with `CDLK`, a version, what they are, and the fingerprint of their parameters; numbers are
//! little-endian, and a residue takes as many bytes as its prime has. Reading checks the length that
//! follows from the header before it sets any memory aside, and every residue against its prime, so
//! that bytes from anywhere are an error at worst. A secret key is its ternary coefficients, a byte each.

use zeroize::Zeroizing;

use crate::{
    Bundle, Ciphertext, Error, Parameters, PublicKey, RelinearisationKey, SecretKey, SeededBatch,
    SeededCiphertext, columns::BLOCK, pool::Buffer, sample::Seed,
};

const MAGIC: &[u8; 4] = b"CDLK";
const VERSION: u8 = 1;
/// Magic, version, kind, fingerprint.
const HEADER: usize = 4 + 1 + 1 + 16;

/// What bytes hold.
#[derive(Clone, Copy)]
enum Kind {
    SecretKey = 1,
    PublicKey,
    RelinearisationKey,
    Ciphertext,
    SeededCiphertext,
    SeededBatch,
    Bundle,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::SecretKey => "a secret key",
            Self::PublicKey => "a public key",
            Self::RelinearisationKey => "a relinearisation key",
            Self::Ciphertext => "a ciphertext",
            Self::SeededCiphertext => "a seeded ciphertext",
            Self::SeededBatch => "a batch of seeded ciphertexts",
            Self::Bundle => "a bundle of ciphertexts",
        }
    }
}

/// Bytes of a residue modulo prime `index`, special primes last.
fn width(parameters: &Parameters, index: usize) -> usize {
    parameters.modulus(index).bits().div_ceil(8) as usize
}

/// Bytes of one row modulo each of the first `primes` primes.
fn rows_bytes(parameters: &Parameters, primes: usize) -> usize {
    let widths = (0..primes).map(|prime| width(parameters, prime));
    parameters.ring_degree() * widths.sum::<usize>()
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: Kind, parameters: &Parameters) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend([VERSION, kind as u8]);
        bytes.extend(parameters.fingerprint());
        Self(bytes)
    }

    fn count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("counts are far below 2^32");
        self.0.extend(count.to_le_bytes());
    }

    fn scale(&mut self, scale: f64) {
        self.0.extend(scale.to_le_bytes());
    }

    fn residues(&mut self, parameters: &Parameters, prime: usize, row: &[u64]) {
        let width = width(parameters, prime);
        for word in row {
            self.0.extend(&word.to_le_bytes()[..width]);
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    fn new(kind: Kind, parameters: &Parameters, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Self {
            bytes,
            what: kind.name(),
        };
        let header = reader.take(HEADER)?;
        if &header[..4] != MAGIC {
            return Err(reader.fail("it does not begin as one"));
        }
        if header[4] != VERSION {
            let text = format!("it is of version {}, and {VERSION} is known", header[4]);
            return Err(reader.fail(text));
        }
        if header[5] != kind as u8 {
            return Err(reader.fail("it is something else"));
        }
        if header[6..] != parameters.fingerprint() {
            return Err(reader.fail("it was made with other parameters"));
        }
        Ok(reader)
    }

    fn fail(&self, reason: impl Into<String>) -> Error {
        Error::Bytes {
            what: self.what,
            reason: reason.into(),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let Some((head, tail)) = self.bytes.split_at_checked(count) else {
            return Err(self.fail("it is cut short"));
        };
        self.bytes = tail;
        Ok(head)
    }

    /// A count from 1 to `most`.
    fn count(&mut self, name: &str, most: usize) -> Result<usize, Error> {
        let bytes = self.take(4)?.try_into().expect("four bytes");
        let count = u32::from_le_bytes(bytes) as usize;
        if count == 0 || count > most {
            return Err(self.fail(format!("{count} {name}")));
        }
        Ok(count)
    }

    fn scale(&mut self) -> Result<f64, Error> {
        let scale = f64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes"));
        if !scale.is_normal() || scale < 0.0 {
            return Err(self.fail(format!("a scale of {scale}")));
        }
        Ok(scale)
    }

    fn seed(&mut self) -> Result<Seed, Error> {
        Ok(self.take(32)?.try_into().expect("32 bytes"))
    }

    /// What is left must be so many bytes.
    fn expect(&self, bytes: Option<usize>) -> Result<(), Error> {
        if bytes == Some(self.bytes.len()) {
            Ok(())
        } else {
            Err(self.fail(format!("{} bytes follow its header", self.bytes.len())))
        }
    }

    fn residues(
        &mut self,
        parameters: &Parameters,
        prime: usize,
        row: &mut [u64],
    ) -> Result<(), Error> {
        let width = width(parameters, prime);
        let q = parameters.modulus(prime).value();
        let bytes = self.take(row.len() * width)?;
        for (word, bytes) in row.iter_mut().zip(bytes.chunks(width)) {
            let mut whole = [0; 8];
            whole[..width].copy_from_slice(bytes);
            *word = u64::from_le_bytes(whole);
            if *word >= q {
                return Err(self.fail("a residue is not below its prime"));
            }
        }
        Ok(())
    }
}

impl SecretKey {
    /// The key as bytes, one for each coefficient, which are wiped when dropped.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let p = self.parameters();
        let mut writer = Writer::new(Kind::SecretKey, p);
        // no growing, which would leave copies behind
        writer.0.reserve_exact(p.ring_degree());
        let coefficients = self.ternary();
        writer.0.extend(coefficients.iter().map(|&x| (x + 1) as u8));
        Zeroizing::new(writer.0)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When the bytes are not a secret key of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(Kind::SecretKey, parameters, bytes)?;
        let n = parameters.ring_degree();
        reader.expect(Some(n))?;
        let coefficients: Zeroizing<Vec<i64>> =
            Zeroizing::new(reader.take(n)?.iter().map(|&x| i64::from(x) - 1).collect());
        if coefficients.iter().any(|x| *x > 1) {
            return Err(reader.fail("a coefficient is none of -1, 0 and 1"));
        }
        if coefficients.iter().all(|x| *x == 0) {
            return Err(reader.fail("all its coefficients are zero"));
        }
        Ok(Self::from_ternary(parameters, &coefficients))
    }
}

impl Ciphertext {
    /// The ciphertext as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.write(Kind::Ciphertext)
    }

    fn write(&self, kind: Kind) -> Vec<u8> {
        let mut writer = Writer::new(kind, &self.parameters);
        writer.count(self.parts);
        writer.count(self.primes);
        writer.scale(self.scale);
        for part in 0..self.parts {
            for prime in 0..self.primes {
                writer.residues(&self.parameters, prime, self.row(part, prime));
            }
        }
        writer.0
    }

    /// Reads a ciphertext.
    ///
    /// # Errors
    /// When the bytes are not a ciphertext of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        Self::read(Kind::Ciphertext, parameters, bytes)
    }

    fn read(kind: Kind, parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(kind, parameters, bytes)?;
        let parts = reader.count("parts", 3)?;
        let primes = reader.count("primes", parameters.primes())?;
        if parts < 2 {
            return Err(reader.fail("one part"));
        }
        let scale = reader.scale()?;
        reader.expect(Some(parts * rows_bytes(parameters, primes)))?;
        let mut c = Self {
            parameters: parameters.clone(),
            parts,
            primes,
            scale,
            data: Buffer::single(parts * primes * parameters.ring_degree() / BLOCK),
        };
        for part in 0..parts {
            for prime in 0..primes {
                reader.residues(parameters, prime, c.row_mut(part, prime))?;
            }
        }
        Ok(c)
    }
}

impl PublicKey {
    /// The key as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.write(Kind::PublicKey)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When the bytes are not a public key of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let key = Ciphertext::read(Kind::PublicKey, parameters, bytes)?;
        if key.parts != 2 || key.primes != parameters.primes() {
            return Err(Error::Bytes {
                what: Kind::PublicKey.name(),
                reason: "it has not two parts modulo every prime".into(),
            });
        }
        Ok(Self(key))
    }
}

impl RelinearisationKey {
    /// The key as bytes: one half, and the seed of the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        let p = &self.parameters;
        let mut writer = Writer::new(Kind::RelinearisationKey, p);
        writer.0.extend(self.seed);
        let all = p.all_rings().len();
        for (index, row) in self.masked.chunks(p.ring_degree()).enumerate() {
            writer.residues(p, index % all, row);
        }
        writer.0
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When the bytes are not a relinearisation key of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(Kind::RelinearisationKey, parameters, bytes)?;
        let seed = reader.seed()?;
        let all = parameters.all_rings().len();
        let digits = parameters.primes();
        reader.expect(rows_bytes(parameters, all).checked_mul(digits))?;
        let mut masked = vec![0; digits * all * parameters.ring_degree()];
        for (index, row) in masked.chunks_mut(parameters.ring_degree()).enumerate() {
            reader.residues(parameters, index % all, row)?;
        }
        Ok(Self {
            parameters: parameters.clone(),
            seed,
            masked,
            random: Self::random(parameters, &seed),
        })
    }
}

impl SeededCiphertext {
    /// The ciphertext as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::SeededCiphertext, &self.parameters);
        writer.count(self.primes);
        writer.scale(self.scale);
        writer.0.extend(self.seed);
        let rows = self.data.chunks(self.parameters.ring_degree());
        for (prime, row) in rows.enumerate() {
            writer.residues(&self.parameters, prime, row);
        }
        writer.0
    }

    /// Reads a ciphertext.
    ///
    /// # Errors
    /// When the bytes are not a seeded ciphertext of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(Kind::SeededCiphertext, parameters, bytes)?;
        let primes = reader.count("primes", parameters.primes())?;
        let scale = reader.scale()?;
        let seed = reader.seed()?;
        reader.expect(Some(rows_bytes(parameters, primes)))?;
        let mut data = vec![0; primes * parameters.ring_degree()];
        for (prime, row) in data.chunks_mut(parameters.ring_degree()).enumerate() {
            reader.residues(parameters, prime, row)?;
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

impl SeededBatch {
    /// The batch as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let p = &self.parameters;
        let mut writer = Writer::new(Kind::SeededBatch, p);
        writer.count(self.len());
        writer.count(self.primes);
        writer.scale(self.scale);
        self.seeds.iter().for_each(|seed| writer.0.extend(seed));
        let of_prime = p.ring_degree() / BLOCK * self.len();
        for (prime, rows) in self.rows.chunks(of_prime).enumerate() {
            writer.residues(p, prime, rows.as_flattened());
        }
        writer.0
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// When the bytes are not a batch of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(Kind::SeededBatch, parameters, bytes)?;
        let count = reader.count("ciphertexts", u32::MAX as usize)?;
        let primes = reader.count("primes", parameters.primes())?;
        let scale = reader.scale()?;
        let one = rows_bytes(parameters, primes) + size_of::<Seed>();
        reader.expect(one.checked_mul(count))?;
        let seeds = (0..count).map(|_| reader.seed());
        let seeds = seeds.collect::<Result<_, _>>()?;
        let of_prime = parameters.ring_degree() / BLOCK * count;
        let mut rows = Buffer::single(of_prime * primes);
        for (prime, rows) in rows.chunks_mut(of_prime).enumerate() {
            reader.residues(parameters, prime, rows.as_flattened_mut())?;
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

impl Bundle {
    /// The ciphertexts as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let p = &self.parameters;
        let mut writer = Writer::new(Kind::Bundle, p);
        writer.count(self.count);
        writer.count(self.parts);
        writer.count(self.primes);
        writer.scale(self.scale);
        for (index, rows) in self.rows.chunks(p.ring_degree() / BLOCK).enumerate() {
            writer.residues(p, index % self.primes, rows.as_flattened());
        }
        writer.0
    }

    /// Reads ciphertexts.
    ///
    /// # Errors
    /// When the bytes are not a bundle of these parameters.
    pub fn from_bytes(parameters: &Parameters, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(Kind::Bundle, parameters, bytes)?;
        let count = reader.count("ciphertexts", u32::MAX as usize)?;
        let parts = reader.count("parts", 3)?;
        let primes = reader.count("primes", parameters.primes())?;
        if parts < 2 {
            return Err(reader.fail("one part"));
        }
        let scale = reader.scale()?;
        let one = parts * rows_bytes(parameters, primes);
        reader.expect(one.checked_mul(count))?;
        let row = parameters.ring_degree() / BLOCK;
        let mut bundle = Self {
            parameters: parameters.clone(),
            count,
            parts,
            primes,
            scale,
            rows: Buffer::single(count * parts * primes * row),
        };
        for (index, rows) in bundle.rows.chunks_mut(row).enumerate() {
            reader.residues(parameters, index % primes, rows.as_flattened_mut())?;
        }
        Ok(bundle)
    }
}
