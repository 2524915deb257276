//! Evaluation keys.

use super::components::BfvComponents;

/// The relinearisation keys of all CRT components.
pub struct BfvKeys {
    pub(super) components: BfvComponents,
    /// As bytes: read under the server's own parameters, nothing of them points into the client.
    pub(super) keys: Vec<Vec<u8>>,
}
