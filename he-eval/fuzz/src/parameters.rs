//! Parameters so small that a fuzzer comes to every residue.

use std::sync::LazyLock;

use cryptodl_ckks::{Parameters, ParametersLiteral};

/// See the [module](self).
pub static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let literal = ParametersLiteral {
        ring_degree: 32,
        prime_bits: vec![20, 24],
        special_bits: vec![22],
    };
    Parameters::toy(&literal).expect("the literal is sound")
});
