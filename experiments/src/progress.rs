//! Bars with the time left, on the error stream; nothing where that is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar over `total` things of one kind.
pub fn bar(total: usize, what: &str) -> ProgressBar {
    let style = "{prefix:>12} [{bar:32}] {pos}/{len}  {elapsed} gone, {eta} left  {msg}";
    styled(total as u64, what, style)
}

/// Steps of a bar for work that reports a share from 0 to 1.
pub const SHARES: u64 = 1000;

/// A bar for work that reports the share that is done.
pub fn share_bar(what: &str) -> ProgressBar {
    styled(
        SHARES,
        what,
        "{prefix:>12} [{bar:32}] {percent:>3} %  {elapsed} gone, {eta} left  {msg}",
    )
}

/// Moves a [`share_bar`].
pub fn set_share(bar: &ProgressBar, done: f64) {
    bar.set_position((done.clamp(0.0, 1.0) * SHARES as f64) as u64);
}

/// Writes a line above the bar; without a terminal, plainly.
pub fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

fn styled(total: u64, what: &str, template: &str) -> ProgressBar {
    // the target is hidden by itself where the error stream is no terminal
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("=> ");
    bar.set_style(style);
    bar.set_prefix(what.to_string());
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
