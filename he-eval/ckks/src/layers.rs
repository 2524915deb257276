//! Whole layers of ciphertexts: linear layers and squares on residue columns, then relinearisation and
//! rescaling of the results.

use rayon::prelude::*;

use crate::{
    Bundle, Error, Evaluator, Parameters, SeededBatch,
    columns::{BLOCK, Kernel, Layer, Row, Scratch, Step, Times, evaluate},
    pool::Buffer,
    sample::Expansion,
    switch::Rows,
};

/// What happens to all values of a layer.
#[derive(Clone, Copy)]
pub enum Stage<'a> {
    /// Integer weights that stand for `step` times themselves, and a real bias for each output.
    Linear {
        /// The weights.
        layer: &'a Layer,
        /// What one unit of a weight is worth.
        step: f64,
        /// `[output]`.
        bias: &'a [f64],
    },
    /// The square of every value.
    Square,
}

/// What a run of stages reads.
#[derive(Clone, Copy)]
pub enum Inputs<'a> {
    /// Ciphertexts of two parts.
    Bundle(&'a Bundle),
    /// Seeded ciphertexts, whose random parts are made as they are needed and never written to memory.
    Batch(&'a SeededBatch),
}

impl<'a> From<&'a Bundle> for Inputs<'a> {
    fn from(bundle: &'a Bundle) -> Self {
        Self::Bundle(bundle)
    }
}

impl<'a> From<&'a SeededBatch> for Inputs<'a> {
    fn from(batch: &'a SeededBatch) -> Self {
        Self::Batch(batch)
    }
}

impl<'a> Inputs<'a> {
    fn expansions(self) -> Vec<Expansion> {
        match self {
            Self::Bundle(_) => Vec::new(),
            Self::Batch(batch) => batch.seeds.iter().map(Expansion::new).collect(),
        }
    }

    /// The residues of one block, `[value][part]`; `random` holds those that are made on the way.
    fn references<'b>(
        self,
        prime: usize,
        block: usize,
        expansions: &[Expansion],
        random: &'b mut Vec<Row>,
    ) -> Vec<&'b Row>
    where
        'a: 'b,
    {
        match self {
            Self::Bundle(bundle) => {
                let blocks = bundle.parameters.ring_degree() / BLOCK;
                let parts = 0..2 * bundle.count;
                let rows =
                    parts.map(|part| &bundle.rows[(part * bundle.primes + prime) * blocks + block]);
                rows.collect()
            }
            Self::Batch(batch) => {
                let index = prime * (batch.parameters.ring_degree() / BLOCK) + block;
                let m = batch.parameters.modulus(prime);
                random.resize(batch.len(), [0; BLOCK]);
                for (expansion, row) in expansions.iter().zip(random.iter_mut()) {
                    expansion.fill(m, index, row);
                }
                let rows = &batch.rows[index * batch.len()..(index + 1) * batch.len()];
                let pairs = rows.iter().zip(random.iter());
                pairs.flat_map(|(a, b)| [a, b]).collect()
            }
        }
    }
}

/// Results of a run of stages, which lie block by block: [`Evaluator::collect`] makes ciphertexts.
pub struct Blocks {
    parameters: Parameters,
    values: usize,
    parts: usize,
    primes: usize,
    scale: f64,
    /// `[prime][block][value][part]`.
    rows: Buffer,
    /// Seconds of all threads together.
    pub times: Times,
}

impl Blocks {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.values
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values == 0
    }

    /// Number of parts: three after a square.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Number of primes.
    pub fn primes(&self) -> usize {
        self.primes
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.rows)
    }
}

/// Ciphertexts made of [`Blocks`].
pub struct Collected {
    /// The ciphertexts.
    pub bundle: Bundle,
    /// Share of the time that went into relinearisation; the rest is rescaling.
    pub relinearise_share: f64,
}

/// One value among the blocks.
struct One<'a> {
    blocks: &'a Blocks,
    value: usize,
}

impl Rows for One<'_> {
    fn read(&self, part: usize, prime: usize, to: &mut [u64]) {
        let Blocks {
            values,
            parts,
            ref rows,
            ..
        } = *self.blocks;
        let (to, _) = to.as_chunks_mut::<BLOCK>();
        let first = prime * to.len();
        for (block, to) in to.iter_mut().enumerate() {
            *to = rows[((first + block) * values + self.value) * parts + part];
        }
    }
}

impl Evaluator {
    /// Runs stages, at most one of them a square, on ciphertexts of two parts, on all threads of the
    /// current pool. The results do not depend on their number.
    ///
    /// # Errors
    /// When ciphertexts differ in shape or scale, belong to other parameters or do not fit the layer.
    pub fn run<'a>(
        &self,
        stages: &[Stage<'_>],
        inputs: impl Into<Inputs<'a>>,
    ) -> Result<Blocks, Error> {
        self.run_with(Kernel::best(), stages, inputs)
    }

    /// As [`run`](Self::run), with a kernel of choice.
    ///
    /// # Errors
    /// As there.
    pub fn run_with<'a>(
        &self,
        kernel: Kernel,
        stages: &[Stage<'_>],
        inputs: impl Into<Inputs<'a>>,
    ) -> Result<Blocks, Error> {
        let inputs = inputs.into();
        let shape = self.shape(stages, inputs)?;
        let Shape {
            values,
            parts,
            primes,
            scale,
            ..
        } = shape;
        let blocks = self.parameters().ring_degree() / BLOCK;
        let mut rows = self
            .parameters()
            .pool()
            .take(primes * blocks * values * parts);
        let biases: Vec<Vec<Vec<u64>>> = (0..primes)
            .map(|prime| self.biases(prime, &shape.biases))
            .collect();
        let expansions = inputs.expansions();
        let times = rows
            .par_chunks_mut((values * parts).max(1))
            .enumerate()
            .map_init(Default::default, |(scratch, random), (index, output)| {
                let (prime, block) = (index / blocks, index % blocks);
                let mut times = Times::default();
                let references = inputs.references(prime, block, &expansions, random);
                let mut bias = biases[prime].iter();
                let steps: Vec<Step<'_>> = stages
                    .iter()
                    .map(|stage| match stage {
                        Stage::Square => Step::Square,
                        Stage::Linear { layer, .. } => Step::Linear {
                            layer,
                            bias: bias.next().expect("one list for each linear stage"),
                        },
                    })
                    .collect();
                let m = self.parameters().modulus(prime);
                let scratch: &mut Scratch = scratch;
                evaluate(kernel, m, &steps, &references, output, scratch, &mut times);
                times
            })
            .reduce(Times::default, Times::sum);
        Ok(Blocks {
            parameters: self.parameters().clone(),
            values,
            parts,
            primes,
            scale,
            rows,
            times,
        })
    }

    /// The biases modulo one prime.
    fn biases(&self, prime: usize, scaled: &[Vec<f64>]) -> Vec<Vec<u64>> {
        let m = self.parameters().modulus(prime);
        let layers = scaled.iter();
        layers
            .map(|layer| layer.iter().map(|&b| m.of_real(b)).collect())
            .collect()
    }

    fn shape(&self, stages: &[Stage<'_>], inputs: Inputs<'_>) -> Result<Shape, Error> {
        let fail = |text: String| Err(Error::Mismatch(text));
        let (values, primes, scale) = match inputs {
            Inputs::Batch(batch) => {
                if batch.parameters != *self.parameters() {
                    return fail("the batch is of other parameters".into());
                }
                (batch.len(), batch.primes, batch.scale)
            }
            Inputs::Bundle(bundle) => {
                if bundle.parameters != *self.parameters() {
                    return fail("the bundle is of other parameters".into());
                }
                if bundle.parts != 2 {
                    return fail("the inputs must have two parts: relinearise them".into());
                }
                (bundle.count, bundle.primes, bundle.scale)
            }
        };
        let mut shape = Shape {
            values,
            parts: 2,
            primes,
            scale,
            biases: Vec::new(),
        };
        let mut linear = 0;
        for stage in stages {
            match stage {
                Stage::Square if shape.parts == 2 => {
                    shape.parts = 3;
                    shape.scale *= shape.scale;
                }
                Stage::Square => return fail("a run has one square at most".into()),
                Stage::Linear { layer, step, bias } => {
                    linear += 1;
                    if layer.inputs() != shape.values || layer.outputs() != bias.len() {
                        return fail(format!(
                            "a layer from {} values to {} meets {} inputs and {} biases",
                            layer.inputs(),
                            layer.outputs(),
                            shape.values,
                            bias.len()
                        ));
                    }
                    shape.values = layer.outputs();
                    shape.scale /= step;
                    let scaled: Vec<f64> = bias.iter().map(|b| b * shape.scale).collect();
                    let usable = step.is_normal() && *step > 0.0 && shape.scale.is_normal();
                    if !usable || scaled.iter().any(|b| !b.is_finite()) {
                        return fail(format!(
                            "a step of {step:e} and its biases at scale {:e} must be finite, and the step above zero",
                            shape.scale
                        ));
                    }
                    shape.biases.push(scaled);
                }
            }
        }
        if linear > 2 || stages.is_empty() {
            return fail("a run has one or two linear layers, or a square".into());
        }
        Ok(shape)
    }

    /// Makes ciphertexts of the results: relinearised and rescaled if `rescale` (if there are three
    /// parts, both in one pass), as they are otherwise.
    ///
    /// # Errors
    /// When there is no prime to rescale by, three parts and no key, or the blocks are of other parameters.
    pub fn collect(&self, blocks: &Blocks, rescale: bool) -> Result<Collected, Error> {
        if blocks.parameters != *self.parameters() {
            return Err(Error::Mismatch("the blocks are of other parameters".into()));
        }
        let ones: Vec<One<'_>> = (0..blocks.values)
            .map(|value| One { blocks, value })
            .collect();
        if rescale {
            let rows: Vec<&dyn Rows> = ones.iter().map(|one| one as &dyn Rows).collect();
            let (bundle, spent) =
                self.switch(&rows, blocks.parts, blocks.primes, blocks.scale, true)?;
            let all = spent.relinearise + spent.rescale;
            return Ok(Collected {
                bundle,
                relinearise_share: spent.relinearise / all.max(f64::MIN_POSITIVE),
            });
        }
        let mut bundle = Bundle::empty(
            &blocks.parameters,
            blocks.values,
            blocks.parts,
            blocks.primes,
            blocks.scale,
        );
        let n = blocks.parameters.ring_degree();
        let words = bundle.rows.as_flattened_mut();
        words
            .par_chunks_mut(blocks.parts * blocks.primes * n)
            .zip(&ones)
            .for_each(|(words, one)| {
                for (row, to) in words.chunks_mut(n).enumerate() {
                    one.read(row / blocks.primes, row % blocks.primes, to);
                }
            });
        Ok(Collected {
            bundle,
            relinearise_share: 0.0,
        })
    }
}

impl Times {
    fn sum(self, other: Self) -> Self {
        Self {
            linear: [
                self.linear[0] + other.linear[0],
                self.linear[1] + other.linear[1],
            ],
            square: self.square + other.square,
        }
    }
}

/// What a run makes.
struct Shape {
    values: usize,
    parts: usize,
    primes: usize,
    scale: f64,
    /// Biases at the scale of their layer's results.
    biases: Vec<Vec<f64>>,
}
