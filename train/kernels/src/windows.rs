//! Which values lie in which window of a convolution or a pool.

use cryptodl_network::Shape;

/// Stands for a place in the padding.
const OUTSIDE: u32 = u32::MAX;

/// Square windows over an image, the same for every channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Channels of the input.
    pub channels: usize,
    /// Places in a window, row by row.
    pub places: usize,
    /// Places in the image, row by row.
    pub inputs: usize,
    /// Positions of the window, row by row.
    pub positions: usize,
    /// `[place, position]`: which place of the image lies there.
    sources: Vec<u32>,
    /// For each place of the image, the places of windows and their positions that see it.
    readers: Vec<Vec<(u32, u32)>>,
}

impl Windows {
    /// Windows with `kernel` places a side on an image with `padding` places around it.
    pub fn new(input: Shape, output: Shape, kernel: usize, stride: usize, padding: usize) -> Self {
        let positions = output.height * output.width;
        let inputs = input.height * input.width;
        let mut sources = Vec::with_capacity(kernel * kernel * positions);
        let mut readers = vec![Vec::new(); inputs];
        let pairs = |height: usize, width: usize| {
            (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)))
        };
        for (place, (y, x)) in pairs(kernel, kernel).enumerate() {
            for (position, (row, column)) in pairs(output.height, output.width).enumerate() {
                // Counted from the corner of the padded image.
                let (row, column) = (row * stride + y, column * stride + x);
                let inside = |place: usize, side: usize| (padding..padding + side).contains(&place);
                if inside(row, input.height) && inside(column, input.width) {
                    let source = (row - padding) * input.width + column - padding;
                    sources.push(source as u32);
                    readers[source].push((place as u32, position as u32));
                } else {
                    sources.push(OUTSIDE);
                }
            }
        }
        Self {
            channels: input.channels,
            places: kernel * kernel,
            inputs,
            positions,
            sources,
            readers,
        }
    }

    /// Number of values in a window, over all channels: what a filter has weights for.
    pub fn taps(&self) -> usize {
        self.channels * self.places
    }

    /// Which place of the image lies at a place of a window, if it is not padding.
    pub fn source(&self, place: usize, position: usize) -> Option<usize> {
        let source = self.sources[place * self.positions + position];
        (source != OUTSIDE).then_some(source as usize)
    }

    /// The row of `[channel, place of the image]` that a tap sees, if it is not padding.
    pub fn row(&self, tap: usize, position: usize) -> Option<usize> {
        let source = self.source(tap % self.places, position)?;
        Some(tap / self.places * self.inputs + source)
    }

    /// The places of windows, and their positions, that see a place of the image.
    pub fn readers(&self, input: usize) -> impl Iterator<Item = (usize, usize)> {
        let readers = self.readers[input].iter();
        readers.map(|(place, position)| (*place as usize, *position as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_and_sources_say_the_same() {
        let side = |height, width| Shape {
            channels: 2,
            height,
            width,
        };
        // 5×4 with one place of padding, windows of 3×3, two apart: 3×2 positions.
        let windows = Windows::new(side(5, 4), side(3, 2), 3, 2, 1);
        assert_eq!((windows.taps(), windows.positions), (18, 6));
        let mut pairs = 0;
        for input in 0..20 {
            for (place, position) in windows.readers(input) {
                assert_eq!(windows.source(place, position), Some(input));
                assert_eq!(windows.row(9 + place, position), Some(20 + input));
                pairs += 1;
            }
        }
        let inside = (0..9 * 6).filter(|i| windows.source(i / 6, i % 6).is_some());
        assert_eq!(inside.count(), pairs);
        // The first window begins in the padding, and its middle is the first value.
        assert_eq!(windows.source(0, 0), None);
        assert_eq!(windows.source(4, 0), Some(0));
    }
}
