//! Runs a graph over a set of images with any scheme, and times the roles.

use std::time::Instant;

use cryptodl_network::Normalisation;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    EvalError,
    graph::Graph,
    run::run,
    scheme::{Client, Scheme, Stage},
};

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What was just done: `encrypt`, the node's name, `decrypt`.
    pub stage: String,
    /// Share of the run that is done, 0 to 1.
    pub done: f64,
}

/// Seconds that one stage took, over all batches and shares.
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

/// Encrypts, evaluates and decrypts `pixels` (`images × graph.inputs` bytes).
pub(crate) fn evaluate<S: Scheme>(
    graph: &Graph<S::Weight>,
    scheme: &S,
    pixels: &[u8],
    observe: &mut dyn FnMut(Progress),
) -> Result<Evaluation, EvalError> {
    let images: Vec<&[u8]> = pixels.chunks(graph.inputs).collect();
    let batches: Vec<&[&[u8]]> = images.chunks(scheme.slots()).collect();
    let start = Instant::now();
    let (client, servers) = scheme.keys()?;
    let mut result = Evaluation {
        logits: Vec::with_capacity(images.len()),
        batches: batches.len(),
        keygen_s: start.elapsed().as_secs_f64(),
        encrypt_s: 0.0,
        infer_s: 0.0,
        decrypt_s: 0.0,
        nodes: Vec::new(),
        noise_bits_left: None,
    };
    let rounds = (batches.len() * servers.len()) as f64;
    let mut round = 0.0;
    for batch in batches {
        let features = features(graph, batch);
        let mut outputs = Vec::with_capacity(servers.len());
        for (share, server) in servers.iter().enumerate() {
            let start = Instant::now();
            let values = client.encrypt(share, &features)?;
            result.encrypt_s += start.elapsed().as_secs_f64();
            observe(Progress {
                stage: "encrypt".into(),
                done: round / rounds,
            });
            let start = Instant::now();
            let output = run(graph, server, values, &mut |ended| {
                add_stage(&mut result.nodes, ended);
                let done = graph.nodes.iter().position(|node| node.name == ended.node);
                let nodes = done.map_or(0.0, |index| (index + 1) as f64 / graph.nodes.len() as f64);
                observe(Progress {
                    stage: ended.node.into(),
                    done: (round + ended.done.unwrap_or(nodes)) / rounds,
                });
            })?;
            result.infer_s += start.elapsed().as_secs_f64();
            outputs.push(output);
            round += 1.0;
        }
        let start = Instant::now();
        let decrypted = client.decrypt(&outputs, batch.len())?;
        result.decrypt_s += start.elapsed().as_secs_f64();
        observe(Progress {
            stage: "decrypt".into(),
            done: round / rounds,
        });
        if let Some(bits) = client.noise_bits_left(&outputs)? {
            if bits <= 0.0 {
                return Err(EvalError::Noise { bits });
            }
            result.noise_bits_left = Some(result.noise_bits_left.map_or(bits, |b| b.min(bits)));
        }
        result.logits.extend((0..batch.len()).map(|image| {
            let maps = graph.output_scale.iter().zip(&graph.output_shift);
            decrypted
                .iter()
                .zip(maps)
                .map(|(values, (scale, shift))| values[image] / scale + shift)
                .collect()
        }));
    }
    Ok(result)
}

/// What the client does to images in the clear: see [`Normalisation::prepared`].
pub(crate) fn prepared(normalisation: &Normalisation, pixels: &[u8], size: usize) -> Vec<u8> {
    pixels
        .chunks_exact(size)
        .flat_map(|image| normalisation.prepared(image).into_owned())
        .collect()
}

/// The batch as the schemes want it: `[pixel][image]`.
fn features<T: crate::graph::Weight>(graph: &Graph<T>, batch: &[&[u8]]) -> Vec<Vec<u32>> {
    (0..graph.inputs)
        .into_par_iter()
        .map(|pixel| {
            batch
                .iter()
                .map(|image| graph.encode(image[pixel]))
                .collect()
        })
        .collect()
}

fn add_stage(nodes: &mut Vec<NodeTime>, ended: Stage<'_>) {
    let known = nodes
        .iter_mut()
        .find(|node| node.name == ended.node && node.kind == ended.kind);
    if let Some(node) = known {
        node.seconds += ended.seconds;
        node.word_products = node
            .word_products
            .zip(ended.word_products)
            .map(|(a, b)| a + b);
    } else {
        nodes.push(NodeTime {
            name: ended.node.into(),
            kind: ended.kind.into(),
            seconds: ended.seconds,
            word_products: ended.word_products,
        });
    }
}
