//! Running the built program.

use std::path::Path;
use std::process::{Command, Output};

/// The program with these arguments, in an empty working folder.
pub fn cryptodl(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cryptodl"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("CRYPTODL_DATA");
    command
}

/// Its output once it has ended.
pub fn output(folder: &Path, arguments: &[&str]) -> Output {
    cryptodl(folder, arguments)
        .output()
        .expect("the program was built")
}

/// The standard output of a run that must succeed.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn stdout(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
