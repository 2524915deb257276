//! Agreement with numpy, scipy and mpmath; `golden/generate.py` made the vectors.

use approx::{Interval, function, method};

#[test]
fn fits_agree_with_independent_implementations() {
    let vectors = include_str!("golden/vectors.csv");
    let mut count = 0;
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
        // the quadratures and the 40-digit exchange of the generator are good to some twelve digits
        let error = (found - expected).abs() / size;
        assert!(error < 1e-10, "{line}: {found:e}, off by {error:e}");
        count += 1;
    }
    assert!(count >= 200, "only {count} vectors");
}
