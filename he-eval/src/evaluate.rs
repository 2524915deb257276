//! Runs a compiled network over a set of images with any scheme, and times the roles.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{
    error::EvalError,
    run::run,
    scheme::{Client, Compiled, Scheme, Server},
    work::Work,
};

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What was just done: `encrypt`, the node's name, `decrypt`.
    pub stage: String,
    /// Share of the run that is done, 0 to 1.
    pub done: f64,
}

/// Seconds of one kind of work of a node, over all batches and components.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct NodeTime {
    /// The node's name.
    pub name: String,
    /// `linear`, `activation`, or what else a scheme does for the node.
    pub kind: String,
    /// Seconds.
    pub seconds: f64,
    /// Products of a weight with a residue, if the scheme counts them.
    #[serde(default)]
    pub word_products: Option<u64>,
}

/// Logits and times of a run.
#[derive(Default)]
pub(crate) struct Evaluation {
    /// `[image][class]`.
    pub logits: Vec<Vec<f64>>,
    pub batches: usize,
    pub keygen_s: f64,
    pub encrypt_s: f64,
    pub infer_s: f64,
    pub decrypt_s: f64,
    pub nodes: Vec<NodeTime>,
    pub noise_bits_left: Option<f64>,
}

/// Encrypts, evaluates and decrypts images of one byte a pixel.
pub(crate) fn evaluate<S: Scheme>(
    compiled: &Compiled<S>,
    options: &S::Options,
    images: &[&[u8]],
    observe: &mut dyn FnMut(Progress),
) -> Result<Evaluation, EvalError>
where
    S::Error: 'static,
{
    let failed = EvalError::scheme::<S>;
    let batches: Vec<&[&[u8]]> = images.chunks(compiled.cost.slots).collect();
    let start = Instant::now();
    let (client, keys) = S::keys(&compiled.spec, options).map_err(failed)?;
    let server = S::Server::new(compiled.program.clone(), keys).map_err(failed)?;
    let mut result = Evaluation {
        batches: batches.len(),
        keygen_s: start.elapsed().as_secs_f64(),
        ..Evaluation::default()
    };
    let rounds = (batches.len() * client.components()) as f64;
    let mut round = 0.0;
    for batch in batches {
        let mut responses = Vec::with_capacity(client.components());
        for component in 0..client.components() {
            let start = Instant::now();
            let request = client.encrypt(batch, component).map_err(failed)?;
            result.encrypt_s += start.elapsed().as_secs_f64();
            observe(Progress {
                stage: "encrypt".into(),
                done: round / rounds,
            });
            let start = Instant::now();
            let response = run(&server, request, &mut |work| {
                add(&mut result.nodes, work);
                observe(Progress {
                    stage: work.node.into(),
                    done: (round + work.done) / rounds,
                });
            });
            result.infer_s += start.elapsed().as_secs_f64();
            responses.push(response.map_err(failed)?);
            round += 1.0;
        }
        let start = Instant::now();
        let logits = client.decrypt(&responses, batch.len()).map_err(failed)?;
        result.decrypt_s += start.elapsed().as_secs_f64();
        result.logits.extend(logits);
        observe(Progress {
            stage: "decrypt".into(),
            done: round / rounds,
        });
        if let Some(bits) = client.noise_bits_left(&responses).map_err(failed)? {
            if bits <= 0.0 {
                return Err(EvalError::Noise { bits });
            }
            result.noise_bits_left = Some(result.noise_bits_left.map_or(bits, |b| b.min(bits)));
        }
    }
    Ok(result)
}

fn add(nodes: &mut Vec<NodeTime>, work: Work<'_>) {
    let known = nodes
        .iter_mut()
        .find(|node| node.name == work.node && node.kind == work.kind);
    if let Some(node) = known {
        node.seconds += work.seconds;
        node.word_products = node
            .word_products
            .zip(work.word_products)
            .map(|(a, b)| a + b);
    } else {
        nodes.push(NodeTime {
            name: work.node.into(),
            kind: work.kind.into(),
            seconds: work.seconds,
            word_products: work.word_products,
        });
    }
}
