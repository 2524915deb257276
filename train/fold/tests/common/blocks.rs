//! Networks that are no chains.

use cryptodl_network::{Layer, Network, Nodes, ValueId};

use super::{graph, network};

/// A convolution that keeps height and width.
pub fn same(out_channels: usize) -> Layer {
    Layer::Convolution {
        out_channels,
        kernel: 3,
        stride: 1,
        padding: 1,
    }
}

/// A convolution that halves height and width.
fn halving(out_channels: usize) -> Layer {
    Layer::Convolution {
        out_channels,
        kernel: 3,
        stride: 2,
        padding: 1,
    }
}

/// Convolution, activation, and a block that is added to what enters it, with `inside` in front of its last layers;
/// then a dense layer.
pub fn residual(activation: &Layer, inside: Vec<Layer>) -> Network {
    let mut nodes = Nodes::new();
    let entry = [halving(2), Layer::BatchNorm, activation.clone()];
    let entry = nodes.then_all(ValueId::INPUT, entry);
    let inner = nodes.then_all(entry, inside);
    let inner = nodes.then_all(inner, [same(2), Layer::BatchNorm]);
    let sum = nodes.add(inner, entry);
    let last = [
        Layer::BatchNorm,
        activation.clone(),
        Layer::Dense { outputs: 3 },
    ];
    nodes.then_all(sum, last);
    graph(1, nodes)
}

/// What usually stands in front of the last convolution of a block: a wider one, batch norm, activation.
pub fn block(activation: &Layer) -> Vec<Layer> {
    vec![same(3), Layer::BatchNorm, activation.clone()]
}

/// Everything that a graph can do, with one kind of activation.
pub fn graphs(activation: &Layer) -> Vec<(&'static str, Network)> {
    let dense = |outputs| Layer::Dense { outputs };
    let act = || activation.clone();
    let pool = || Layer::MeanPool {
        kernel: 2,
        stride: 2,
    };
    let mut all = vec![
        ("a residual block", residual(activation, block(activation))),
        (
            "a chain",
            network(1, vec![halving(2), Layer::BatchNorm, act(), dense(3)]),
        ),
    ];
    let mut build = |name, make: &dyn Fn(&mut Nodes, ValueId)| {
        let mut nodes = Nodes::new();
        let entry = nodes.then_all(ValueId::INPUT, [halving(2), Layer::BatchNorm]);
        make(&mut nodes, entry);
        all.push((name, graph(1, nodes)));
    };
    build("two skip connections that overlap", &|nodes, x| {
        let x = nodes.then(x, act());
        let y = nodes.then_all(x, [same(2), Layer::BatchNorm]);
        let z = nodes.then_all(y, [act(), same(2)]);
        let sum = nodes.add(z, x);
        let sum = nodes.add(sum, y);
        nodes.then(sum, dense(3));
    });
    build("a projection on a skip connection", &|nodes, x| {
        let x = nodes.then(x, act());
        let y = nodes.then_all(x, [halving(3), Layer::BatchNorm, act(), same(3)]);
        let projected = nodes.then_all(x, [halving(3), Layer::BatchNorm]);
        let sum = nodes.add(y, projected);
        nodes.then_all(sum, [Layer::BatchNorm, act(), dense(3)]);
    });
    build("pre-activation blocks", &|nodes, x| {
        let y = nodes.then_all(x, [Layer::BatchNorm, act(), same(2)]);
        let x = nodes.add(x, y);
        let y = nodes.then_all(x, [Layer::BatchNorm, act(), same(2)]);
        let x = nodes.add(x, y);
        nodes.then_all(x, [Layer::BatchNorm, act(), pool(), dense(3)]);
    });
    build("a gate", &|nodes, x| {
        let f = nodes.then_all(x, [same(2), Layer::BatchNorm]);
        let gated = nodes.product(f, x);
        nodes.then_all(gated, [Layer::BatchNorm, dense(3)]);
    });
    build("a product of two linear maps, then a sum", &|nodes, x| {
        let x = nodes.then(x, act());
        let a = nodes.then_all(x, [same(2), Layer::BatchNorm]);
        let b = nodes.then(x, same(2));
        let product = nodes.product(a, b);
        let sum = nodes.add(product, x);
        nodes.then(sum, dense(3));
    });
    build("a concatenation", &|nodes, x| {
        let y = nodes.then_all(x, [same(3), Layer::BatchNorm, act()]);
        let all = nodes.concatenation(&[x, y]);
        nodes.then_all(all, [same(2), Layer::BatchNorm, act(), dense(3)]);
    });
    build("an activation of a concatenation of pools", &|nodes, x| {
        let y = nodes.then(x, same(1));
        let (a, b) = (nodes.then(x, pool()), nodes.then(y, pool()));
        let all = nodes.concatenation(&[a, b]);
        nodes.then_all(all, [act(), dense(3)]);
    });
    build("the image itself is added at the end", &|nodes, x| {
        let y = nodes.then_all(x, [act(), dense(64)]);
        let image = nodes.then(ValueId::INPUT, dense(64));
        let sum = nodes.add(y, image);
        nodes.then(sum, dense(3));
    });
    build("it ends in a sum", &|nodes, x| {
        let y = nodes.then_all(x, [act(), dense(3)]);
        let z = nodes.then(x, dense(3));
        nodes.add(y, z);
    });
    build("it ends in a product", &|nodes, x| {
        let y = nodes.then(x, dense(3));
        let z = nodes.then(x, dense(3));
        nodes.product(y, z);
    });
    all
}
