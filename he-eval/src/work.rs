//! What a server tells of its work.

/// A piece of work that has ended; the pieces of a node and kind add up.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The kind of work: `linear`, `square` and so on.
    pub kind: &'a str,
    /// Seconds.
    pub seconds: f64,
    /// Products of a weight with a residue, if the scheme counts them.
    pub word_products: Option<u64>,
    /// Share of the step that is done.
    pub done: f64,
}

/// Told of every piece of work that ends.
pub type Observe<'a> = &'a mut dyn FnMut(Work<'_>);
