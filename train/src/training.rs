//! Training with checkpoints.
//!
//! 1. Hold out validation images; test images are looked at once, after the last step.
//! 2. Each step: a batch of moved images, cross-entropy against smoothed targets plus the boundary loss, backward, one
//!    step of the optimiser, batch-norm statistics, running averages of everything.
//! 3. After each epoch: accuracy of the averages on the validation images, checkpoint, report.
//! 4. The averages are exported as they are validated and tested: where the recipe asks for it, rounded, and with
//!    batch-norm statistics measured afterwards.

use crate::checkpoint::{self, State};
use crate::datasets::{Dataset, Images};
use crate::evaluation::{accuracy_of, fits};
use crate::integers::Integers;
use crate::kernels::Kernels;
use crate::model::{Model, Role};
use crate::recipe::Recipe;
use crate::rounded::RoundedWeights;
use crate::step::Trainer;
use crate::teacher::Teacher;
use crate::{TrainError, batches, start};
use approx::Activation;
use burn::tensor::Device;
use cryptodl_network::{Artifact, Layer, Network, Nonlinearity, Normalisation, Provenance};
use std::path::Path;
use std::time::Instant;

/// Where training is, after each step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// Step in the epoch, counted from 1.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Loss of the batch.
    pub loss: f64,
    /// Share of the batch that is classified right.
    pub accuracy: f64,
    /// Images trained on per second, in this epoch so far.
    pub images_per_s: f64,
}

/// How an epoch went.
#[derive(Clone, Copy, Debug)]
pub struct EpochReport {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// Mean loss over the epoch.
    pub loss: f64,
    /// Mean norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Share of the moved training images that were classified right while training.
    pub batch_accuracy: f64,
    /// Share of the validation images that the averaged weights classify right; 0 if none are held out.
    pub validation_accuracy: f64,
    /// Seconds of the epoch, validation included.
    pub epoch_s: f64,
    /// Images trained on per second, validation not counted.
    pub images_per_s: f64,
}

/// Is told how training goes. A checkpoint of an epoch is on disk before its report.
pub trait Observer {
    /// After each step.
    fn step(&mut self, _progress: &Progress) {}
    /// After each epoch.
    fn epoch(&mut self, _report: &EpochReport) {}
    /// Whether to train no further after so many epochs, with this share of the validation images classified right. It
    /// is asked after each epoch but the last, and again where training goes on from a checkpoint: the answer must not
    /// depend on anything else.
    fn stops(&mut self, _epochs: usize, _validation_accuracy: f64) -> bool {
        false
    }
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What training leaves. Accuracies are fractions of 1.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network with its averaged weights. Of its provenance, `activation` and `method` (for polynomials), `command`,
    /// `commit` and `created` are for the caller to fill in.
    pub artifact: Artifact,
    /// On the training images as they are, validation images not counted.
    pub train_accuracy: f64,
    /// On the validation images; 0 if none are held out.
    pub validation_accuracy: f64,
    /// On the test images.
    pub test_accuracy: f64,
    /// Seconds of all epochs, of earlier sessions too.
    pub train_s: f64,
    /// Epochs that were trained: fewer than the recipe's if the observer stopped it.
    pub epochs: usize,
}

/// Trains a network. If there is a checkpoint of the same network, recipe and images, training goes on from it; it stays
/// after the last epoch, so that the same call evaluates and returns at once.
///
/// # Errors
/// A recipe or network that makes no sense, images that do not fit, a checkpoint of another training, a loss that is no
/// longer finite: each in one sentence, see [`TrainError`].
pub fn train(
    network: &Network,
    data: &Dataset,
    recipe: &Recipe,
    checkpoint: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Trained, TrainError> {
    let device = Device::default();
    let mut network = recipe.polynomials.coefficients.applied(network)?;
    if recipe.standardise {
        network.normalisation = Normalisation::of_standardised(network.input.channels);
    }
    network.mirrored = recipe.mirror;
    agree(&network, recipe)?;
    let series = recipe
        .polynomials
        .hermite
        .then_some(recipe.polynomials.replaced.unwrap_or(Activation::Relu));
    let model = Model::with_series(&network, Kernels::of(&device), series, &device)?
        .in_precision(recipe.precision)?;
    check(&model, data)?;
    recipe
        .check_for(data.train.len())
        .map_err(TrainError::Recipe)?;

    let teacher = match &recipe.targets.teacher {
        Some(path) => Some(Teacher::load(path, &network, recipe, &device)?),
        None => None,
    };
    let rounding = RoundedWeights::new(&model, &recipe.rounding).map_err(TrainError::Recipe)?;
    let integers = Integers::new(&model, &recipe.rounding).map_err(TrainError::Recipe)?;
    let trainer = Trainer {
        model: &model,
        recipe,
        teacher,
        rounding,
        integers,
        device: device.clone(),
    };
    let (training, validation) =
        batches::split(data.train.len(), recipe.validation_images, recipe.seed);
    let identity = checkpoint::identity(&model, recipe, &data.train);
    let resumed = match checkpoint {
        Some(path) => checkpoint::load(path, &model, &identity, &device)?,
        None => None,
    };
    let mut state = match resumed {
        Some(state) => state,
        None => State::first(match &recipe.start {
            Some(path) => start::weights(path, &model, recipe, &device)?,
            None => model.initial(recipe.seed, &device),
        }),
    };
    tracked(&model, &mut state);
    let exported = |state: &State| trainer.exported(state, &data.train, &training);
    let mut stopped = false;
    if (1..recipe.epochs).contains(&state.epochs) {
        let accuracy = accuracy_of(&model, &exported(&state), &data.train, &validation);
        stopped = observer.stops(state.epochs, accuracy);
    }

    while !stopped && state.epochs < recipe.epochs {
        let begin = Instant::now();
        let mut report = epoch(&trainer, &data.train, &training, &mut state, observer)?;
        report.validation_accuracy =
            accuracy_of(&model, &exported(&state), &data.train, &validation);
        report.epoch_s = begin.elapsed().as_secs_f64();
        state.epochs += 1;
        state.train_s += report.epoch_s;
        if let Some(path) = checkpoint {
            checkpoint::save(path, &model, &identity, &state)?;
        }
        observer.epoch(&report);
        stopped = state.epochs < recipe.epochs
            && observer.stops(state.epochs, report.validation_accuracy);
    }

    let test: Vec<usize> = (0..data.test.len()).collect();
    let exported = exported(&state);
    let train_accuracy = accuracy_of(&model, &exported, &data.train, &training);
    let validation_accuracy = accuracy_of(&model, &exported, &data.train, &validation);
    let test_accuracy = accuracy_of(&model, &exported, &data.test, &test);
    let (network, tensors) = model.export(&exported);
    let mut provenance = Provenance {
        dataset: data.name.clone(),
        seed: recipe.seed,
        epochs: state.epochs,
        train_accuracy,
        validation_accuracy,
        test_accuracy,
        train_s: state.train_s,
        recipe: serde_json::to_value(recipe).expect("a checked recipe has finite numbers"),
        ..Provenance::default()
    };
    provenance.describe(&network);
    let artifact = Artifact {
        network,
        tensors,
        provenance,
    };
    Ok(Trained {
        artifact,
        train_accuracy,
        validation_accuracy,
        test_accuracy,
        train_s: state.train_s,
        epochs: state.epochs,
    })
}

/// Makes the weights that are trained gather gradients.
pub(crate) fn tracked(model: &Model, state: &mut State) {
    for (weight, parameter) in state.weights.iter_mut().zip(&model.parameters) {
        if !matches!(parameter.role, Role::Statistic | Role::Fixed) {
            *weight = weight.clone().autodiff().require_grad();
        }
    }
}

/// Knobs that are about other networks than this one are refused, not passed over.
fn agree(network: &Network, recipe: &Recipe) -> Result<(), TrainError> {
    let refused = |sentence: &str| Err(TrainError::Recipe(sentence.to_owned()));
    let rounds = |layer: &Layer| matches!(layer, Layer::Quantise { .. });
    if recipe.mirror && network.layers().any(rounds) {
        return refused(
            "mirror = true is for networks that do not round: look-ups answer for one image",
        );
    }
    if !recipe.polynomials.hermite {
        return Ok(());
    }
    for used in network.activations() {
        match used {
            Nonlinearity::Exact(_) => {
                return refused(
                    "hermite = true is about polynomials, and an activation is kept as it is: set it to false",
                );
            }
            Nonlinearity::Polynomial { learnable, .. }
            | Nonlinearity::Channels { learnable, .. }
                if *learnable =>
            {
                return refused(
                    "hermite = true puts series of its own in place of coefficients that training may change: leave one of them out",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// The images fit the network: shape, number of classes, and at least one to test on.
fn check(model: &Model, data: &Dataset) -> Result<(), TrainError> {
    fits(model, &data.train)?;
    fits(model, &data.test)?;
    let outputs = model
        .network()
        .shapes()?
        .last()
        .map_or(0, cryptodl_network::Shape::len);
    let labels = data.train.labels.iter().chain(&data.test.labels);
    match labels.max() {
        Some(label) if usize::from(*label) >= outputs => {
            let reason = format!("it has {outputs} outputs, the largest label is {label}");
            Err(TrainError::Data {
                network: model.network().name.clone(),
                reason,
            })
        }
        _ => Ok(()),
    }
}

/// One pass over the training images.
fn epoch(
    trainer: &Trainer,
    images: &Images,
    training: &[usize],
    state: &mut State,
    observer: &mut dyn Observer,
) -> Result<EpochReport, TrainError> {
    let recipe = trainer.recipe;
    let steps = batches::steps(training.len(), recipe);
    let begin = Instant::now();
    let (mut losses, mut norms, mut right, mut seen) = (0.0, 0.0, 0, 0);
    let normalisation = &trainer.model.network().normalisation;
    std::thread::scope(|scope| {
        let batches = batches::epoch(scope, images, training, normalisation, recipe, state.epochs);
        for (step, batch) in batches.iter().enumerate() {
            let n = batch.labels.len();
            let done = state.epochs * steps + step;
            let outcome = trainer.step(batch, state, done, steps * recipe.epochs);
            if !outcome.loss.is_finite() {
                return Err(TrainError::Diverged {
                    epoch: state.epochs + 1,
                    step: step + 1,
                    loss: outcome.loss,
                });
            }
            losses += f64::from(outcome.loss);
            norms += outcome.gradient_norm;
            right += outcome.right;
            seen += n;
            observer.step(&Progress {
                epoch: state.epochs + 1,
                epochs: recipe.epochs,
                step: step + 1,
                steps,
                loss: outcome.loss.into(),
                accuracy: outcome.right as f64 / n as f64,
                images_per_s: seen as f64 / begin.elapsed().as_secs_f64(),
            });
        }
        Ok(())
    })?;
    Ok(EpochReport {
        epoch: state.epochs + 1,
        epochs: recipe.epochs,
        loss: losses / steps as f64,
        gradient_norm: norms / steps as f64,
        batch_accuracy: right as f64 / seen as f64,
        validation_accuracy: 0.0,
        epoch_s: 0.0,
        images_per_s: seen as f64 / begin.elapsed().as_secs_f64(),
    })
}
