//! Normalizing flows: standard normal noise through a chain of invertible maps with parameters.
//!
//! A flow is written once, as a function over [`Var`]; the draw, its log-determinant and their derivatives by the
//! parameters are programs that come out of it.

use ndarray::Array2;
use ppl_autodiff::{Program, TraceError, Var, Workspace, gradient, trace};
use serde::{Deserialize, Serialize};

use super::{Family, HALF_LN_2PI, Scale};

/// The map of one layer of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layer {
    /// `z + u tanh(w'z + b)`, with u moved along w so that the map is invertible (Rezende and Mohamed 2015).
    Planar,
    /// `m(z) + e^s(z) z` with m and s of coordinate i functions of the coordinates before it, by a masked network with
    /// one hidden layer; the order of the coordinates is reversed after each layer (Kingma et al. 2016).
    InverseAutoregressive,
}

/// A flow of some layers, then a scale and a location for each coordinate. Parameters: location, scale, layers.
pub struct Flow {
    layer: Layer,
    layers: usize,
    dim: usize,
    /// Parameters and noise in; the draw and its log-determinant out.
    forward: Program<f64>,
    /// Parameters, noise, the adjoint of the draw and that of the log-determinant in; the gradient out.
    backward: Program<f64>,
    workspaces: [Workspace<f64>; 2],
    /// Of the draw made last.
    log_det: f64,
}

/// ln(e - 1): softplus of it is 1.
const ONE: f64 = 0.541_324_854_612_918_1;
/// Entries of the weights at the start of a flow; its maps are the identity nevertheless, as what they feed is zero.
const SEEDLING: f64 = 0.3;

/// The parameters as they are traced, in order.
struct Inputs(Vec<Var>);

impl Inputs {
    fn take(&mut self, shape: &[usize]) -> Var {
        let var = Var::input(0, shape);
        self.0.push(var);
        var
    }
}

/// Units of the hidden layer of an autoregressive map.
fn hidden(dim: usize) -> usize {
    2 * dim.max(4)
}

/// What a layer is made of: the sizes of its parameters, each with whether they start at zero.
fn pieces(layer: Layer, dim: usize) -> Vec<(Vec<usize>, bool)> {
    let h = hidden(dim);
    match layer {
        Layer::Planar => vec![(vec![dim], true), (vec![dim], false), (vec![1], true)],
        Layer::InverseAutoregressive => vec![
            (vec![dim, h], false),
            (vec![h], true),
            (vec![h, dim], true),
            (vec![dim], true),
            (vec![h, dim], true),
            (vec![dim], true),
        ],
    }
}

/// The draw and its log-determinant.
fn record(layer: Layer, layers: usize, dim: usize, inputs: &mut Inputs, noise: Var) -> (Var, Var) {
    let (mu, rho) = (inputs.take(&[dim]), inputs.take(&[dim]));
    let (mut z, mut log_det) = (noise, Var::from(0.0));
    for _ in 0..layers {
        let parts: Vec<Var> = pieces(layer, dim).iter().map(|(shape, _)| inputs.take(shape)).collect();
        match (layer, &parts[..]) {
            (Layer::Planar, &[u, w, b]) => {
                // w'u above -1: softplus(w'u + ln(e - 1)) - 1, which leaves u = 0 alone.
                let along = (w * u).sum();
                let u = u + w * (((along + ONE).softplus() - 1.0 - along) / w.square().sum());
                let a = ((w * z).sum() + b.sum()).tanh();
                log_det += ((u * w).sum() * (1.0 - a.square())).ln_1p();
                z += u * a;
            }
            (Layer::InverseAutoregressive, &[w, b, wm, bm, ws, bs]) => {
                let h = hidden(dim);
                // A hidden unit of degree k sees coordinates up to k and is seen by those after k.
                let degree = |unit: usize| unit % dim.max(2).saturating_sub(1);
                let first = Array2::from_shape_fn((dim, h), |(i, j)| f64::from(u8::from(i <= degree(j))));
                let second = Array2::from_shape_fn((h, dim), |(j, i)| f64::from(u8::from(i > degree(j))));
                let (first, second) = (Var::from(&first), Var::from(&second));
                let row = z.reshape([1, dim]);
                let hidden = (row.matmul(w * first) + b).tanh();
                let shift = (hidden.matmul(wm * second) + bm).reshape([dim]);
                // Within (-2, 2): one layer cannot run away.
                let scale = 2.0 * (0.5 * (hidden.matmul(ws * second) + bs)).tanh().reshape([dim]);
                let order: Vec<usize> = (0..dim).rev().collect();
                z = (shift + scale.exp() * z).gather(0, &order);
                log_det += scale.sum();
            }
            _ => {}
        }
    }
    let sigma = rho.softplus();
    (mu + sigma * z, log_det + sigma.ln().sum())
}

impl Flow {
    /// Over d coordinates.
    ///
    /// # Errors
    /// None that a user can cause: what tracing the flow gives.
    pub fn new(layer: Layer, layers: usize, dim: usize) -> Result<Self, TraceError> {
        let (outputs, traced) = trace(|| {
            let mut inputs = Inputs(Vec::new());
            let (x, log_det) = record(layer, layers, dim, &mut inputs, Var::input(1, [dim]));
            [x, log_det]
        })?;
        let forward = Program::compile(traced.tape(), &[&[outputs[0]], &[outputs[1]]]);
        let (slopes, traced) = trace(|| {
            let mut inputs = Inputs(Vec::new());
            let (x, log_det) = record(layer, layers, dim, &mut inputs, Var::input(1, [dim]));
            let (by_x, by_det) = (Var::input(2, [dim]), Var::input(3, [1]));
            gradient((x * by_x).sum() + log_det * by_det.sum(), &inputs.0)
        })?;
        let backward = Program::compile(traced.tape(), &[&slopes]);
        let workspaces = [forward.workspace(), backward.workspace()];
        Ok(Self { layer, layers, dim, forward, backward, workspaces, log_det: 0.0 })
    }

    fn add(&mut self, params: &[f64], noise: &[f64], by_x: &[f64], by_det: f64, gradient: &mut [f64]) {
        let mut slopes = vec![0.0; gradient.len()];
        let inputs: [&[f64]; 4] = [params, noise, by_x, &[by_det]];
        self.backward.evaluate(&mut self.workspaces[1], &inputs, &mut [&mut slopes]);
        gradient.iter_mut().zip(&slopes).for_each(|(g, s)| *g += s);
    }
}

impl Family for Flow {
    fn dim(&self) -> usize {
        self.dim
    }

    fn params(&self) -> usize {
        let layer: usize = pieces(self.layer, self.dim).iter().map(|(s, _)| s.iter().product::<usize>()).sum();
        2 * self.dim + self.layers * layer
    }

    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]) {
        let (mu, rest) = params.split_at_mut(self.dim);
        let (rho, rest) = rest.split_at_mut(self.dim);
        mu.copy_from_slice(location);
        rho.fill(Scale::Softplus.inverse(scale));
        let mut at = 0;
        for _ in 0..self.layers {
            for (shape, zero) in pieces(self.layer, self.dim) {
                for _ in 0..shape.iter().product() {
                    rest[at] = if zero { 0.0 } else { SEEDLING * (1.0 + 2.4 * at as f64).sin() };
                    at += 1;
                }
            }
        }
    }

    fn update(&mut self, _params: &[f64]) {}

    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]) {
        let mut log_det = [0.0];
        self.forward.evaluate(&mut self.workspaces[0], &[params, noise], &mut [x, &mut log_det]);
        self.log_det = log_det[0];
    }

    fn log_density(&mut self, _params: &[f64], noise: &[f64], _x: &[f64]) -> f64 {
        let squares: f64 = noise.iter().map(|z| z * z).sum();
        -0.5 * squares - HALF_LN_2PI * self.dim as f64 - self.log_det
    }

    fn entropy(&self) -> Option<f64> {
        None
    }

    fn pull_back(
        &mut self,
        params: &[f64],
        noise: &[f64],
        _x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    ) {
        let by_x: Vec<f64> = adjoint.iter().map(|a| weight * a).collect();
        self.add(params, noise, &by_x, 0.0, gradient);
    }

    fn pull_back_entropy(&mut self, params: &[f64], noise: &[f64], _x: &[f64], weight: f64, gradient: &mut [f64]) {
        let none = vec![0.0; self.dim];
        self.add(params, noise, &none, weight, gradient);
    }

    fn score(&mut self, _params: &[f64], _noise: &[f64], _x: &[f64], _out: &mut [f64]) -> bool {
        false
    }

    fn spread(&self, _params: &[f64], _out: &mut [f64]) -> bool {
        false
    }
}
