//! How training images are varied.

use super::check::{Check, finite, share};

/// How training images are varied at random.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmentation {
    /// Images are turned by at most this, either way.
    pub rotation_degrees: f64,
    /// Images are stretched by at most this share, each axis on its own.
    pub scale: f64,
    /// Images are slanted by at most this: columns moved per row.
    pub shear: f64,
    /// Images are moved by at most this, each axis on its own.
    pub shift_pixels: f64,
    /// Standard deviation of a smooth random displacement of every point, each axis on its own; for handwriting.
    pub elastic_pixels: f64,
    /// Every other image, at random, is mirrored left to right; for photographs.
    pub flip: bool,
    /// Images are moved by at most this many whole pixels, each axis on its own; what comes in is mirrored at the edge.
    pub crop_pixels: usize,
    /// Side of a square at a random place that is set to the mean; 0 switches it off.
    pub cutout_pixels: usize,
    /// Share of the images that get a patch of another image, whose label then counts by its share of the area (CutMix):
    /// against learning images by heart. 0 switches it off.
    pub cutmix: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            rotation_degrees: 8.0,
            scale: 0.08,
            shear: 0.1,
            shift_pixels: 1.4,
            elastic_pixels: 0.5,
            flip: false,
            crop_pixels: 0,
            cutout_pixels: 0,
            cutmix: 0.0,
        }
    }
}

impl Augmentation {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (
                finite(self.rotation_degrees),
                "rotation_degrees must be 0 or more",
            ),
            (share(self.scale), "scale must be in [0, 1)"),
            (
                finite(self.cutmix) && self.cutmix <= 1.0,
                "cutmix must be in [0, 1]",
            ),
            (finite(self.shear), "shear must be 0 or more"),
            (finite(self.shift_pixels), "shift_pixels must be 0 or more"),
            (
                finite(self.elastic_pixels),
                "elastic_pixels must be 0 or more",
            ),
        ]
    }
}
