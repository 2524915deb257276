//! The first format of networks in files: a list of layers, in which a skip connection begins and ends.
//!
//! Nodes took the place of layers; those that only marked where a skip connection begins are gone, so tensors behind
//! them belong to nodes of smaller numbers.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::layer::{Layer, Shape};
use crate::node::{Nodes, ValueId};
use crate::{Network, Normalisation, Tensor};

/// A network as the first format has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chain {
    name: String,
    input: Shape,
    normalisation: Normalisation,
    layers: Vec<Value>,
    #[serde(default)]
    mirrored: bool,
}

/// The network, and the node that each of the old layers became; none for those that are gone.
pub(crate) fn network(chain: Chain) -> Result<(Network, Vec<Option<usize>>), String> {
    let mut nodes = Nodes::new();
    let mut value = ValueId::INPUT;
    let mut carried = None;
    let mut places = Vec::with_capacity(chain.layers.len());
    for (index, layer) in chain.layers.into_iter().enumerate() {
        match layer.as_str() {
            Some("skip") if carried.is_some() => {
                return Err(format!(
                    "layer {index}: the skip connection before has not ended"
                ));
            }
            Some("skip") => {
                carried = Some(value);
                places.push(None);
                continue;
            }
            Some("add") => {
                let Some(carried) = carried.take() else {
                    return Err(format!("layer {index}: no skip connection has begun"));
                };
                value = nodes.add(value, carried);
            }
            _ => {
                let layer: Layer = serde_json::from_value(layer)
                    .map_err(|error| format!("layer {index}: {error}"))?;
                value = nodes.then(value, layer);
            }
        }
        places.push(value.node());
    }
    if carried.is_some() {
        return Err("a skip connection never ends".into());
    }
    let mut network = Network::new(chain.name, chain.input, chain.normalisation, nodes);
    network.mirrored = chain.mirrored;
    Ok((network, places))
}

/// Tensors under the names that their nodes have now. Names that are no tensor of a layer are left as they are.
pub(crate) fn renamed(
    tensors: BTreeMap<String, Tensor>,
    places: &[Option<usize>],
) -> BTreeMap<String, Tensor> {
    let rename = |(name, tensor): (String, Tensor)| {
        let new = name.strip_prefix("layers.").and_then(|rest| {
            let (index, rest) = rest.split_once('.')?;
            let node = (*places.get(index.parse::<usize>().ok()?)?)?;
            Some(format!("layers.{node}.{rest}"))
        });
        (new.unwrap_or(name), tensor)
    };
    tensors.into_iter().map(rename).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_connection_becomes_a_second_reader() {
        let json = r#"{"name":"old","input":{"channels":1,"height":4,"width":4},
            "normalisation":{"mean":[0.0],"deviation":[1.0]},
            "layers":[{"dense":{"outputs":16}},"skip",{"dense":{"outputs":16}},"add",{"dense":{"outputs":2}}]}"#;
        let (network, places) = network(serde_json::from_str(json).unwrap()).unwrap();
        network.validate().unwrap();
        assert_eq!(places, [Some(0), None, Some(1), Some(2), Some(3)]);
        assert_eq!(network.nodes[2].inputs, [ValueId(2), ValueId(1)]);
        let tensor = Tensor {
            shape: vec![1],
            data: vec![1.0],
        };
        let tensors = BTreeMap::from([("layers.4.bias".to_owned(), tensor)]);
        assert!(renamed(tensors, &places).contains_key("layers.3.bias"));
    }

    #[test]
    fn what_never_ends_or_never_began_is_refused() {
        let chain = |layers: &str| {
            let json = format!(
                r#"{{"name":"old","input":{{"channels":1,"height":4,"width":4}},
                "normalisation":{{"mean":[0.0],"deviation":[1.0]}},"layers":{layers}}}"#
            );
            network(serde_json::from_str(&json).unwrap()).unwrap_err()
        };
        assert!(chain(r#"["skip"]"#).contains("never ends"));
        assert!(chain(r#"["add"]"#).contains("no skip connection"));
        assert!(chain(r#"["skip","skip"]"#).contains("has not ended"));
        assert!(chain(r#"["other"]"#).contains("layer 0"));
    }
}
