#![no_main]

use cryptodl_ckks::SecretKey;
use cryptodl_ckks_fuzz::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check::<SecretKey>(data));
