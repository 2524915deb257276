//! Every figure from made-up rows: both files are there, sound and not blank.

use super::*;
use crate::comparison::CompareRow;
use approx::{activations, methods};

fn made_up() -> Rows {
    let mut rows = Rows {
        run_id: "made-up".to_string(),
        ..Rows::default()
    };
    for (low, high) in [(-1.0, 1.0), (-8.0, 8.0)] {
        for activation in activations() {
            for method in methods() {
                for degree in 1..=5 {
                    let on = approx::Interval::new(low, high).unwrap();
                    let fitted = method.fit(activation, on, degree).unwrap();
                    let report = approx::sampled_error(activation, &fitted, 501);
                    rows.fit.push(FitRow {
                        activation: activation.name().to_string(),
                        method: method.name().to_string(),
                        degree,
                        low,
                        high,
                        max_error: Some(report.max_error),
                        ..FitRow::example()
                    });
                    rows.train.push(TrainRow {
                        activation: activation.name().to_string(),
                        method: method.name().to_string(),
                        degree,
                        test_accuracy: (degree != 3).then(|| {
                            0.97 + 0.004 * degree as f64 - 0.002 * (method.name().len() % 5) as f64
                        }),
                        ..TrainRow::example()
                    });
                }
            }
        }
    }
    rows.train.retain(|row| (2..=4).contains(&row.degree));
    for (model, accuracy, seconds) in [("cryptonets", 0.9905, 11.0), ("lenet", 0.9942, 48.5)] {
        for (scheme, bits) in [("clear", None), ("clear-integer", None), ("bfv", Some(128))] {
            rows.encrypted.push(EncryptedRow {
                model: model.to_string(),
                dataset: "mnist".to_string(),
                scheme: scheme.to_string(),
                security_bits: bits,
                images: 10_000,
                keygen_s: Some(0.4),
                encrypt_s: Some(0.3 * seconds),
                infer_s: Some(seconds),
                decrypt_s: Some(0.1 * seconds),
                images_per_hour: Some(16_384.0 / seconds * 3600.0),
                threads: Some(2),
                accuracy_float: Some(accuracy + 0.0003),
                accuracy_integer: (scheme != "clear").then_some(accuracy),
                accuracy_encrypted: bits.map(|_| accuracy),
                ..EncryptedRow::default()
            });
            for (stage, share) in [("encrypt", 0.3), ("linear", 0.7), ("decrypt", 0.1)] {
                rows.stages.push(StageRow {
                    run_id: "made-up".to_string(),
                    model: model.to_string(),
                    scheme: scheme.to_string(),
                    images: 10_000,
                    stage: stage.to_string(),
                    layer: String::new(),
                    seconds: share * seconds,
                    word_products: None,
                    word_products_per_s: None,
                    share_of_bare_product: None,
                });
            }
        }
    }
    for activation in ["relu", "gelu"] {
        rows.compare
            .extend(methods().iter().map(|method| CompareRow {
                activation: activation.to_string(),
                method: method.name().to_string(),
                degree: 3,
                low: -2.0,
                high: 2.0,
                max_error: Some(0.1),
                ..CompareRow::default()
            }));
    }
    for (index, mut row) in crate::growth::points("made-up", "ckks", false)
        .into_iter()
        .enumerate()
    {
        let cost = (row.width * row.depth * row.asked_ring_degree) as f64;
        row.ring_degree = Some(row.asked_ring_degree);
        row.plain_products = Some((row.width * 784) as u64);
        row.infer_s = Some(1e-7 * cost);
        row.predicted_infer_s = Some(1e-7 * cost * (1.0 + 0.03 * index as f64));
        row.peak_rss_bytes = Some(300 * cost as u64);
        row.predicted_memory_bytes = Some(280 * cost as u64);
        rows.growth.push(row);
    }
    add_schemes(&mut rows);
    add_aids(&mut rows);
    rows
}

/// Schemes side by side, and what look-ups cost.
fn add_schemes(rows: &mut Rows) {
    for (scheme, seconds) in [("bfv", 11.0), ("ckks", 4.0), ("tfhe", 6.5)] {
        rows.schemes.push(crate::schemes::SchemeRow {
            model: "cryptonets".to_string(),
            dataset: "mnist".to_string(),
            scheme: scheme.to_string(),
            threads: Some(2),
            one_image_s: Some(seconds),
            images_per_hour: Some(1e6 / seconds),
            twin_accuracy: Some(0.985),
            one_image_bytes: Some(1 << 20),
            key_bytes: Some(1 << 27),
            peak_rss_bytes: Some(1 << 29),
            ..crate::schemes::SchemeRow::default()
        });
    }
    for mut row in crate::latency::points("made-up", false) {
        let seconds = 0.02 * f64::from(row.bits) * row.activations as f64;
        row.infer_s = Some(seconds);
        row.predicted_infer_s = Some(1.1 * seconds);
        rows.latency.push(row);
    }
}

/// Variants of a recipe, epochs, inputs of activations, an error budget.
fn add_aids(rows: &mut Rows) {
    for method in ["legendre", "exact"] {
        rows.epochs
            .extend((1..=6).map(|epoch| crate::epochs::EpochRow {
                dataset: "mnist".to_string(),
                method: method.to_string(),
                epoch,
                validation_accuracy: 0.99 - 0.2 / (epoch * method.len()) as f64,
                ..crate::epochs::EpochRow::default()
            }));
    }
    for variant in ["base", "cosine"] {
        rows.train.extend((1..=3).map(|seed| TrainRow {
            variant: variant.to_string(),
            seed,
            test_accuracy: Some(0.97 + 0.001 * seed as f64),
            ..TrainRow::example()
        }));
    }
    for set in ["training", "validation", "test"] {
        rows.inputs.extend((1..=2).map(|layer| InputsRow {
            model: "lenet".to_string(),
            set: set.to_string(),
            layer,
            values: Some(1_000),
            minimum: Some(-9.0),
            quantile_0_1: Some(-4.0),
            quantile_1: Some(-2.5),
            quantile_99: Some(2.5),
            quantile_99_9: Some(4.5),
            maximum: Some(11.0),
            low: Some(-3.0),
            high: Some(3.0),
            outside_interval: Some(0.012),
            ..InputsRow::default()
        }));
    }
    let stages = crate::budget::STAGES.iter().zip([0.99, 0.6, 0.985, 0.98]);
    rows.budget
        .extend(stages.map(|(stage, accuracy)| BudgetRow {
            network: "lenet".to_string(),
            activation: "relu".to_string(),
            stage: (*stage).to_string(),
            images: 10_000,
            accuracy: Some(accuracy),
            ..BudgetRow::default()
        }));
}

#[test]
fn every_figure_gives_a_sound_svg_and_png() {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    let drawn = write_all(&made_up(), folder).unwrap();
    let names: Vec<&str> = drawn.iter().map(|figure| figure.name).collect();
    let known: Vec<&str> = figures().iter().map(|kind| kind.name).collect();
    assert_eq!(names, known);
    for name in names {
        let svg = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
        assert!(
            svg.trim_end().ends_with("</svg>")
                && svg.contains("sans-serif")
                && svg.contains("run made-up"),
            "{name}"
        );
        assert!(
            svg.matches("<text").count() > 8 && svg.contains("#0072B2"),
            "{name}"
        );
        assert!(svg.contains(" viewBox=\"0 0 "), "{name}");
        let bytes = std::fs::read(folder.join(format!("{name}.png"))).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let size = reader.next_frame(&mut pixels).unwrap();
        assert!(size.width > 800 && size.height > 200, "{name}");
        let has = |colour: figure::Colour| {
            pixels
                .chunks(3)
                .filter(|p| p[0] == colour.0 && p[1] == colour.1 && p[2] == colour.2)
                .count()
        };
        assert!(
            has(figure::PALETTE[0]) > 20 && has((255, 255, 255)) > pixels.len() / 12,
            "{name}"
        );
    }
}

#[test]
fn figures_without_their_rows_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        write_all(&Rows::default(), folder.path())
            .unwrap()
            .is_empty()
    );
}
