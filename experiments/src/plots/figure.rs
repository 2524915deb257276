//! A figure as plain data: panels with axes and series. `render.rs` turns it into pixels, the files beside it make it from rows.

/// Red, green, blue.
pub type Colour = (u8, u8, u8);

/// A whole page: panels in a grid, one legend beside them, one caption below.
#[derive(Clone, Debug)]
pub struct Figure {
    /// File name without ending.
    pub name: &'static str,
    /// What it shows, in one line.
    pub title: String,
    /// Where the numbers come from: one or more lines.
    pub caption: Vec<String>,
    /// Panels a row.
    pub columns: usize,
    /// Width and height of a panel's plot area, in page units (pixels of the SVG).
    pub panel: (f64, f64),
    /// The panels, row by row.
    pub panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Clone, Debug)]
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// A label with its unit, and a scale.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
}

/// How values become positions.
#[derive(Clone, Debug)]
pub enum Scale {
    /// From, to.
    Linear(f64, f64),
    /// From, to; both positive.
    Log(f64, f64),
    /// Whole numbers: a tick at each.
    Counts(usize, usize),
    /// One row a name, the first on top; value `i` is the middle of row `i`.
    Names(Vec<String>),
}

/// One line, set of points or set of bars.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its line in the legend; series with one label share a line.
    pub label: String,
    pub shape: Shape,
    pub look: Look,
    pub points: Vec<Point>,
}

/// What is drawn for the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line through them.
    Line,
    /// A line through them with a marker at each.
    MarkedLine,
    /// A marker at each, with its span as an error bar.
    Markers,
    /// A horizontal bar over the span of each.
    Bars,
}

/// One datum.
#[derive(Clone, Debug, Default)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// From and to along x: an error bar, or the extent of a bar.
    pub span: Option<(f64, f64)>,
    /// Text to its right.
    pub note: String,
}

/// Colour, dashes and marker: any one of them tells two series apart.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub colour: Colour,
    /// Lengths drawn and left out, by turns; empty is a solid line.
    pub dash: &'static [f64],
    pub marker: Marker,
    pub width: f64,
}

/// The sign at a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Cross,
    Plus,
}

pub const BLACK: Colour = (0, 0, 0);
/// Of captions and tick labels.
pub const GREY: Colour = (89, 89, 89);

/// Okabe & Ito (2008), Color Universal Design. Their yellow, which white paper swallows, gives way to a grey.
pub const PALETTE: [Colour; 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (110, 110, 110),
];

const DASHES: [&[f64]; 7] = [
    &[],
    &[7.0, 3.0],
    &[2.0, 2.5],
    &[7.0, 2.5, 1.5, 2.5],
    &[11.0, 3.0],
    &[4.0, 2.0],
    &[7.0, 2.0, 1.5, 2.0, 1.5, 2.0],
];

const MARKERS: [Marker; 7] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::TriangleDown,
    Marker::Cross,
    Marker::Plus,
];

impl Look {
    /// The `index`-th look. Colours come back after seven, then with other dashes and markers.
    pub fn nth(index: usize) -> Self {
        let (round, index) = (index / PALETTE.len(), index % PALETTE.len());
        let turned = |by: usize| (index + by * round) % PALETTE.len();
        Self {
            colour: PALETTE[index],
            dash: DASHES[turned(5)],
            marker: MARKERS[turned(2)],
            width: 1.8,
        }
    }

    /// A thin dashed black line, for the best that the others could do.
    pub fn bound() -> Self {
        Self {
            colour: BLACK,
            dash: &[5.0, 3.5],
            marker: Marker::Diamond,
            width: 1.3,
        }
    }

    /// A solid black line, for what the others imitate.
    pub fn reference() -> Self {
        Self {
            colour: BLACK,
            dash: &[],
            marker: Marker::Circle,
            width: 2.6,
        }
    }
}

impl Axis {
    /// An axis with this label and scale.
    pub fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self {
            label: label.into(),
            scale,
        }
    }
}

impl Point {
    /// A bare point.
    pub fn at(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            ..Self::default()
        }
    }
}
