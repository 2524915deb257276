//! From pixels to input values.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How a pixel becomes an input value: `x = (pixel / 255 - mean) / deviation`, per channel. Convolutions pad with 0
/// after this map, so padding looks like a pixel of mean brightness.
///
/// If images are [standardised](Normalisation::standardised), each is first brought to the same brightness and contrast.
/// That depends on the image, so whoever holds the image does it before encrypting. A network of squares needs it: an image of
/// contrast `s` leaves `L` of them as `s^(2^L)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Mean of each channel, on pixels scaled to `[0, 1]`.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, on pixels scaled to `[0, 1]`.
    pub deviation: Vec<f32>,
    /// Whether [`Normalisation::prepared`] changes images.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardised: bool,
}

/// Pixel that the mean of a standardised image becomes.
const MIDDLE: f64 = 127.5;
/// Standard deviation of the pixels of a standardised image: four of them fit on either side of the middle.
const SPREAD: f64 = 32.0;
/// Images with less contrast are not stretched further, since that would show only their noise.
const LEAST_DEVIATION: f64 = 4.0;

impl Normalisation {
    /// For standardised images of so many channels.
    pub fn of_standardised(channels: usize) -> Self {
        Self {
            mean: vec![0.5; channels],
            deviation: vec![(SPREAD / 255.0) as f32; channels],
            standardised: true,
        }
    }

    /// The input value of a pixel of a prepared image.
    pub fn apply(&self, channel: usize, pixel: u8) -> f32 {
        (f32::from(pixel) / 255.0 - self.mean[channel]) / self.deviation[channel]
    }

    /// An image as the network wants it: with its own mean and deviation, over all channels, brought to
    /// `127.5 ± 32` if images are standardised, unchanged otherwise. Values farther than four deviations from the
    /// mean become 0 or 255.
    pub fn prepared<'a>(&self, image: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.standardised || image.is_empty() {
            return Cow::Borrowed(image);
        }
        // whole numbers, so that the result is the same on every machine
        let (sum, squares) = image.iter().fold((0_u64, 0_u64), |(sum, squares), pixel| {
            let pixel = u64::from(*pixel);
            (sum + pixel, squares + pixel * pixel)
        });
        let count = image.len() as f64;
        let mean = sum as f64 / count;
        let variance = (squares as f64 / count - mean * mean).max(0.0);
        let stretch = SPREAD / variance.sqrt().max(LEAST_DEVIATION);
        // `as` keeps what is out of range at 0 and 255
        let pixels = image
            .iter()
            .map(|pixel| (MIDDLE + stretch * (f64::from(*pixel) - mean)).round() as u8);
        Cow::Owned(pixels.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(image: &[u8]) -> (f64, f64) {
        let count = image.len() as f64;
        let mean = image.iter().map(|p| f64::from(*p)).sum::<f64>() / count;
        let square = image.iter().map(|p| (f64::from(*p) - mean).powi(2));
        (mean, (square.sum::<f64>() / count).sqrt())
    }

    #[test]
    fn standardised_images_have_one_brightness_and_contrast() {
        let normalisation = Normalisation::of_standardised(1);
        for (low, step) in [(0_u8, 2_u8), (100, 1), (3, 3)] {
            let image: Vec<u8> = (0..64).map(|i| low + step * i).collect();
            let (mean, deviation) = moments(&normalisation.prepared(&image));
            assert!((mean - 127.5).abs() < 0.5 && (deviation - 32.0).abs() < 0.5);
        }
        assert_eq!(*normalisation.prepared(&[7; 9]), [128; 9]);
        let mut speck = [10; 100];
        speck[0] = 250;
        assert_eq!(normalisation.prepared(&speck)[0], 255);
        // one deviation above the middle is the input value 1
        let value = normalisation.apply(0, 160);
        assert!((value - 32.5 / 32.0).abs() < 1e-5, "{value}");
    }

    #[test]
    fn other_images_stay_as_they_are() {
        let normalisation = Normalisation {
            standardised: false,
            ..Normalisation::of_standardised(1)
        };
        assert_eq!(*normalisation.prepared(&[1, 2, 250]), [1, 2, 250]);
        let json = serde_json::to_string(&normalisation).unwrap();
        assert_eq!(
            serde_json::from_str::<Normalisation>(&json).unwrap(),
            normalisation
        );
        assert!(!json.contains("standardised"), "{json}");
    }
}
