//! The minimisers of argmin, watched.

use std::cell::RefCell;

use argmin::{
    core::{CostFunction, Error, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, neldermead::NelderMead, quasinewton::LBFGS},
};

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 16;

/// Steps of L-BFGS for each exponent; on average some 20 are taken.
const DESCENTS: u64 = 200;

/// Looks without progress that end a descent: at the limit of double precision a line search would go
/// on for ever.
const PATIENCE: usize = 20;

/// Steps of the simplex for each variable, in each of its two rounds.
const SIMPLEX_STEPS: u64 = 200;

/// What the solvers minimise.
pub(super) trait Objective {
    fn value(&self, steps: &[f64]) -> f64;
    fn gradient(&self, steps: &[f64]) -> Vec<f64>;
}

/// The best candidate that a solver has looked at, and how often it has looked since.
struct Best {
    value: f64,
    steps: Vec<f64>,
    since: usize,
}

impl Best {
    fn new<O: Objective>(objective: &O, steps: Vec<f64>) -> RefCell<Self> {
        RefCell::new(Self {
            value: objective.value(&steps),
            steps,
            since: 0,
        })
    }
}

/// Keeps the best candidate, whether the solver comes to an end or gives up; and makes it give up when
/// `patience` looks in a row have found none that is better.
struct Watched<'a, O> {
    objective: &'a O,
    best: &'a RefCell<Best>,
    patience: usize,
}

impl<O: Objective> CostFunction for Watched<'_, O> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, steps: &Vec<f64>) -> Result<f64, Error> {
        // a solver that divides by a difference of nothing asks for steps that are no numbers
        let value = if steps.iter().all(|step| step.is_finite()) {
            self.objective.value(steps)
        } else {
            f64::INFINITY
        };
        let mut best = self.best.borrow_mut();
        best.since += 1;
        if value < best.value {
            *best = Best {
                value,
                steps: steps.clone(),
                since: 0,
            };
        }
        if best.since > self.patience {
            return Err(Error::msg("nothing better in sight"));
        }
        Ok(value)
    }
}

impl<O: Objective> Gradient for Watched<'_, O> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, steps: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.objective.gradient(steps))
    }
}

/// L-BFGS from the origin.
pub(super) fn descend<O: Objective>(objective: &O, count: usize) -> Vec<f64> {
    let origin = vec![0.0; count];
    let best = Best::new(objective, origin.clone());
    let problem = Watched {
        objective,
        best: &best,
        patience: PATIENCE,
    };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
    // it ends in one way or another; what it has found is kept
    let _ = Executor::new(problem, solver)
        .configure(|state| state.param(origin).max_iters(DESCENTS))
        .timer(false)
        .run();
    best.into_inner().steps
}

/// Nelder and Mead's simplex, twice: the second begins small and upright where the first collapsed.
pub(super) fn simplex<O: Objective>(objective: &O, from: Vec<f64>) -> Vec<f64> {
    let best = Best::new(objective, from);
    for edge in [0.1, 0.01] {
        let corner = best.borrow().steps.clone();
        let mut corners = vec![corner.clone()];
        corners.extend((0..corner.len()).map(|k| {
            let mut other = corner.clone();
            other[k] += edge;
            other
        }));
        let problem = Watched {
            objective,
            best: &best,
            patience: usize::MAX,
        };
        let solver = NelderMead::new(corners)
            .with_sd_tolerance(1e-13)
            .expect("a tolerance above 0");
        let steps = SIMPLEX_STEPS * corner.len() as u64;
        let _ = Executor::new(problem, solver)
            .configure(|state| state.max_iters(steps))
            .timer(false)
            .run();
    }
    best.into_inner().steps
}
