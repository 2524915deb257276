//! From a [`Figure`] to an SVG and a PNG: lays the page out, then draws frame, ticks, series, legend and caption.

use super::figure::{Figure, GREY, Look, Panel, Point, Scale, Series, Shape};
use super::pen::{Align, BITMAP_TEXT, FINE, Pen, SVG_TEXT, TextRule, register_fonts, text_width};
use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

const TITLE: f64 = 15.0;
const PANEL_TITLE: f64 = 12.5;
const LABEL: f64 = 12.0;
const TICK: f64 = 11.0;
const NOTE: f64 = 10.5;
const EDGE: f64 = 16.0;
/// Room right of every panel.
const RIGHT: f64 = 18.0;
/// Pixels of the PNG a page unit.
const PNG_SCALE: u32 = 2;
const GRID: (u8, u8, u8) = (228, 228, 228);

/// Measures of the page, page units.
struct Page {
    width: f64,
    height: f64,
    /// Room for the y axis of every panel.
    axis: f64,
    /// Room above every panel, for its title.
    title: f64,
    cell: (f64, f64),
    top: f64,
}

impl Page {
    fn of(figure: &Figure) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
        let axis = widest(
            &mut figure
                .panels
                .iter()
                .flat_map(|panel| panel.y.scale.ticks(6))
                .map(|tick| text_width(&tick.text, TICK, false)),
        );
        let has_label = figure.panels.iter().any(|panel| !panel.y.label.is_empty());
        let axis = axis + 12.0 + if has_label { LABEL + 10.0 } else { 0.0 };
        let titled = figure.panels.iter().any(|panel| !panel.title.is_empty());
        let title = if titled {
            2.0 * PANEL_TITLE
        } else {
            0.4 * PANEL_TITLE
        };
        let cell = (
            axis + figure.panel.0 + RIGHT,
            figure.panel.1 + title + TICK + LABEL + 26.0,
        );
        let columns = figure.columns.min(figure.panels.len()).max(1);
        let rows = figure.panels.len().div_ceil(columns);
        let legend = widest(
            &mut legend(figure)
                .iter()
                .map(|(label, ..)| 52.0 + text_width(label, LABEL, false)),
        );
        let panels = columns as f64 * cell.0 + legend;
        let text = widest(
            &mut figure
                .caption
                .iter()
                .map(|line| text_width(line, NOTE, false))
                .chain([text_width(&figure.title, TITLE, true)]),
        );
        let top = EDGE + TITLE + 8.0;
        let height = top + rows as f64 * cell.1 + figure.caption.len() as f64 * (NOTE + 5.0) + EDGE;
        Self {
            width: (panels.max(text) + 2.0 * EDGE).ceil(),
            height: height.ceil(),
            axis,
            title,
            cell,
            top,
        }
    }
}

/// One line a label, in order of first appearance.
fn legend(figure: &Figure) -> Vec<(&str, Shape, Look)> {
    let mut lines: Vec<(&str, Shape, Look)> = Vec::new();
    for series in figure.panels.iter().flat_map(|panel| &panel.series) {
        if !series.label.is_empty() && !lines.iter().any(|(label, ..)| *label == series.label) {
            lines.push((&series.label, series.shape, series.look));
        }
    }
    lines
}

/// The figure as the text of an SVG file.
pub fn svg(figure: &Figure) -> Result<String> {
    let page = Page::of(figure);
    let size = (page.width as u32 * FINE, page.height as u32 * FINE);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(figure, &page, &area, SVG_TEXT)?;
        area.present()
            .map_err(|error| anyhow!("cannot draw: {error}"))?;
    }
    // shown at page size, with the fine coordinates inside
    let drawn = format!("width=\"{}\" height=\"{}\" viewBox", size.0, size.1);
    let shown = format!(
        "width=\"{}\" height=\"{}\" viewBox",
        page.width, page.height
    );
    Ok(text.replacen(&drawn, &shown, 1))
}

/// The figure as the bytes of a PNG file.
pub fn png(figure: &Figure) -> Result<Vec<u8>> {
    let page = Page::of(figure);
    let size = (page.width as u32 * FINE, page.height as u32 * FINE);
    let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        draw(figure, &page, &area, BITMAP_TEXT)?;
        area.present()
            .map_err(|error| anyhow!("cannot draw: {error}"))?;
    }
    let (pixels, width, height) = averaged(&pixels, size, FINE / PNG_SCALE);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels))
        .context("cannot encode a PNG")?;
    Ok(bytes)
}

/// The mean of each square of `side` × `side` pixels.
fn averaged(pixels: &[u8], (width, height): (u32, u32), side: u32) -> (Vec<u8>, u32, u32) {
    let (columns, rows) = (width / side, height / side);
    let mut out = Vec::with_capacity((columns * rows * 3) as usize);
    for row in 0..rows {
        for column in 0..columns {
            for channel in 0..3 {
                let square = (0..side).flat_map(|dy| (0..side).map(move |dx| (dx, dy)));
                let sum: u32 = square
                    .map(|(dx, dy)| {
                        u32::from(
                            pixels[(((row * side + dy) * width + column * side + dx) * 3 + channel)
                                as usize],
                        )
                    })
                    .sum();
                out.push((sum / (side * side)) as u8);
            }
        }
    }
    (out, columns, rows)
}

fn draw<DB: DrawingBackend>(
    figure: &Figure,
    page: &Page,
    area: &DrawingArea<DB, Shift>,
    text_rule: TextRule,
) -> Result<()> {
    register_fonts();
    area.fill(&WHITE)
        .map_err(|error| anyhow!("cannot draw: {error}"))?;
    let pen = Pen { area, text_rule };
    pen.bold(&figure.title, (EDGE, EDGE + TITLE), TITLE, Align::Left)?;
    let columns = figure.columns.min(figure.panels.len()).max(1);
    for (index, panel) in figure.panels.iter().enumerate() {
        let (column, row) = ((index % columns) as f64, (index / columns) as f64);
        let left = EDGE + column * page.cell.0 + page.axis;
        let top = page.top + row * page.cell.1 + page.title;
        let frame = Frame {
            left,
            top,
            width: figure.panel.0,
            height: figure.panel.1,
            panel,
        };
        frame.draw_axes(&pen, left - page.axis + LABEL)?;
        for series in &panel.series {
            frame.draw_series(&pen, series)?;
        }
    }
    let left = EDGE + columns as f64 * page.cell.0 + 6.0;
    for (index, (label, shape, look)) in legend(figure).into_iter().enumerate() {
        let y = page.top + page.title + 10.0 + 20.0 * index as f64;
        draw_key(&pen, (left, y), shape, look)?;
        pen.text(
            label,
            (left + 38.0, y + 0.36 * LABEL),
            LABEL,
            super::figure::BLACK,
            Align::Left,
        )?;
    }
    let lines = figure.caption.len() as f64;
    for (index, line) in figure.caption.iter().enumerate() {
        let y = page.height - EDGE - (lines - 1.0 - index as f64) * (NOTE + 5.0);
        pen.text(line, (EDGE, y), NOTE, GREY, Align::Left)?;
    }
    Ok(())
}

fn draw_key<DB: DrawingBackend>(
    pen: &Pen<DB>,
    (x, y): (f64, f64),
    shape: Shape,
    look: Look,
) -> Result<()> {
    match shape {
        Shape::Bars => pen.rectangle((x + 6.0, y - 6.0), (x + 28.0, y + 6.0), look.colour),
        Shape::Markers => pen.marker(look.marker, (x + 17.0, y), 4.5, look.colour),
        Shape::Line | Shape::MarkedLine => {
            pen.line(&[(x, y), (x + 32.0, y)], look.colour, look.width, look.dash)?;
            if shape == Shape::MarkedLine {
                pen.marker(look.marker, (x + 16.0, y), 4.0, look.colour)?;
            }
            Ok(())
        }
    }
}

/// A panel in its place on the page.
struct Frame<'a> {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    panel: &'a Panel,
}

impl Frame<'_> {
    fn x(&self, value: f64) -> f64 {
        self.left + self.width * self.panel.x.scale.place(value)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.panel.y.scale.place(value))
    }

    fn draw_axes<DB: DrawingBackend>(&self, pen: &Pen<DB>, label_x: f64) -> Result<()> {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let ticks = |extent: f64, scale: &Scale| scale.ticks((extent / 45.0) as usize);
        for tick in ticks(self.width, &self.panel.x.scale) {
            let x = self.x(tick.value);
            pen.line(&[(x, self.top), (x, bottom)], GRID, 0.8, &[])?;
            pen.text(
                &tick.text,
                (x, bottom + TICK + 4.0),
                TICK,
                GREY,
                Align::Centre,
            )?;
        }
        for tick in ticks(self.height * 1.4, &self.panel.y.scale) {
            let y = self.y(tick.value);
            pen.line(&[(self.left, y), (right, y)], GRID, 0.8, &[])?;
            pen.text(
                &tick.text,
                (self.left - 6.0, y + 0.36 * TICK),
                TICK,
                GREY,
                Align::Right,
            )?;
        }
        let corners = [
            (self.left, self.top),
            (right, self.top),
            (right, bottom),
            (self.left, bottom),
            (self.left, self.top),
        ];
        pen.line(&corners, (120, 120, 120), 0.8, &[])?;
        pen.bold(
            &self.panel.title,
            (self.left, self.top - 7.0),
            PANEL_TITLE,
            Align::Left,
        )?;
        let middle = (self.left + 0.5 * self.width, bottom + TICK + LABEL + 11.0);
        pen.text(
            &self.panel.x.label,
            middle,
            LABEL,
            super::figure::BLACK,
            Align::Centre,
        )?;
        pen.upward(
            &self.panel.y.label,
            (label_x, self.top + 0.5 * self.height),
            LABEL,
            super::figure::BLACK,
        )
    }

    fn draw_series<DB: DrawingBackend>(&self, pen: &Pen<DB>, series: &Series) -> Result<()> {
        let look = series.look;
        if matches!(series.shape, Shape::Line | Shape::MarkedLine) {
            let places: Vec<(f64, f64)> = series
                .points
                .iter()
                .map(|point| (self.x(point.x), self.y(point.y)))
                .collect();
            for piece in self.clipped(&places) {
                pen.line(&piece, look.colour, look.width, look.dash)?;
            }
        }
        for point in &series.points {
            let (x, y) = (self.x(point.x), self.y(point.y));
            let inside = y >= self.top - 0.5 && y <= self.top + self.height + 0.5;
            match series.shape {
                Shape::Bars => self.draw_bar(pen, point, look)?,
                Shape::Markers => {
                    if let Some((from, to)) = point.span {
                        pen.line(&[(self.x(from), y), (self.x(to), y)], look.colour, 1.2, &[])?;
                        for end in [self.x(from), self.x(to)] {
                            pen.line(&[(end, y - 3.0), (end, y + 3.0)], look.colour, 1.2, &[])?;
                        }
                    }
                    pen.marker(look.marker, (x, y), 4.5, look.colour)?;
                }
                Shape::MarkedLine if inside => pen.marker(look.marker, (x, y), 3.6, look.colour)?,
                Shape::MarkedLine | Shape::Line => {}
            }
            if !point.note.is_empty() {
                let end = point.span.map_or(x, |(_, to)| self.x(to));
                pen.text(
                    &point.note,
                    (end.max(x) + 8.0, y + 0.36 * NOTE),
                    NOTE,
                    super::figure::BLACK,
                    Align::Left,
                )?;
            }
        }
        Ok(())
    }

    fn draw_bar<DB: DrawingBackend>(&self, pen: &Pen<DB>, point: &Point, look: Look) -> Result<()> {
        let Some((from, to)) = point.span else {
            return Ok(());
        };
        let thick = match &self.panel.y.scale {
            Scale::Names(names) => 0.6 * self.height / names.len() as f64,
            _ => 12.0,
        };
        let y = self.y(point.y);
        pen.rectangle(
            (self.x(from), y - 0.5 * thick),
            (self.x(to), y + 0.5 * thick),
            look.colour,
        )
    }

    /// The parts of a line within the top and bottom of the frame.
    fn clipped(&self, line: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let (low, high) = (self.top, self.top + self.height);
        let mut pieces = Vec::new();
        let mut piece: Vec<(f64, f64)> = Vec::new();
        for pair in line.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let (mut from, mut to) = (0.0_f64, 1.0_f64);
            let rise = y1 - y0;
            if rise.abs() > f64::EPSILON {
                let (a, b) = ((low - y0) / rise, (high - y0) / rise);
                from = from.max(a.min(b));
                to = to.min(a.max(b));
            } else if y0 < low || y0 > high {
                to = -1.0;
            }
            // an infinite or undefined value belongs to no piece
            let seen = from <= to && y0.is_finite() && y1.is_finite();
            let at = |t: f64| (x0 + t * (x1 - x0), y0 + t * rise);
            if !seen || from > 0.0 {
                pieces.push(std::mem::take(&mut piece));
            }
            if seen {
                if piece.is_empty() {
                    piece.push(at(from));
                }
                piece.push(at(to));
                if to < 1.0 {
                    pieces.push(std::mem::take(&mut piece));
                }
            }
        }
        pieces.push(piece);
        pieces.retain(|piece| piece.len() > 1);
        pieces
    }
}
