//! Agreement with numpy, scipy and mpmath; `golden/generate.py` made the vectors.

use std::collections::BTreeMap;

use approx::{Interval, function, method, methods};

#[test]
fn fits_agree_with_independent_implementations() {
    let vectors = include_str!("golden/vectors.csv");
    let mut worst: BTreeMap<&str, (f64, &str)> = BTreeMap::new();
    for line in vectors.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, target, low, high, degree, x, value] = fields[..] else {
            panic!("seven fields expected: {line}");
        };
        let number = |text: &str| text.parse::<f64>().unwrap();
        let on = Interval::new(number(low), number(high)).unwrap();
        let f = function(target).unwrap();
        let p = method(name)
            .unwrap()
            .fit(&*f, on, degree.parse().unwrap())
            .unwrap();
        let (found, expected) = (p.eval(number(x)), number(value));
        let size = f.value(on.high()).abs().max(expected.abs()).max(1.0);
        let error = (found - expected).abs() / size;
        let entry = worst.entry(name).or_insert((0.0, line));
        if error >= entry.0 {
            *entry = (error, line);
        }
    }
    for (name, (error, line)) in &worst {
        let tolerance = match *name {
            // a loss of 1 + 1e-15 is as good as 1, and its polynomial 3e-8 away
            "tuned" => 1e-6,
            // quadratures and the 40-digit exchange of the generator are good to some twelve digits
            _ => 1e-10,
        };
        assert!(*error < tolerance, "off by {error:e}: {line}");
    }
    for method in methods() {
        // a search of its own, which nothing else makes
        let searched = method.name() == "fixed-point";
        assert!(
            searched || worst.contains_key(method.name()),
            "{}",
            method.name()
        );
    }
    assert!(vectors.lines().count() > 1000);
}
