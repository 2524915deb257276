//! Secret and evaluation keys.
//!
//! Both keys carry the same random *identity*, so that a server key of one client is not taken for
//! another's. The server key is kept as TFHE-rs's seeded keys (about half the size) and expanded when
//! it is read.

use cryptodl_wire::Fingerprint;
use tfhe::{
    core_crypto::{
        commons::math::random::{CompressionSeed, Seed},
        prelude::{
            CiphertextModulus, DefaultRandomGenerator, FourierLweBootstrapKey, GlweSecretKeyOwned,
            LweSecretKeyOwned, SecretRandomGenerator, SeededLweBootstrapKey,
            SeededLweBootstrapKeyOwned, SeededLweKeyswitchKey, SeededLweKeyswitchKeyOwned,
            allocate_and_generate_new_binary_glwe_secret_key,
            allocate_and_generate_new_binary_lwe_secret_key, generate_seeded_lwe_keyswitch_key,
            new_seeder, par_convert_standard_lwe_bootstrap_key_to_fourier,
            par_generate_seeded_lwe_bootstrap_key,
        },
    },
    shortint::{
        ClassicPBSParameters, PBSOrder,
        atomic_pattern::StandardAtomicPatternServerKey,
        server_key::{ModulusSwitchConfiguration, ShortintBootstrappingKey},
    },
};
use zeroize::Zeroize;

/// What keys and ciphertexts are made for: a parameter set of TFHE-rs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TfheParameters(pub(super) ClassicPBSParameters);

impl cryptodl_wire::Parameters for TfheParameters {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(format!("{:?}", self.0).as_bytes())
    }
}

/// What only the client may hold.
pub struct TfheSecretKey {
    pub(super) parameters: TfheParameters,
    /// Ties keys and ciphertexts together; not secret.
    pub(super) identity: u128,
    /// The key inside a bootstrap.
    pub(super) short: LweSecretKeyOwned<u64>,
    /// The key of every ciphertext outside.
    pub(super) long: LweSecretKeyOwned<u64>,
}

impl Drop for TfheSecretKey {
    fn drop(&mut self) {
        self.short.as_mut().zeroize();
        self.long.as_mut().zeroize();
    }
}

/// The evaluation key as it is sent and kept.
pub struct TfheKeys {
    pub(super) parameters: TfheParameters,
    pub(super) identity: u128,
    /// Of the masks of the two keys.
    pub(super) seeds: [u128; 2],
    pub(super) bootstrap: SeededLweBootstrapKeyOwned<u64>,
    pub(super) switch: SeededLweKeyswitchKeyOwned<u64>,
}

impl TfheSecretKey {
    /// A new secret, from the operating system's or the processor's randomness.
    pub(super) fn generate(parameters: &TfheParameters) -> Self {
        let set = &parameters.0;
        let mut seeder = new_seeder();
        let mut generator = SecretRandomGenerator::<DefaultRandomGenerator>::new(seeder.seed());
        let short =
            allocate_and_generate_new_binary_lwe_secret_key(set.lwe_dimension, &mut generator);
        let long: GlweSecretKeyOwned<u64> = allocate_and_generate_new_binary_glwe_secret_key(
            set.glwe_dimension,
            set.polynomial_size,
            &mut generator,
        );
        Self {
            parameters: *parameters,
            identity: seeder.seed().0,
            short,
            long: long.into_lwe_secret_key(),
        }
    }

    /// The evaluation key of this secret.
    pub(super) fn server_key(&self) -> TfheKeys {
        let set = &self.parameters.0;
        let mut seeder = new_seeder();
        let glwe =
            GlweSecretKeyOwned::from_container(self.long.as_ref().to_vec(), set.polynomial_size);
        let seeds = [seeder.seed().0, seeder.seed().0];
        let [first, second] = seeds.map(|seed| CompressionSeed::from(Seed(seed)));
        let mut bootstrap = SeededLweBootstrapKey::new(
            0,
            set.glwe_dimension.to_glwe_size(),
            set.polynomial_size,
            set.pbs_base_log,
            set.pbs_level,
            set.lwe_dimension,
            first,
            CiphertextModulus::new_native(),
        );
        par_generate_seeded_lwe_bootstrap_key(
            &self.short,
            &glwe,
            &mut bootstrap,
            set.glwe_noise_distribution,
            seeder.as_mut(),
        );
        glwe.into_container().zeroize();
        let mut switch = SeededLweKeyswitchKey::new(
            0,
            set.ks_base_log,
            set.ks_level,
            self.long.lwe_dimension(),
            set.lwe_dimension,
            second,
            CiphertextModulus::new_native(),
        );
        generate_seeded_lwe_keyswitch_key(
            &self.long,
            &self.short,
            &mut switch,
            set.lwe_noise_distribution,
            seeder.as_mut(),
        );
        TfheKeys {
            parameters: self.parameters,
            identity: self.identity,
            seeds,
            bootstrap,
            switch,
        }
    }
}

impl TfheKeys {
    /// The key as the bootstraps use it.
    pub(super) fn expand(self) -> StandardAtomicPatternServerKey {
        let standard = self.bootstrap.par_decompress_into_lwe_bootstrap_key();
        let mut bsk = FourierLweBootstrapKey::new(
            standard.input_lwe_dimension(),
            standard.glwe_size(),
            standard.polynomial_size(),
            standard.decomposition_base_log(),
            standard.decomposition_level_count(),
        );
        par_convert_standard_lwe_bootstrap_key_to_fourier(&standard, &mut bsk);
        let bootstrapping_key = ShortintBootstrappingKey::Classic {
            bsk,
            modulus_switch_noise_reduction_key:
                ModulusSwitchConfiguration::CenteredMeanNoiseReduction,
        };
        StandardAtomicPatternServerKey::from_raw_parts(
            self.switch.par_decompress_into_lwe_keyswitch_key(),
            bootstrapping_key,
            PBSOrder::KeyswitchBootstrap,
        )
    }
}

/// LWE dimension of the ciphertexts outside a bootstrap.
pub(super) fn long_dimension(set: &ClassicPBSParameters) -> usize {
    set.glwe_dimension.0 * set.polynomial_size.0
}

/// Words of the seeded bootstrapping and key-switching keys.
pub(super) fn seeded_words(set: &ClassicPBSParameters) -> (usize, usize) {
    let long = long_dimension(set);
    let rows = (set.glwe_dimension.0 + 1) * set.polynomial_size.0;
    (
        set.lwe_dimension.0 * set.pbs_level.0 * rows,
        long * set.ks_level.0,
    )
}

/// Bytes of the evaluation key in memory: bootstrapping key in the Fourier domain, and key-switching key.
pub(super) fn key_bytes(set: &ClassicPBSParameters) -> usize {
    let parts = set.glwe_dimension.0 + 1;
    let fourier = set.lwe_dimension.0 * set.pbs_level.0 * parts * parts * set.polynomial_size.0 / 2;
    let switch = long_dimension(set) * set.ks_level.0 * (set.lwe_dimension.0 + 1);
    fourier * 16 + switch * 8
}

/// Bytes of the seeded key.
pub(super) fn file_bytes(set: &ClassicPBSParameters) -> usize {
    let (bootstrap, switch) = seeded_words(set);
    8 * (bootstrap + switch)
}
