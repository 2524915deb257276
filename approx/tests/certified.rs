//! The proven bound against sampled errors, over everything there is.

use approx::{FitError, Interval, certify, functions, methods, sampled_error};

#[test]
fn every_bound_encloses_every_sampled_error() {
    for method in methods() {
        for function in functions() {
            for on in ["-1:1", "-8:8", "-3:5", "0.5:2", "-60:20"] {
                let on: Interval = on.parse().unwrap();
                for degree in [1, 2, 5, 12, 24] {
                    let context = format!("{} {} {on} {degree}", method.name(), function.name());
                    // a series that overflows has no polynomial to certify
                    let p = match method.fit(&*function, on, degree) {
                        Ok(p) => p,
                        Err(FitError::Overflow { .. }) => continue,
                        Err(error) => panic!("{context}: {error}"),
                    };
                    let sampled = sampled_error(&*function, &p, 300).max_error;
                    let proven = certify(&*function, &p).unwrap();
                    assert!(sampled <= proven.upper, "{context}: {sampled:e} {proven:?}");
                    assert!(proven.lower <= proven.upper, "{context}: {proven:?}");
                    // and it is worth something: above rounding, next to what is attained
                    let size = function.value(on.high()).abs().max(1.0);
                    if sampled > 1e-9 * size {
                        let jump = ["sign", "step"].contains(&function.name());
                        let loose = if jump { 0.1 } else { 0.01 };
                        assert!(
                            proven.upper <= (1.0 + loose) * sampled,
                            "{context}: {sampled:e} {proven:?}"
                        );
                    }
                }
            }
        }
    }
}
