//! The tables and polynomials of the CryptoDL authors' public code (`actFunctions.py`), recomputed.
//!
//! Every fit there is a weighted least-squares projection on `[-l, l]`. Which weight a printed
//! polynomial belongs to was found by trying all of them; the test's name says the answer.

use approx::{Activation, Basis, Interval, Polynomial, activations, method};

/// Printed tables have seven digits; their last one may be half a unit off.
const HALF_A_UNIT: f64 = 5e-8;

fn fit(name: &str, activation: Activation, l: f64, degree: usize) -> Polynomial {
    method(name)
        .unwrap()
        .fit(&activation, Interval::new(-l, l).unwrap(), degree)
        .unwrap()
}

/// The coefficients of `u^k` of `(p - x/2) / l`, with `u = x / l`.
fn scaled(p: &Polynomial) -> Vec<f64> {
    let l = p.interval().high();
    let mut powers = p.to_monomial();
    powers[1] -= 0.5;
    (0..).zip(powers).map(|(k, c)| c * l.powi(k) / l).collect()
}

/// The listed coefficients, relative; all others are nothing.
fn assert_coefficients(found: &[f64], expected: &[(usize, f64)], relative: f64, absolute: f64) {
    for (k, c) in found.iter().enumerate() {
        let e = expected
            .iter()
            .find(|(power, _)| *power == k)
            .map_or(0.0, |(_, value)| *value);
        let tolerance = (relative * e.abs()).max(absolute);
        assert!(
            (c - e).abs() <= tolerance,
            "power {k}: {c:e} is not {e:e}, all: {found:?}"
        );
    }
}

#[test]
fn chebyshev_relu_has_the_closed_form() {
    let pi = std::f64::consts::PI;
    for l in [1.0, 8.0, 10.0, 300.0] {
        for degree in [2, 3] {
            let expected = [(0, 1.0 / (3.0 * pi)), (2, 4.0 / (3.0 * pi))];
            let found = scaled(&fit("chebyshev", Activation::Relu, l, degree));
            assert_coefficients(&found, &expected, 1e-13, 1e-14);
        }
        let expected = [(0, 0.2 / pi), (2, 2.4 / pi), (4, -16.0 / (15.0 * pi))];
        let found = scaled(&fit("chebyshev", Activation::Relu, l, 4));
        assert_coefficients(&found, &expected, 1e-13, 1e-14);
    }
}

#[test]
fn legendre_relu_has_the_closed_form() {
    for l in [1.0, 8.0, 10.0, 300.0] {
        for degree in [2, 3] {
            let found = scaled(&fit("legendre", Activation::Relu, l, degree));
            assert_coefficients(&found, &[(0, 3.0 / 32.0), (2, 15.0 / 32.0)], 1e-13, 1e-14);
        }
        let expected = [(0, 15.0 / 256.0), (2, 105.0 / 128.0), (4, -105.0 / 256.0)];
        let found = scaled(&fit("legendre", Activation::Relu, l, 4));
        assert_coefficients(&found, &expected, 1e-13, 1e-14);
    }
}

#[test]
fn modified_relu_matches_the_table() {
    for l in [1.0, 8.0, 10.0, 300.0] {
        for degree in [2, 3] {
            let expected = [(0, 0.1927868), (2, 0.3154708)];
            let found = scaled(&fit("modified", Activation::Relu, l, degree));
            assert_coefficients(&found, &expected, 0.0, HALF_A_UNIT);
        }
        let expected = [(0, 0.1372661), (2, 0.4993227), (4, -0.1384072)];
        let found = scaled(&fit("modified", Activation::Relu, l, 4));
        assert_coefficients(&found, &expected, 0.0, HALF_A_UNIT);
    }
    // l = 1 in full; theirs carry a quadrature error of 2e-9, and 2e-7 in x⁴
    let found = fit("modified", Activation::Relu, 1.0, 2).to_monomial();
    let expected = [(0, 0.192786781966974), (1, 0.5), (2, 0.315470780693249)];
    assert_coefficients(&found, &expected, 1e-8, 0.0);
    let found = fit("modified", Activation::Relu, 1.0, 4).to_monomial();
    let expected = [
        (0, 0.137266103361936),
        (1, 0.5),
        (2, 0.499322751945291),
        (4, -0.138407221886424),
    ];
    assert_coefficients(&found, &expected, 5e-7, 0.0);
}

#[test]
fn relu_of_degree_three_is_that_of_degree_two() {
    for name in [
        "numerical",
        "taylor",
        "chebyshev",
        "legendre",
        "modified",
        "derivative",
    ] {
        let (two, three) = (
            fit(name, Activation::Relu, 8.0, 2),
            fit(name, Activation::Relu, 8.0, 3),
        );
        assert_eq!(
            (two.degree(), three.degree(), three.depth()),
            (2, 2, 1),
            "{name}"
        );
        for x in [-8.0, -1.3, 0.0, 5.0] {
            // `numerical` takes the same 201 samples for both
            assert!(
                (two.eval(x) - three.eval(x)).abs() < 1e-13 * 8.0,
                "{name} {x}"
            );
        }
    }
}

#[test]
fn the_derivative_method_matches_its_table_on_wide_intervals() {
    // On wide intervals the Sigmoid is a step and the scaled coefficients no longer depend on l.
    // u^4 at degree 4 and 6 is also quoted as -0.1201483 and -0.3534386; no weight gives that, and
    // the authors' own polynomials (next test) give what stands here.
    let table: [(&str, usize, &[f64]); 6] = [
        ("derivative", 2, &[0.2934977]),
        ("derivative", 4, &[0.4769317, -0.1201480]),
        ("derivative", 6, &[0.6292159, -0.3534331, 0.1108879]),
        ("derivative-u8", 2, &[0.2631114]),
        ("derivative-u8", 4, &[0.4035999, -0.0774136]),
        ("derivative-u8", 6, &[0.5121397, -0.2025817, 0.0477220]),
    ];
    for (name, degree, values) in table {
        let expected: Vec<_> = values.iter().zip(1..).map(|(&v, k)| (2 * k, v)).collect();
        for l in [100.0, 300.0, 590.0, 1e4, 1e6] {
            let found = scaled(&fit(name, Activation::Relu, l, degree));
            assert_coefficients(&found, &expected, 0.0, HALF_A_UNIT);
        }
    }
}

#[test]
fn the_scan_over_intervals_is_the_derivative_method() {
    // (method, l, [x², x⁴, x⁶], tolerance): from the authors' scan, in full. Theirs are exact to
    // about ten digits at degree 2 and 4, and lose some with the degree.
    let scan: [(&str, f64, &[f64], f64); 6] = [
        (
            "derivative",
            250.0,
            &[0.00190772692889526, -7.68947198689792e-9],
            1e-8,
        ),
        (
            "derivative",
            250.0,
            &[
                0.00251686354209183,
                -2.26197192849112e-8,
                1.13549254517697e-13,
            ],
            1e-7,
        ),
        ("derivative-u8", 10.0, &[0.0263068516521283], 1e-10),
        (
            "derivative-u8",
            10.0,
            &[0.0403273407849185, -7.72574062998687e-5],
            1e-10,
        ),
        ("derivative-u8", 590.0, &[0.000445951593435763], 1e-10),
        (
            "derivative-u8",
            590.0,
            &[0.000684067575730754, -3.76930674438425e-10],
            1e-10,
        ),
    ];
    for (name, l, values, tolerance) in scan {
        let found = fit(name, Activation::Relu, l, 2 * values.len()).to_monomial();
        for (k, expected) in values.iter().enumerate() {
            let error = found[2 * (k + 1)] / expected - 1.0;
            assert!(
                error.abs() < tolerance,
                "{name} {l} x^{}: {error:e}",
                2 * (k + 1)
            );
        }
    }
}

#[test]
fn the_default_on_raw_pixels_is_the_derivative_method() {
    // l = 255, degree 3: 2.43e-15 x³ + 0.00115097145651616 x² + 0.499999999663329 x.
    // The x³ (4e-8 at the end of the interval) and the last digits of 0.5 are theirs: exactly, the
    // odd part beyond x/2 vanishes.
    let p = fit("derivative", Activation::Relu, 255.0, 3);
    let found = p.to_monomial();
    assert_coefficients(&found[..2], &[(1, 0.499999999663329)], 1e-9, 1e-11);
    assert_coefficients(&[found[2]], &[(0, 0.00115097145651616)], 1e-10, 0.0);
    assert_eq!((found[3], p.degree()), (0.0, 2));
}

#[test]
fn the_polynomials_of_the_large_network_are_the_derivative_method_on_pixels_in_zero_to_one() {
    // l = 1: 0.118 x² + 0.5 x, printed to three digits
    let found = fit("derivative", Activation::Relu, 1.0, 2).to_monomial();
    assert_coefficients(&found, &[(1, 0.5), (2, 0.118)], 0.0, 5e-4);
    // degree 4: −0.0045517573841717 x⁴ + 0.124586499449742 x² + 0.5 x
    let found = fit("derivative", Activation::Relu, 1.0, 4).to_monomial();
    let expected = [(1, 0.5), (2, 0.124586499449742), (4, -0.0045517573841717)];
    assert_coefficients(&found, &expected, 5e-8, 1e-15);
}

#[test]
fn degree_eight_on_raw_pixels_is_the_derivative_method() {
    let found = fit("derivative", Activation::Relu, 255.0, 8).to_monomial();
    let expected = [
        (1, 0.5),
        (2, 0.0029986590383104),
        (4, -4.22588618653201e-8),
        (6, 4.43361758804298e-13),
        (8, -1.95921784711324e-18),
    ];
    // theirs carry a quadrature error of 1e-7 to 5e-7; odd powers are rounding
    assert_coefficients(&found, &expected, 1e-6, 0.0);
}

#[test]
fn tanh_of_degree_three_is_the_chebyshev_weight() {
    let found = fit("chebyshev", Activation::Tanh, 10.0, 3).to_monomial();
    let expected = [(1, 0.249476365628036), (3, -0.00163574303018748)];
    assert_coefficients(&found, &expected, 1e-10, 0.0);
}

#[test]
fn their_sigmoids_are_the_slopes_inside_the_derivative_method() {
    // l = 300: 0.00195665147607747 x + 0.5; l = 125: 0.00469596354258593 x + 0.5. No direct fit of
    // the Sigmoid is meant, but what the derivative method integrates to get ReLU.
    for (l, slope) in [(300.0, 0.00195665147607747), (125.0, 0.00469596354258593)] {
        let sigmoid = fit("derivative", Activation::Relu, l, 2).derivative();
        assert_coefficients(&sigmoid.to_monomial(), &[(0, 0.5), (1, slope)], 1e-10, 0.0);
    }
}

#[test]
fn taylor_has_the_textbook_coefficients() {
    let sigmoid = fit("taylor", Activation::Sigmoid, 8.0, 5);
    assert_eq!(sigmoid.basis(), Basis::Monomial);
    let expected = [(0, 0.5), (1, 0.25), (3, -1.0 / 48.0), (5, 1.0 / 480.0)];
    assert_coefficients(sigmoid.coefficients(), &expected, 1e-15, 0.0);
    let expected = [
        (1, 1.0),
        (3, -1.0 / 3.0),
        (5, 2.0 / 15.0),
        (7, -17.0 / 315.0),
    ];
    let tanh = fit("taylor", Activation::Tanh, 8.0, 7);
    assert_coefficients(tanh.coefficients(), &expected, 1e-15, 0.0);
    // ln(1 + exp(κx)) / κ with κ = 3/l: ln 2 l/3 + x/2 + (3/8) x²/l
    let relu = fit("taylor", Activation::Relu, 8.0, 2);
    let expected = [(0, 8.0 * 2.0_f64.ln() / 3.0), (1, 0.5), (2, 3.0 / 64.0)];
    assert_coefficients(relu.coefficients(), &expected, 1e-15, 0.0);
}

#[test]
fn numerical_tends_to_legendre_as_the_samples_grow() {
    for activation in activations() {
        let on = Interval::new(-8.0, 8.0).unwrap();
        let samples = approx::fit::Numerical {
            points: Some(100_001),
        };
        let p = approx::Fit::fit(&samples, activation, on, 5).unwrap();
        let limit = fit("legendre", *activation, 8.0, 5);
        for x in [-8.0, -3.0, 0.0, 1.0, 6.0] {
            // the samples at the two ends count double: an error of order 1 / points
            assert!((p.eval(x) - limit.eval(x)).abs() < 1e-3, "{activation} {x}");
        }
    }
}
