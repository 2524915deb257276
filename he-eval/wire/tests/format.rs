//! What is written is read back, whatever was changed is refused, and nothing else happens.

use std::io::{self, Read};

use cryptodl_wire::{
    Document, Fingerprint, Kind, MAX_DOCUMENT_BYTES, Parameters, Reader, VERSION, Wire, WireError,
    Writer,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A modulus, which both sides know.
#[derive(Clone, Debug, PartialEq)]
struct Modulus(u64);

impl Parameters for Modulus {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.to_le_bytes())
    }
}

/// Something of everything that a payload can hold.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    modulus: Modulus,
    scale: f64,
    seeds: Vec<[u8; 32]>,
    whole: Vec<u64>,
    halves: Vec<u32>,
    residues: Vec<u64>,
}

impl Sample {
    fn width(modulus: &Modulus) -> usize {
        (64 - modulus.0.leading_zeros()).div_ceil(8) as usize
    }
}

impl Wire for Sample {
    const KIND: Kind = Kind {
        tag: *b"samp",
        name: "a sample",
    };
    const WORD_BYTES: u8 = 8;
    type Parameters = Modulus;

    fn parameters(&self) -> &Modulus {
        &self.modulus
    }

    fn payload_size(&self) -> u64 {
        let lists = 32 * self.seeds.len() + 8 * self.whole.len() + 4 * self.halves.len();
        (4 * 4 + 8 + lists + self.residues.len() * Self::width(&self.modulus)) as u64
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        for count in [
            self.seeds.len(),
            self.whole.len(),
            self.halves.len(),
            self.residues.len(),
        ] {
            to.u32(count as u32)?;
        }
        to.f64(self.scale)?;
        to.bytes(self.seeds.as_flattened())?;
        to.words(&self.whole)?;
        to.words(&self.halves)?;
        to.packed(&self.residues, Self::width(&self.modulus))
    }

    fn read_payload(modulus: &Modulus, from: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = from.u32()? as usize;
        }
        let scale = from.f64()?;
        let width = Self::width(modulus);
        let [seeds, whole, halves, residues] = counts;
        from.expect((32 * seeds + 8 * whole + 4 * halves + width * residues) as u64)?;
        let seeds = from.list(seeds)?;
        let (mut whole, mut halves) = (vec![0; whole], vec![0; halves]);
        let mut values = vec![0; residues];
        from.words(&mut whole)?;
        from.words(&mut halves)?;
        from.packed(&mut values, width, modulus.0)?;
        Ok(Self {
            modulus: modulus.clone(),
            scale,
            seeds,
            whole,
            halves,
            residues: values,
        })
    }
}

/// Plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
    numbers: Vec<f64>,
}

impl Document for Note {
    const KIND: Kind = Kind {
        tag: *b"note",
        name: "a note",
    };
}

fn samples() -> impl Strategy<Value = Sample> {
    (2..u64::MAX).prop_flat_map(|modulus| {
        (
            -1e300..1e300,
            prop::collection::vec(any::<[u8; 32]>(), 0..9),
            prop::collection::vec(any::<u64>(), 0..9),
            prop::collection::vec(any::<u32>(), 0..9),
            // more than one piece of what is packed at a time
            prop::collection::vec(0..modulus, 0..1500),
        )
            .prop_map(move |(scale, seeds, whole, halves, residues)| Sample {
                modulus: Modulus(modulus),
                scale,
                seeds,
                whole,
                halves,
                residues,
            })
    })
}

fn notes() -> impl Strategy<Value = Note> {
    (".*", prop::collection::vec(-1e300..1e300, 0..9))
        .prop_map(|(text, numbers)| Note { text, numbers })
}

fn sample() -> Sample {
    Sample {
        modulus: Modulus(1 << 20),
        scale: 0.5,
        seeds: vec![[7; 32]],
        whole: vec![u64::MAX],
        halves: vec![1],
        residues: vec![5, 6],
    }
}

fn refusal(modulus: &Modulus, bytes: &[u8]) -> String {
    Sample::from_bytes(modulus, bytes).unwrap_err().to_string()
}

/// Gives one byte at a time, and says how many were taken.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = to.len().min(1);
        (&mut self.0).take(count as u64).read(to)
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(sample in samples(), note in notes()) {
        let bytes = sample.to_bytes();
        prop_assert_eq!(bytes.len() as u64, sample.size());
        prop_assert_eq!(&Sample::from_bytes(&sample.modulus, &bytes).unwrap(), &sample);
        let text = note.to_bytes();
        prop_assert_eq!(text.len() as u64, note.size());
        prop_assert_eq!(&Note::from_bytes(&(), &text).unwrap(), &note);

        // one after another on a stream that gives bytes as it likes
        let both = [bytes, text].concat();
        let mut stream = Drip(&both);
        let first = Sample::read_from(&sample.modulus, &mut stream, 1 << 20).unwrap();
        let second = Note::read_from(&(), &mut stream, 1 << 20).unwrap();
        prop_assert_eq!((first, second), (sample, note));
        prop_assert!(stream.0.is_empty());
    }

    #[test]
    fn changed_bytes_are_refused(
        sample in samples(),
        at in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let mut bytes = sample.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(Sample::from_bytes(&sample.modulus, &bytes).is_err());
    }

    #[test]
    fn anything_behind_a_header_is_an_error_or_a_sample(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let whole = sample().to_bytes();
        let mut bytes = whole[..48].to_vec();
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(payload);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        if let Ok(read) = Sample::from_bytes(&sample().modulus, &bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}

#[test]
fn the_layout_is_what_the_documentation_says() {
    let sample = sample();
    let bytes = sample.to_bytes();
    let payload = bytes.len() - 60;
    let expected = [
        b"cryptodl".as_slice(),
        &VERSION.to_le_bytes(),
        &[8, 0],
        b"samp",
        &sample.modulus.fingerprint().0,
        &(payload as u64).to_le_bytes(),
        // four counts, a scale, a seed, a word, half a word, two residues of three bytes
        &[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
        &0.5f64.to_le_bytes(),
        &[7; 32],
        &[255; 8],
        &[1, 0, 0, 0],
        &[5, 0, 0, 6, 0, 0],
    ]
    .concat();
    assert_eq!(bytes[..56 + payload], expected);
    assert_eq!(
        bytes[56 + payload..],
        crc32fast::hash(&expected).to_le_bytes()
    );
}

#[test]
fn each_refusal_says_what_to_do() {
    let sample = sample();
    let bytes = sample.to_bytes();
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        refusal(&sample.modulus, &changed)
    };
    assert!(with(0, b'X').contains("check what was sent"));
    assert!(with(8, 1).contains("layout 1"));
    assert!(with(10, 4).contains("words of 4 bytes, where 8 are needed"));
    assert!(with(11, 1).contains("must be zero"));
    assert!(with(12, b'l').contains("`lamp`"));
    assert!(with(47, 0).contains("made for other parameters"));
    assert!(with(60, 2).contains("payload has"));
    assert!(with(80, 0).contains("checksum is wrong"));
    assert!(refusal(&Modulus(17), &bytes).contains("made for other parameters"));
    assert!(refusal(&sample.modulus, &bytes[..bytes.len() - 1]).contains("cut short"));
    let longer = [&bytes[..], &[0]].concat();
    assert!(refusal(&sample.modulus, &longer).contains("1 bytes follow its end"));
    let large = Sample {
        residues: vec![1 << 20],
        ..sample.clone()
    };
    assert!(refusal(&sample.modulus, &large.to_bytes()).contains("not below its modulus"));
    let over = Sample::read_from(&sample.modulus, &mut &bytes[..], 10);
    assert!(over.unwrap_err().to_string().contains("at most 10"));
}

#[test]
fn every_shorter_length_is_refused() {
    let sample = sample();
    let bytes = sample.to_bytes();
    for length in 0..bytes.len() {
        let cut = Sample::from_bytes(&sample.modulus, &bytes[..length]);
        assert!(cut.is_err(), "{length} bytes");
    }
}

#[test]
fn a_document_has_a_limit_and_must_be_json() {
    let note = Note {
        text: "x".repeat(MAX_DOCUMENT_BYTES as usize),
        numbers: vec![],
    };
    let refused = Note::from_bytes(&(), &note.to_bytes()).unwrap_err();
    assert!(matches!(refused, WireError::TooLarge { .. }), "{refused}");

    let note = Note {
        text: "x".into(),
        numbers: vec![0.1],
    };
    let mut bytes = note.to_bytes();
    bytes[56] = b'[';
    assert!(matches!(
        Note::from_bytes(&(), &bytes),
        Err(WireError::Malformed { .. })
    ));
}
