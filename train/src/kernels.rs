//! Which operators a model is computed with.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Which operators a model is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    /// Those of Burn: they run on every backend.
    Stock,
    /// Those of [`cryptodl_kernels`], for Burn's `flex` backend.
    Fused,
}

impl Kernels {
    /// The fastest ones that run on a device.
    pub(crate) fn of(device: &Device) -> Self {
        let inner = device.clone().inner();
        if matches!(inner.as_dispatch(), DispatchDevice::Flex(_)) {
            Self::Fused
        } else {
            Self::Stock
        }
    }
}
