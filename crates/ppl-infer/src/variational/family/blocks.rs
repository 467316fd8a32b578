//! Independent blocks of coordinates, each with a family of its own.

use std::ops::Range;

use super::Family;

/// A product of families over neighbouring blocks of coordinates: full rank for what is correlated, mean-field for the
/// rest. Parameters and noise are those of the blocks, one after the other.
pub struct Blocks {
    parts: Vec<Part>,
}

struct Part {
    family: Box<dyn Family>,
    coordinates: Range<usize>,
    params: Range<usize>,
    noise: Range<usize>,
}

impl Blocks {
    /// Of families, in the order of their coordinates.
    pub fn new(families: Vec<Box<dyn Family>>) -> Self {
        let (mut x, mut p, mut z) = (0, 0, 0);
        let next = |at: &mut usize, n: usize| {
            *at += n;
            *at - n..*at
        };
        let parts = families.into_iter().map(|family| Part {
            coordinates: next(&mut x, family.dim()),
            params: next(&mut p, family.params()),
            noise: next(&mut z, family.noise()),
            family,
        });
        Self { parts: parts.collect() }
    }

    fn last(&self, of: impl Fn(&Part) -> usize) -> usize {
        self.parts.last().map_or(0, of)
    }
}

impl Family for Blocks {
    fn dim(&self) -> usize {
        self.last(|p| p.coordinates.end)
    }

    fn params(&self) -> usize {
        self.last(|p| p.params.end)
    }

    fn noise(&self) -> usize {
        self.last(|p| p.noise.end)
    }

    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]) {
        for p in &self.parts {
            p.family.start(&location[p.coordinates.clone()], scale, &mut params[p.params.clone()]);
        }
    }

    fn update(&mut self, params: &[f64]) {
        for p in &mut self.parts {
            p.family.update(&params[p.params.clone()]);
        }
    }

    fn keeps_draw(&self) -> bool {
        self.parts.iter().any(|p| p.family.keeps_draw())
    }

    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]) {
        for p in &mut self.parts {
            p.family.draw(&params[p.params.clone()], &noise[p.noise.clone()], &mut x[p.coordinates.clone()]);
        }
    }

    fn log_density(&mut self, params: &[f64], noise: &[f64], x: &[f64]) -> f64 {
        let of = |p: &mut Part| {
            p.family.log_density(&params[p.params.clone()], &noise[p.noise.clone()], &x[p.coordinates.clone()])
        };
        self.parts.iter_mut().map(of).sum()
    }

    fn entropy(&self) -> Option<f64> {
        self.parts.iter().map(|p| p.family.entropy()).sum()
    }

    fn pull_back(
        &mut self,
        params: &[f64],
        noise: &[f64],
        x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    ) {
        for p in &mut self.parts {
            let (x, adjoint) = (&x[p.coordinates.clone()], &adjoint[p.coordinates.clone()]);
            let (params, gradient) = (&params[p.params.clone()], &mut gradient[p.params.clone()]);
            p.family.pull_back(params, &noise[p.noise.clone()], x, adjoint, weight, gradient);
        }
    }

    fn pull_back_entropy(&mut self, params: &[f64], noise: &[f64], x: &[f64], weight: f64, gradient: &mut [f64]) {
        for p in &mut self.parts {
            let (params, gradient) = (&params[p.params.clone()], &mut gradient[p.params.clone()]);
            let (noise, x) = (&noise[p.noise.clone()], &x[p.coordinates.clone()]);
            p.family.pull_back_entropy(params, noise, x, weight, gradient);
        }
    }

    fn score(&mut self, params: &[f64], noise: &[f64], x: &[f64], out: &mut [f64]) -> bool {
        self.parts.iter_mut().all(|p| {
            let (x, out) = (&x[p.coordinates.clone()], &mut out[p.coordinates.clone()]);
            p.family.score(&params[p.params.clone()], &noise[p.noise.clone()], x, out)
        })
    }

    fn centre(&mut self, params: &[f64], out: &mut [f64]) {
        for p in &mut self.parts {
            p.family.centre(&params[p.params.clone()], &mut out[p.coordinates.clone()]);
        }
    }

    fn spread(&self, params: &[f64], out: &mut [f64]) -> bool {
        self.parts.iter().all(|p| p.family.spread(&params[p.params.clone()], &mut out[p.coordinates.clone()]))
    }
}
