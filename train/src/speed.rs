//! How fast training is: single steps on images of noise.
//!
//! A step is what training does with a batch that is there: forward, backward, optimiser, running averages. Making the
//! batch is left out, since that happens on the side.

use crate::TrainError;
use crate::batches::Batch;
use crate::checkpoint::State;
use crate::kernels::Kernels;
use crate::model::Model;
use crate::random::Random;
use crate::recipe::Recipe;
use crate::step::Trainer;
use crate::training::tracked;
use burn::tensor::Device;
use cryptodl_network::Network;

/// A training of which single steps can be timed.
pub struct Stepper {
    model: Model,
    recipe: Recipe,
    device: Device,
    state: State,
    batch: Batch,
    steps: usize,
}

impl Stepper {
    /// Prepares everything but the steps. What the recipe says of a teacher, of roundings, of coefficients, of
    /// Hermite terms and of standardised images is passed over.
    ///
    /// # Errors
    /// [`TrainError::Network`] if the network makes no sense, [`TrainError::Recipe`] if the operators do not compute in
    /// the precision of the recipe.
    pub fn new(network: &Network, recipe: &Recipe, kernels: Kernels) -> Result<Self, TrainError> {
        let device = match kernels {
            Kernels::Stock => Device::default(),
            Kernels::Fused => Device::flex(),
        };
        let model = Model::with(network, kernels, &device)?.in_precision(recipe.precision)?;
        let weights = model.initial(recipe.seed, &device);
        let mut state = State::first(weights);
        tracked(&model, &mut state);
        let classes = network
            .shapes()?
            .last()
            .map_or(1, cryptodl_network::Shape::len);
        let mut random = Random::at([recipe.seed]);
        let values = (0..recipe.batch * network.input.len())
            .map(|_| random.normal() as f32)
            .collect();
        let labels = (0..recipe.batch).map(|n| (n % classes) as u8).collect();
        Ok(Self {
            model,
            recipe: recipe.clone(),
            device,
            state,
            batch: Batch {
                values,
                labels,
                patches: Vec::new(),
            },
            steps: 0,
        })
    }

    /// One step, and the loss of its batch.
    pub fn step(&mut self) -> f32 {
        let trainer = Trainer {
            model: &self.model,
            recipe: &self.recipe,
            teacher: None,
            rounding: None,
            integers: None,
            device: self.device.clone(),
        };
        let batch = self.batch.clone();
        self.steps += 1;
        // Always in the middle of the schedule.
        let outcome = trainer.step(batch, &mut self.state, self.steps, 2 * self.steps);
        outcome.loss
    }

    /// Images in a step.
    pub fn batch(&self) -> usize {
        self.recipe.batch
    }
}

/// Threads that the operators share their work between.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptodl_kernels::Precision;
    use cryptodl_network::zoo;

    #[test]
    fn mixed_precision_trains_like_single_where_it_can() {
        let network = zoo::network("lenet-w10").unwrap();
        let [single, mixed] = [Precision::Single, Precision::Mixed].map(|precision| Recipe {
            batch: 8,
            precision,
            ..Recipe::default()
        });
        let losses = |recipe| {
            let mut stepper = Stepper::new(&network, recipe, Kernels::Fused).unwrap();
            (0..5).map(|_| stepper.step()).collect::<Vec<_>>()
        };
        let (ours, reference) = (losses(&mixed), losses(&single));
        assert_ne!(ours, reference);
        for (mixed, single) in ours.iter().zip(&reference) {
            // 8 bits of mantissa, and five steps that build on each other.
            assert!((mixed - single).abs() < 0.05, "{mixed} {single}");
        }
        assert_eq!(ours, losses(&mixed));
        let error = Stepper::new(&network, &mixed, Kernels::Stock)
            .err()
            .unwrap();
        assert!(error.to_string().contains("single"), "{error}");
    }

    #[test]
    fn both_kinds_of_operators_train_alike() {
        let network = zoo::network("lenet-w10").unwrap();
        let recipe = Recipe {
            batch: 8,
            ..Recipe::default()
        };
        let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
            let mut stepper = Stepper::new(&network, &recipe, kernels).unwrap();
            (0..5).map(|_| stepper.step()).collect::<Vec<_>>()
        });
        for (stock, fused) in stock.iter().zip(&fused) {
            // 32-bit sums in another order, and five steps that build on each other.
            assert!((stock - fused).abs() < 1e-3, "{stock} {fused}");
        }
        // The same eight images again and again are soon learned.
        assert!(fused[4] < fused[0]);
    }
}
