//! Where values meet: sums, products, concatenations.

use super::*;

#[test]
fn a_skip_connection_adds_what_was_there_before() {
    let convolution = |out_channels| Layer::Convolution {
        out_channels,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let inside = vec![
        convolution(4),
        Layer::BatchNorm,
        Layer::Activation(polynomial(vec![1.2, 2.0, 1.0], false)),
        convolution(3),
    ];
    let mut nodes = Nodes::new();
    let end = nodes.then_all(ValueId::INPUT, inside.clone());
    nodes.add(end, ValueId::INPUT);
    let block = graph(nodes);
    let inside = network(inside);
    let weights_of = |network: &Network, kernels| {
        let model = Model::with(network, kernels, &Device::flex()).unwrap();
        let weights = model.initial(1, &Device::flex());
        (model, weights)
    };
    let input = random(BATCH, INPUT.len(), 5);
    let boundary = Boundary {
        at: 1.0,
        weight: 0.0,
        penalty: Penalty::Square,
    };
    // Random first weights are numbered, and a sum shifts no number: both networks have the same ones.
    let [with, without] = [&block, &inside].map(|network| {
        let (model, weights) = weights_of(network, Kernels::Fused);
        differentiate(
            |weights, input| model.train(weights, &[], input, boundary, None).logits,
            &weights,
            &input,
        )
    });
    let sum = with[0].clone() - without[0].clone();
    all_agree(&[sum], std::slice::from_ref(&input), "the values");
    let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
        let (model, weights) = weights_of(&block, kernels);
        let mut found = differentiate(
            |weights, input| model.train(weights, &[], input, boundary, None).logits,
            &weights,
            &input,
        );
        found.push(model.infer(&weights, input.clone()));
        found
    });
    all_agree(&fused, &stock, "fused and stock");
}

/// A gate, a projection on a skip connection that another one overlaps, and a concatenation.
fn joined() -> Network {
    let convolution = |out_channels, kernel| Layer::Convolution {
        out_channels,
        kernel,
        stride: 1,
        padding: kernel / 2,
    };
    let quadratic = || Layer::Activation(polynomial(vec![1.2, 2.0, 1.0], false));
    let mut nodes = Nodes::new();
    let entry = nodes.then_all(
        ValueId::INPUT,
        [convolution(4, 3), Layer::BatchNorm, quadratic()],
    );
    let inner = nodes.then_all(entry, [convolution(4, 3), Layer::BatchNorm]);
    let gated = nodes.product(inner, entry);
    let projected = nodes.then_all(entry, [convolution(4, 1), Layer::BatchNorm]);
    let sum = nodes.add(gated, projected);
    let sum = nodes.add(sum, inner);
    let all = nodes.concatenation(&[sum, entry, inner]);
    nodes.then_all(
        all,
        [Layer::BatchNorm, quadratic(), Layer::Dense { outputs: 3 }],
    );
    graph(nodes)
}

#[test]
fn products_and_concatenations_have_the_gradients_of_burn() {
    let boundary = Boundary {
        at: 1.0,
        weight: 0.0,
        penalty: Penalty::Square,
    };
    let input = random(BATCH, INPUT.len(), 5);
    let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
        let model = Model::with(&joined(), kernels, &Device::flex()).unwrap();
        let weights = model.initial(1, &Device::flex());
        let mut found = differentiate(
            |weights, input| model.train(weights, &[], input, boundary, None).logits,
            &weights,
            &input,
        );
        found.push(model.infer(&weights, input.clone()));
        found
    });
    all_agree(&fused, &stock, "fused and stock");
}

#[test]
fn what_is_joined_is_what_evaluation_folds() {
    let network = joined();
    let model = Model::new(&network, &Device::flex()).unwrap();
    let weights = model.initial(1, &Device::flex());
    let (network, tensors) = model.export(&weights);
    let artifact = cryptodl_network::Artifact {
        network,
        tensors,
        provenance: cryptodl_network::Provenance::default(),
    };
    let graph = cryptodl_fold::fold(&artifact).unwrap();
    let images = 5;
    let input = random(images, INPUT.len(), 9);
    let ours = values(&model.infer(&weights, input.clone()));
    // pixels are in 255ths
    let pixels = values(&input);
    let column = |feature: usize| {
        let of = |image: usize| f64::from(pixels[image * INPUT.len() + feature]) * 255.0;
        (0..images).map(of).collect()
    };
    let folded = cryptodl_fold::interpret(&graph, (0..INPUT.len()).map(column).collect()).unwrap();
    let size = ours.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
    for image in 0..images {
        for (class, column) in folded.iter().enumerate() {
            let (a, b) = (f64::from(ours[image * 3 + class]), column[image]);
            assert!((a - b).abs() < 1e-4 * f64::from(size), "{a} is not {b}");
        }
    }
}
