//! What is written is read back, and nothing else is.

use cryptodl_ckks::{
    Bundle, Ciphertext, Error, Evaluator, Literal, Parameters, PublicKey, RelinearisationKey,
    SecretKey, SeededBatch, SeededCiphertext,
};
use proptest::prelude::*;

fn parameters(bits: u32) -> Parameters {
    Parameters::toy(&Literal {
        ring_degree: 32,
        prime_bits: vec![40, bits],
        special_bits: vec![36],
    })
    .unwrap()
}

/// Reads bytes as one kind and writes them again.
type RoundTrip = fn(&Parameters, &[u8]) -> Result<Vec<u8>, Error>;

/// Every kind, with bytes of one.
fn kinds(p: &Parameters) -> Vec<(Vec<u8>, RoundTrip)> {
    let secret = SecretKey::generate(p);
    let one = secret.encrypt(&[1.0, -2.0], 1e8, 2).unwrap();
    let two = secret.encrypt(&[3.0], 1e8, 2).unwrap();
    let evaluator = Evaluator::new(p, None).unwrap();
    let full = one.expand();
    let square = evaluator.multiply(&full, &full).unwrap();
    vec![
        (secret.to_bytes().to_vec(), |p, b| {
            Ok(SecretKey::from_bytes(p, b)?.to_bytes().to_vec())
        }),
        (secret.public_key().to_bytes(), |p, b| {
            Ok(PublicKey::from_bytes(p, b)?.to_bytes())
        }),
        (secret.relinearisation_key().to_bytes(), |p, b| {
            Ok(RelinearisationKey::from_bytes(p, b)?.to_bytes())
        }),
        (square.to_bytes(), |p, b| {
            Ok(Ciphertext::from_bytes(p, b)?.to_bytes())
        }),
        (one.to_bytes(), |p, b| {
            Ok(SeededCiphertext::from_bytes(p, b)?.to_bytes())
        }),
        (SeededBatch::new(&[one, two]).unwrap().to_bytes(), |p, b| {
            Ok(SeededBatch::from_bytes(p, b)?.to_bytes())
        }),
        (Bundle::new(&[full]).unwrap().to_bytes(), |p, b| {
            Ok(Bundle::from_bytes(p, b)?.to_bytes())
        }),
    ]
}

#[test]
fn every_kind_is_read_back_by_its_own_reader_alone() {
    let p = parameters(33);
    let all = kinds(&p);
    for (i, (bytes, _)) in all.iter().enumerate() {
        for (j, (_, read)) in all.iter().enumerate() {
            let result = read(&p, bytes);
            if i == j {
                assert_eq!(&result.unwrap(), bytes);
            } else {
                let reason = result.unwrap_err().to_string();
                assert!(reason.contains("something else"), "{reason}");
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
fn a_truncated_or_longer_file_is_an_error() {
    let p = parameters(33);
    for (bytes, read) in kinds(&p) {
        for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            assert!(read(&p, &bytes[..length]).is_err(), "{length} bytes");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(read(&p, &longer).is_err());
    }
}

#[test]
fn other_parameters_versions_and_residues_are_refused() {
    let (p, other) = (parameters(33), parameters(34));
    for (bytes, read) in kinds(&p) {
        let text = |bytes: &[u8], p: &Parameters| read(p, bytes).unwrap_err().to_string();
        assert!(text(&bytes, &other).contains("other parameters"));
        let mut changed = bytes.clone();
        changed[4] = 9;
        assert!(text(&changed, &p).contains("version 9"));
        changed = bytes.clone();
        changed[0] = b'X';
        assert!(text(&changed, &p).contains("does not begin"));
        changed = bytes.clone();
        let end = changed.len();
        changed[end - 5..].fill(255);
        let reason = text(&changed, &p);
        let known = ["not below its prime", "none of -1, 0 and 1"];
        assert!(known.iter().any(|known| reason.contains(known)), "{reason}");
    }
}

#[test]
fn a_secret_key_of_zeros_is_refused() {
    let p = parameters(33);
    let mut bytes = SecretKey::generate(&p).to_bytes();
    let header = bytes.len() - p.ring_degree();
    bytes[header..].fill(1);
    let reason = SecretKey::from_bytes(&p, &bytes).err().unwrap().to_string();
    assert!(reason.contains("zero"), "{reason}");
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
fn a_count_that_promises_gigabytes_sets_no_memory_aside() {
    let p = parameters(33);
    for (bytes, read) in kinds(&p).into_iter().skip(5) {
        let mut changed = bytes;
        changed[22..26].fill(255);
        assert!(read(&p, &changed).is_err());
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_an_error_or_something_whole(
        kind in 0..7usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let p = parameters(33);
        let (mut bytes, read) = kinds(&p).swap_remove(kind);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(again) = read(&p, &bytes) {
            prop_assert_eq!(again, bytes);
        }
    }
}
