//! The parameters of each CRT component, which is what keys and ciphertexts are made for.

use std::{ops::Deref, sync::Arc};

use cryptodl_wire::{Fingerprint, Parameters};
use fhe::bfv::BfvParameters;

/// The parameters of `fhe`, one for each CRT component.
#[derive(Clone)]
pub struct BfvComponents(Arc<[Arc<BfvParameters>]>);

impl BfvComponents {
    pub(super) fn new(parameters: Vec<Arc<BfvParameters>>) -> Self {
        Self(parameters.into())
    }
}

impl PartialEq for BfvComponents {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Deref for BfvComponents {
    type Target = [Arc<BfvParameters>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Parameters for BfvComponents {
    fn fingerprint(&self) -> Fingerprint {
        let mut words = Vec::new();
        for parameters in self.iter() {
            words.extend([parameters.degree() as u64, parameters.plaintext()]);
            words.push(parameters.moduli().len() as u64);
            words.extend(parameters.moduli());
        }
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        Fingerprint::of(&bytes)
    }
}
