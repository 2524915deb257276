//! Images a second of training: forward, backward and step, with the stock and the fused operators.
//!
//! `cargo bench -p cryptodl-train`; `cryptodl speed` measures the same into a table.

use approx::{Activation, Interval};
use cryptodl_network::{Nonlinearity, zoo};
use cryptodl_train::speed::Stepper;
use cryptodl_train::{Kernels, Optimisation, Optimiser, Recipe};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

#[divan::bench(args = [("lenet", 256), ("plain", 128), ("airbench", 128)], consts = [false, true], sample_count = 5)]
fn step<const FUSED: bool>(bencher: Bencher, (name, batch): (&str, usize)) {
    let polynomial = approx::method("chebyshev")
        .unwrap()
        .fit(&Activation::Relu, Interval::new(-4.0, 4.0).unwrap(), 2)
        .unwrap();
    let network = zoo::network(name)
        .unwrap()
        .with_activation(&Nonlinearity::Polynomial {
            polynomial,
            learnable: false,
        });
    let recipe = Recipe {
        batch,
        optimisation: Optimisation {
            optimiser: Optimiser::AdamW,
            ..Optimisation::default()
        },
        ..Recipe::default()
    };
    let kernels = if FUSED {
        Kernels::Fused
    } else {
        Kernels::Stock
    };
    let mut stepper = Stepper::new(&network, &recipe, kernels).unwrap();
    stepper.step();
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(|| stepper.step());
}
