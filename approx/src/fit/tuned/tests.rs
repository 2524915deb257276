use super::*;
use crate::activation::Activation;
use crate::fit::{Minimax, method};
use crate::function::{Exponential, functions};
use crate::quadrature;
use crate::sampled::sampled_error;

fn interval(text: &str) -> Interval {
    text.parse().unwrap()
}

fn largest(p: &Polynomial, function: &dyn Function) -> f64 {
    sampled_error(function, p, 4000).max_error
}

#[test]
fn the_2_norm_gives_the_legendre_fit_also_as_a_loss_of_the_users_own() {
    for (activation, on, degree) in [
        (Activation::Relu, "-1:1", 4),
        (Activation::Sigmoid, "-8:8", 7),
        (Activation::Tanh, "-2:5", 6),
    ] {
        let on = interval(on);
        let legendre = method("legendre")
            .unwrap()
            .fit(&activation, on, degree)
            .unwrap();
        let norm = Tuned::norm(2.0).fit(&activation, on, degree).unwrap();
        // by differences, from the Chebyshev series, on a rule of its own
        let rule = quadrature::graded(on.to_unit(0.0));
        let mean_square = move |f: &dyn Function, p: &Polynomial| -> f64 {
            let square = |u: f64| (f.value(on.from_unit(u)) - p.eval(on.from_unit(u))).powi(2);
            rule.iter()
                .map(|node| node.weight * node.sine * square(node.u))
                .sum()
        };
        let own = Tuned::minimising(mean_square)
            .fit(&activation, on, degree)
            .unwrap();
        for u in [-1.0, -0.4, 0.0, 0.3, 1.0] {
            let x = on.from_unit(u);
            let expected = legendre.eval(x);
            assert!(
                (norm.eval(x) - expected).abs() < 1e-9,
                "{activation} {on} {x}"
            );
            assert!(
                (own.eval(x) - expected).abs() < 1e-5,
                "{activation} {on} {x}: {}",
                own.eval(x) - expected
            );
        }
    }
}

#[test]
fn the_1_norm_of_the_exponential_vanishes_at_the_canonical_points() {
    // f - p changes sign at cos(kπ/(n+2)) only, for every f whose derivative n + 1 has one sign
    for degree in [1, 3, 6] {
        let p = Tuned::norm(1.0)
            .fit(&Exponential, interval("-1:1"), degree)
            .unwrap();
        let size = largest(&p, &Exponential);
        for k in 1..=degree + 1 {
            let x = (std::f64::consts::PI * k as f64 / (degree as f64 + 2.0)).cos();
            let error = (x.exp() - p.eval(x)).abs() / size;
            // the sum over the rule is piecewise linear, so the zeros are good to a step of it
            assert!(error < 0.05, "{degree} {x}: {error}");
        }
    }
}

#[test]
fn a_large_exponent_comes_close_to_minimax() {
    for (name, on, degree) in [
        ("relu", "-1:1", 2),
        ("relu", "-1:1", 8),
        ("sigmoid", "-8:8", 7),
        ("gelu", "-4:6", 9),
        ("tanh", "-4:4", 21),
    ] {
        let f = crate::function::function(name).unwrap();
        let on = interval(on);
        let best = Minimax::default()
            .on_pieces(&*f, &[on], degree)
            .unwrap()
            .max_error;
        let ratios: Vec<f64> = [2.0, 4.0, 16.0, 64.0, 256.0]
            .into_iter()
            .map(|exponent| {
                let p = Tuned::norm(exponent).fit(&*f, on, degree).unwrap();
                largest(&p, &*f) / best
            })
            .collect();
        assert!(ratios.is_sorted_by(|a, b| b < a), "{name}: {ratios:?}");
        assert!(
            ratios[3] < 1.1 && ratios[4] < 1.03,
            "{name} {degree}: {ratios:?}"
        );
        assert!(ratios[4] > 1.0 - 1e-9, "{name}: nothing beats minimax");
    }
}

#[test]
fn the_error_meets_the_condition_for_a_minimum() {
    // ∫ sign(e) |e|^(q-1) T_k vanishes for all k; checked with 200,000 midpoints in θ
    let points = 200_000_u32;
    for (activation, on, degree, exponent) in [
        (Activation::Relu, "-1:1", 4, 6.0),
        (Activation::Relu, "-2:10", 7, 8.0),
        (Activation::Tanh, "-6:6", 9, 3.0),
        (Activation::Sigmoid, "-8:8", 5, 40.0),
    ] {
        let on = interval(on);
        let p = Tuned::norm(exponent).fit(&activation, on, degree).unwrap();
        let scale = largest(&p, &activation);
        let (mut inner, mut size) = (vec![0.0; degree + 1], 0.0);
        for i in 0..points {
            let theta = std::f64::consts::PI * (f64::from(i) + 0.5) / f64::from(points);
            let (sine, u) = theta.sin_cos();
            let x = on.from_unit(u);
            let error = (p.eval(x) - activation.value(x)) / scale;
            let slope = sine * error.abs().powf(exponent - 1.0) * error.signum();
            for (k, sum) in inner.iter_mut().enumerate() {
                *sum += slope * (k as f64 * theta).cos();
            }
            size += slope.abs();
        }
        for (k, sum) in inner.iter().enumerate() {
            let context = format!("{activation} {on} {exponent}: T_{k}");
            assert!(sum.abs() < 1e-4 * size, "{context} {}", sum / size);
        }
    }
}

#[test]
fn the_penalty_lowers_the_growth_beyond_the_interval() {
    for (activation, degree) in [
        (Activation::Relu, 4),
        (Activation::Sigmoid, 7),
        (Activation::Tanh, 9),
    ] {
        let on = interval("-8:8");
        let fit = |weight: f64| {
            Tuned::norm(8.0)
                .penalising(0.25, weight)
                .fit(&activation, on, degree)
                .unwrap()
        };
        let beyond = |p: &Polynomial| {
            let error = |x: f64| (p.eval(x) - activation.value(x)).abs();
            (0..=100)
                .map(|i| 8.0 + 0.02 * f64::from(i))
                .fold(0.0, |m: f64, x| m.max(error(x)).max(error(-x)))
        };
        let (none, some, much) = (fit(0.0), fit(0.1), fit(10.0));
        let outside = [&none, &some, &much].map(beyond);
        let inside = [&none, &some, &much].map(|p| largest(p, &activation));
        assert!(
            outside[1] < 0.5 * outside[0] && outside[2] <= outside[1],
            "{activation}: {outside:?}"
        );
        // and that has its price
        assert!(
            inside[0] < inside[1] && inside[1] <= inside[2] * (1.0 + 1e-6),
            "{activation}: {inside:?}"
        );
        assert!(inside[1] < 3.0 * inside[0], "{activation}: {inside:?}");
    }
}

#[test]
fn a_loss_that_is_not_smooth_is_minimised_at_low_degrees() {
    // the maximum itself: the best quadratic for ReLU is off by 1/16
    let maximum = |f: &dyn Function, p: &Polynomial| sampled_error(f, p, 200).max_error;
    for (activation, degree) in [
        (Activation::Relu, 2),
        (Activation::Tanh, 3),
        (Activation::Sigmoid, 5),
    ] {
        let on = interval("-1:1");
        let best = Minimax::default()
            .on_pieces(&activation, &[on], degree)
            .unwrap()
            .max_error;
        let found = Tuned::minimising(maximum)
            .fit(&activation, on, degree)
            .unwrap();
        let ratio = largest(&found, &activation) / best;
        assert!(ratio < 1.001, "{activation} {degree}: {ratio}");
    }
}

#[test]
fn a_loss_of_the_users_own_need_not_be_symmetric() {
    let right = |f: &dyn Function, p: &Polynomial| -> f64 {
        let square = |i: u32| (f.value(f64::from(i) / 50.0) - p.eval(f64::from(i) / 50.0)).powi(2);
        (0..=50).map(square).sum()
    };
    let p = Tuned::minimising(right)
        .fit(&Activation::Relu, interval("-1:1"), 3)
        .unwrap();
    // right of the kink ReLU is x
    for x in [0.0, 0.3, 1.0] {
        assert!((p.eval(x) - x).abs() < 1e-4, "{x}: {}", p.eval(x));
    }
}

#[test]
fn the_same_input_gives_the_same_bits() {
    for f in functions() {
        let fit = || {
            Tuned::default()
                .fit(&*f, interval("-3:5"), 6)
                .unwrap()
                .coefficients()
                .to_vec()
        };
        assert_eq!(fit(), fit(), "{}", f.name());
    }
}

#[test]
fn what_is_no_loss_is_refused() {
    let refused = |fit: Tuned| {
        let error = fit.fit(&Activation::Relu, interval("-1:1"), 2).unwrap_err();
        assert!(
            matches!(error, FitError::Loss { .. } | FitError::Parameter { .. }),
            "{error}"
        );
        error.to_string()
    };
    let sentence = "0.5 is no exponent of a norm: it must be a number from 1 to 256";
    assert_eq!(refused(Tuned::norm(0.5)), sentence);
    for exponent in [f64::NAN, f64::INFINITY, -2.0] {
        refused(Tuned::norm(exponent));
    }
    refused(Tuned::norm(2.0).penalising(-1.0, 1.0));
    refused(Tuned::norm(2.0).penalising(1.0, f64::NAN));
    let sentence = "the loss of the first candidate is NaN: it must be a finite number";
    assert_eq!(refused(Tuned::minimising(|_, _| f64::NAN)), sentence);
}
