//! The gradient of the flat network, 500 rows and 40 weights.

use ppl::autodiff::kernels::elementary::{sigmoid, softplus, tanh};

use super::{HALF_LN_2PI, HIDDEN, dot, forward, products, sum, widest};

const ROWS: usize = 500;
/// Rows with zeros to whole vectors.
const PADDED: usize = 504;
/// Where each layer's weights begin, and their number.
const STARTS: [usize; 4] = [0, 10, 35, 40];

type Column = [f64; PADDED];

/// The data, and room for the activations.
pub struct Flat {
    x: Box<[Column; 2]>,
    /// `1 - 2 y`.
    sign: Box<Column>,
    z: Box<[[Column; HIDDEN]; 2]>,
    adjoint: Box<[[Column; HIDDEN]; 2]>,
}

impl Flat {
    /// Takes predictors row by row and labels, 500 of each.
    pub fn new(x: &[f64], y: &[f64]) -> Self {
        let column = |f: usize| std::array::from_fn(|r| if r < ROWS { x[2 * r + f] } else { 0.0 });
        Self {
            x: Box::new([0, 1].map(column)),
            sign: Box::new(std::array::from_fn(|r| if r < ROWS { 1.0 - 2.0 * y[r] } else { 0.0 })),
            z: Box::new([[[0.0; PADDED]; HIDDEN]; 2]),
            adjoint: Box::new([[[0.0; PADDED]; HIDDEN]; 2]),
        }
    }

    widest!();

    #[inline(always)]
    fn body(&mut self, p: &[f64], g: &mut [f64]) -> f64 {
        let [w0, w1, w2] = [0, 1, 2].map(|i| &p[STARTS[i]..STARTS[i + 1]]);
        let [z1, z2] = &mut *self.z;
        let [adjoint, below] = &mut *self.adjoint;
        forward::<2, PADDED>(&self.x, w0, adjoint);
        tanh(adjoint.as_flattened(), z1.as_flattened_mut());
        forward::<5, PADDED>(z1, w1, adjoint);
        tanh(adjoint.as_flattened(), z2.as_flattened_mut());
        let mut t = [0.0; PADDED];
        for r in 0..PADDED {
            let mut sum = 0.0;
            for i in 0..HIDDEN {
                sum = z2[i][r].mul_add(w2[i], sum);
            }
            t[r] = sum * self.sign[r];
        }
        let (mut value, mut slope) = ([0.0; PADDED], [0.0; PADDED]);
        softplus(&t, &mut value);
        sigmoid(&t, &mut slope);
        for r in 0..PADDED {
            slope[r] *= -self.sign[r];
        }
        // Backwards: the weights' adjoints by dot products, the activations' by rows.
        for i in 0..HIDDEN {
            g[STARTS[2] + i] = dot(&z2[i], &slope) - w2[i];
            for r in 0..PADDED {
                let z = z2[i][r];
                adjoint[i][r] = slope[r] * w2[i] * (1.0 - z * z);
            }
        }
        products::<5, PADDED>(z1, adjoint, &mut g[STARTS[1]..STARTS[2]]);
        for i in 0..HIDDEN {
            let w = &w1[i * HIDDEN..];
            for r in 0..PADDED {
                let mut sum = 0.0;
                for j in 0..HIDDEN {
                    sum = adjoint[j][r].mul_add(w[j], sum);
                }
                let z = z1[i][r];
                below[i][r] = sum * (1.0 - z * z);
            }
        }
        products::<2, PADDED>(&self.x, below, &mut g[..STARTS[1]]);
        let mut squares = 0.0;
        for (i, x) in p.iter().enumerate() {
            squares = x.mul_add(*x, squares);
            if i < STARTS[2] {
                g[i] -= x;
            }
        }
        -0.5 * squares - HALF_LN_2PI * p.len() as f64 - sum(&value, ROWS)
    }
}
