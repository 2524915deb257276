//! The one interpreter: takes a batch through the steps of any scheme's server.

use crate::scheme::Server;
use crate::work::{Observe, Work};

/// Evaluates one batch and reports what ends to `observe`, with the share of all steps that is done.
///
/// # Errors
/// When a step fails.
pub fn run<S: Server>(
    server: &S,
    mut batch: S::Batch,
    observe: Observe<'_>,
) -> Result<S::Batch, S::Error> {
    let steps = server.steps();
    for index in 0..steps {
        server.step(index, &mut batch, &mut |work| {
            observe(Work {
                done: (index as f64 + work.done) / steps as f64,
                ..work
            });
        })?;
    }
    Ok(batch)
}
