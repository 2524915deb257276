//! What must hold for every method, every activation, on every interval.

use approx::{Activation, Interval, Polynomial, activations, method, methods, sampled_error};

/// Methods that approximate the function itself, each in its own norm; the others go by way of
/// derivatives or a smooth stand-in.
const DIRECT: [&str; 4] = ["numerical", "chebyshev", "legendre", "modified"];

fn interval(text: &str) -> Interval {
    text.parse().unwrap()
}

fn fit(name: &str, activation: Activation, on: &str, degree: usize) -> Polynomial {
    method(name)
        .unwrap()
        .fit(&activation, interval(on), degree)
        .unwrap()
}

#[test]
fn every_method_fits_every_activation_at_every_degree_on_every_kind_of_interval() {
    for method in methods() {
        for &activation in activations() {
            for on in ["-1:1", "-8:8", "0:6", "-20:3", "100:101"] {
                for degree in [1, 2, 3, 7, 16, 63] {
                    let on = interval(on);
                    let p = method.fit(&activation, on, degree).unwrap();
                    assert_eq!(p.interval(), on);
                    assert_eq!(p.coefficients().len(), degree + 1);
                    assert!(p.degree() <= degree);
                    let report = sampled_error(&activation, &p, 200);
                    let name = method.name();
                    assert!(
                        report.max_error.is_finite(),
                        "{name} {activation} {on} {degree}"
                    );
                    assert!(report.rms_error <= report.max_error * (1.0 + 1e-12));
                    assert!(on.contains(report.max_error_at));
                }
            }
        }
    }
}

#[test]
fn a_straight_line_is_reproduced_by_every_direct_method() {
    // to the right of its kink ReLU is x
    for name in DIRECT {
        for degree in [1, 2, 9, 31] {
            let p = fit(name, Activation::Relu, "1:4", degree);
            let report = sampled_error(&Activation::Relu, &p, 500);
            assert!(report.max_error < 1e-12, "{name} {degree}: {report:?}");
            assert_eq!(p.degree(), 1, "{name} {degree}");
        }
    }
}

#[test]
fn the_result_has_the_symmetry_of_the_function_exactly() {
    for method in methods() {
        for degree in [1, 3, 8, 15] {
            for on in ["-1:1", "-8:8", "-300:300"] {
                let coefficients = |activation| {
                    let p = method.fit(&activation, interval(on), degree).unwrap();
                    p.coefficients().to_vec()
                };
                let context = format!("{} {on} {degree}", method.name());
                for (k, c) in coefficients(Activation::Tanh).iter().enumerate() {
                    assert!(k % 2 == 1 || *c == 0.0, "{context}: tanh is odd");
                }
                for (k, c) in coefficients(Activation::Sigmoid).iter().enumerate().skip(1) {
                    assert!(k % 2 == 1 || *c == 0.0, "{context}: Sigmoid - 1/2 is odd");
                }
                for (k, c) in coefficients(Activation::Relu).iter().enumerate().skip(2) {
                    assert!(k % 2 == 0 || *c == 0.0, "{context}: ReLU - x/2 is even");
                }
            }
        }
    }
}

#[test]
fn the_values_at_zero_and_the_slope_of_the_odd_part_are_exact_by_symmetry() {
    for method in methods() {
        for degree in [1, 4, 7] {
            let sigmoid = method
                .fit(&Activation::Sigmoid, interval("-8:8"), degree)
                .unwrap();
            assert!((sigmoid.eval(0.0) - 0.5).abs() < 1e-12, "{}", method.name());
            let relu = method
                .fit(&Activation::Relu, interval("-8:8"), degree)
                .unwrap();
            for x in [0.5, 3.0, 8.0] {
                let odd = 0.5 * (relu.eval(x) - relu.eval(-x));
                assert!((odd - 0.5 * x).abs() < 1e-12, "{} {x}", method.name());
            }
        }
    }
}

#[test]
fn the_error_falls_with_the_degree() {
    for name in ["numerical", "chebyshev", "legendre"] {
        for &activation in activations() {
            let errors: Vec<f64> = [3, 7, 15, 31, 63]
                .into_iter()
                .map(|degree| fit(name, activation, "-8:8", degree))
                .map(|p| sampled_error(&activation, &p, 2000).max_error)
                .collect();
            assert!(
                errors.is_sorted_by(|a, b| b < a || *b < 1e-13),
                "{name} {activation}: {errors:?}"
            );
        }
    }
    // the methods that look away from 0, judged where they look
    for name in ["modified", "derivative", "derivative-u8"] {
        let errors: Vec<f64> = [2, 4, 8, 16]
            .into_iter()
            .map(|degree| fit(name, Activation::Relu, "-300:300", degree).derivative())
            .map(|slope| (slope.eval(240.0) - 1.0).abs())
            .collect();
        assert!(errors[3] < 0.1 * errors[0], "{name}: {errors:?}");
    }
}

#[test]
fn legendre_has_the_smallest_root_mean_square_error() {
    for &activation in activations() {
        for on in ["-8:8", "-2:5"] {
            for degree in [2, 5, 9] {
                let rms = |name| {
                    sampled_error(&activation, &fit(name, activation, on, degree), 20_001).rms_error
                };
                let best = rms("legendre");
                for method in methods() {
                    let other = rms(method.name());
                    // the grid's mean is not quite the integral
                    assert!(
                        best <= other * (1.0 + 1e-6),
                        "{} {activation}",
                        method.name()
                    );
                }
            }
        }
    }
}

#[test]
fn fits_of_relu_are_copies_of_each_other_at_every_scale() {
    // ReLU(s x) = s ReLU(x); the derivative method is left out, its Sigmoid has a scale of its own
    for name in ["numerical", "taylor", "chebyshev", "legendre", "modified"] {
        for degree in [2, 5, 12] {
            let small = fit(name, Activation::Relu, "-1:3", degree);
            let large = fit(name, Activation::Relu, "-100:300", degree);
            for x in [-1.0, -0.2, 0.0, 1.7, 3.0] {
                let difference = large.eval(100.0 * x) - 100.0 * small.eval(x);
                assert!(difference.abs() < 1e-9, "{name} {degree} {x}: {difference}");
            }
            let error = |p: &Polynomial| sampled_error(&Activation::Relu, p, 1000).max_error;
            assert!(
                (error(&large) / error(&small) - 100.0).abs() < 1e-8,
                "{name} {degree}"
            );
        }
    }
}

#[test]
fn what_cannot_be_represented_is_refused_and_not_returned() {
    let method = method("taylor").unwrap();
    let error = method
        .fit(&Activation::Tanh, interval("-1e6:1e6"), 63)
        .unwrap_err()
        .to_string();
    let sentence = "the polynomial of degree 63 overflows on -1000000:1000000: \
                    lower the degree or narrow the interval";
    assert_eq!(error, sentence);
}
