//! Every reader of bytes: the first byte picks one, the rest is read with a valid header in front of it
//! (or, one time in two, without).
#![no_main]

use std::sync::LazyLock;

use cryptodl_ckks::{
    Bundle, Ciphertext, Literal, Parameters, PublicKey, RelinearisationKey, SecretKey, SeededBatch,
    SeededCiphertext,
};
use libfuzzer_sys::fuzz_target;

static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let literal = Literal {
        ring_degree: 32,
        prime_bits: vec![20, 24],
        special_bits: vec![22],
    };
    Parameters::toy(&literal).unwrap()
});

fuzz_target!(|data: &[u8]| {
    let Some((&pick, rest)) = data.split_first() else {
        return;
    };
    let p = &*PARAMETERS;
    let mut bytes = Vec::new();
    if pick & 128 == 0 {
        bytes.extend(b"CDLK");
        bytes.extend([1, pick % 7 + 1]);
        bytes.extend(p.fingerprint());
    }
    bytes.extend(rest);
    match pick % 7 + 1 {
        1 => drop(SecretKey::from_bytes(p, &bytes)),
        2 => drop(PublicKey::from_bytes(p, &bytes)),
        3 => drop(RelinearisationKey::from_bytes(p, &bytes)),
        4 => {
            if let Ok(c) = Ciphertext::from_bytes(p, &bytes) {
                assert_eq!(c.to_bytes(), bytes);
            }
        }
        5 => {
            if let Ok(c) = SeededCiphertext::from_bytes(p, &bytes) {
                assert_eq!(c.to_bytes(), bytes);
            }
        }
        6 => {
            if let Ok(c) = SeededBatch::from_bytes(p, &bytes) {
                assert_eq!(c.to_bytes(), bytes);
            }
        }
        _ => {
            if let Ok(c) = Bundle::from_bytes(p, &bytes) {
                assert_eq!(c.to_bytes(), bytes);
            }
        }
    }
});
