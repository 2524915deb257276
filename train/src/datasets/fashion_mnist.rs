//! Fashion-MNIST: 60,000 + 10,000 pieces of clothing, 28×28 grey, in the format and under the file names of MNIST.
//!
//! # References
//! - Xiao, Rasul, Vollgraf (2017), *Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms*,
//!   arXiv 1708.07747.

use super::{DataFile, Manager, Mirror, Package, Specification, idx};
use cryptodl_network::Shape;

pub(super) static FASHION_MNIST: Specification = Specification {
    name: "fashion-mnist",
    summary: "60,000 + 10,000 pieces of clothing, 28×28 grey (Xiao et al. 2017)",
    shape: Shape {
        channels: 1,
        height: 28,
        width: 28,
    },
    classes: 10,
    mean: &[0.286_04],
    deviation: &[0.353_02],
    files: &[
        DataFile {
            name: "train-images-idx3-ubyte",
            sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        DataFile {
            name: "train-labels-idx1-ubyte",
            sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
        DataFile {
            name: "t10k-images-idx3-ubyte",
            sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        DataFile {
            name: "t10k-labels-idx1-ubyte",
            sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ],
    mirrors: &[
        Mirror::Folder("https://storage.googleapis.com/tensorflow/tf-keras-datasets/"),
        Mirror::Folder(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ],
    package: Package {
        manager: Manager::Apt,
        name: "dataset-fashion-mnist=0.0~git20200523.55506a9-1",
        sha256: "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        folder: "usr/share/datasets/fashion-mnist",
        convert: None,
    },
    read: |file| idx::both(file, FASHION_MNIST.shape),
};
