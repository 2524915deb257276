//! The settings of a run.

use std::path::PathBuf;

use crate::{EvalError, quantise::Quantisation};

/// Ring degrees of encrypted schemes.
const RINGS: [usize; 4] = [4096, 8192, 16384, 32768];

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
    /// Run even if the plan predicts more than [`MOST_SECONDS`] for an image. Scheme `tfhe-integer`
    /// only.
    pub any_cost: bool,
}

/// Seconds for one image that scheme `tfhe-integer` may be predicted to take.
pub const MOST_SECONDS: f64 = 900.0;

impl Options {
    /// The bits of schemes on integers.
    pub(crate) fn quantisation(&self) -> Quantisation {
        let default = Quantisation::default();
        Quantisation {
            weight_bits: self.weight_bits.unwrap_or(default.weight_bits),
            input_bits: self.input_bits.unwrap_or(default.input_bits),
        }
    }

    /// The ring degrees to choose from, smallest first.
    pub(crate) fn rings(&self) -> Result<&'static [usize], EvalError> {
        let asked = self.ring_degree.unwrap_or(RINGS[0]);
        match RINGS.iter().position(|&ring| ring == asked) {
            Some(first) => Ok(&RINGS[first..]),
            None => Err(EvalError::RingDegree { asked }),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        })
    }

    pub(crate) fn pool(&self) -> Result<rayon::ThreadPool, EvalError> {
        let threads = self.threads();
        if threads == 0 {
            return Err(EvalError::Threads {
                threads,
                reason: "ask for at least one".into(),
            });
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| EvalError::Threads {
                threads,
                reason: e.to_string(),
            })
    }
}
