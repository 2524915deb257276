//! Records which compiler and profile built the binary, for the manifest of each run.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let version = Command::new(compiler)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_string(), |text| text.trim().to_string());
    println!("cargo::rustc-env=CRYPTODL_RUSTC={version}");
    for (name, variable) in [
        ("PROFILE", "CRYPTODL_PROFILE"),
        ("TARGET", "CRYPTODL_TARGET"),
    ] {
        let value = std::env::var(name).unwrap_or_else(|_| "unknown".to_string());
        println!("cargo::rustc-env={variable}={value}");
    }
}
