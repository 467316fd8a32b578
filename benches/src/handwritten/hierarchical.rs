//! The gradient of the hierarchical network written by hand for its one shape: what a program is measured against.
//!
//! Activations lie feature by feature, 50 rows each, so every loop runs along the rows. Only the elementary functions
//! are the library's.

use ppl::autodiff::kernels::elementary::{sigmoid, softplus, tanh};

use super::{HALF_LN_2PI, HIDDEN, dot, forward, products, sum, widest};

const GROUPS: usize = 18;
const ROWS: usize = 50;
/// Rows with zeros to whole vectors.
const PADDED: usize = 56;

type Column = [f64; PADDED];

/// The data, and room for the activations of one group.
pub struct Hierarchical {
    x: Vec<[Column; 2]>,
    /// `1 - 2 y`.
    sign: Vec<Column>,
    z1: [Column; HIDDEN],
    z2: [Column; HIDDEN],
    adjoint: [Column; HIDDEN],
    weights: [[f64; HIDDEN * HIDDEN]; 3],
}

/// One layer's place among the parameters: means, log scale, offsets.
struct Layer {
    start: usize,
    inputs: usize,
    outputs: usize,
}

const LAYERS: [Layer; 3] = [
    Layer { start: 0, inputs: 2, outputs: 5 },
    Layer { start: 191, inputs: 5, outputs: 5 },
    Layer { start: 667, inputs: 5, outputs: 1 },
];

impl Layer {
    fn size(&self) -> usize {
        self.inputs * self.outputs
    }
    fn offsets(&self, group: usize) -> std::ops::Range<usize> {
        let start = self.start + self.size() + 1 + group * self.size();
        start..start + self.size()
    }
}

impl Hierarchical {
    /// Takes predictors row by row and labels, 18 groups of 50.
    pub fn new(x: &[f64], y: &[f64]) -> Self {
        let row = |g: usize, r: usize| g * ROWS + r;
        Self {
            x: (0..GROUPS)
                .map(|g| [0, 1].map(|f| std::array::from_fn(|r| if r < ROWS { x[2 * row(g, r) + f] } else { 0.0 })))
                .collect(),
            sign: (0..GROUPS)
                .map(|g| std::array::from_fn(|r| if r < ROWS { 1.0 - 2.0 * y[row(g, r)] } else { 0.0 }))
                .collect(),
            z1: [[0.0; PADDED]; HIDDEN],
            z2: [[0.0; PADDED]; HIDDEN],
            adjoint: [[0.0; PADDED]; HIDDEN],
            weights: [[0.0; HIDDEN * HIDDEN]; 3],
        }
    }

    widest!();

    #[inline(always)]
    fn body(&mut self, p: &[f64], g: &mut [f64]) -> f64 {
        let mut log_density = 0.0;
        let scales = LAYERS.map(|l| p[l.start + l.size()].exp());
        // The priors: normal means and offsets, half-normal scales through exp.
        for (layer, &scale) in LAYERS.iter().zip(&scales) {
            let at = layer.start + layer.size();
            let end = layer.offsets(GROUPS - 1).end;
            let mut squares = [0.0; 8];
            for (i, (x, g)) in p[layer.start..end].iter().zip(&mut g[layer.start..end]).enumerate() {
                squares[i % 8] = x.mul_add(*x, squares[i % 8]);
                *g = -x;
            }
            let others = squares.iter().sum::<f64>() - p[at] * p[at];
            log_density -= 0.5 * (others + scale * scale) + HALF_LN_2PI * (end - layer.start) as f64;
            log_density += std::f64::consts::LN_2 + p[at];
            g[at] = 1.0 - scale * scale;
        }
        let mut loss = 0.0;
        for group in 0..GROUPS {
            for ((layer, &scale), w) in LAYERS.iter().zip(&scales).zip(&mut self.weights) {
                let means = &p[layer.start..layer.start + layer.size()];
                for ((w, a), c) in w.iter_mut().zip(&p[layer.offsets(group)]).zip(means) {
                    *w = a.mul_add(scale, *c);
                }
            }
            let x = &self.x[group];
            forward::<2, PADDED>(x, &self.weights[0], &mut self.adjoint);
            tanh(self.adjoint.as_flattened(), self.z1.as_flattened_mut());
            forward::<5, PADDED>(&self.z1, &self.weights[1], &mut self.adjoint);
            tanh(self.adjoint.as_flattened(), self.z2.as_flattened_mut());
            let mut t = [0.0; PADDED];
            for (z, &w) in self.z2.iter().zip(&self.weights[2]) {
                for r in 0..PADDED {
                    t[r] = z[r].mul_add(w, t[r]);
                }
            }
            for r in 0..PADDED {
                t[r] *= self.sign[group][r];
            }
            let (mut value, mut slope) = ([0.0; PADDED], [0.0; PADDED]);
            softplus(&t, &mut value);
            sigmoid(&t, &mut slope);
            for r in 0..PADDED {
                slope[r] *= -self.sign[group][r];
            }
            loss += sum(&value, ROWS);
            // Backwards: the weights' adjoints by dot products, the activations' by rows.
            let mut gw = [[0.0; HIDDEN * HIDDEN]; 3];
            for i in 0..HIDDEN {
                gw[2][i] = dot(&self.z2[i], &slope);
                let w = self.weights[2][i];
                for r in 0..PADDED {
                    let z = self.z2[i][r];
                    self.adjoint[i][r] = slope[r] * w * (1.0 - z * z);
                }
            }
            products::<5, PADDED>(&self.z1, &self.adjoint, &mut gw[1]);
            let mut below = [[0.0; PADDED]; HIDDEN];
            for i in 0..HIDDEN {
                let w = &self.weights[1][i * HIDDEN..];
                for r in 0..PADDED {
                    let mut sum = 0.0;
                    for j in 0..HIDDEN {
                        sum = self.adjoint[j][r].mul_add(w[j], sum);
                    }
                    let z = self.z1[i][r];
                    below[i][r] = sum * (1.0 - z * z);
                }
            }
            products::<2, PADDED>(x, &below, &mut gw[0]);
            for ((layer, &scale), gw) in LAYERS.iter().zip(&scales).zip(&gw) {
                let offsets = layer.offsets(group);
                let mut by_scale = 0.0;
                for i in 0..layer.size() {
                    let at = offsets.start + i;
                    by_scale = gw[i].mul_add(p[at], by_scale);
                    g[at] = gw[i].mul_add(scale, g[at]);
                    g[layer.start + i] += gw[i];
                }
                g[layer.start + layer.size()] += by_scale * scale;
            }
        }
        log_density - loss
    }
}
