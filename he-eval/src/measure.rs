//! One observation: accuracy and cost of a network under a scheme.

use cryptodl_fold::fold;
use cryptodl_network::Artifact;
use serde::{Deserialize, Serialize};

use crate::{
    error::EvalError,
    evaluate::{Evaluation, NodeTime, Progress, evaluate},
    interface::Interface,
    options::pool,
    plan::{Plan, Quality},
    reference::Reference,
    scheme::{Compiled, Scheme, Source, Twin},
    system,
};

/// What a run measured. Empty fields were not measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Measurement {
    /// Scheme name.
    pub scheme: String,
    /// Security by the published table.
    pub security_bits: Option<u32>,
    /// Ring degree N.
    pub ring_degree: Option<usize>,
    /// log2 of the whole modulus, special primes included.
    pub log2_qp: Option<f64>,
    /// Images in one batch.
    pub slots: usize,
    /// Images evaluated.
    pub images: usize,
    /// Ciphertext products in sequence.
    pub depth: usize,
    /// Ciphertext products for one batch, all plaintext moduli.
    pub ciphertext_products: usize,
    /// Products with a plaintext weight for one batch, all plaintext moduli.
    pub plain_products: usize,
    /// Seconds of key generation.
    pub keygen_s: f64,
    /// Client seconds encrypting all batches.
    pub encrypt_s: f64,
    /// Server seconds over all batches.
    pub infer_s: f64,
    /// Client seconds decrypting all batches.
    pub decrypt_s: f64,
    /// Server seconds that the plan predicted.
    pub predicted_infer_s: Option<f64>,
    /// Number of batches.
    pub batches: usize,
    /// `batches · slots / infer_s · 3600`: what the server does with full batches.
    pub images_per_hour: f64,
    /// The same over encryption, evaluation and decryption one after another.
    pub images_per_hour_end_to_end: Option<f64>,
    /// Threads.
    pub threads: usize,
    /// Peak resident memory of the encrypted part of the run, with what the process held before.
    pub peak_rss_bytes: Option<usize>,
    /// Peak of keys, ciphertexts and pixels that the plan predicted.
    #[serde(default)]
    pub predicted_memory_bytes: Option<usize>,
    /// Input ciphertexts of one batch, all plaintext moduli, as sent.
    pub ciphertext_bytes: usize,
    /// Evaluation keys, in memory.
    pub key_bytes: usize,
    /// Bits between the noise of the worst output and the decryption bound, measured.
    pub noise_bits_left: Option<f64>,
    /// `-log2` of the root mean square difference of a logit from the twin; none if they are equal.
    pub precision_bits: Option<f64>,
    /// The same as the plan predicted it.
    pub predicted_precision_bits: Option<f64>,
    /// Accuracy of the trained weights in floating point.
    pub accuracy_float: Option<f64>,
    /// Accuracy of the quantised weights without encryption.
    pub accuracy_integer: Option<f64>,
    /// Accuracy of the decrypted predictions.
    pub accuracy_encrypted: Option<f64>,
    /// Share of images whose decrypted prediction equals that of the quantised weights without it.
    pub agreement: Option<f64>,
    /// Largest difference of a logit from the same.
    pub max_logit_error: Option<f64>,
    /// Server seconds of each stage.
    pub nodes: Vec<NodeTime>,
    /// Products of a weight with a residue in a second that the threads do with operands in cache and
    /// nothing else to do, measured right after the run.
    #[serde(default)]
    pub bare_word_products_per_s: Option<f64>,
}

/// A planned evaluation of one network under one scheme.
pub struct Prepared {
    /// The trained weights in floating point.
    float: Reference,
    evaluation: Box<dyn Evaluate>,
    plan: Plan,
    pool: rayon::ThreadPool,
}

impl Prepared {
    /// Folds `artifact` and compiles it with a scheme, which need not be one of [`crate::schemes()`].
    ///
    /// # Errors
    /// As [`crate::prepare`].
    pub fn new<S>(
        scheme: &S,
        artifact: &Artifact,
        images: usize,
        options: S::Options,
        threads: Option<usize>,
    ) -> Result<Self, EvalError>
    where
        S: Scheme + 'static,
        S::Options: Send + Sync,
    {
        if images == 0 {
            return Err(EvalError::NoImages);
        }
        let graph = fold(artifact)?;
        let pool = pool(threads)?;
        let source = Source {
            artifact,
            graph: &graph,
            images,
        };
        let compiled = pool.install(|| scheme.compile(&source, &options));
        let compiled = compiled.map_err(EvalError::scheme::<S>)?;
        let plan = Plan {
            scheme: scheme.name().into(),
            network: artifact.network.name.clone(),
            images,
            batches: images.div_ceil(compiled.cost.slots),
            threads: pool.current_num_threads(),
            cost: compiled.cost.clone(),
        };
        let interface = Interface::new(artifact, &graph);
        Ok(Self {
            float: Reference::float(graph, interface),
            evaluation: Box::new(Under { compiled, options }),
            plan,
            pool,
        })
    }

    /// What the run will need and cost.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Accuracy of the twin, the same weights without encryption, on any number of images; none for
    /// schemes without one.
    ///
    /// # Errors
    /// When images and labels do not match.
    pub fn twin_accuracy(&self, pixels: &[u8], labels: &[u8]) -> Result<Option<f64>, EvalError> {
        let images = self.images(pixels, labels, labels.len().max(1))?;
        let Twin::Of(twin) = self.evaluation.twin() else {
            return Ok(None);
        };
        let logits = self.pool.install(|| twin.logits(&images))?;
        Ok(Some(accuracy(&logits, labels)))
    }

    /// Evaluates the network on as many of `pixels` (`[image][channel, y, x]`, one byte each) as were
    /// planned for.
    ///
    /// The accuracies that come before in the chain, of the trained and of the quantised weights, are
    /// measured along with it, on the same images.
    ///
    /// # Errors
    /// When images and labels do not match, or the encryption library fails.
    pub fn measure(
        &self,
        pixels: &[u8],
        labels: &[u8],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Measurement, EvalError> {
        let count = self.plan.images;
        let images = &self.images(pixels, labels, count)?;
        let labels = &labels[..count];
        // the observer need not be Send: it stays on this thread, and messages come to it
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                self.pool
                    .install(|| self.compare(images, labels, &mut |p| drop(sender.send(p))))
            });
            receiver.iter().for_each(observe);
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The first `count` images.
    fn images<'a>(
        &self,
        pixels: &'a [u8],
        labels: &[u8],
        count: usize,
    ) -> Result<Vec<&'a [u8]>, EvalError> {
        let size = self.float.interface().pixels;
        if labels.len() * size != pixels.len() || labels.len() < count {
            return Err(EvalError::Mismatch {
                pixels: pixels.len(),
                labels: labels.len(),
                size,
            });
        }
        Ok(pixels.chunks_exact(size).take(count).collect())
    }

    fn compare(
        &self,
        images: &[&[u8]],
        labels: &[u8],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Measurement, EvalError> {
        let plan = &self.plan;
        let cost = &plan.cost;
        let twin = match self.evaluation.twin() {
            Twin::Of(twin) => Some(twin.logits(images)?),
            Twin::Trained | Twin::Rounded => None,
        };
        let float = match self.evaluation.twin() {
            Twin::Trained => None,
            Twin::Rounded | Twin::Of(_) => Some(accuracy(&self.float.logits(images)?, labels)),
        };
        system::reset_peak_rss();
        let result = self.evaluation.evaluate(images, observe)?;
        if result.logits.iter().flatten().any(|x| !x.is_finite()) {
            return Err(EvalError::NotFinite);
        }
        let own = accuracy(&result.logits, labels);
        let capacity = (result.batches * cost.slots) as f64;
        let measured = Measurement {
            scheme: plan.scheme.clone(),
            slots: cost.slots,
            images: labels.len(),
            depth: cost.depth,
            ciphertext_products: cost.ciphertext_products,
            plain_products: cost.plain_products,
            keygen_s: result.keygen_s,
            encrypt_s: result.encrypt_s,
            infer_s: result.infer_s,
            decrypt_s: result.decrypt_s,
            batches: result.batches,
            images_per_hour: capacity / result.infer_s * 3600.0,
            threads: rayon::current_num_threads(),
            accuracy_float: Some(float.unwrap_or(own)),
            nodes: result.nodes.clone(),
            ..Measurement::default()
        };
        let (Some(twin), Some(encryption)) = (twin, &cost.encryption) else {
            return Ok(Measurement {
                accuracy_integer: float.map(|_| own),
                ..measured
            });
        };
        let predicted_precision_bits = match encryption.quality {
            Quality::Approximate { precision_bits } => Some(precision_bits),
            Quality::Exact { .. } => None,
        };
        Ok(Measurement {
            security_bits: Some(encryption.security_bits),
            ring_degree: Some(encryption.ring_degree),
            log2_qp: Some(encryption.log2_qp),
            ciphertext_products: encryption.components * cost.ciphertext_products,
            plain_products: encryption.components * cost.plain_products,
            predicted_infer_s: Some(plan.seconds().infer),
            images_per_hour_end_to_end: Some(
                capacity / (result.encrypt_s + result.infer_s + result.decrypt_s) * 3600.0,
            ),
            peak_rss_bytes: system::peak_rss_bytes(),
            predicted_memory_bytes: Some(encryption.memory_bytes),
            ciphertext_bytes: encryption.ciphertext_bytes,
            key_bytes: encryption.key_bytes,
            noise_bits_left: result.noise_bits_left,
            precision_bits: precision_bits(&result.logits, &twin),
            predicted_precision_bits,
            accuracy_integer: Some(accuracy(&twin, labels)),
            accuracy_encrypted: Some(own),
            agreement: Some(agreement(&result.logits, &twin)),
            max_logit_error: Some(errors(&result.logits, &twin).fold(0.0, |a, b| a.max(b.abs()))),
            bare_word_products_per_s: self.evaluation.yardstick(),
            ..measured
        })
    }
}

/// An evaluation of anything on images.
trait Evaluate: Send + Sync {
    fn evaluate(
        &self,
        images: &[&[u8]],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Evaluation, EvalError>;
    /// See [`Compiled::twin`].
    fn twin(&self) -> &Twin;
    /// See [`Compiled::yardstick`].
    fn yardstick(&self) -> Option<f64>;
}

/// A network under a scheme.
struct Under<S: Scheme> {
    compiled: Compiled<S>,
    options: S::Options,
}

impl<S> Evaluate for Under<S>
where
    S: Scheme + 'static,
    S::Options: Send + Sync,
{
    fn evaluate(
        &self,
        images: &[&[u8]],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Evaluation, EvalError> {
        evaluate(&self.compiled, &self.options, images, observe)
    }

    fn twin(&self) -> &Twin {
        &self.compiled.twin
    }

    fn yardstick(&self) -> Option<f64> {
        self.compiled.yardstick.as_ref().map(|measure| measure())
    }
}

type Logits = [Vec<f64>];

/// The class of each image: of equal logits the first, as in NumPy and PyTorch.
fn predictions(logits: &Logits) -> impl Iterator<Item = usize> {
    logits.iter().map(|logits| {
        // the least in reverse order: of several, `min_by` gives the first
        let best = logits.iter().enumerate().min_by(|a, b| b.1.total_cmp(a.1));
        best.map_or(0, |(class, _)| class)
    })
}

fn accuracy(logits: &Logits, labels: &[u8]) -> f64 {
    let pairs = predictions(logits).zip(labels);
    let right = pairs.filter(|(class, label)| *class == usize::from(**label));
    right.count() as f64 / labels.len() as f64
}

/// Share of images of the same class.
fn agreement(logits: &Logits, others: &Logits) -> f64 {
    let pairs = predictions(logits).zip(predictions(others));
    pairs.filter(|(a, b)| a == b).count() as f64 / logits.len() as f64
}

fn precision_bits(logits: &Logits, others: &Logits) -> Option<f64> {
    let count = errors(logits, others).count().max(1) as f64;
    let square = errors(logits, others).map(|e| e * e).sum::<f64>() / count;
    (square > 0.0).then(|| -0.5 * square.log2())
}

fn errors(logits: &Logits, others: &Logits) -> impl Iterator<Item = f64> {
    let pairs = logits.iter().flatten().zip(others.iter().flatten());
    pairs.map(|(a, b)| a - b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_wins() {
        let logits = [vec![1.0, 3.0, 3.0], vec![2.0; 3], vec![0.0, -1.0, 0.5]];
        let classes: Vec<usize> = predictions(&logits).collect();
        assert_eq!(classes, [1, 0, 2]);
    }
}
