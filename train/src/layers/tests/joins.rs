//! Where values meet: sums, products, concatenations.

use super::*;

/// Nothing is punished.
const BOUNDARY: Boundary = Boundary {
    at: 1.0,
    weight: 0.0,
    penalty: Penalty::Square,
};

/// Values, gradients of input and weights, and values of an evaluation are the same with both kinds of operators.
fn fused_agrees_with_stock(network: &Network, input: &Tensor<2>) {
    let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
        let model = Model::with(network, kernels, &Device::flex()).unwrap();
        let weights = model.initial(1, &Device::flex());
        let mut found = differentiate(
            |weights, input| model.train(weights, &[], input, BOUNDARY, None).logits,
            &weights,
            input,
        );
        found.push(model.infer(&weights, input.clone()));
        found
    });
    all_agree(&fused, &stock, "fused and stock");
}

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
    let input = random(BATCH, INPUT.len(), 5);
    // Random first weights are numbered, and a sum shifts no number: both networks have the same ones.
    let [with, without] = [&block, &inside].map(|network| {
        let model = Model::with(network, Kernels::Fused, &Device::flex()).unwrap();
        let weights = model.initial(1, &Device::flex());
        differentiate(
            |weights, input| model.train(weights, &[], input, BOUNDARY, None).logits,
            &weights,
            &input,
        )
    });
    let sum = with[0].clone() - without[0].clone();
    all_agree(&[sum], std::slice::from_ref(&input), "the values");
    fused_agrees_with_stock(&block, &input);
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
    let input = random(BATCH, INPUT.len(), 5);
    fused_agrees_with_stock(&joined(), &input);
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

/// Neither kind of operators is measured by the other: slopes along a random direction of each weight and of the input.
#[test]
fn gradients_of_joins_are_those_of_finite_differences() {
    for kernels in [Kernels::Stock, Kernels::Fused] {
        let model = Model::with(&joined(), kernels, &Device::flex()).unwrap();
        let weights = model.initial(1, &Device::flex());
        let input = random(BATCH, INPUT.len(), 5);
        let run =
            |weights: &[Tensor<2>], input| model.train(weights, &[], input, BOUNDARY, None).logits;
        let tracked: Vec<Tensor<2>> = weights
            .iter()
            .chain([&input])
            .map(|tensor| tensor.clone().autodiff().require_grad())
            .collect();
        let logits = run(&tracked[..weights.len()], tracked[weights.len()].clone());
        let backward = (logits * random(BATCH, 3, 77).autodiff()).sum().backward();
        // running statistics of batch norms have none
        let gradients = tracked.iter().map(|tensor| tensor.grad(&backward));
        let gradients: Vec<Option<Tensor<2>>> = gradients.collect();
        assert_eq!(gradients.iter().flatten().count(), 14);
        let counts = values(&random(BATCH, 3, 77));
        // in 64 bits, or the difference of two sums would be all rounding
        let loss = |all: &[Tensor<2>]| {
            let (input, weights) = all.split_last().expect("weights and an input");
            let tracked: Vec<Tensor<2>> = weights.iter().map(|w| w.clone().autodiff()).collect();
            let logits = values(&run(&tracked, input.clone().autodiff()).inner());
            let terms = logits.iter().zip(&counts);
            terms
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum::<f64>()
        };
        let all: Vec<Tensor<2>> = weights.iter().chain([&input]).cloned().collect();
        for (index, gradient) in gradients.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let [rows, columns] = all[index].dims();
            let direction = random(rows, columns, 100 + index as u64);
            let slope: f64 = values(gradient)
                .iter()
                .zip(values(&direction))
                .map(|(g, d)| f64::from(*g) * f64::from(d))
                .sum();
            let moved = |by: f64| {
                let mut all = all.clone();
                all[index] = all[index].clone() + direction.clone() * by as f32;
                loss(&all)
            };
            // of two steps, so that the third derivative cancels
            let difference = |h: f64| (moved(h) - moved(-h)) / (2.0 * h);
            let found = (4.0 * difference(1e-3) - difference(2e-3)) / 3.0;
            let size = values(gradient)
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(
                (slope - found).abs() < 0.01 * size.max(1.0),
                "{kernels:?}, {index}: {slope} against {found}, of {size}"
            );
        }
    }
}
