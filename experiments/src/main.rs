//! `cryptodl`: approximate → retrain → encrypt → measure → report, from the command line.
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | the command line, one file a verb; nothing else knows of it |
//! | [`flags`], [`source`], [`model`] | what several verbs share: flags, data sets, trained networks |
//! | [`run_folder`], [`manifest`], [`records`], [`rows`] | what a run leaves: folder, circumstances, tables, columns |
//! | [`fitting`], [`comparison`], [`training`], [`evaluation`], [`growth`], [`schemes`], [`latency`], [`speed`], [`diagnosis`], [`budget`] | one measurement each: a point of a grid in, a row out |
//! | [`calibration`] | polynomials fitted to what reaches activations |
//! | [`profile`] | the stages of encrypted evaluations, from the kept measurements |
//! | [`plots`], [`report`], [`published`] | figures, the report, and the figures of others that it compares with |
//! | [`progress`], [`text`], [`statistics`], [`distinct`] | bars on the terminal, numbers for reading, means and confidence, values without repetition |

mod budget;
mod calibration;
mod commands;
mod comparison;
mod diagnosis;
mod distinct;
mod epochs;
mod evaluation;
mod fitting;
mod flags;
mod growth;
mod latency;
mod manifest;
mod model;
mod plots;
mod profile;
mod progress;
mod published;
mod records;
mod report;
mod rows;
mod run_folder;
mod schemes;
mod seeds;
mod source;
mod speed;
mod statistics;
mod sweep;
mod text;
mod training;

use clap::Parser;
use std::process::ExitCode;

/// What a shell says of a program that wrote to a closed pipe: 128 and the number of the signal.
const CLOSED_PIPE: i32 = 141;

fn main() -> ExitCode {
    end_where_output_ends();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Printing panics where standard output takes no more: a reader that has seen enough (`| head`) ends the program without
/// a word, a full disk with a sentence.
fn end_where_output_ends() {
    let otherwise = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        let Some(why) = message.strip_prefix("failed printing to stdout: ") else {
            return otherwise(panic);
        };
        if why.contains("Broken pipe") {
            std::process::exit(CLOSED_PIPE);
        }
        eprintln!("error: cannot write to standard output: {why}");
        std::process::exit(1);
    }));
}

/// An error and its causes, but for those that the sentence before them ends with already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.as_str() {
            "" => cause,
            _ if said.ends_with(&cause) => said,
            _ => format!("{said}: {cause}"),
        }
    })
}

fn run() -> anyhow::Result<()> {
    commands::run(commands::Cli::parse())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("no such file").context("cannot read `x`: no such file");
        assert_eq!(super::sentence(&error), "cannot read `x`: no such file");
        let error = anyhow!("no such file").context("cannot read `x`");
        assert_eq!(super::sentence(&error), "cannot read `x`: no such file");
    }
}
