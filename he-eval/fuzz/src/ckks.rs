//! Readers of the crate `cryptodl-ckks`.

use std::sync::LazyLock;

use cryptodl_ckks::{
    Bundle, Ciphertext, Parameters, PublicKey, RelinearisationKey, SecretKey, SeededBatch,
    SeededCiphertext,
};
use cryptodl_wire::Wire;

use crate::{check::check, memory::limited, parameters::PARAMETERS};

static SECRET: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::generate(&PARAMETERS));

fn seeded() -> SeededCiphertext {
    let encrypted = SECRET.encrypt(&[1.0, -2.0], 1e6, PARAMETERS.primes());
    encrypted.expect("small numbers")
}

macro_rules! readers {
    ($($name:ident, $type:ty, $real:expr;)*) => {
        $(
            #[doc = concat!("Of a `", stringify!($type), "`.")]
            pub fn $name(data: &[u8]) {
                static REAL: LazyLock<Vec<u8>> = LazyLock::new(|| Wire::to_bytes(&$real));
                read::<$type>(&REAL, data);
            }
        )*
    };
}

readers! {
    secret_key, SecretKey, *SECRET;
    public_key, PublicKey, SECRET.public_key();
    relinearisation_key, RelinearisationKey, SECRET.relinearisation_key();
    seeded_ciphertext, SeededCiphertext, seeded();
    ciphertext, Ciphertext, seeded().expand();
    seeded_batch, SeededBatch, SeededBatch::new(&[seeded(), seeded()]).expect("two of a kind");
    bundle, Bundle, Bundle::new(&[seeded().expand()]).expect("one");
}

fn read<T: Wire<Parameters = Parameters>>(real: &[u8], data: &[u8]) {
    limited(1 << 20, || check::<T>(&PARAMETERS, real, data));
}
