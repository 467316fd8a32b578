//! L-BFGS: a quasi-Newton minimiser with limited memory.
//!
//! Written here and not taken from a crate: Pathfinder needs every iterate with its gradient, and a point where the
//! density is not finite is a step that was too long, not the end. (In `argmin` the line search of More and Thuente ends
//! with an error at such a point; the two loops that would be saved are 25 lines.)

use std::collections::VecDeque;

use super::objective::Evaluate;
use crate::density::DensityError;

/// Settings of a run of L-BFGS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lbfgs {
    /// Pairs of steps and changes of the gradient that are kept.
    pub history: usize,
    /// Iterations at most.
    pub iterations: usize,
    /// Ends where the largest component of the gradient is below this.
    pub gradient: f64,
    /// Ends where an iteration lowers the function by less than this, relative to its size.
    pub decrease: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { history: 10, iterations: 1000, gradient: 1e-8, decrease: 1e-15 }
    }
}

/// Where a run of L-BFGS ended.
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    pub x: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    pub iterations: usize,
    pub evaluations: usize,
}

/// A step and the change of the gradient over it.
pub(crate) struct Pair {
    pub step: Vec<f64>,
    pub change: Vec<f64>,
}

/// Decrease and curvature conditions of the line search, and its trials.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
const TRIALS: usize = 60;

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Told of a point, the gradient there and the value.
type Seen<'f> = dyn FnMut(&[f64], &[f64], f64) + 'f;

impl Lbfgs {
    /// Minimises from `x`, telling `seen` of every iterate with its gradient. Where `f` is not finite, its value is infinite.
    pub fn minimise(&self, f: &mut Evaluate<'_>, x: &[f64], seen: &mut Seen<'_>) -> Result<Minimum, DensityError> {
        let n = x.len();
        let mut evaluations = 1;
        let mut at = Minimum { x: x.to_vec(), value: 0.0, gradient: vec![0.0; n], iterations: 0, evaluations: 0 };
        at.value = f(&at.x, &mut at.gradient)?;
        seen(&at.x, &at.gradient, at.value);
        let mut pairs: VecDeque<Pair> = VecDeque::new();
        let (mut trial, mut slope) = (vec![0.0; n], vec![0.0; n]);
        let mut best = (vec![0.0; n], vec![0.0; n]);
        while at.iterations < self.iterations && at.value.is_finite() {
            let largest = at.gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
            if largest <= self.gradient {
                break;
            }
            let mut direction = descent(&pairs, &at.gradient);
            let mut along = dot(&direction, &at.gradient);
            if along >= 0.0 || !along.is_finite() {
                pairs.clear();
                direction = at.gradient.iter().map(|g| -g).collect();
                along = -dot(&at.gradient, &at.gradient);
            }
            // The first step has no scale: a length of one at most.
            let mut t = if pairs.is_empty() { 1f64.min(1.0 / (-along).sqrt()) } else { 1.0 };
            let (mut low, mut high) = (0.0, f64::INFINITY);
            let mut found = None;
            for _ in 0..TRIALS {
                for ((y, x), d) in trial.iter_mut().zip(&at.x).zip(&direction) {
                    *y = x + t * d;
                }
                evaluations += 1;
                let value = f(&trial, &mut slope)?;
                let enough = value <= at.value + DECREASE * t * along;
                if !enough || slope.iter().any(|g| !g.is_finite()) {
                    high = t;
                } else {
                    // Lower than the start; good enough if the search cannot find better.
                    found = Some(value);
                    best.0.copy_from_slice(&trial);
                    best.1.copy_from_slice(&slope);
                    if dot(&slope, &direction) >= CURVATURE * along {
                        break;
                    }
                    low = t;
                }
                t = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * t };
                if high - low <= 1e-16 * high {
                    break;
                }
            }
            let Some(value) = found else { break };
            trial.copy_from_slice(&best.0);
            slope.copy_from_slice(&best.1);
            if trial == at.x {
                break;
            }
            let pair = Pair {
                step: trial.iter().zip(&at.x).map(|(a, b)| a - b).collect(),
                change: slope.iter().zip(&at.gradient).map(|(a, b)| a - b).collect(),
            };
            if is_curved(&pair) {
                if pairs.len() == self.history {
                    pairs.pop_front();
                }
                pairs.push_back(pair);
            }
            let gain = at.value - value;
            at.x.copy_from_slice(&trial);
            at.gradient.copy_from_slice(&slope);
            at.value = value;
            at.iterations += 1;
            seen(&at.x, &at.gradient, at.value);
            if gain <= self.decrease * at.value.abs().max(1.0) {
                break;
            }
        }
        at.evaluations = evaluations;
        Ok(at)
    }
}

/// Whether a pair has enough curvature to be used.
pub(crate) fn is_curved(pair: &Pair) -> bool {
    let curvature = dot(&pair.step, &pair.change);
    let square = dot(&pair.change, &pair.change);
    curvature > 1e-12 * square.sqrt() && square < 1e12 * curvature
}

/// The two loops of L-BFGS: minus the inverse curvature times the gradient (Nocedal 1980).
fn descent(pairs: &VecDeque<Pair>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let weight = dot(&pair.step, &q) / dot(&pair.step, &pair.change);
        q.iter_mut().zip(&pair.change).for_each(|(q, y)| *q -= weight * y);
        weights.push(weight);
    }
    if let Some(last) = pairs.back() {
        let scale = dot(&last.step, &last.change) / dot(&last.change, &last.change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (pair, weight) in pairs.iter().zip(weights.iter().rev()) {
        let back = dot(&pair.change, &q) / dot(&pair.step, &pair.change);
        q.iter_mut().zip(&pair.step).for_each(|(q, s)| *q += (weight - back) * s);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_valley_floor_of_rosenbrock() {
        let mut f = |x: &[f64], g: &mut [f64]| {
            let off = x[1] - x[0] * x[0];
            g[0] = -2.0 * (1.0 - x[0]) - 400.0 * off * x[0];
            g[1] = 200.0 * off;
            Ok((1.0 - x[0]).powi(2) + 100.0 * off * off)
        };
        let mut values = Vec::new();
        let got = Lbfgs::default().minimise(&mut f, &[-1.2, 1.0], &mut |_, _, v| values.push(v)).unwrap();
        assert!((got.x[0] - 1.0).abs() < 1e-7 && (got.x[1] - 1.0).abs() < 1e-7, "{got:?}");
        assert_eq!(values.len(), got.iterations + 1);
        assert!(values.windows(2).all(|w| w[1] <= w[0]), "every iterate is lower");
        assert!(got.iterations < 60, "{}", got.iterations);
    }

    #[test]
    fn steps_over_an_edge_are_shortened() {
        // -ln x + x with no value left of 0: minimum at 1.
        let mut f = |x: &[f64], g: &mut [f64]| {
            g[0] = 1.0 - 1.0 / x[0];
            Ok(if x[0] > 0.0 { x[0] - x[0].ln() } else { f64::INFINITY })
        };
        let got = Lbfgs::default().minimise(&mut f, &[40.0], &mut |_, _, _| ()).unwrap();
        assert!((got.x[0] - 1.0).abs() < 1e-7, "{got:?}");
    }
}
