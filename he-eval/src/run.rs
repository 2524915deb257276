//! The one interpreter: takes a request through the steps of any scheme's server.

use crate::scheme::Server;
use crate::work::{Observe, Work};

/// Evaluates one request and reports what ends to `observe`, with the share of all steps that is done.
///
/// # Errors
/// When a step fails.
pub fn run<S: Server>(
    server: &S,
    request: S::Request,
    observe: Observe<'_>,
) -> Result<S::Response, S::Error> {
    let mut batch = server.begin(request)?;
    let steps = server.steps();
    for index in 0..steps {
        server.step(index, &mut batch, &mut |work| {
            observe(Work {
                done: (index as f64 + work.done) / steps as f64,
                ..work
            });
        })?;
    }
    server.finish(batch)
}
