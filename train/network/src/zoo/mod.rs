//! Networks by name, one file each. Activations are ReLU until [`Network::with_activation`] replaces them.

mod compact;
mod cryptonets;
mod pooled;

use crate::{Network, NetworkError};

/// One entry of the zoo.
struct Entry {
    name: &'static str,
    summary: &'static str,
    build: fn() -> Network,
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
];

/// Name and one-line summary of every network.
pub fn networks() -> Vec<(&'static str, &'static str)> {
    ENTRIES
        .iter()
        .map(|entry| (entry.name, entry.summary))
        .collect()
}

/// The network of that name.
///
/// # Errors
/// [`NetworkError::Unknown`], which lists the known names.
pub fn network(name: &str) -> Result<Network, NetworkError> {
    let entry = ENTRIES.iter().find(|entry| entry.name == name);
    entry
        .map(|entry| (entry.build)())
        .ok_or_else(|| NetworkError::Unknown {
            name: name.to_owned(),
            known: ENTRIES.iter().map(|entry| entry.name).collect(),
        })
}

/// Input shape and normalisation of 28×28 grey digits: mean and deviation over the MNIST training set.
fn digits() -> (crate::Shape, crate::Normalisation) {
    let shape = crate::Shape {
        channels: 1,
        height: 28,
        width: 28,
    };
    (
        shape,
        crate::Normalisation {
            mean: vec![0.130_66],
            deviation: vec![0.308_11],
        },
    )
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
    fn unknown_network_lists_the_known_ones() {
        let message = network("lenet-1").unwrap_err().to_string();
        assert!(
            networks().iter().all(|(name, _)| message.contains(name)),
            "{message}"
        );
    }
}
