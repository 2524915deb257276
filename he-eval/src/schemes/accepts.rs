//! Which networks a scheme takes, as far as their layers tell.

use cryptodl_network::{Layer, Network};

use crate::scheme::Refusal;

fn rounds(network: &Network) -> bool {
    let mut layers = network.nodes.iter().map(|node| &node.layer);
    layers.any(|layer| matches!(layer, Layer::Quantise { .. }))
}

/// Networks whose activations are polynomials up to this degree, without rounding layers.
pub(super) fn polynomials(network: &Network, most: usize) -> Result<(), Refusal> {
    if rounds(network) {
        let sentence = "the network rounds its values, and rounding needs a look-up: scheme `tfhe`";
        return Err(Refusal(sentence.into()));
    }
    for used in network.activations() {
        match used.polynomial().map(approx::Polynomial::degree) {
            None => {
                let sentence = "the network has an activation that is no polynomial, which only scheme `clear` evaluates: train it with a fitted one";
                return Err(Refusal(sentence.into()));
            }
            Some(degree) if degree > most => {
                return Err(Refusal(format!(
                    "the network has a polynomial of degree {degree}, and {most} is the limit here: take scheme `ckks`"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Chains with a rounding layer before every linear layer and any activations, without mirror images.
pub(super) fn rounding(network: &Network) -> Result<(), Refusal> {
    let sentence = if !rounds(network) {
        "the network does not round its values, and a look-up wants few: train one that has rounding layers"
    } else if network.mirrored {
        "the network looks at mirror images too, which look-ups do not: train it with `mirror = false`"
    } else if !network.is_chain() {
        "the network has skip connections, products or concatenations, and look-ups know only chains"
    } else {
        return Ok(());
    };
    Err(Refusal(sentence.into()))
}
