//! The IDX format: two zero bytes, a type (8 = unsigned byte), the number of axes, the size of each axis (32 bits, big
//! endian), then the values row-major.

use super::{DataError, Files, Images};
use cryptodl_network::Shape;

/// Training and test images out of the four files of MNIST and its kin.
pub(super) fn both(file: Files, shape: Shape) -> Result<(Images, Images), DataError> {
    let read = |image: &'static str, label: &'static str| {
        images(image, &file(image)?, label, &file(label)?, shape)
    };
    Ok((
        read("train-images-idx3-ubyte", "train-labels-idx1-ubyte")?,
        read("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?,
    ))
}

/// Images (`[n, rows, columns]`) and labels (`[n]`) of two IDX files, given with their names.
pub(super) fn images(
    image_name: &str,
    image_bytes: &[u8],
    label_name: &str,
    label_bytes: &[u8],
    shape: Shape,
) -> Result<Images, DataError> {
    let wrong = |name: &str, reason: String| DataError::Format {
        path: name.into(),
        reason,
    };
    let (sizes, pixels) = parse(image_bytes).map_err(|reason| wrong(image_name, reason))?;
    if sizes.get(1..) != Some([shape.height, shape.width].as_slice()) || shape.channels != 1 {
        return Err(wrong(
            image_name,
            format!(
                "its axes are {sizes:?}, not [n, {}, {}]",
                shape.height, shape.width
            ),
        ));
    }
    let (counts, labels) = parse(label_bytes).map_err(|reason| wrong(label_name, reason))?;
    if counts != sizes[..1] {
        return Err(wrong(
            label_name,
            format!("its axes are {counts:?} for {} images", sizes[0]),
        ));
    }
    Ok(Images {
        shape,
        pixels: pixels.to_vec(),
        labels: labels.to_vec(),
    })
}

/// Sizes of the axes, and the values.
fn parse(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), String> {
    let &[0, 0, 8, axes, ref rest @ ..] = bytes else {
        return Err("it does not begin like an IDX file of bytes".to_owned());
    };
    let header = 4 * usize::from(axes);
    let (sizes, values) = rest
        .split_at_checked(header)
        .ok_or("it ends inside its header")?;
    let (sizes, _) = sizes.as_chunks::<4>();
    let sizes: Vec<usize> = sizes
        .iter()
        .map(|size| u32::from_be_bytes(*size) as usize)
        .collect();
    let expected = sizes
        .iter()
        .try_fold(1, |product: usize, &size| product.checked_mul(size));
    if expected == Some(values.len()) {
        Ok((sizes, values))
    } else {
        Err(format!("axes {sizes:?} do not fit {} values", values.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        channels: 1,
        height: 2,
        width: 3,
    };

    fn file(sizes: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    #[test]
    fn values_follow_the_header() {
        let pixels: Vec<u8> = (0..12).collect();
        let images = images(
            "a",
            &file(&[2, 2, 3], &pixels),
            "b",
            &file(&[2], &[7, 9]),
            SHAPE,
        )
        .unwrap();
        assert_eq!(images.image(1), &pixels[6..]);
        assert_eq!(images.labels, [7, 9]);
    }

    #[test]
    fn short_long_and_foreign_files_are_refused() {
        let good = file(&[1, 2, 3], &[0; 6]);
        let labels = file(&[1], &[0]);
        for length in 0..good.len() {
            assert!(
                images("a", &good[..length], "b", &labels, SHAPE).is_err(),
                "{length}"
            );
        }
        for (image, label) in [
            (file(&[1, 2, 3], &[0; 7]), labels.clone()),
            (file(&[1, 3, 2], &[0; 6]), labels.clone()),
            (
                file(&[u32::MAX, u32::MAX, u32::MAX], &[0; 6]),
                labels.clone(),
            ),
            (good.clone(), file(&[2], &[0, 0])),
            (good, vec![0, 0, 13, 1, 0, 0, 0, 0]),
        ] {
            assert!(images("a", &image, "b", &label, SHAPE).is_err());
        }
    }
}
