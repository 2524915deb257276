//! Small random movements of images.
//!
//! The value at `p` of the new image is read at `A p + t + d(p)` of the old one, coordinates from the centre, with
//! bilinear interpolation and black outside. `A` turns, slants and stretches, `t` shifts. `d` is a smooth field: random
//! displacements at the points of a coarse grid, linear in between.
//!
//! For photographs, whole pixels are enough: a mirror image, a crop of the image continued by its reflection, and a
//! square cut out.
//!
//! # References
//! - DeVries & Taylor (2017), *Improved regularization of convolutional neural networks with cutout*, arXiv 1708.04552.
//! - Simard, Steinkraus, Platt (2003), *Best practices for convolutional neural networks*, ICDAR: elastic distortions.

use crate::random::Random;
use crate::recipe::Augmentation;
use cryptodl_network::{Normalisation, Shape};

/// Points of the coarse grid along each side: 7 pixels apart on 28, about two strokes of a digit.
const GRID: usize = 5;

/// A movement of the points of an image, `(x, y)` in pixels.
struct Motion {
    /// `[[xx, xy], [yx, yy]]`.
    affine: [[f32; 2]; 2],
    shift: [f32; 2],
    /// Displacements at the grid points, row by row; none if there are none.
    grid: Option<[[[f32; 2]; GRID]; GRID]>,
}

impl Motion {
    fn random(augmentation: &Augmentation, random: &mut Random) -> Self {
        let (sin, cos) = random
            .symmetric(augmentation.rotation_degrees.to_radians())
            .sin_cos();
        let shear = random.symmetric(augmentation.shear);
        let scale = [0; 2].map(|_| 1.0 + random.symmetric(augmentation.scale));
        let shift = [0; 2].map(|_| random.symmetric(augmentation.shift_pixels) as f32);
        let affine = [
            [
                (cos / scale[0]) as f32,
                ((cos * shear - sin) / scale[1]) as f32,
            ],
            [
                (sin / scale[0]) as f32,
                ((sin * shear + cos) / scale[1]) as f32,
            ],
        ];
        let mut displacement =
            || [0; 2].map(|_| (augmentation.elastic_pixels * random.normal()) as f32);
        let grid = (augmentation.elastic_pixels > 0.0)
            .then(|| [[0; GRID]; GRID].map(|row| row.map(|_| displacement())));
        Self {
            affine,
            shift,
            grid,
        }
    }

    /// Where the value at a column and row of the new image comes from.
    fn source(&self, column: usize, row: usize, shape: Shape) -> [f32; 2] {
        let centre = [
            shape.width as f32 / 2.0 - 0.5,
            shape.height as f32 / 2.0 - 0.5,
        ];
        let from = [column as f32 - centre[0], row as f32 - centre[1]];
        let displacement = self.grid.as_ref().map_or([0.0; 2], |grid| {
            let place = |index: usize, side: usize| {
                let place = index as f32 * ((GRID - 1) as f32 / side as f32);
                (place as usize, place - (place as usize) as f32)
            };
            let ((left, right_share), (top, below_share)) =
                (place(column, shape.width), place(row, shape.height));
            let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
            [0, 1].map(|axis| {
                let line = |row: usize| {
                    mix(
                        grid[row][left][axis],
                        grid[row][left + 1][axis],
                        right_share,
                    )
                };
                mix(line(top), line(top + 1), below_share)
            })
        });
        [0, 1].map(|axis| {
            let [x, y] = self.affine[axis];
            x * from[0] + y * from[1] + centre[axis] + self.shift[axis] + displacement[axis]
        })
    }
}

impl Augmentation {
    /// Whether images are moved by less than whole pixels.
    fn moves(&self) -> bool {
        let sizes = [
            self.rotation_degrees,
            self.scale,
            self.shear,
            self.shift_pixels,
            self.elastic_pixels,
        ];
        sizes.iter().any(|size| *size > 0.0)
    }
}

/// What happens to whole pixels.
struct WholePixels {
    flip: bool,
    /// Columns and rows.
    shift: [isize; 2],
    /// First column and row that are cut out, and those behind the last.
    hole: Option<[[isize; 2]; 2]>,
}

impl WholePixels {
    fn random(augmentation: &Augmentation, shape: Shape, random: &mut Random) -> Self {
        let mut below = |count: usize| (random.uniform() * count as f64) as isize;
        let flip = augmentation.flip && below(2) == 1;
        let reach = augmentation.crop_pixels;
        let shift = [0; 2].map(|_| match reach {
            0 => 0,
            _ => below(2 * reach + 1) - reach as isize,
        });
        let side = augmentation.cutout_pixels;
        let hole = (side > 0).then(|| {
            // The centre is anywhere in the image, so that a part of the square may lie outside.
            [shape.width, shape.height].map(|length| {
                let first = below(length) - (side / 2) as isize;
                [first, first + side as isize]
            })
        });
        Self { flip, shift, hole }
    }

    /// Which column and row of the image is seen at a column and row.
    fn source(&self, column: usize, row: usize, shape: Shape) -> [usize; 2] {
        let column = if self.flip {
            shape.width - 1 - column
        } else {
            column
        };
        [
            reflected(column as isize + self.shift[0], shape.width),
            reflected(row as isize + self.shift[1], shape.height),
        ]
    }

    /// Cuts the hole: 0 is the mean.
    fn cut(&self, shape: Shape, values: &mut [f32]) {
        let Some([columns, rows]) = self.hole else {
            return;
        };
        let inside = |[first, end]: [isize; 2], length: usize| {
            first.max(0) as usize..(end.max(0) as usize).min(length)
        };
        for plane in values.chunks_exact_mut(shape.height * shape.width) {
            for row in inside(rows, shape.height) {
                plane[row * shape.width..][..shape.width][inside(columns, shape.width)].fill(0.0);
            }
        }
    }
}

/// Beyond an edge the image goes on as its mirror image; the edge itself is not repeated.
fn reflected(place: isize, length: usize) -> usize {
    let last = length as isize - 1;
    let period = (2 * last).max(1);
    let place = place.rem_euclid(period);
    place.min(period - place).min(last) as usize
}

/// Writes the input values of an image to `values` (`[C, H, W]`), moved at random.
pub(crate) fn augmented(
    pixels: &[u8],
    shape: Shape,
    normalisation: &Normalisation,
    augmentation: &Augmentation,
    random: &mut Random,
    values: &mut [f32],
) {
    let motion = augmentation
        .moves()
        .then(|| Motion::random(augmentation, random));
    let whole = WholePixels::random(augmentation, shape, random);
    let plane = shape.height * shape.width;
    for row in 0..shape.height {
        for column in 0..shape.width {
            let place = row * shape.width + column;
            let [from, below] = whole.source(column, row, shape);
            let Some(motion) = &motion else {
                for channel in 0..shape.channels {
                    let pixel = pixels[channel * plane + below * shape.width + from];
                    values[channel * plane + place] = normalisation.apply(channel, pixel);
                }
                continue;
            };
            let source = motion.source(from, below, shape);
            for channel in 0..shape.channels {
                let value =
                    interpolated(&pixels[channel * plane..][..plane], shape, source) / 255.0;
                let (mean, deviation) = (
                    normalisation.mean[channel],
                    normalisation.deviation[channel],
                );
                values[channel * plane + place] = (value - mean) / deviation;
            }
        }
    }
    whole.cut(shape, values);
}

/// Bilinear interpolation, black outside.
fn interpolated(plane: &[u8], shape: Shape, [x, y]: [f32; 2]) -> f32 {
    // Everything farther out is black too; adding 2 makes the conversion round down.
    let x = x.clamp(-2.0, shape.width as f32);
    let y = y.clamp(-2.0, shape.height as f32);
    let (left, top) = ((x + 2.0) as isize - 2, (y + 2.0) as isize - 2);
    let (right_share, below_share) = (x - left as f32, y - top as f32);
    let pixel = |x: isize, y: isize| {
        let inside = x >= 0 && y >= 0 && x < shape.width as isize && y < shape.height as isize;
        if inside {
            f32::from(plane[y as usize * shape.width + x as usize])
        } else {
            0.0
        }
    };
    let line = |y: isize| pixel(left, y) * (1.0 - right_share) + pixel(left + 1, y) * right_share;
    line(top) * (1.0 - below_share) + line(top + 1) * below_share
}

/// Writes the input values of an image as it is.
pub(crate) fn plain(
    pixels: &[u8],
    shape: Shape,
    normalisation: &Normalisation,
    values: &mut [f32],
) {
    let plane = shape.height * shape.width;
    for (index, (value, pixel)) in values.iter_mut().zip(pixels).enumerate() {
        *value = normalisation.apply(index / plane, *pixel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        channels: 1,
        height: 9,
        width: 9,
    };

    fn move_image(pixels: &[u8], augmentation: &Augmentation) -> Vec<f32> {
        let normalisation = Normalisation {
            mean: vec![0.5],
            deviation: vec![0.25],
            standardised: false,
        };
        let mut values = vec![0.0; SHAPE.len()];
        augmented(
            pixels,
            SHAPE,
            &normalisation,
            augmentation,
            &mut Random::at([5]),
            &mut values,
        );
        values
    }

    fn still() -> Augmentation {
        Augmentation {
            rotation_degrees: 0.0,
            shear: 0.0,
            elastic_pixels: 0.0,
            scale: 0.0,
            shift_pixels: 0.0,
            ..Augmentation::default()
        }
    }

    #[test]
    fn no_movement_is_the_plain_image() {
        let pixels: Vec<u8> = (0..81).map(|i| (i * 3) as u8).collect();
        let mut values = vec![0.0; 81];
        plain(
            &pixels,
            SHAPE,
            &Normalisation {
                mean: vec![0.5],
                deviation: vec![0.25],
                standardised: false,
            },
            &mut values,
        );
        for (moved, plain) in move_image(&pixels, &still()).iter().zip(&values) {
            assert!((moved - plain).abs() < 1e-5);
        }
    }

    #[test]
    fn whole_pixels_are_mirrored_cropped_and_cut_out() {
        let pixels: Vec<u8> = (0..81).map(|i| (i * 3) as u8).collect();
        let (mut flips, mut seen) = (0, std::collections::BTreeSet::new());
        let augmentation = Augmentation {
            flip: true,
            crop_pixels: 2,
            ..still()
        };
        for image in 0..300 {
            let whole = WholePixels::random(&augmentation, SHAPE, &mut Random::at([image]));
            flips += usize::from(whole.flip);
            seen.insert(whole.shift);
            assert!(whole.hole.is_none());
        }
        // A fair coin, four standard deviations; and every shift of 5 × 5.
        assert!((115..185).contains(&flips), "{flips}");
        assert_eq!(seen.len(), 25);

        let mut whole = WholePixels {
            flip: true,
            shift: [0, 0],
            hole: None,
        };
        assert_eq!(whole.source(0, 3, SHAPE), [8, 3]);
        whole.shift = [2, -1];
        // Column 0 shows what was at 8, moved on by 2: 10, reflected to 6. Row 0 shows row -1, reflected to 1.
        assert_eq!(whole.source(0, 0, SHAPE), [6, 1]);
        assert_eq!(
            [-3, 0, 4, 8, 9, 16, 17].map(|p| reflected(p, 9)),
            [3, 0, 4, 8, 7, 0, 1]
        );
        assert_eq!(reflected(5, 1), 0);

        let cut = Augmentation {
            cutout_pixels: 3,
            ..still()
        };
        let whole = move_image(&pixels, &still());
        let with_hole = move_image(&pixels, &cut);
        let changed = whole
            .iter()
            .zip(&with_hole)
            .filter(|(a, b)| a.to_bits() != b.to_bits());
        let changed: Vec<f32> = changed.map(|(_, b)| *b).collect();
        assert!((1..=9).contains(&changed.len()) && changed.iter().all(|value| value.abs() < 1e-9));
    }

    #[test]
    fn rotation_and_scale_keep_the_centre_and_a_shift_moves_it() {
        let mut pixels = vec![0; 81];
        pixels[40] = 255;
        let turned = move_image(
            &pixels,
            &Augmentation {
                rotation_degrees: 40.0,
                scale: 0.2,
                shear: 0.2,
                ..still()
            },
        );
        assert!((turned[40] - 2.0).abs() < 1e-5);
        let shifted = move_image(
            &pixels,
            &Augmentation {
                shift_pixels: 3.0,
                ..still()
            },
        );
        assert!(shifted[40] < 1.9);
        // Bilinear shares of one pixel add up to that pixel: 81 background values of -2 and one brightness of 4.
        assert!((shifted.iter().sum::<f32>() - (4.0 - 162.0)).abs() < 1e-3);
    }

    #[test]
    fn elastic_displacements_are_smooth_and_of_the_given_size() {
        let augmentation = Augmentation {
            elastic_pixels: 0.5,
            ..still()
        };
        let shape = Shape {
            channels: 1,
            height: 28,
            width: 28,
        };
        let (mut square, mut step, mut count) = (0.0, 0.0_f32, 0.0);
        for image in 0..200 {
            let motion = Motion::random(&augmentation, &mut Random::at([image]));
            for row in 0..27 {
                for column in 0..27 {
                    let [x, _] = motion.source(column, row, shape);
                    let [next, _] = motion.source(column + 1, row, shape);
                    square += (x - column as f32).powi(2);
                    step = step.max((next - x - 1.0).abs());
                    count += 1.0;
                }
            }
        }
        // Between grid points the variance is that of a mean of up to four independent displacements: ×(2/3)² overall.
        let deviation = (square / count).sqrt();
        assert!((deviation - 0.5 * 2.0 / 3.0).abs() < 0.03, "{deviation}");
        // Neighbours stay neighbours: a grid step has 7 pixels, so 6 deviations of a difference are about 0.6.
        assert!(step < 0.7, "{step}");
    }
}
