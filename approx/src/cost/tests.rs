use super::*;
use crate::activation::Activation;
use crate::fit::method;
use crate::function::function;
use crate::interval::Interval;

fn fit(name: &str, on: &str, degree: usize) -> Polynomial {
    let on: Interval = on.parse().unwrap();
    method("minimax")
        .unwrap()
        .fit(&*function(name).unwrap(), on, degree)
        .unwrap()
}

#[test]
fn every_plan_computes_the_polynomial() {
    for (name, on) in [
        ("relu", "-8:8"),
        ("tanh", "-1:1"),
        ("gelu", "-3:5"),
        ("exp", "0:1"),
    ] {
        for degree in [1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 31, 40, 63] {
            let p = fit(name, on, degree);
            for plan in plans() {
                let powers = [Plan::Horner, Plan::Powers].contains(&plan);
                // powers of x lose half a digit a degree
                if !plan.fits(&p) || (powers && degree > 8) {
                    continue;
                }
                for u in [-1.0, -0.4, 0.0, 0.7, 1.0] {
                    let x = p.interval().from_unit(u);
                    let found = plan.evaluate(&mut Clear, &p, &x).unwrap();
                    let error = (found - p.eval(x)).abs();
                    // terms below 1e-12 of the largest are left out, as `degree` does
                    let allowed = if powers { 1e-8 } else { 1e-11 };
                    assert!(
                        error < allowed * p.interval().half_width(),
                        "{plan:?} {name} {degree} {x}: {error:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_depth_is_logarithmic_and_the_products_are_counted() {
    let cost = |plan: Plan, degree| plan.cost(&fit("exp", "-1:1", degree)).unwrap();
    for degree in [2, 3, 4, 7, 8, 10] {
        let depth = usize::next_power_of_two(degree).ilog2() as usize;
        let direct = cost(Plan::Powers, degree);
        assert_eq!(
            (direct.depth, direct.ciphertext_products),
            (depth, degree - 1)
        );
        assert_eq!(cost(Plan::Chebyshev, degree).depth, depth);
        assert_eq!(cost(Plan::Horner, degree).depth, degree - 1);
    }
}

#[test]
fn paterson_stockmeyer_needs_few_products_and_at_most_one_level_more() {
    let on: Interval = "-1:1".parse().unwrap();
    for degree in 2..=63_usize {
        let p = Polynomial::new(vec![1.0; degree + 1], Basis::Chebyshev, on).unwrap();
        let cost = Plan::PatersonStockmeyer.cost(&p).unwrap();
        let n = degree as f64;
        let limit = 2.0 * (2.0 * n).sqrt() + n.log2();
        assert!(
            cost.ciphertext_products as f64 <= limit,
            "{degree}: {cost:?}"
        );
        assert!(cost.ciphertext_products < degree, "{degree}: {cost:?}");
        assert!(cost.depth <= p.depth() + 1, "{degree}: {cost:?}");
    }
}

#[test]
fn odd_and_even_polynomials_save_products() {
    for degree in [7, 15, 31] {
        let (odd, full) = (fit("tanh", "-4:4", degree), fit("exp", "-4:4", 12));
        for plan in [Plan::Horner, Plan::Powers, Plan::Chebyshev] {
            let cost = plan.cost(&odd).unwrap();
            assert!(
                cost.ciphertext_products < degree - 1,
                "{plan:?} {degree}: {cost:?}"
            );
        }
        assert!(Plan::Powers.cost(&full).unwrap().ciphertext_products == full.degree() - 1);
    }
    // x³ alone: one square, one product
    let cube = fit("tanh", "-1:1", 3);
    assert_eq!(Plan::Horner.cost(&cube).unwrap().ciphertext_products, 2);
}

#[test]
fn a_quadratic_costs_one_square() {
    for name in ["relu", "gelu", "exp"] {
        let p = fit(name, "-4:4", 2);
        let cost = Plan::Square.cost(&p).unwrap();
        assert_eq!(
            (cost.ciphertext_products, cost.squares, cost.depth),
            (1, 1, 1)
        );
        assert_eq!(Plan::Square.cost(&fit(name, "-4:4", 4)), None);
    }
    let (plan, cost) = cheapest_plan(&fit("relu", "-4:4", 3)).unwrap();
    assert_eq!((plan, cost.ciphertext_products), (Plan::Square, 1));
    // a parabola that is nearly straight has its vertex far away, where squares are large
    let on: Interval = "-4:4".parse().unwrap();
    let straight = Polynomial::new(vec![1.0, 1.0, 1e-4], Basis::Monomial, on).unwrap();
    assert!(!Plan::Square.fits(&straight));
    let (plan, cost) = cheapest_plan(&straight).unwrap();
    assert!(plan != Plan::Square && cost.ciphertext_products == 1);
}

#[test]
fn a_constant_needs_no_plan() {
    let on: Interval = "-1:1".parse().unwrap();
    let p = Polynomial::new(vec![3.0], Basis::Monomial, on).unwrap();
    assert!(cheapest_plan(&p).is_none());
    let line = method("minimax")
        .unwrap()
        .fit(&Activation::Tanh, on, 1)
        .unwrap();
    assert_eq!(cheapest_plan(&line).unwrap().1.ciphertext_products, 0);
}
