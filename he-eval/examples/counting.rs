//! A scheme of one's own, written against the public traits alone: it encrypts nothing and counts what an encrypted
//! evaluation would have to do.
//!
//! ```sh
//! cargo run --release -p cryptodl-he-eval --example counting -- results/models/cryptonets.safetensors
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cryptodl_fold::{
    Graph, Operation,
    interpret::{Columns, evaluate},
};
use cryptodl_he_eval::{
    Cost, EvalError, Prepared,
    reference::{Reference, ReferenceError},
    scheme::{Client, Compiled, Interface, Observe, Refusal, Scheme, Server, Source, Twin, Work},
};
use cryptodl_network::{Artifact, Network};

/// Ciphertext products and additions of all batches so far, and products with weights.
#[derive(Default)]
pub struct Counts {
    /// Products of two values.
    pub products: AtomicU64,
    /// Sums of two values.
    pub additions: AtomicU64,
    /// Products of a value and a weight.
    pub plain_products: AtomicU64,
}

/// The scheme: it counts in what it is given.
pub struct Counting(pub Arc<Counts>);

/// The graph, and where to count.
pub struct Program {
    graph: Graph<f64>,
    counts: Arc<Counts>,
}

/// Numbers in the order of the graph's input, or of its result: `[number][image]`.
pub type Numbers = Columns<f64>;

/// The client: it needs to know the network's pixels and logits, and nothing else.
pub struct Plain(Interface);

/// The server.
pub struct Counter(Arc<Program>);

impl Scheme for Counting {
    type Options = ();
    type Error = ReferenceError;
    type Spec = Interface;
    type Program = Program;
    type Keys = ();
    type Request = Numbers;
    type Response = Numbers;
    type Client = Plain;
    type Server = Counter;

    fn name(&self) -> &'static str {
        "counting"
    }

    fn description(&self) -> &'static str {
        "no encryption: counts operations"
    }

    fn accepts(&self, _network: &Network) -> Result<(), Refusal> {
        Ok(())
    }

    fn compile(&self, source: &Source<'_>, (): &()) -> Result<Compiled<Self>, ReferenceError> {
        let graph = source.graph.clone();
        let spec = Interface::new(source.artifact, &graph);
        Ok(Compiled {
            cost: Cost::new(&graph, source.images.clamp(1, 100)),
            twin: Twin::Of(Box::new(Reference::float(graph.clone(), spec.clone()))),
            spec,
            program: Arc::new(Program {
                graph,
                counts: self.0.clone(),
            }),
            yardstick: None,
        })
    }
}

impl Client for Plain {
    type Spec = Interface;
    type Keys = ();
    type Request = Numbers;
    type Response = Numbers;
    type Error = ReferenceError;

    fn generate(spec: &Interface) -> Result<(Self, ()), ReferenceError> {
        Ok((Self(spec.clone()), ()))
    }

    fn encrypt(&self, images: &[&[u8]], _component: usize) -> Result<Numbers, ReferenceError> {
        let columns = self.0.columns(images)?.into_iter();
        let columns = columns.map(|column| column.into_iter().map(f64::from).collect());
        Ok(columns.collect())
    }

    fn decrypt(
        &self,
        responses: &[Numbers],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, ReferenceError> {
        Ok(self.0.logits(&responses[0], images))
    }
}

impl Server for Counter {
    type Program = Program;
    type Keys = ();
    type Request = Numbers;
    type Response = Numbers;
    /// The values of the graph, by their numbers.
    type Batch = Vec<Numbers>;
    type Error = ReferenceError;

    fn new(program: Arc<Program>, (): ()) -> Result<Self, ReferenceError> {
        Ok(Self(program))
    }

    fn begin(&self, request: Numbers) -> Result<Vec<Numbers>, ReferenceError> {
        Ok(vec![request])
    }

    fn steps(&self) -> usize {
        self.0.graph.nodes.len()
    }

    fn step(
        &self,
        index: usize,
        values: &mut Vec<Numbers>,
        observe: Observe<'_>,
    ) -> Result<(), ReferenceError> {
        let Program { graph, counts } = &*self.0;
        let node = &graph.nodes[index];
        let numbers = node.output.len() as u64;
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        match &node.operation {
            Operation::Linear(linear) => {
                add(&counts.plain_products, linear.products() as u64);
                add(&counts.additions, linear.products() as u64);
            }
            Operation::Product(_) => {
                add(&counts.products, numbers);
            }
            Operation::Power(_) => {
                add(&counts.products, 2 * numbers);
            }
            Operation::Add(_) => {
                add(&counts.additions, numbers);
            }
            _ => {}
        }
        let operands: Vec<&Columns<f64>> = (node.operands.iter())
            .map(|operand| &values[operand.0])
            .collect();
        let made = evaluate(node, &operands)?;
        values.push(made);
        observe(Work {
            node: &node.name,
            kind: node.operation.kind(),
            seconds: 0.0,
            word_products: None,
            done: 1.0,
        });
        Ok(())
    }

    fn finish(&self, mut values: Vec<Numbers>) -> Result<Numbers, ReferenceError> {
        Ok(values.pop().expect("a batch begins with its request"))
    }
}

/// Evaluates one black image and returns what was counted.
///
/// # Errors
/// When the network cannot be folded.
pub fn count(artifact: &Artifact) -> Result<Arc<Counts>, EvalError> {
    let counts = Arc::new(Counts::default());
    let scheme = Counting(counts.clone());
    let evaluator = Prepared::new(&scheme, artifact, 1, (), None)?;
    let pixels = vec![0; artifact.network.input.len()];
    evaluator.measure(&pixels, &[0], &mut |_| ())?;
    Ok(counts)
}

#[allow(dead_code, reason = "a test includes this file")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("name the file of a trained network")?;
    let artifact = Artifact::load(path.as_ref())?;
    let counts = count(&artifact)?;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{}: {} products of values, {} of values and weights, {} sums",
        artifact.network.name,
        read(&counts.products),
        read(&counts.plain_products),
        read(&counts.additions)
    );
    Ok(())
}
