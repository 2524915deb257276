use super::*;
use crate::activation::Activation;
use crate::basis::Basis;
use crate::fit::{Minimax, method};
use crate::function::{Absolute, Custom, Sign, functions};

fn polynomial(coefficients: &[f64], basis: Basis, on: &str) -> Polynomial {
    Polynomial::new(coefficients.to_vec(), basis, on.parse().unwrap()).unwrap()
}

#[test]
fn a_known_error_is_enclosed_tightly() {
    // ReLU - (x²/2 + x/2 + 1/16) is ±1/16 at its extrema
    let p = polynomial(&[0.0625, 0.5, 0.5], Basis::Monomial, "-1:1");
    let found = certify(&Activation::Relu, &p).unwrap();
    assert!(
        found.upper >= 0.0625 && found.upper < 0.0625 * 1.002,
        "{found:?}"
    );
    assert!(found.lower <= 0.0625 && found.gap() < 2e-3);
    // the same polynomial in the other bases: x² = (1 + T_2) / 2 = (1 + 2 P_2) / 3
    let p = polynomial(&[0.3125, 0.5, 0.25], Basis::Chebyshev, "-1:1");
    assert!((certify(&Activation::Relu, &p).unwrap().upper - found.upper).abs() < 1e-4);
    let p = polynomial(
        &[0.0625 + 1.0 / 6.0, 0.5, 1.0 / 3.0],
        Basis::Legendre,
        "-1:1",
    );
    assert!((certify(&Activation::Relu, &p).unwrap().upper - found.upper).abs() < 1e-4);
}

#[test]
fn a_jump_inside_costs_its_full_height() {
    let p = polynomial(&[0.25, 1.0], Basis::Monomial, "-1:1");
    let found = certify(&Sign, &p).unwrap();
    // next to 0 on the left the error is 1.25
    assert!(found.upper >= 1.25 && found.upper < 1.26, "{found:?}");
    let right = certify_on(&Sign, &p, "0.5:1".parse().unwrap()).unwrap();
    assert!(right.upper >= 0.25 && right.upper < 0.2505, "{right:?}");
}

#[test]
fn the_bound_is_tight_from_large_errors_down_to_rounding() {
    for (name, on, degree) in [
        ("tanh", "-4:4", 5),
        ("tanh", "-4:4", 63),
        ("sigmoid", "-8:8", 31),
        ("sigmoid", "-8:8", 63),
        ("gelu", "-5:3", 20),
        ("relu", "-2:7", 40),
        ("abs", "-1:1", 63),
        ("exp", "-3:3", 12),
    ] {
        let function = crate::function::function(name).unwrap();
        let fit = Minimax::default();
        let p = crate::fit::Fit::fit(&fit, &*function, on.parse().unwrap(), degree).unwrap();
        let found = certify(&*function, &p).unwrap();
        let sampled = crate::sampled::sampled_error(&*function, &p, 2000).max_error;
        assert!(
            found.upper >= sampled,
            "{name} {degree}: {found:?} {sampled}"
        );
        assert!(found.gap() < 0.01, "{name} {degree}: {found:?} {sampled}");
    }
}

#[test]
fn a_reproduced_polynomial_has_an_error_of_rounding_only() {
    let p = method("chebyshev")
        .unwrap()
        .fit(&Activation::Relu, "1:4".parse().unwrap(), 7)
        .unwrap();
    let found = certify(&Activation::Relu, &p).unwrap();
    assert!(found.upper < 1e-12, "{found:?}");
}

#[test]
fn optimality_is_proven_for_every_function_without_a_jump() {
    for function in functions() {
        if ["sign", "step"].contains(&function.name()) {
            continue;
        }
        for on in ["-2:2", "-3:5"] {
            for degree in [1, 2, 5, 8] {
                let best = Minimax::default()
                    .on_pieces(&*function, &[on.parse().unwrap()], degree)
                    .unwrap();
                let lower = least_error(&*function, &best, degree).unwrap();
                let upper = certify(&*function, &best.polynomial).unwrap().upper;
                let name = function.name();
                assert!(lower > 0.0 && lower <= upper, "{name} {on} {degree}");
                assert!(
                    upper < 1.002 * lower,
                    "{name} {on} {degree}: {lower} {upper}"
                );
            }
        }
    }
}

#[test]
fn too_few_alternations_prove_nothing() {
    let mut best = Minimax::default()
        .on_pieces(&Absolute, &["-1:1".parse().unwrap()], 4)
        .unwrap();
    assert!(least_error(&Absolute, &best, 4).unwrap() > 0.06);
    best.alternation.truncate(3);
    assert!(least_error(&Absolute, &best, 4).unwrap() == 0.0);
}

#[test]
fn a_function_without_bounds_is_refused_and_one_with_a_lipschitz_bound_is_not() {
    let plain = Custom::new("mine", f64::sin);
    let p = polynomial(&[0.0, 1.0], Basis::Monomial, "-1:1");
    let error = certify(&plain, &p).unwrap_err().to_string();
    assert!(
        error.starts_with("no bounds are known for `mine`"),
        "{error}"
    );
    let bounded = Custom::new("mine", f64::sin).with_lipschitz_bound(1.0, 1e-15);
    let found = certify(&bounded, &p).unwrap();
    let exact = 1.0 - 1.0_f64.sin();
    assert!(
        found.upper >= exact && found.upper < 1.01 * exact,
        "{found:?}"
    );
}
