//! Predicted seconds and memory, from bootstraps timed on this machine.

use std::time::Instant;

use cryptodl_fold::Graph;
use rayon::prelude::*;
use tfhe::{
    core_crypto::prelude::{CiphertextModulus, FourierLweBootstrapKey, LweKeyswitchKey},
    shortint::{
        ClassicPBSParameters, PBSOrder,
        atomic_pattern::StandardAtomicPatternServerKey,
        server_key::{ModulusSwitchConfiguration, ShortintBootstrappingKey},
    },
};

use super::{
    keys::{file_bytes, key_bytes, long_dimension},
    parameters::bootstraps,
    program::TfheProgram,
    server::{add_product, bootstrap},
};
use crate::plan::Seconds;

/// Sums timed for one estimate.
const TIMED_SUMS: usize = 512;
/// Bootstraps of a thread timed for one estimate.
const TIMED_BOOTSTRAPS: usize = 3;
/// Seconds of an encryption of one pixel and of a decryption of one value, for a dimension of 2048:
/// a few microseconds of random bits and products, far below everything else.
const CLIENT_S: f64 = 1e-5;

/// Seconds for one image.
pub(super) fn predict(graph: &Graph<i64>, program: &TfheProgram) -> Seconds {
    let set = &program.choice.set;
    let count = bootstraps(graph);
    let threads = rayon::current_num_threads() as f64;
    let look_ups = if count == 0 {
        0.0
    } else {
        // the last round of bootstraps occupies all threads, however few are left
        (count as f64 / threads).ceil() * bootstrap_seconds(set)
    };
    let sums = graph.plain_products() as f64 * sum_seconds(program.dimension()) / threads;
    let scale = program.dimension() as f64 / 2048.0 * CLIENT_S;
    Seconds {
        encrypt: graph.inputs() as f64 * scale,
        infer: look_ups + sums,
        decrypt: graph.output_scale.len() as f64 * program.choice.parts as f64 * scale,
    }
}

/// Peak of keys, tables and ciphertexts in bytes: while keys are made there are the seeded key, the
/// standard one and the one in the Fourier domain.
pub(super) fn memory(program: &TfheProgram) -> usize {
    let set = &program.choice.set;
    let keys = 2 * key_bytes(set) + file_bytes(set);
    let widest = program
        .layers
        .iter()
        .map(|layer| layer.linear.outputs())
        .max();
    let values = program.inputs + 2 * widest.unwrap_or(0);
    keys + program.table_bytes() + values * 8 * (program.dimension() + 1)
}

/// Seconds of one multiply-add of a ciphertext, with all threads at work.
fn sum_seconds(dimension: usize) -> f64 {
    let x: Vec<Vec<u64>> = (0..16_u64)
        .map(|i| (0..=dimension as u64).map(|j| words(i + 16 * j)).collect())
        .collect();
    let start = Instant::now();
    (0..rayon::current_num_threads())
        .into_par_iter()
        .for_each(|_| {
            let mut sum = vec![0; dimension + 1];
            for i in 0..TIMED_SUMS {
                add_product(&mut sum, words(i as u64) % 16, &x[i % x.len()]);
            }
            std::hint::black_box(sum);
        });
    start.elapsed().as_secs_f64() / TIMED_SUMS as f64
}

/// Seconds of one bootstrap with all threads at work: the time does not depend on the key, so a made-up
/// one does.
fn bootstrap_seconds(set: &ClassicPBSParameters) -> f64 {
    let long = long_dimension(set);
    let bsk = FourierLweBootstrapKey::new(
        set.lwe_dimension,
        set.glwe_dimension.to_glwe_size(),
        set.polynomial_size,
        set.pbs_base_log,
        set.pbs_level,
    );
    let switch = (0..(long * set.ks_level.0 * (set.lwe_dimension.0 + 1)) as u64).map(words);
    let key = StandardAtomicPatternServerKey::from_raw_parts(
        LweKeyswitchKey::from_container(
            switch.collect::<Vec<u64>>(),
            set.ks_base_log,
            set.ks_level,
            set.lwe_dimension.to_lwe_size(),
            CiphertextModulus::new_native(),
        ),
        ShortintBootstrappingKey::Classic {
            bsk,
            modulus_switch_noise_reduction_key:
                ModulusSwitchConfiguration::CenteredMeanNoiseReduction,
        },
        PBSOrder::KeyswitchBootstrap,
    );
    let table = super::program::constant(set);
    let round = |rounds: usize| {
        let start = Instant::now();
        (0..rayon::current_num_threads())
            .into_par_iter()
            .with_max_len(1)
            .for_each(|thread| {
                for round in 0..rounds as u64 {
                    let seed = (thread as u64 * 1000 + round) << 20;
                    let ciphertext = (0..=long as u64).map(|i| words(seed + i)).collect();
                    std::hint::black_box(bootstrap(&key, ciphertext, &table, set));
                }
            });
        start.elapsed().as_secs_f64() / rounds as f64
    };
    // the first one also plans the transform and fills the buffers
    round(1);
    round(TIMED_BOOTSTRAPS)
}

/// Words that look random (the finaliser of SplitMix64).
fn words(i: u64) -> u64 {
    let mut z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
