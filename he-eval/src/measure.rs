//! One observation: accuracy and cost of a network under a scheme.

use cryptodl_network::Artifact;
use ethnum::I256;
use serde::{Deserialize, Serialize};

use crate::{
    EvalError, Options, Progress,
    evaluate::{Evaluation, NodeTime, evaluate},
    graph::Graph,
    plan::{CLEAR_SLOTS, Plan},
    quantise::{bounds, quantise},
    schemes::clear::Clear,
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
    /// `batches · slots / infer_s · 3600`.
    pub images_per_hour: f64,
    /// Threads.
    pub threads: usize,
    /// Peak resident memory of the encrypted part of the run.
    pub peak_rss_bytes: Option<usize>,
    /// Input ciphertexts of one batch, all plaintext moduli, in memory.
    pub ciphertext_bytes: usize,
    /// Evaluation keys, in memory.
    pub key_bytes: usize,
    /// Bits between the noise of the worst output and the decryption bound, measured.
    pub noise_bits_left: Option<f64>,
    /// Accuracy of the trained weights in floating point.
    pub accuracy_float: Option<f64>,
    /// Accuracy of the quantised weights in exact integers.
    pub accuracy_integer: Option<f64>,
    /// Accuracy of the decrypted predictions.
    pub accuracy_encrypted: Option<f64>,
    /// Share of images whose decrypted prediction equals that of the integer twin.
    pub agreement: Option<f64>,
    /// Largest difference of a logit from the integer twin.
    pub max_logit_error: Option<f64>,
    /// Server seconds of each node.
    pub nodes: Vec<NodeTime>,
}

/// Evaluates `artifact` on `pixels` (`[image][channel, y, x]`, one byte each) with `scheme`.
///
/// The float and integer accuracies that come before in the chain are measured along with it, on
/// the same images.
///
/// # Errors
/// When the scheme is unknown or cannot evaluate the network, or images and labels do not match.
pub fn measure(
    scheme: &str,
    artifact: &Artifact,
    pixels: &[u8],
    labels: &[u8],
    options: &Options,
    observe: &mut dyn FnMut(Progress),
) -> Result<Measurement, EvalError> {
    if !crate::schemes().iter().any(|(name, _)| *name == scheme) {
        return Err(crate::unknown_scheme(scheme));
    }
    let graph = crate::lower(artifact)?;
    let size = graph.inputs;
    if labels.len() * size != pixels.len() {
        return Err(EvalError::Mismatch {
            pixels: pixels.len(),
            labels: labels.len(),
            size,
        });
    }
    let images = options.images.unwrap_or(labels.len()).min(labels.len());
    if images == 0 {
        return Err(EvalError::NoImages);
    }
    let run = Run {
        name: &artifact.network.name,
        pixels: &pixels[..images * size],
        labels: &labels[..images],
        options,
    };
    // the observer need not be Send: it stays on this thread, and messages come to it
    let (sender, receiver) = std::sync::mpsc::channel();
    let pool = options.pool()?;
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            pool.install(|| run.measure(scheme, &graph, &mut |p| drop(sender.send(p))))
        });
        receiver.iter().for_each(observe);
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The images and settings of one measurement.
struct Run<'a> {
    name: &'a str,
    pixels: &'a [u8],
    labels: &'a [u8],
    options: &'a Options,
}

type Observe<'a> = &'a mut dyn FnMut(Progress);

impl Run<'_> {
    fn measure(
        &self,
        scheme: &str,
        graph: &Graph<f64>,
        observe: Observe<'_>,
    ) -> Result<Measurement, EvalError> {
        let clear = |slots| Clear::<f64>::new(slots);
        let slots = self.labels.len().min(CLEAR_SLOTS);
        if scheme == "clear" {
            let float = evaluate(graph, &clear(slots), self.pixels, observe)?;
            return Ok(self.clear(
                scheme,
                graph,
                slots,
                &float,
                float.accuracy(self.labels),
                None,
            ));
        }
        let float = evaluate(graph, &clear(slots), self.pixels, &mut |_| ())?;
        let accuracy_float = float.accuracy(self.labels);
        let integer = quantise(graph, self.options.quantisation())?;
        let last = scheme == "clear-integer";
        let twin = self.twin(&integer, slots, &mut |progress| {
            if last {
                observe(progress);
            }
        })?;
        let accuracy_integer = twin.accuracy(self.labels);
        if last {
            let accuracy_integer = Some(accuracy_integer);
            return Ok(self.clear(
                scheme,
                &integer,
                slots,
                &twin,
                accuracy_float,
                accuracy_integer,
            ));
        }
        if scheme != "bfv" {
            return Err(crate::unknown_scheme(scheme));
        }
        let (plan, bfv) = Plan::bfv(self.name, &integer, self.labels.len(), self.options)?;
        let encryption = plan.encryption.expect("an encrypted plan says how");
        system::reset_peak_rss();
        let result = evaluate(&integer, &bfv, self.pixels, observe)?;
        let shares = encryption.parameters.plain_moduli.len();
        Ok(Measurement {
            security_bits: Some(encryption.security_bits),
            ring_degree: Some(encryption.parameters.ring_degree),
            log2_qp: Some(encryption.parameters.log2_q),
            ciphertext_products: shares * plan.ciphertext_products,
            plain_products: shares * plan.plain_products,
            predicted_infer_s: Some(encryption.seconds.infer),
            peak_rss_bytes: system::peak_rss_bytes(),
            ciphertext_bytes: encryption.ciphertext_bytes,
            key_bytes: encryption.key_bytes,
            noise_bits_left: result.noise_bits_left,
            accuracy_encrypted: Some(result.accuracy(self.labels)),
            agreement: Some(result.agreement(&twin)),
            max_logit_error: Some(result.max_logit_error(&twin)),
            ..self.clear(
                scheme,
                &integer,
                plan.slots,
                &result,
                accuracy_float,
                Some(accuracy_integer),
            )
        })
    }

    /// The integer twin, in the narrowest integers that cannot overflow.
    fn twin(
        &self,
        graph: &Graph<i64>,
        slots: usize,
        observe: Observe<'_>,
    ) -> Result<Evaluation, EvalError> {
        let largest = bounds(graph)?.into_iter().max().unwrap_or(I256::ZERO);
        // a few bits of room for partial sums
        if largest < I256::ONE << 120 {
            evaluate(graph, &Clear::<i128>::new(slots), self.pixels, observe)
        } else {
            evaluate(graph, &Clear::<I256>::new(slots), self.pixels, observe)
        }
    }

    fn clear<T: crate::graph::Weight>(
        &self,
        scheme: &str,
        graph: &Graph<T>,
        slots: usize,
        result: &Evaluation,
        accuracy_float: f64,
        accuracy_integer: Option<f64>,
    ) -> Measurement {
        Measurement {
            scheme: scheme.into(),
            slots,
            images: self.labels.len(),
            depth: graph.depth(),
            ciphertext_products: graph.ciphertext_products(),
            plain_products: graph.plain_products(),
            keygen_s: result.keygen_s,
            encrypt_s: result.encrypt_s,
            infer_s: result.infer_s,
            decrypt_s: result.decrypt_s,
            batches: result.batches,
            images_per_hour: (result.batches * slots) as f64 / result.infer_s * 3600.0,
            threads: rayon::current_num_threads(),
            accuracy_float: Some(accuracy_float),
            accuracy_integer,
            nodes: result.nodes.clone(),
            ..Measurement::default()
        }
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
        let pairs = self
            .logits
            .iter()
            .flatten()
            .zip(other.logits.iter().flatten());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}
