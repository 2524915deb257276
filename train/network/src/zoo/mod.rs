//! Networks by name, one file each. Activations are ReLU until [`Network::with_activation`] replaces them.
//!
//! A name may end in the width in percent: `lenet-w50` has half the channels of `lenet`.

mod airbench;
mod airbench96;
mod compact;
mod cryptonets;
mod lenet;
mod lookup;
mod lookup_tiny;
mod paper_cifar;
mod plain;
mod pooled;
mod residual;

use crate::{Layer, Network, NetworkError, Nodes, Nonlinearity, ValueId};
use approx::Activation;

/// One entry of the zoo.
struct Entry {
    name: &'static str,
    summary: &'static str,
    build: fn(Width) -> Network,
}

/// The only place that knows all of them.
const ENTRIES: &[Entry] = &[
    Entry {
        name: compact::NAME,
        summary: compact::SUMMARY,
        build: compact::network,
    },
    Entry {
        name: cryptonets::NAME,
        summary: cryptonets::SUMMARY,
        build: cryptonets::network,
    },
    Entry {
        name: pooled::NAME,
        summary: pooled::SUMMARY,
        build: pooled::network,
    },
    Entry {
        name: lenet::NAME,
        summary: lenet::SUMMARY,
        build: lenet::network,
    },
    Entry {
        name: lookup::NAME,
        summary: lookup::SUMMARY,
        build: lookup::network,
    },
    Entry {
        name: lookup_tiny::NAME,
        summary: lookup_tiny::SUMMARY,
        build: lookup_tiny::network,
    },
    Entry {
        name: plain::NAME,
        summary: plain::SUMMARY,
        build: plain::network,
    },
    Entry {
        name: paper_cifar::NAME,
        summary: paper_cifar::SUMMARY,
        build: paper_cifar::network,
    },
    Entry {
        name: airbench::NAME,
        summary: airbench::SUMMARY,
        build: airbench::network,
    },
    Entry {
        name: airbench96::NAME,
        summary: airbench96::SUMMARY,
        build: airbench96::network,
    },
    Entry {
        name: residual::NAME,
        summary: residual::SUMMARY,
        build: residual::network,
    },
];

/// Between a name and a width.
const WIDTH_MARK: &str = "-w";

/// How wide a network is, in percent of the one that its file describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Width(usize);

impl Width {
    const FULL: Self = Self(100);

    /// So many channels or outputs at full width; at least one.
    fn of(self, full: usize) -> usize {
        ((full * self.0 + 50) / 100).max(1)
    }
}

/// Name and one-line summary of every network.
pub fn networks() -> Vec<(&'static str, &'static str)> {
    ENTRIES
        .iter()
        .map(|entry| (entry.name, entry.summary))
        .collect()
}

/// The network of that name, which may end in a width of 1 to 1000 percent: `lenet`, `lenet-w50`.
///
/// # Errors
/// [`NetworkError::Unknown`], which lists the known names.
pub fn network(name: &str) -> Result<Network, NetworkError> {
    let find = |name: &str| ENTRIES.iter().find(|entry| entry.name == name);
    let at_width = || {
        let (stem, percent) = name.rsplit_once(WIDTH_MARK)?;
        let width = percent.parse().ok().filter(|w| (1..=1000).contains(w))?;
        // One network, one name: no `-w100`, no `-w050`.
        let plain = width != Width::FULL.0 && !percent.starts_with(['0', '+']);
        Some((find(stem).filter(|_| plain)?, Width(width)))
    };
    let (entry, width) = find(name)
        .map(|entry| (entry, Width::FULL))
        .or_else(at_width)
        .ok_or_else(|| NetworkError::Unknown {
            name: name.to_owned(),
            known: ENTRIES.iter().map(|entry| entry.name).collect(),
        })?;
    Ok(Network {
        name: name.to_owned(),
        ..(entry.build)(width)
    })
}

fn convolution(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
    Layer::Convolution {
        out_channels,
        kernel,
        stride,
        padding,
    }
}

/// Means of squares that do not overlap.
fn pool(side: usize) -> Layer {
    Layer::MeanPool {
        kernel: side,
        stride: side,
    }
}

/// An activation.
fn relu() -> Layer {
    Layer::Activation(Nonlinearity::Exact(Activation::Relu))
}

/// Batch norm and activation.
fn activated() -> [Layer; 2] {
    [Layer::BatchNorm, relu()]
}

/// Black or white, decided at the middle between the values 0 and 1 of a normalised pixel: at 73 of 255 for digits.
fn pixels_of_one_bit() -> Layer {
    Layer::Quantise {
        levels: 2,
        low: 0.0,
        high: 1.0,
    }
}

/// Four values, symmetric about 0 as those of a sine are.
fn two_bits() -> Layer {
    Layer::Quantise {
        levels: 4,
        low: -1.0,
        high: 1.0,
    }
}

/// A network that reads 28×28 grey digits, with mean and deviation over the MNIST training set.
fn of_digits(name: &str, layers: Vec<Layer>) -> Network {
    let input = crate::Shape {
        channels: 1,
        height: 28,
        width: 28,
    };
    let normalisation = crate::Normalisation {
        mean: vec![0.130_66],
        deviation: vec![0.308_11],
        standardised: false,
    };
    Network::chain(name, input, normalisation, layers)
}

/// A network that reads 32×32 colour photographs, with means and deviations over the CIFAR-10 training set.
fn of_photographs(name: &str, nodes: Nodes) -> Network {
    let input = crate::Shape {
        channels: 3,
        height: 32,
        width: 32,
    };
    let normalisation = crate::Normalisation {
        mean: vec![0.491_40, 0.482_16, 0.446_53],
        deviation: vec![0.247_03, 0.243_49, 0.261_59],
        standardised: false,
    };
    Network::new(name, input, normalisation, nodes)
}

/// Layers that each read what the one before them made.
fn chain(layers: Vec<Layer>) -> Nodes {
    let mut nodes = Nodes::new();
    nodes.then_all(ValueId::INPUT, layers);
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_valid_and_carries_its_name() {
        for (name, summary) in networks() {
            let network = network(name).unwrap();
            network.validate().unwrap();
            assert_eq!(network.name, name);
            assert!(!summary.is_empty());
        }
    }

    #[test]
    fn every_network_comes_in_other_widths() {
        for (name, _) in networks() {
            let full = network(name).unwrap();
            let half = network(&format!("{name}-w50")).unwrap();
            half.validate().unwrap();
            assert_eq!(half.name, format!("{name}-w50"));
            // The classes stay, and so do the layers.
            assert_eq!(half.shapes().unwrap().last(), full.shapes().unwrap().last());
            assert_eq!(half.nodes.len(), full.nodes.len());
            assert!(half.parameters().unwrap() < full.parameters().unwrap());
        }
        for wrong in [
            "lenet-w",
            "lenet-w0",
            "lenet-w050",
            "lenet-w100",
            "lenet-w1001",
            "lenet-w+5",
        ] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn unknown_network_lists_the_known_ones() {
        let message = network("lenet-1").unwrap_err().to_string();
        assert!(
            networks().iter().all(|(name, _)| message.contains(name)),
            "{message}"
        );
    }
}
