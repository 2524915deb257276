//! The three roles of an encryption scheme.
//!
//! [`Client`] holds the secret key, [`Server`] holds evaluation keys only, and [`Scheme`] makes
//! both from checked parameters. The split is in the types: nothing a server can reach decrypts.

use std::time::Instant;

use crate::{
    EvalError,
    graph::{Linear, Node, Operation, Power, Weight},
};

/// A stage that has ended, or a part of one: the parts of a stage add up.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The kind of work: `linear`, `square` and so on.
    pub kind: &'a str,
    /// Seconds.
    pub seconds: f64,
    /// Products of a weight with a residue, if the scheme counts them.
    pub word_products: Option<u64>,
    /// Share of the graph that is done, for schemes whose nodes take very different times; none: every
    /// node counts the same.
    pub done: Option<f64>,
}

/// Told of every stage that ends.
pub type Observe<'a> = &'a mut dyn FnMut(Stage<'_>);

/// Checked parameters, ready to make keys.
pub trait Scheme: Sync {
    /// Weight type of the graphs this scheme evaluates.
    type Weight: Weight;
    /// An encrypted value: one feature of as many images as there are slots.
    type Value: Send + Sync;
    /// The role with the secret key.
    type Client: Client<Value = Self::Value>;
    /// The role with the evaluation keys.
    type Server: Server<Weight = Self::Weight, Value = Self::Value>;

    /// Images in one batch.
    fn slots(&self) -> usize;

    /// Independent encryptions of one batch (one for each plaintext modulus). Each is evaluated by
    /// the server of the same index; the client needs all of them to decrypt.
    fn shares(&self) -> usize {
        1
    }

    /// Generates fresh keys with a cryptographic generator seeded by the operating system.
    ///
    /// # Errors
    /// When the encryption library refuses the parameters.
    fn keys(&self) -> Result<(Self::Client, Vec<Self::Server>), EvalError>;

    /// Bytes of the evaluation keys of all shares, as held in memory.
    fn key_bytes(&self) -> usize {
        0
    }

    /// Bytes of one encrypted value of one share, as held in memory.
    fn value_bytes(&self) -> usize;
}

/// Encrypts inputs and decrypts results.
pub trait Client: Sync {
    /// See [`Scheme::Value`].
    type Value: Send + Sync;

    /// Encrypts one batch for one share: `features[pixel][image]`.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn encrypt(&self, share: usize, features: &[Vec<u32>]) -> Result<Vec<Self::Value>, EvalError>;

    /// Decrypts the outputs of all shares to `[output][image]`, still in units of the graph's
    /// output scale.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn decrypt(
        &self,
        shares: &[Vec<Self::Value>],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, EvalError>;

    /// Bits between the noise of the worst output and the decryption bound; none if noise is not what
    /// limits decryption.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn noise_bits_left(&self, _shares: &[Vec<Self::Value>]) -> Result<Option<f64>, EvalError> {
        Ok(None)
    }
}

/// Evaluates a graph on encrypted values.
pub trait Server: Sync {
    /// See [`Scheme::Weight`].
    type Weight: Weight;
    /// See [`Scheme::Value`].
    type Value: Send + Sync;

    /// Evaluates the first nodes of what is left of a chain, and says how many: one, or several where
    /// the scheme is faster at them together.
    ///
    /// # Errors
    /// When the scheme cannot evaluate them.
    fn advance(
        &self,
        nodes: &[Node<Self::Weight>],
        inputs: Vec<Self::Value>,
        observe: Observe<'_>,
    ) -> Result<(usize, Vec<Self::Value>), EvalError>;
}

/// A [`Server`] that takes one node at a time.
pub trait NodeByNode: Sync {
    /// See [`Scheme::Weight`].
    type Weight: Weight;
    /// See [`Scheme::Value`].
    type Value: Send + Sync;

    /// A whole linear layer at once: that is where the speed is.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn linear(
        &self,
        layer: &Linear<Self::Weight>,
        inputs: Vec<Self::Value>,
    ) -> Result<Vec<Self::Value>, EvalError>;

    /// A monic polynomial on every value.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn power(
        &self,
        power: &Power<Self::Weight>,
        inputs: Vec<Self::Value>,
    ) -> Result<Vec<Self::Value>, EvalError>;

    /// A function that is not a low-degree polynomial. Schemes on integers refuse it.
    ///
    /// # Errors
    /// Unless the scheme can evaluate it.
    fn function(
        &self,
        _function: &crate::graph::Function,
        _inputs: Vec<Self::Value>,
    ) -> Result<Vec<Self::Value>, EvalError> {
        Err(EvalError::NotPolynomial)
    }
}

impl<S: NodeByNode> Server for S {
    type Weight = S::Weight;
    type Value = S::Value;

    fn advance(
        &self,
        nodes: &[Node<S::Weight>],
        inputs: Vec<S::Value>,
        observe: Observe<'_>,
    ) -> Result<(usize, Vec<S::Value>), EvalError> {
        let node = &nodes[0];
        let start = Instant::now();
        let outputs = match &node.operation {
            Operation::Linear(linear) => self.linear(linear, inputs)?,
            Operation::Power(power) => self.power(power, inputs)?,
            Operation::Function(function) => self.function(function, inputs)?,
        };
        let seconds = start.elapsed().as_secs_f64();
        observe(Stage {
            node: &node.name,
            kind: node.operation.kind(),
            seconds,
            word_products: None,
            done: None,
        });
        Ok((1, outputs))
    }
}
