//! A polynomial as text: source code, coefficient lists of encryption libraries, CSV, JSON.
//!
//! Numbers are written with the fewest digits that read back as the same double.

use std::fmt::Write;

use crate::basis::Basis;
use crate::polynomial::Polynomial;

/// What a polynomial can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A Rust function of one `f64`, by Horner's or Clenshaw's scheme, without dependencies.
    Rust,
    /// A Python function on numpy arrays.
    Python,
    /// A C99 function of one `double`.
    C,
    /// C++ for OpenFHE's `EvalChebyshevSeries` (whose first coefficient counts half).
    OpenFhe,
    /// Go for Lattigo's `bignum.NewPolynomial` in the Chebyshev basis.
    Lattigo,
    /// `degree,coefficient` lines.
    Csv,
    /// `{"coefficients":[…],"basis":…,"interval":{…}}`: what [`Polynomial`] deserialises from.
    Json,
}

/// Every format, in the order in which tables list them.
pub fn formats() -> [Format; 7] {
    [
        Format::Rust,
        Format::Python,
        Format::C,
        Format::OpenFhe,
        Format::Lattigo,
        Format::Csv,
        Format::Json,
    ]
}

impl Format {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::C => "c",
            Self::OpenFhe => "openfhe",
            Self::Lattigo => "lattigo",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The polynomial as text; `name` is the identifier to define, where the format has one.
    ///
    /// The two encryption libraries take Chebyshev coefficients; a polynomial in another basis is
    /// converted, to rounding.
    ///
    /// ```
    /// use approx::{Activation, Format, method};
    ///
    /// let p = method("minimax")?.fit(&Activation::Relu, "-1:1".parse()?, 2)?;
    /// let text = Format::Csv.write(&p, "relu");
    /// assert!(text.starts_with("degree,coefficient\n0,0.3") && text.contains("\n1,0.5\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(self, polynomial: &Polynomial, name: &str) -> String {
        let own = numbers(polynomial.coefficients());
        let on = polynomial.interval();
        let (low, high) = (on.low(), on.high());
        let what = describe(polynomial);
        match self {
            Self::Rust => {
                let count = polynomial.coefficients().len();
                let (argument, step) = scheme(polynomial);
                let [linear, back] = step.map(|text| text.replace("double", "f64"));
                format!(
                    "/// {what}\npub fn {name}(x: f64) -> f64 {{\n    const C: [f64; {count}] = [{own}];\n    \
                     let t = {argument};\n    let (mut a, mut b) = (0.0, 0.0);\n    \
                     for k in (0..{count}).rev() {{\n        let j = k as f64;\n        \
                     let (linear, back) = ({linear}, {back});\n        \
                     (a, b) = (C[k] + linear * t * a - back * b, a);\n    }}\n    a\n}}\n",
                    linear = in_rust(&linear),
                    back = in_rust(&back),
                )
            }
            Self::C => {
                let count = polynomial.coefficients().len();
                let (argument, [linear, back]) = scheme(polynomial);
                format!(
                    "/* {what} */\ndouble {name}(double x) {{\n    \
                     static const double C[{count}] = {{{own}}};\n    \
                     double t = {argument}, a = 0.0, b = 0.0;\n    \
                     for (int k = {last}; k >= 0; k--) {{\n        double j = k;\n        \
                     double next = C[k] + ({linear}) * t * a - ({back}) * b;\n        \
                     b = a;\n        a = next;\n    }}\n    return a;\n}}\n",
                    last = count - 1,
                )
            }
            Self::Python => {
                let (class, domain) = match polynomial.basis() {
                    // powers of x itself: numpy's identity map
                    Basis::Monomial => ("Polynomial", "[-1, 1], [-1, 1]".to_owned()),
                    Basis::Chebyshev => ("Chebyshev", format!("[{low:?}, {high:?}]")),
                    Basis::Legendre => ("Legendre", format!("[{low:?}, {high:?}]")),
                };
                format!(
                    "import numpy\n\n# {what}\n{name} = numpy.polynomial.{class}([{own}], {domain})\n"
                )
            }
            Self::OpenFhe => {
                let mut c = polynomial.to_chebyshev();
                c[0] *= 2.0;
                format!(
                    "// {what}; the first coefficient is doubled, as EvalChebyshevSeries halves it\n\
                     const std::vector<double> {name} = {{{}}};\n\
                     // auto y = cc->EvalChebyshevSeries(x, {name}, {low:?}, {high:?});\n",
                    numbers(&c)
                )
            }
            Self::Lattigo => format!(
                "// {what}\nvar {name} = bignum.NewPolynomial(bignum.Chebyshev, \
                 []float64{{{}}}, [2]float64{{{low:?}, {high:?}}})\n",
                numbers(&polynomial.to_chebyshev())
            ),
            Self::Csv => {
                let mut text = String::from("degree,coefficient\n");
                for (k, c) in polynomial.coefficients().iter().enumerate() {
                    writeln!(text, "{k},{c:?}").expect("writing to a string cannot fail");
                }
                text
            }
            Self::Json => format!(
                "{{\"coefficients\":[{own}],\"basis\":\"{}\",\"interval\":{{\"low\":{low:?},\"high\":{high:?}}}}}\n",
                basis_name(polynomial.basis())
            ),
        }
    }
}

fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Monomial => "monomial",
        Basis::Chebyshev => "chebyshev",
        Basis::Legendre => "legendre",
    }
}

fn describe(polynomial: &Polynomial) -> String {
    let on = polynomial.interval();
    format!(
        "polynomial of degree {} on [{:?}, {:?}], {} coefficients",
        polynomial.degree(),
        on.low(),
        on.high(),
        basis_name(polynomial.basis())
    )
}

/// Separated by commas; `{:?}` writes the shortest text that reads back the same.
fn numbers(values: &[f64]) -> String {
    values
        .iter()
        .map(|c| format!("{c:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The basis variable as an expression of `x`, and the two factors of the backward recurrence at
/// step `k` as C expressions of `j = k`.
fn scheme(polynomial: &Polynomial) -> (String, [String; 2]) {
    let on = polynomial.interval();
    let unit = format!("(x - ({:?})) / {:?}", on.centre(), on.half_width());
    let [linear, back] = match polynomial.basis() {
        Basis::Monomial => return ("x".into(), ["1.0".into(), "0.0".into()]),
        Basis::Chebyshev => ["k == 0 ? 1.0 : 2.0", "1.0"],
        Basis::Legendre => ["(2.0 * j + 1.0) / (j + 1.0)", "(j + 1.0) / (j + 2.0)"],
    };
    (unit, [linear.into(), back.into()])
}

/// The one C expression among the factors that Rust writes differently.
fn in_rust(expression: &str) -> String {
    match expression {
        "k == 0 ? 1.0 : 2.0" => "if j == 0.0 { 1.0 } else { 2.0 }".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::Interval;

    fn sample(basis: Basis) -> Polynomial {
        let on: Interval = "-2:3".parse().unwrap();
        Polynomial::new(vec![0.1, -1.0 / 3.0, 2e-17, 1e100], basis, on).unwrap()
    }

    #[test]
    fn every_number_reads_back_bit_for_bit() {
        for basis in [Basis::Monomial, Basis::Chebyshev, Basis::Legendre] {
            let p = sample(basis);
            let json = Format::Json.write(&p, "p");
            assert_eq!(serde_json::from_str::<Polynomial>(&json).unwrap(), p);
            let csv = Format::Csv.write(&p, "p");
            let read: Vec<f64> = csv
                .lines()
                .skip(1)
                .map(|line| line.split_once(',').unwrap().1.parse().unwrap())
                .collect();
            assert_eq!(read, p.coefficients());
            for format in formats() {
                let text = format.write(&p, "stand_in");
                let named = [Format::Csv, Format::Json].contains(&format);
                assert!(named || text.contains("stand_in"), "{text}");
            }
        }
    }

    #[test]
    fn the_texts_are_what_the_libraries_read() {
        let on: Interval = "-1:1".parse().unwrap();
        let p = Polynomial::new(vec![0.25, 0.5], Basis::Chebyshev, on).unwrap();
        assert_eq!(
            Format::Python.write(&p, "p"),
            "import numpy\n\n# polynomial of degree 1 on [-1.0, 1.0], chebyshev coefficients\n\
             p = numpy.polynomial.Chebyshev([0.25, 0.5], [-1.0, 1.0])\n"
        );
        assert!(Format::OpenFhe.write(&p, "p").contains("{0.5, 0.5}"));
        assert!(
            Format::Lattigo
                .write(&p, "p")
                .contains("{0.25, 0.5}, [2]float64{-1.0, 1.0}")
        );
        let c = Format::C.write(&p, "p");
        assert!(
            c.contains("double p(double x)") && c.contains("k == 0 ? 1.0 : 2.0"),
            "{c}"
        );
        let rust = Format::Rust.write(&p, "p");
        assert!(
            rust.contains("pub fn p(x: f64) -> f64") && !rust.contains('?'),
            "{rust}"
        );
    }

    #[test]
    fn other_bases_are_converted_where_a_library_wants_chebyshev() {
        // x² on [-1, 1] is (T_0 + T_2) / 2
        let on: Interval = "-1:1".parse().unwrap();
        let p = Polynomial::new(vec![0.0, 0.0, 1.0], Basis::Monomial, on).unwrap();
        for (c, expected) in p.to_chebyshev().iter().zip([0.5, 0.0, 0.5]) {
            assert!((c - expected).abs() < 1e-15);
        }
    }
}
