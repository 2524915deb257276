//! Whole layers of ciphertexts: linear layers and squares on residue columns, then relinearisation and
//! rescaling of the results.

use rayon::prelude::*;

use crate::{
    ciphertext::{Bundle, SeededBatch},
    columns::{BLOCK, ColumnStep, Kernel, Layer, Row, Scratch, Times, evaluate},
    error::Error,
    evaluator::Evaluator,
    join::{Sum, Term},
    parameters::Parameters,
    pool::Buffer,
    sample::Expansion,
    switch::Residues,
};

/// What happens to all values of a layer.
#[derive(Clone, Copy)]
pub enum LayerStep<'a> {
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
    /// The square of every value plus a number.
    ShiftedSquare {
        /// One for each value.
        shifts: &'a [f64],
    },
}

/// What a run of steps reads: values of two components and one scale, one behind the other.
#[derive(Clone)]
pub struct Inputs<'a> {
    pieces: Vec<Piece<'a>>,
    primes: usize,
}

/// Values that lie together.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Ciphertexts of two components.
    Bundle(&'a Bundle),
    /// Seeded ciphertexts, whose random components are made as they are needed and never written to memory.
    Batch(&'a SeededBatch),
}

impl<'a> From<&'a Bundle> for Inputs<'a> {
    fn from(bundle: &'a Bundle) -> Self {
        Self {
            pieces: vec![Piece::Bundle(bundle)],
            primes: bundle.primes,
        }
    }
}

impl<'a> From<&'a SeededBatch> for Inputs<'a> {
    fn from(batch: &'a SeededBatch) -> Self {
        Self {
            pieces: vec![Piece::Batch(batch)],
            primes: batch.primes,
        }
    }
}

impl Piece<'_> {
    /// Number of values.
    fn len(self) -> usize {
        match self {
            Self::Bundle(bundle) => bundle.count,
            Self::Batch(batch) => batch.len(),
        }
    }

    /// Parameters, components, primes and scale.
    fn shape(&self) -> (&Parameters, usize, usize, f64) {
        match self {
            Self::Bundle(bundle) => (
                &bundle.parameters,
                bundle.components,
                bundle.primes,
                bundle.scale,
            ),
            Self::Batch(batch) => (&batch.parameters, 2, batch.primes, batch.scale),
        }
    }
}

impl<'a> Inputs<'a> {
    /// Several pieces modulo the first so many of their primes: of what has more, the others are not read.
    pub fn new(pieces: Vec<Piece<'a>>, primes: usize) -> Self {
        Self { pieces, primes }
    }

    /// Number of values.
    fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    fn expansions(&self) -> Vec<Expansion> {
        let seeds = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Bundle(_) => &[],
            Piece::Batch(batch) => batch.seeds.as_slice(),
        });
        seeds.map(Expansion::new).collect()
    }

    /// The residues of one block, `[value][component]`; `random` holds those that are made on the way.
    fn references<'b>(
        &self,
        prime: usize,
        block: usize,
        expansions: &[Expansion],
        random: &'b mut Vec<Row>,
    ) -> Vec<&'b Row>
    where
        'a: 'b,
    {
        random.resize(expansions.len(), [0; BLOCK]);
        if let Some(Piece::Batch(batch)) = self
            .pieces
            .iter()
            .find(|piece| matches!(piece, Piece::Batch(_)))
        {
            let index = prime * (batch.parameters.ring_degree() / BLOCK) + block;
            let m = batch.parameters.modulus(prime);
            for (expansion, row) in expansions.iter().zip(random.iter_mut()) {
                expansion.fill(m, index, row);
            }
        }
        let mut random = random.iter();
        let mut all = Vec::with_capacity(2 * self.len());
        for piece in &self.pieces {
            match *piece {
                Piece::Bundle(bundle) => {
                    let blocks = bundle.parameters.ring_degree() / BLOCK;
                    let components = 0..2 * bundle.count;
                    let row = |component| {
                        &bundle.rows[(component * bundle.primes + prime) * blocks + block]
                    };
                    all.extend(components.map(row));
                }
                Piece::Batch(batch) => {
                    let index = prime * (batch.parameters.ring_degree() / BLOCK) + block;
                    let rows = &batch.rows[index * batch.len()..(index + 1) * batch.len()];
                    let pairs = rows.iter().zip(random.by_ref());
                    all.extend(pairs.flat_map(|(a, b)| [a, b]));
                }
            }
        }
        all
    }
}

/// Results of a run of steps, which lie block by block: [`Evaluator::collect`] makes ciphertexts.
pub struct Blocks {
    parameters: Parameters,
    values: usize,
    components: usize,
    primes: usize,
    scale: f64,
    /// `[prime][block][value][component]`.
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

    /// Number of components: three after a square.
    pub fn components(&self) -> usize {
        self.components
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
    /// What is added to it.
    sum: &'a Sum<'a>,
}

impl Residues for One<'_> {
    fn read(&self, component: usize, prime: usize, to: &mut [u64]) {
        let Blocks {
            values,
            components,
            ref rows,
            ..
        } = *self.blocks;
        let (to, _) = to.as_chunks_mut::<BLOCK>();
        let first = prime * to.len();
        for (block, to) in to.iter_mut().enumerate() {
            *to = rows[((first + block) * values + self.value) * components + component];
        }
        self.sum
            .add(self.value, component, prime, to.as_flattened_mut());
    }
}

impl Evaluator {
    /// Runs steps, at most one of them a square, on ciphertexts of two components, on all threads of the
    /// current pool. The results do not depend on their number.
    ///
    /// # Errors
    /// When ciphertexts differ in shape or scale, belong to other parameters or do not fit the layer.
    pub fn run<'a>(
        &self,
        steps: &[LayerStep<'_>],
        inputs: impl Into<Inputs<'a>>,
    ) -> Result<Blocks, Error> {
        self.run_with(Kernel::best(), steps, inputs)
    }

    /// As [`run`](Self::run), with a kernel of choice.
    ///
    /// # Errors
    /// As there.
    pub fn run_with<'a>(
        &self,
        kernel: Kernel,
        steps: &[LayerStep<'_>],
        inputs: impl Into<Inputs<'a>>,
    ) -> Result<Blocks, Error> {
        let inputs = inputs.into();
        let shape = self.shape(steps, &inputs)?;
        let Shape {
            values,
            components,
            primes,
            scale,
            ..
        } = shape;
        let blocks = self.parameters().ring_degree() / BLOCK;
        let mut rows = self
            .parameters()
            .pool()
            .take(primes * blocks * values * components);
        let biases: Vec<Vec<Vec<u64>>> = (0..primes)
            .map(|prime| self.biases(prime, &shape.biases))
            .collect();
        let expansions = inputs.expansions();
        let times = rows
            .par_chunks_mut((values * components).max(1))
            .enumerate()
            .map_init(Default::default, |(scratch, random), (index, output)| {
                let (prime, block) = (index / blocks, index % blocks);
                let mut times = Times::default();
                let references = inputs.references(prime, block, &expansions, random);
                let mut bias = biases[prime].iter();
                let column_steps: Vec<ColumnStep<'_>> = steps
                    .iter()
                    .map(|step| match step {
                        LayerStep::Square => ColumnStep::Square { shifts: &[] },
                        LayerStep::ShiftedSquare { .. } => ColumnStep::Square {
                            shifts: bias.next().expect("one list for each shifted square"),
                        },
                        LayerStep::Linear { layer, .. } => ColumnStep::Linear {
                            layer,
                            bias: bias.next().expect("one list for each linear step"),
                        },
                    })
                    .collect();
                let m = self.parameters().modulus(prime);
                let scratch: &mut Scratch = scratch;
                evaluate(
                    kernel,
                    m,
                    &column_steps,
                    &references,
                    output,
                    scratch,
                    &mut times,
                );
                times
            })
            .reduce(Times::default, Times::sum);
        Ok(Blocks {
            parameters: self.parameters().clone(),
            values,
            components,
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

    fn shape(&self, steps: &[LayerStep<'_>], inputs: &Inputs<'_>) -> Result<Shape, Error> {
        let fail = |text: String| Err(Error::Mismatch(text));
        let (values, primes) = (inputs.len(), inputs.primes);
        let Some((_, _, _, scale)) = inputs.pieces.first().map(Piece::shape) else {
            return fail("a run reads at least one value".into());
        };
        for piece in &inputs.pieces {
            let (parameters, components, available, own) = piece.shape();
            if parameters != self.parameters() {
                return fail("the inputs are of other parameters".into());
            }
            if components != 2 {
                return fail("the inputs must have two components: relinearise them".into());
            }
            if primes == 0 || primes > available {
                return fail(format!("{available} primes cannot become {primes}"));
            }
            // exact, since equal scales come from equal operations
            if own.to_bits() != scale.to_bits() {
                return fail("the inputs must have one scale".into());
            }
        }
        let mut shape = Shape {
            values,
            components: 2,
            primes,
            scale,
            biases: Vec::new(),
        };
        let mut linear = 0;
        for layer_step in steps {
            match layer_step {
                LayerStep::Square if shape.components == 2 => {
                    shape.components = 3;
                    shape.scale *= shape.scale;
                }
                LayerStep::ShiftedSquare { shifts } if shape.components == 2 => {
                    let scaled: Vec<f64> = shifts.iter().map(|s| s * shape.scale).collect();
                    if shifts.len() != shape.values || scaled.iter().any(|s| !s.is_finite()) {
                        return fail(format!(
                            "{} values need as many finite shifts, not {}",
                            shape.values,
                            shifts.len()
                        ));
                    }
                    shape.biases.push(scaled);
                    shape.components = 3;
                    shape.scale *= shape.scale;
                }
                LayerStep::Square | LayerStep::ShiftedSquare { .. } => {
                    return fail("a run has one square at most".into());
                }
                LayerStep::Linear { layer, step, bias } => {
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
        if linear > 2 || steps.is_empty() {
            return fail("a run has one or two linear layers, or a square".into());
        }
        Ok(shape)
    }

    /// Makes ciphertexts of the results: relinearised and rescaled if `rescale` (if there are three
    /// components, both in one pass), as they are otherwise.
    ///
    /// # Errors
    /// When there is no prime to rescale by, three components and no key, or the blocks are of other parameters.
    pub fn collect(&self, blocks: &Blocks, rescale: bool) -> Result<Collected, Error> {
        self.collect_sum(blocks, &[], &[], rescale)
    }

    /// The same of the sums of the results, other values and a bias each; both lists may be empty.
    ///
    /// # Errors
    /// As there, and when the terms do not fit.
    pub fn collect_sum(
        &self,
        blocks: &Blocks,
        terms: &[Term<'_>],
        bias: &[f64],
        rescale: bool,
    ) -> Result<Collected, Error> {
        if blocks.parameters != *self.parameters() {
            return Err(Error::Mismatch("the blocks are of other parameters".into()));
        }
        let sum = Sum::new(
            self.parameters(),
            terms,
            bias,
            (blocks.values, blocks.primes, blocks.scale),
        )?;
        let ones: Vec<One<'_>> = (0..blocks.values)
            .map(|value| One {
                blocks,
                value,
                sum: &sum,
            })
            .collect();
        let rows: Vec<&dyn Residues> = ones.iter().map(|one| one as &dyn Residues).collect();
        if rescale {
            let (bundle, spent) =
                self.switch(&rows, blocks.components, blocks.primes, blocks.scale, true)?;
            let all = spent.relinearise + spent.rescale;
            return Ok(Collected {
                bundle,
                relinearise_share: spent.relinearise / all.max(f64::MIN_POSITIVE),
            });
        }
        let bundle = self.gather(&rows, blocks.components, blocks.primes, blocks.scale);
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
    components: usize,
    primes: usize,
    scale: f64,
    /// Biases at the scale of their layer's results, shifts at that of what they are added to; in the order of the steps.
    biases: Vec<Vec<f64>>,
}
