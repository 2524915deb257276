//! Strokes and text in page units, on either backend.
//!
//! Page units are pixels of the SVG. Backends count in whole pixels, so both get a page that is [`FINE`] times as large: the SVG is
//! scaled back by its `viewBox`, the bitmap by averaging, which also smooths its edges.

use super::figure::{Colour, Marker};
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

/// Backend pixels a page unit.
pub const FINE: u32 = 4;

/// Where text sits relative to its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

/// How a backend measures text: plotters leaves it to them.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Nominal size that gives a letter height of one em.
    size_per_em: f64,
    /// From the anchor down to the baseline, in em, for text anchored at its top.
    baseline: f64,
}

/// The SVG backend divides sizes by 1.24 and writes `dy="0.76em"`.
pub const SVG_TEXT: TextRule = TextRule {
    size_per_em: 1.24,
    baseline: 0.76,
};
/// `ab_glyph` scales to ascent plus descent, 1.164 em for this font; plotters puts the baseline half a size down.
pub const BITMAP_TEXT: TextRule = TextRule {
    size_per_em: 1.164,
    baseline: 0.582,
};

/// A drawing area with page units.
pub struct Pen<'a, DB: DrawingBackend> {
    pub area: &'a DrawingArea<DB, Shift>,
    pub text_rule: TextRule,
}

/// Makes the embedded font known; every drawing calls it.
pub fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let fonts: [(FontStyle, &'static [u8]); 2] = [
            (
                FontStyle::Normal,
                include_bytes!("../../assets/DejaVuSans.ttf"),
            ),
            (
                FontStyle::Bold,
                include_bytes!("../../assets/DejaVuSans-Bold.ttf"),
            ),
        ];
        for (style, bytes) in fonts {
            assert!(
                plotters::style::register_font("sans-serif", style, bytes).is_ok(),
                "the embedded font is sound"
            );
        }
    });
}

/// Width of `text` at `size`, page units; the embedded font is wide, so that other fonts fit too.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    register_fonts();
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    let nominal = 10.0 * size * BITMAP_TEXT.size_per_em;
    let font = FontDesc::new(FontFamily::SansSerif, nominal, style);
    // measured ten times as large, since the answer is in whole pixels
    font.layout_box(text).map_or(
        0.6 * size * text.chars().count() as f64,
        |((x0, _), (x1, _))| f64::from(x1 - x0) / 10.0,
    )
}

fn fine(length: f64) -> i32 {
    (length * f64::from(FINE)).round() as i32
}

fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    /// A line through `points`, dashed if `dash` is not empty.
    pub fn line(
        &self,
        points: &[(f64, f64)],
        colour: Colour,
        width: f64,
        dash: &[f64],
    ) -> Result<()> {
        let style = rgb(colour).stroke_width(fine(width) as u32);
        for piece in dashed(points, dash) {
            let piece: Vec<(i32, i32)> = piece.iter().map(|(x, y)| (fine(*x), fine(*y))).collect();
            self.draw(&PathElement::new(piece, style))?;
        }
        Ok(())
    }

    /// A filled rectangle.
    pub fn rectangle(
        &self,
        corner: (f64, f64),
        opposite: (f64, f64),
        colour: Colour,
    ) -> Result<()> {
        let corners = [
            (fine(corner.0), fine(corner.1)),
            (fine(opposite.0), fine(opposite.1)),
        ];
        self.draw(&Rectangle::new(corners, rgb(colour).filled()))
    }

    /// A marker of radius `r`.
    pub fn marker(&self, marker: Marker, (x, y): (f64, f64), r: f64, colour: Colour) -> Result<()> {
        let polygon = |corners: &[(f64, f64)]| {
            let corners: Vec<(i32, i32)> = corners
                .iter()
                .map(|(dx, dy)| (fine(x + dx * r), fine(y + dy * r)))
                .collect();
            self.draw(&Polygon::new(corners, rgb(colour).filled()))
        };
        let strokes = |ends: [(f64, f64); 2]| -> Result<()> {
            for (dx, dy) in ends {
                self.line(
                    &[(x - dx * r, y - dy * r), (x + dx * r, y + dy * r)],
                    colour,
                    0.5 * r,
                    &[],
                )?;
            }
            Ok(())
        };
        match marker {
            Marker::Circle => self.draw(&Circle::new(
                (fine(x), fine(y)),
                fine(r),
                rgb(colour).filled(),
            )),
            Marker::Square => self.rectangle(
                (x - 0.88 * r, y - 0.88 * r),
                (x + 0.88 * r, y + 0.88 * r),
                colour,
            ),
            Marker::Triangle => polygon(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
            Marker::TriangleDown => polygon(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
            Marker::Diamond => polygon(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
            Marker::Cross => strokes([(0.9, 0.9), (0.9, -0.9)]),
            Marker::Plus => strokes([(1.15, 0.0), (0.0, 1.15)]),
        }
    }

    /// Text with its baseline at `y`.
    pub fn text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        colour: Colour,
        align: Align,
    ) -> Result<()> {
        self.letters(
            text,
            (x, y - self.text_rule.baseline * size),
            size,
            colour,
            align,
            FontStyle::Normal,
            FontTransform::None,
        )
    }

    /// Bold text with its baseline at `y`.
    pub fn bold(&self, text: &str, (x, y): (f64, f64), size: f64, align: Align) -> Result<()> {
        let colour = super::figure::BLACK;
        self.letters(
            text,
            (x, y - self.text_rule.baseline * size),
            size,
            colour,
            align,
            FontStyle::Bold,
            FontTransform::None,
        )
    }

    /// Text that reads upwards, centred on `y`, with its baseline at `x`.
    pub fn upward(&self, text: &str, (x, y): (f64, f64), size: f64, colour: Colour) -> Result<()> {
        let at = (x - self.text_rule.baseline * size, y);
        self.letters(
            text,
            at,
            size,
            colour,
            Align::Centre,
            FontStyle::Normal,
            FontTransform::Rotate270,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where all properties of text meet"
    )]
    fn letters(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        colour: Colour,
        align: Align,
        style: FontStyle,
        turn: FontTransform,
    ) -> Result<()> {
        let nominal = size * self.text_rule.size_per_em * f64::from(FINE);
        let font = FontDesc::new(FontFamily::SansSerif, nominal, style).transform(turn);
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Centre => HPos::Center,
            Align::Right => HPos::Right,
        };
        let ink = rgb(colour);
        let style = TextStyle::from(font)
            .color(&ink)
            .pos(Pos::new(horizontal, VPos::Top));
        self.draw(&Text::new(text.to_string(), (fine(x), fine(y)), style))
    }

    fn draw<E>(&self, element: &E) -> Result<()>
    where
        for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        E: plotters::element::Drawable<DB>,
    {
        self.area
            .draw(element)
            .map_err(|error| anyhow!("cannot draw: {error}"))
    }
}

/// Cuts a line into its dashes, by length along it.
fn dashed(points: &[(f64, f64)], dash: &[f64]) -> Vec<Vec<(f64, f64)>> {
    if dash.is_empty() || points.len() < 2 {
        return vec![points.to_vec()];
    }
    let mut pieces = Vec::new();
    let mut piece = vec![points[0]];
    let mut turn = 0;
    let mut left = dash[0];
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let cut = (
                x0 + (x1 - x0) * done / length,
                y0 + (y1 - y0) * done / length,
            );
            if turn % 2 == 0 {
                piece.push(cut);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![cut];
            }
            turn += 1;
            left = dash[turn % dash.len()];
        }
        left -= length - done;
        if turn % 2 == 0 {
            piece.push((x1, y1));
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_have_their_lengths_across_corners() {
        let pieces = dashed(&[(0.0, 0.0), (3.0, 0.0), (3.0, 7.0)], &[4.0, 2.0]);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 0.0), (3.0, 0.0), (3.0, 1.0)],
                vec![(3.0, 3.0), (3.0, 7.0)]
            ]
        );
    }

    #[test]
    fn text_has_a_width() {
        assert!(text_width("accuracy, %", 12.0, false) > 50.0);
        assert!(text_width("accuracy, %", 12.0, true) > text_width("accuracy, %", 12.0, false));
        assert!(text_width("10⁻³ · Σ ≤ π", 12.0, false) > 60.0);
    }
}
