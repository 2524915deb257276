//! What is written is read back, and nothing else is.

#[path = "../../fuzz/src/check.rs"]
mod check;
#[path = "../../fuzz/src/parameters.rs"]
mod parameters;

use cryptodl_ckks::{
    Bundle, Ciphertext, Evaluator, Parameters, ParametersLiteral, PublicKey, RelinearisationKey,
    SecretKey, SeededBatch, SeededCiphertext,
};
use cryptodl_wire::{Wire, WireError};
use parameters::PARAMETERS;
use proptest::prelude::*;

fn parameters(bits: u32) -> Parameters {
    Parameters::toy(&ParametersLiteral {
        ring_degree: 32,
        prime_bits: vec![40, bits],
        special_bits: vec![36],
    })
    .unwrap()
}

/// A value as bytes, and what can be done with bytes of its kind.
struct Sample {
    bytes: Vec<u8>,
    /// Reads and writes again.
    round_trip: fn(&Parameters, &[u8]) -> Result<Vec<u8>, WireError>,
    /// What the fuzz targets do.
    check: fn(&Parameters, &[u8], &[u8]),
}

fn sample<T: Wire<Parameters = Parameters>>(value: &T) -> Sample {
    let bytes = value.to_bytes();
    assert_eq!(bytes.len() as u64, value.size(), "known before");
    Sample {
        bytes,
        round_trip: |p, bytes| Ok(T::from_bytes(p, bytes)?.to_bytes()),
        check: check::check::<T>,
    }
}

/// One of every kind.
fn samples(p: &Parameters) -> Vec<Sample> {
    let secret = SecretKey::generate(p);
    let one = secret.encrypt(&[1.0, -2.0], 1e8, 2).unwrap();
    let two = secret.encrypt(&[3.0], 1e8, 2).unwrap();
    let evaluator = Evaluator::new(p, None).unwrap();
    let full = one.expand();
    let square = evaluator.multiply(&full, &full).unwrap();
    vec![
        sample(&secret),
        sample(&secret.public_key()),
        sample(&secret.relinearisation_key()),
        sample(&square),
        sample(&one),
        sample(&SeededBatch::new(&[one, two]).unwrap()),
        sample(&Bundle::new(&[full]).unwrap()),
    ]
}

#[test]
fn every_kind_is_read_back_by_its_own_reader_alone() {
    let p = parameters(33);
    let all = samples(&p);
    for (i, Sample { bytes, .. }) in all.iter().enumerate() {
        for (j, Sample { round_trip, .. }) in all.iter().enumerate() {
            let result = round_trip(&p, bytes);
            if i == j {
                assert_eq!(&result.unwrap(), bytes);
            } else {
                assert!(matches!(result, Err(WireError::OtherKind { .. })));
            }
        }
    }
}

#[test]
fn keys_work_after_reading() {
    let p = parameters(40);
    let secret = SecretKey::generate(&p);
    let read = SecretKey::from_bytes(&p, &secret.to_bytes()).unwrap();
    let key = RelinearisationKey::from_bytes(&p, &secret.relinearisation_key().to_bytes());
    let evaluator = Evaluator::new(&p, Some(key.unwrap())).unwrap();
    let c = read.encrypt(&[0.5], 1e9, 2).unwrap().expand();
    let square = evaluator.multiply(&c, &c).unwrap();
    let found = secret
        .decrypt(&evaluator.relinearise(&square).unwrap())
        .unwrap();
    assert!((found[0] - 0.25).abs() < 1e-3, "{}", found[0]);
}

#[test]
fn a_public_key_works_after_reading() {
    let p = parameters(40);
    let secret = SecretKey::generate(&p);
    let key = PublicKey::from_bytes(&p, &secret.public_key().to_bytes()).unwrap();
    let found = secret.decrypt(&key.encrypt(&[0.5], 1e9).unwrap()).unwrap();
    assert!((found[0] - 0.5).abs() < 1e-4, "{}", found[0]);
}

#[test]
fn a_truncated_or_longer_file_is_an_error() {
    let p = parameters(33);
    for sample in samples(&p) {
        let (bytes, read) = (sample.bytes, sample.round_trip);
        for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            assert!(read(&p, &bytes[..length]).is_err(), "{length} bytes");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(read(&p, &longer).is_err());
    }
}

#[test]
fn what_was_made_for_other_parameters_is_refused() {
    let (p, other) = (parameters(33), parameters(34));
    for sample in samples(&p) {
        let refused = (sample.round_trip)(&other, &sample.bytes).unwrap_err();
        assert!(
            matches!(refused, WireError::OtherParameters { .. }),
            "{refused}"
        );
    }
}

/// Bytes with the right checksum behind them, whatever was changed before it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn residues_above_their_prime_are_refused_though_the_checksum_is_right() {
    let p = parameters(33);
    for sample in samples(&p) {
        let mut bytes = sample.bytes;
        let end = bytes.len() - 4;
        bytes[end - 5..end].fill(255);
        let reason = (sample.round_trip)(&p, &sealed(bytes))
            .unwrap_err()
            .to_string();
        let known = ["not below its modulus", "none of -1, 0 and 1"];
        assert!(known.iter().any(|known| reason.contains(known)), "{reason}");
    }
}

#[test]
fn a_secret_key_of_zeros_is_refused() {
    let p = parameters(33);
    let mut bytes = SecretKey::generate(&p).to_bytes().to_vec();
    let end = bytes.len() - 4;
    bytes[end - p.ring_degree()..end].fill(1);
    let reason = SecretKey::from_bytes(&p, &sealed(bytes)).err().unwrap();
    assert!(reason.to_string().contains("all its coefficients are zero"));
}

#[test]
fn lengths_that_promise_terabytes_set_no_memory_aside() {
    let p = parameters(33);
    let mut all = samples(&p);
    let bundle = all.pop().unwrap().bytes;
    // as many ciphertexts as a count can say, and the length that follows from it: two components of 32 · (5 + 5) bytes
    let mut hostile = bundle[..76].to_vec();
    hostile[56..60].fill(255);
    let payload = 20 + u64::from(u32::MAX) * 2 * 320;
    hostile[48..56].copy_from_slice(&payload.to_le_bytes());
    let refused = Bundle::read_from(&p, &mut &hostile[..], 1 << 30).unwrap_err();
    assert!(matches!(refused, WireError::TooLarge { .. }), "{refused}");
    // whoever accepts such lengths gets an error for lack of pages or of bytes
    let refused = Bundle::read_from(&p, &mut &hostile[..], u64::MAX).unwrap_err();
    let known = matches!(
        refused,
        WireError::Memory { .. } | WireError::CutShort { .. }
    );
    assert!(known, "{refused}");
    // a length that does not follow from the count
    hostile[48..56].copy_from_slice(&1000u64.to_le_bytes());
    let refused = Bundle::read_from(&p, &mut &hostile[..], u64::MAX).unwrap_err();
    assert!(matches!(refused, WireError::Length { .. }), "{refused}");
}

#[test]
fn values_follow_one_another_on_a_stream() {
    let p = parameters(33);
    let secret = SecretKey::generate(&p);
    let one = secret.encrypt(&[1.0], 1e8, 2).unwrap();
    let mut stream = Vec::new();
    one.write_to(&mut stream).unwrap();
    one.expand().write_to(&mut stream).unwrap();
    let mut rest = &stream[..];
    let first = SeededCiphertext::read_from(&p, &mut rest, 1 << 20).unwrap();
    let second = Ciphertext::read_from(&p, &mut rest, 1 << 20).unwrap();
    assert_eq!((first.expand(), first), (second, one));
    assert!(rest.is_empty());
}

proptest! {
    #[test]
    fn anything_is_an_error_or_something_whole(
        kind in 0..7usize,
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let sample = samples(&PARAMETERS).swap_remove(kind);
        (sample.check)(&PARAMETERS, &sample.bytes, &data);
    }

    #[test]
    fn changed_bytes_are_refused(
        kind in 0..7usize,
        at in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let Sample { mut bytes, round_trip, .. } = samples(&PARAMETERS).swap_remove(kind);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(round_trip(&PARAMETERS, &bytes).is_err());
    }
}
