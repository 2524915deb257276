//! One observation: accuracy and cost of a network under a scheme.

use cryptodl_network::{Artifact, Normalisation};
use serde::{Deserialize, Serialize};

use crate::{
    EvalError, Options, Plan, Progress,
    evaluate::{Evaluation, NodeTime, evaluate, prepared},
    graph::Graph,
    plan::Quality,
    schemes::{Job, Prepared, clear},
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
pub struct Evaluator {
    normalisation: Normalisation,
    graph: Graph<f64>,
    prepared: Prepared,
    pool: rayon::ThreadPool,
}

/// Folds `artifact`, chooses parameters for `images` images under `scheme` and predicts the cost;
/// for encrypted schemes this times a few operations.
///
/// # Errors
/// When the scheme is unknown or cannot evaluate the network, no secure parameters are large enough,
/// or memory is too small.
pub fn prepare(
    scheme: &str,
    artifact: &Artifact,
    images: usize,
    options: &Options,
) -> Result<Evaluator, EvalError> {
    let Some(entry) = crate::schemes().iter().find(|entry| entry.name == scheme) else {
        return Err(crate::unknown_scheme(scheme));
    };
    let images = options.images.map_or(images, |most| most.min(images));
    if images == 0 {
        return Err(EvalError::NoImages);
    }
    let graph = crate::lower(artifact)?;
    let pool = options.pool()?;
    let job = Job {
        artifact,
        network: &artifact.network.name,
        graph: &graph,
        images,
        options,
    };
    let prepared = pool.install(|| (entry.prepare)(&job))?;
    Ok(Evaluator {
        normalisation: artifact.network.normalisation.clone(),
        graph,
        prepared,
        pool,
    })
}

/// [`prepare`] and [`Evaluator::measure`] in one.
///
/// # Errors
/// As both.
pub fn measure(
    scheme: &str,
    artifact: &Artifact,
    pixels: &[u8],
    labels: &[u8],
    options: &Options,
    observe: &mut dyn FnMut(Progress),
) -> Result<Measurement, EvalError> {
    prepare(scheme, artifact, labels.len(), options)?.measure(pixels, labels, observe)
}

impl Evaluator {
    /// What the run will need and cost.
    pub fn plan(&self) -> &Plan {
        &self.prepared.plan
    }

    /// Accuracy of the twin, the same weights without encryption, on any number of images; none for
    /// schemes without one.
    ///
    /// # Errors
    /// When images and labels do not match.
    pub fn twin_accuracy(&self, pixels: &[u8], labels: &[u8]) -> Result<Option<f64>, EvalError> {
        let pixels = self.input(pixels, labels, labels.len().max(1))?;
        let Some(twin) = &self.prepared.twin else {
            return Ok(None);
        };
        let evaluate = || twin.evaluate(&pixels, &mut |_| ());
        Ok(Some(self.pool.install(evaluate)?.accuracy(labels)))
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
        let images = self.prepared.plan.images;
        let pixels = &self.input(pixels, labels, images)?;
        let labels = &labels[..images];
        // the observer need not be Send: it stays on this thread, and messages come to it
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                self.pool
                    .install(|| self.compare(pixels, labels, &mut |p| drop(sender.send(p))))
            });
            receiver.iter().for_each(observe);
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The first `images` images as the client encrypts them.
    fn input(&self, pixels: &[u8], labels: &[u8], images: usize) -> Result<Vec<u8>, EvalError> {
        let size = self.graph.inputs;
        if labels.len() * size != pixels.len() || labels.len() < images {
            return Err(EvalError::Mismatch {
                pixels: pixels.len(),
                labels: labels.len(),
                size,
            });
        }
        Ok(prepared(
            &self.normalisation,
            &pixels[..images * size],
            size,
        ))
    }

    fn compare(
        &self,
        pixels: &[u8],
        labels: &[u8],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Measurement, EvalError> {
        let Prepared {
            plan,
            evaluation,
            twin,
            yardstick,
        } = &self.prepared;
        let twin = match twin {
            Some(twin) => Some(twin.evaluate(pixels, &mut |_| ())?),
            None => None,
        };
        let accuracy_float = if plan.scheme == "clear" {
            None
        } else {
            let float = clear::Clear::<f64>::new(clear::slots(labels.len()));
            Some(evaluate(&self.graph, &float, pixels, &mut |_| ())?.accuracy(labels))
        };
        system::reset_peak_rss();
        let result = evaluation.evaluate(pixels, observe)?;
        if result.logits.iter().flatten().any(|x| !x.is_finite()) {
            return Err(EvalError::NotFinite);
        }
        let own = result.accuracy(labels);
        let capacity = (result.batches * plan.slots) as f64;
        let measured = Measurement {
            scheme: plan.scheme.clone(),
            slots: plan.slots,
            images: labels.len(),
            depth: plan.depth,
            ciphertext_products: plan.ciphertext_products,
            plain_products: plan.plain_products,
            keygen_s: result.keygen_s,
            encrypt_s: result.encrypt_s,
            infer_s: result.infer_s,
            decrypt_s: result.decrypt_s,
            batches: result.batches,
            images_per_hour: capacity / result.infer_s * 3600.0,
            threads: rayon::current_num_threads(),
            accuracy_float: Some(accuracy_float.unwrap_or(own)),
            nodes: result.nodes.clone(),
            ..Measurement::default()
        };
        let (Some(twin), Some(encryption)) = (twin, &plan.encryption) else {
            return Ok(Measurement {
                accuracy_integer: accuracy_float.map(|_| own),
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
            ciphertext_products: encryption.shares * plan.ciphertext_products,
            plain_products: encryption.shares * plan.plain_products,
            predicted_infer_s: Some(encryption.seconds.infer),
            images_per_hour_end_to_end: Some(
                capacity / (result.encrypt_s + result.infer_s + result.decrypt_s) * 3600.0,
            ),
            peak_rss_bytes: system::peak_rss_bytes(),
            predicted_memory_bytes: Some(encryption.memory_bytes),
            ciphertext_bytes: encryption.ciphertext_bytes,
            key_bytes: encryption.key_bytes,
            noise_bits_left: result.noise_bits_left,
            precision_bits: result.precision_bits(&twin),
            predicted_precision_bits,
            accuracy_integer: Some(twin.accuracy(labels)),
            accuracy_encrypted: Some(own),
            agreement: Some(result.agreement(&twin)),
            max_logit_error: Some(result.max_logit_error(&twin)),
            bare_word_products_per_s: yardstick.as_ref().map(|yardstick| yardstick()),
            ..measured
        })
    }
}

impl Evaluation {
    fn predictions(&self) -> impl Iterator<Item = usize> {
        self.logits.iter().map(|logits| {
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0, |(class, _)| class)
        })
    }

    fn accuracy(&self, labels: &[u8]) -> f64 {
        let pairs = self.predictions().zip(labels);
        let right = pairs
            .filter(|(class, label)| *class == usize::from(**label))
            .count();
        right as f64 / labels.len() as f64
    }

    fn agreement(&self, other: &Evaluation) -> f64 {
        let same = self
            .predictions()
            .zip(other.predictions())
            .filter(|(a, b)| a == b)
            .count();
        same as f64 / self.logits.len() as f64
    }

    fn max_logit_error(&self, other: &Evaluation) -> f64 {
        self.errors(other).fold(0.0, |a, b| a.max(b.abs()))
    }

    fn precision_bits(&self, other: &Evaluation) -> Option<f64> {
        let count = self.errors(other).count().max(1) as f64;
        let square = self.errors(other).map(|e| e * e).sum::<f64>() / count;
        (square > 0.0).then(|| -0.5 * square.log2())
    }

    fn errors(&self, other: &Evaluation) -> impl Iterator<Item = f64> {
        let own = self.logits.iter().flatten();
        let others = other.logits.iter().flatten();
        own.zip(others).map(|(a, b)| a - b)
    }
}
