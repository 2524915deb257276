//! A function for each reader of bytes: it must return, whatever the bytes, and take no memory beyond a limit.

pub mod ckks;
pub mod schemes;

mod check;
mod memory;
mod parameters;

use std::{io::Write, path::PathBuf, sync::LazyLock};

use cryptodl_network::Artifact;

/// A file that fuzzing writes, in a folder of this process.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("cryptodl-fuzz-{}.safetensors", std::process::id());
    std::env::temp_dir().join(name)
});

/// The bytes of a trained network.
static TRAINED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let network = schemes::squares();
    network.save(&FILE).expect("it can be saved");
    std::fs::read(&*FILE).expect("kept there")
});

/// A trained network as a file: the bytes as they are, and as changes to one that is real.
pub fn artifact(data: &[u8]) {
    for bytes in [data, &check::changed(&TRAINED, data)] {
        load(bytes);
    }
}

fn load(data: &[u8]) {
    let mut file =
        std::fs::File::create(&*FILE).expect("the folder of temporary files can be written to");
    file.write_all(data).expect("as above");
    memory::limited(1 << 20, || drop(Artifact::load(&FILE)));
}
