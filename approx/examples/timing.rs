//! The times that the README quotes, as CSV on standard output; `benches/peers/minimax.py` runs it.

use std::{error::Error, time::Instant};

use approx::{Activation, Fit, Interval, activations, certify, fit::Minimax, methods};

/// Median and least of the seconds that `task` takes.
fn seconds(runs: usize, mut task: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            task();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[runs / 2], times[0])
}

fn main() -> Result<(), Box<dyn Error>> {
    let on: Interval = "-8:8".parse()?;
    let minimax = Minimax::default();
    for degree in [15, 31, 63] {
        let runs = 101;
        let (median, least) = seconds(runs, || {
            let fitted = minimax.fit(&Activation::Sigmoid, on, degree);
            assert!(fitted.is_ok());
        });
        let p = minimax.fit(&Activation::Sigmoid, on, degree)?;
        let error = certify(&Activation::Sigmoid, &p)?;
        println!(
            "minimax {degree} of sigmoid on {on},{runs},{median},{least},{}",
            error.upper
        );
    }
    let runs = 3;
    let count = methods().len();
    let (median, least) = seconds(runs, || {
        for method in methods() {
            for activation in activations() {
                for degree in 1..=31 {
                    assert!(method.fit(activation, on, degree).is_ok());
                }
            }
        }
    });
    println!("{count} methods x 3 activations x degrees 1-31 on {on},{runs},{median},{least},");
    Ok(())
}
