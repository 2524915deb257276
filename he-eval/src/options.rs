//! The settings of a run, for all schemes together: each takes what it knows.

use std::path::PathBuf;

use cryptodl_fold::Quantisation;

use crate::error::EvalError;

/// The settings of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bits of an integer weight with its sign, 2 to 12; what suits the scheme if not given. More bits
    /// follow the trained weights more closely and make the encrypted numbers larger.
    pub weight_bits: Option<u32>,
    /// Bits of a pixel, 1 to 8; what suits the scheme if not given. Schemes on real numbers always
    /// take all 8.
    pub input_bits: Option<u32>,
    /// Evaluate only the first so many images.
    pub images: Option<usize>,
    /// Threads; all cores if not given.
    pub threads: Option<usize>,
    /// Smallest ring degree to take: a power of two from 4096 to 32768. A larger ring has more slots,
    /// and a batch takes longer. Does nothing if `toy`.
    pub ring_degree: Option<usize>,
    /// Use a small ring WITHOUT security, to try things out quickly.
    pub toy: bool,
    /// Folder in which the keys are kept between runs; made if it is not there. Scheme `tfhe` only.
    pub keys: Option<PathBuf>,
    /// Run even if the plan predicts more than a quarter of an hour for an image. Scheme `tfhe-integer` only.
    pub any_cost: bool,
}

impl Options {
    /// The bits of schemes on integers.
    pub(crate) fn quantisation(&self) -> Quantisation {
        let default = Quantisation::default();
        Quantisation {
            weight_bits: self.weight_bits.unwrap_or(default.weight_bits),
            input_bits: self.input_bits.unwrap_or(default.input_bits),
        }
    }
}

/// The threads of a run: so many, or all cores.
///
/// # Errors
/// When there are to be none, or the system has no more.
pub(crate) fn pool(threads: Option<usize>) -> Result<rayon::ThreadPool, EvalError> {
    let threads = threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let refused = |reason: String| EvalError::Threads { threads, reason };
    if threads == 0 {
        return Err(refused("ask for at least one".into()));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| refused(error.to_string()))
}
