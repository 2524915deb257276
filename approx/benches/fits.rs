//! How long fits take, on one core: `cargo bench -p cryptodl-approx`.

use approx::{Activation, Interval, activations, certify, cheapest_plan, method, methods};

fn main() {
    divan::main();
}

fn interval() -> Interval {
    "-8:8".parse().expect("a proper interval")
}

/// Degree 63 of the Sigmoid on [-8, 8].
#[divan::bench]
fn minimax_63_sigmoid(bencher: divan::Bencher) {
    let minimax = method("minimax").expect("a known name");
    bencher.bench(|| minimax.fit(&Activation::Sigmoid, interval(), 63));
}

/// Degree 60 of ReLU, whose kink makes the exchange take its time.
#[divan::bench]
fn minimax_60_relu(bencher: divan::Bencher) {
    let minimax = method("minimax").expect("a known name");
    bencher.bench(|| minimax.fit(&Activation::Relu, interval(), 60));
}

#[divan::bench(args = [7, 31, 63])]
fn certify_sigmoid(bencher: divan::Bencher, degree: usize) {
    let minimax = method("minimax").expect("a known name");
    let p = minimax
        .fit(&Activation::Sigmoid, interval(), degree)
        .expect("it converges");
    bencher.bench(|| certify(&Activation::Sigmoid, &p));
}

#[divan::bench]
fn cheapest_plan_63(bencher: divan::Bencher) {
    let minimax = method("minimax").expect("a known name");
    let p = minimax
        .fit(&Activation::Sigmoid, interval(), 63)
        .expect("it converges");
    bencher.bench(|| cheapest_plan(&p));
}

/// All methods, three activations, degrees 1 to 31.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn all_methods_all_activations_degrees_1_to_31() -> usize {
    let mut done = 0;
    for method in methods() {
        for activation in activations() {
            for degree in 1..=31 {
                let fitted = method.fit(activation, interval(), degree);
                done += usize::from(fitted.is_ok());
            }
        }
    }
    done
}

/// The same for each method, to see which one it is.
#[divan::bench(sample_count = 2, sample_size = 1, args = 0..methods().len())]
fn one_method_three_activations_degrees_1_to_31(index: usize) -> usize {
    let method = &methods()[index];
    let mut done = 0;
    for activation in activations() {
        for degree in 1..=31 {
            let fitted = method.fit(activation, interval(), degree);
            done += usize::from(fitted.is_ok());
        }
    }
    done
}
