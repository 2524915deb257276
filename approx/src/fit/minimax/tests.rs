use super::*;
use crate::activation::Activation;
use crate::function::{Absolute, Custom, Exponential, Sign, functions};
use crate::sampled::sampled_error;

fn best(function: &dyn Function, on: &str, degree: usize) -> MinimaxReport {
    Minimax::default()
        .on_pieces(function, &[on.parse().unwrap()], degree)
        .unwrap()
}

#[test]
fn the_errors_for_the_absolute_value_are_the_published_ones() {
    // computed anew with 40 digits
    for (degree, expected) in [(2, 0.125), (4, 0.067620899278), (6, 0.045929062067)] {
        let found = best(&Absolute, "-1:1", degree);
        assert!(
            (found.max_error - expected).abs() < 1e-10,
            "{degree}: {found:?}"
        );
        assert!((best(&Absolute, "-1:1", degree + 1).max_error - expected).abs() < 1e-10);
    }
    // n E_n ≈ β - 0.0439675/(n/2)² + 0.0264/(n/2)⁴ with Bernstein's constant β
    let found = 60.0 * best(&Absolute, "-1:1", 60).max_error;
    let expected = 0.2801694990 - 0.0439675 / 900.0 + 0.0264 / 810_000.0;
    assert!((found - expected).abs() < 1e-7, "{found} {expected}");
}

#[test]
fn the_same_errors_are_found_when_the_symmetry_is_not_stated() {
    let plain = Custom::new("plain", f64::abs).with_kink(0.0);
    for degree in [2, 3, 4, 7, 16, 31, 60] {
        let (one, other) = (
            best(&plain, "-1:1", degree),
            best(&Absolute, "-1:1", degree),
        );
        let ratio = one.max_error / other.max_error;
        assert!((ratio - 1.0).abs() < 1e-8, "{degree}: {ratio}");
    }
}

#[test]
fn relu_of_degree_two_is_the_closed_form() {
    for l in [1.0, 8.0, 300.0] {
        let on = Interval::new(-l, l).unwrap();
        let p = Minimax::default().fit(&Activation::Relu, on, 2).unwrap();
        // x²/2 + x/2 + 1/16 at l = 1
        let expected = [l / 16.0, 0.5, 0.5 / l];
        for (c, e) in p.to_monomial().iter().zip(expected) {
            assert!((c - e).abs() < 1e-12 * l.max(1.0 / l), "{c} {e}");
        }
        let report = sampled_error(&Activation::Relu, &p, 1000);
        assert!((report.max_error / l - 1.0 / 16.0).abs() < 1e-12);
    }
}

#[test]
fn the_error_alternates_between_equal_extrema_at_degree_plus_two_points() {
    for function in functions() {
        for on in ["-1:1", "-6:6", "-3:5"] {
            for degree in [1, 2, 3, 6, 11, 24] {
                let name = format!("{} {on} {degree}", function.name());
                if function.name() == "sign" || function.name() == "step" {
                    continue; // a jump inside: the best error is half of it, for any degree
                }
                let found = best(&*function, on, degree);
                assert!(found.alternation.len() >= degree + 2, "{name}");
                let largest = sampled_error(&*function, &found.polynomial, 4000).max_error;
                // rounding is 1e-15 of the function, so only larger errors can be this level
                let size = function
                    .value(found.polynomial.interval().high())
                    .abs()
                    .max(1.0);
                if largest < 1e-6 * size {
                    continue;
                }
                for error in [found.max_error, largest] {
                    let ratio = error / found.levelled_error;
                    assert!((ratio - 1.0).abs() < 1e-9, "{name}: {ratio} {found:?}");
                }
                let mut previous = 0.0;
                for &x in &found.alternation {
                    let error = function.value(x) - found.polynomial.eval(x);
                    let ratio = error.abs() / found.levelled_error;
                    assert!((ratio - 1.0).abs() < 1e-9, "{name} {x}: {ratio}");
                    assert!(error * previous <= 0.0, "{name}: signs alternate");
                    previous = error;
                }
            }
        }
    }
}

#[test]
fn a_jump_inside_costs_half_of_it() {
    for degree in [1, 4, 9] {
        let found = best(&Sign, "-1:1", degree);
        assert!(
            (found.max_error - 1.0).abs() < 1e-3,
            "{degree}: {}",
            found.max_error
        );
    }
}

#[test]
fn the_sign_on_two_pieces_has_the_closed_form_at_degree_one() {
    // odd, so p = c x; errors 1 - c ε and c - 1 are equal for c = 2 / (1 + ε)
    let epsilon = 0.25;
    let pieces = ["-1:-0.25".parse().unwrap(), "0.25:1".parse().unwrap()];
    let found = Minimax::default().on_pieces(&Sign, &pieces, 1).unwrap();
    let c = 2.0 / (1.0 + epsilon);
    assert!((found.max_error - (c - 1.0)).abs() < 1e-12, "{found:?}");
    assert!((found.polynomial.to_monomial()[1] - c).abs() < 1e-12);
    // and without the symmetry, on pieces of different length
    let pieces = ["-2:-0.25".parse().unwrap(), "0.5:1".parse().unwrap()];
    for degree in [1, 2, 5, 9, 20] {
        let found = Minimax::default()
            .on_pieces(&Sign, &pieces, degree)
            .unwrap();
        assert!(found.max_error <= 1.0 + 1e-12 && found.max_error > 0.0);
        assert!(
            found.max_error / found.levelled_error < 1.0 + 1e-9,
            "{degree}"
        );
    }
}

#[test]
fn a_weight_shapes_the_error() {
    // relative error of exp: w = 1/exp, and the weighted error is level
    let on: Interval = "-2:2".parse().unwrap();
    let weight = |x: f64| (-x).exp();
    let found = Minimax::default()
        .weighted(&Exponential, &[on], 5, &weight)
        .unwrap();
    for &x in &found.alternation {
        let error = weight(x) * (x.exp() - found.polynomial.eval(x)).abs();
        assert!((error / found.levelled_error - 1.0).abs() < 1e-9, "{x}");
    }
    // a constant weight changes the size of the error and nothing else
    let doubled = Minimax::default()
        .weighted(&Activation::Tanh, &[on], 7, &|_| 2.0)
        .unwrap();
    let plain = best(&Activation::Tanh, "-2:2", 7);
    assert!((doubled.max_error / plain.max_error - 2.0).abs() < 1e-9);
}

#[test]
fn polynomials_up_to_the_degree_are_reproduced_to_rounding() {
    let cubic = Custom::new("cubic", |x: f64| x.powi(3) - 2.0 * x + 0.5);
    for degree in [3, 4, 9, 30, 63] {
        for on in ["-1:1", "-2:5"] {
            let found = best(&cubic, on, degree);
            let largest = sampled_error(&cubic, &found.polynomial, 500).max_error;
            assert!(largest < 1e-12, "{on} {degree}: {largest}");
        }
    }
    let line = best(&Activation::Relu, "1:4", 12);
    assert!(line.max_error < 1e-13, "{line:?}");
}

#[test]
fn errors_scale_with_the_function_and_with_relu_also_with_the_interval() {
    let base = best(&Activation::Tanh, "-3:3", 8);
    for scale in [1e-100, 1e-3, 7.0, 1e100] {
        let scaled = Custom::new("scaled", move |x: f64| scale * x.tanh());
        let found = best(&scaled, "-3:3", 8);
        assert!(
            (found.max_error / scale / base.max_error - 1.0).abs() < 1e-8,
            "{scale}"
        );
    }
    let unit = best(&Activation::Relu, "-1:1", 12).max_error;
    for l in [1e-3, 300.0, 1e6] {
        let on = Interval::new(-l, l).unwrap();
        let found = Minimax::default()
            .on_pieces(&Activation::Relu, &[on], 12)
            .unwrap();
        assert!((found.max_error / l / unit - 1.0).abs() < 1e-9, "{l}");
    }
}

#[test]
fn pieces_that_overlap_are_refused() {
    let pieces = ["-1:0.5".parse().unwrap(), "0:1".parse().unwrap()];
    for pieces in [&pieces[..], &[]] {
        let error = Minimax::default().on_pieces(&Sign, pieces, 3).unwrap_err();
        assert_eq!(error, FitError::Pieces);
    }
}
