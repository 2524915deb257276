//! Activations: powers and products between affine maps.

use approx::Polynomial;
use cryptodl_network::Nonlinearity;

use super::{
    Folding,
    held::{Held, Part, Values},
    layout, some,
};
use crate::{
    affine::Affine,
    error::FoldError,
    graph::{Function, Layout, Operation, Power, Product},
    monic::Monic,
};

impl Folding<'_> {
    pub(super) fn activation(
        &mut self,
        index: usize,
        input: Held,
        nonlinearity: &Nonlinearity,
    ) -> Result<Held, FoldError> {
        let polynomials = match nonlinearity {
            Nonlinearity::Exact(activation) => {
                let values = self.bare(index, input);
                let function = Operation::Function(Function::Exact(*activation));
                return Ok(Held::Values(self.apply(index, &values, function)));
            }
            Nonlinearity::Polynomial { polynomial, .. } => std::slice::from_ref(polynomial),
            Nonlinearity::Channels { polynomials, .. } => polynomials,
        };
        match polynomials.iter().map(Polynomial::degree).max() {
            None | Some(0) => Err(FoldError::ConstantActivation { layer: index }),
            Some(1) => Ok(self.line(index, input, polynomials)),
            Some(degree @ 2..=4) => self
                .power(index, input, polynomials, degree)
                .map(Held::Values),
            Some(degree) => {
                let [polynomial] = polynomials else {
                    return Err(FoldError::ChannelDegree {
                        layer: index,
                        degree,
                    });
                };
                let values = self.bare(index, input);
                let operation = Operation::Polynomial(polynomial.clone());
                Ok(Held::Values(self.apply(index, &values, operation)))
            }
        }
    }

    /// A polynomial of degree 1 is an affine map.
    fn line(&mut self, index: usize, input: Held, polynomials: &[Polynomial]) -> Held {
        let channels = match &input {
            Held::Open(open) => open.output.channels,
            Held::Values(values) => values.shape.channels,
        };
        let term = |k: usize| {
            let of = |channel: usize| polynomials[channel % polynomials.len()].to_monomial()[k];
            (0..channels).map(of).collect()
        };
        let line = Affine {
            scale: term(1),
            shift: term(0),
        };
        match input {
            Held::Open(mut open) => {
                open.then(&line);
                Held::Open(open)
            }
            Held::Values(values) => {
                let mut values = self.pooled(index, values);
                values.affine.then(&line);
                Held::Values(values)
            }
        }
    }

    /// Polynomials of degree 2 to 4, one for all channels or one for each.
    fn power(
        &mut self,
        index: usize,
        input: Held,
        polynomials: &[Polynomial],
        degree: usize,
    ) -> Result<Values, FoldError> {
        let monics = |channels: usize| -> Result<Vec<Monic>, FoldError> {
            (0..channels)
                .map(|channel| Monic::new(&polynomials[channel % polynomials.len()], degree))
                .collect::<Option<_>>()
                .ok_or(FoldError::Leading { layer: index })
        };
        let values = match input {
            Held::Open(mut open) => {
                // the shift is free in a bias
                let mut monics = monics(open.output.channels)?;
                open.then(&Affine {
                    scale: vec![1.0; monics.len()],
                    shift: monics.iter().map(|monic| monic.shift).collect(),
                });
                for monic in &mut monics {
                    monic.shift = 0.0;
                }
                let values = self.close(Held::Open(open));
                return Ok(self.powers(index, &values, &monics));
            }
            Held::Values(values) => values,
        };
        // the shift of a pixel would be rounded to few levels
        let usable = values.pool.is_none() && !values.affine.forgets() && !values.reads_input();
        let values = if usable {
            values
        } else {
            return self.power(
                index,
                Held::Open(Self::identity(index, values)),
                polynomials,
                degree,
            );
        };
        let maps = values.affine.scale.iter().zip(&values.affine.shift);
        let monics = monics(values.shape.channels)?.into_iter().zip(maps);
        let monics = monics.map(|(monic, (scale, shift))| monic.behind(*scale, *shift));
        let monics: Vec<Monic> = monics.collect();
        Ok(self.powers(index, &values, &monics))
    }

    /// The powers of bare values, part by part; the maps after them are still to be applied.
    fn powers(&mut self, index: usize, values: &Values, monics: &[Monic]) -> Values {
        let positions = layout(values.shape).positions;
        let parts = values.ranges().into_iter().map(|(part, range)| {
            let operation = operation(&monics[range.clone()]);
            let operands = match operation {
                Operation::Product(_) => vec![part.value; 2],
                _ => vec![part.value],
            };
            let output = Layout {
                channels: range.len(),
                positions,
            };
            Part {
                value: self.push(index, operands, operation, output),
                ..part
            }
        });
        Values {
            parts: parts.collect(),
            shape: values.shape,
            affine: Affine {
                scale: monics.iter().map(|monic| monic.factor).collect(),
                shift: monics.iter().map(|monic| monic.constant).collect(),
            },
            pool: None,
        }
    }
}

/// A power of some channels.
fn operation(monics: &[Monic]) -> Operation<f64> {
    let shift = some(monics.iter().map(|monic| monic.shift).collect(), 0.0);
    match monics[0].degree {
        2 => Operation::Product(Product {
            shifts: [shift.clone(), shift],
        }),
        degree => Operation::Power(Power {
            degree,
            shift,
            lower: monics.iter().map(|monic| monic.lower.clone()).collect(),
        }),
    }
}
