//! Reducers: what is kept of predictions that are too many to keep.

use ndarray::{ArrayD, IxDyn};
use ppl_autodiff::Shape;

/// Folds draws of one site, element by element, in order.
pub trait Reducer {
    /// What comes out.
    type Output;

    /// Prepares for draws of `elements` numbers.
    fn start(&mut self, elements: usize);

    /// Takes in one draw.
    fn add(&mut self, draw: &[f64]);

    /// The result, in the shape of the site.
    fn finish(self, shape: &Shape) -> Self::Output;
}

fn shaped(values: Vec<f64>, shape: &Shape) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_default()
}

/// The mean over draws.
#[derive(Clone, Debug, Default)]
pub struct Mean {
    n: f64,
    mean: Vec<f64>,
}

impl Mean {
    /// No draws yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Reducer for Mean {
    type Output = ArrayD<f64>;
    fn start(&mut self, elements: usize) {
        self.mean = vec![0.0; elements];
    }
    fn add(&mut self, draw: &[f64]) {
        self.n += 1.0;
        for (m, x) in self.mean.iter_mut().zip(draw) {
            *m += (x - *m) / self.n;
        }
    }
    fn finish(self, shape: &Shape) -> ArrayD<f64> {
        shaped(self.mean, shape)
    }
}

/// The standard deviation over draws (divisor n - 1), by Welford's recurrence.
#[derive(Clone, Debug, Default)]
pub struct Sd {
    n: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Sd {
    /// No draws yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Reducer for Sd {
    type Output = ArrayD<f64>;
    fn start(&mut self, elements: usize) {
        self.mean = vec![0.0; elements];
        self.squares = vec![0.0; elements];
    }
    fn add(&mut self, draw: &[f64]) {
        self.n += 1.0;
        for ((m, s), x) in self.mean.iter_mut().zip(&mut self.squares).zip(draw) {
            let before = x - *m;
            *m += before / self.n;
            *s += before * (x - *m);
        }
    }
    fn finish(self, shape: &Shape) -> ArrayD<f64> {
        let divisor = self.n - 1.0;
        shaped(self.squares.into_iter().map(|s| (s / divisor).sqrt()).collect(), shape)
    }
}

/// A quantile over draws, estimated in constant memory by the P-square algorithm: five markers an element, whose
/// heights are moved along parabolas. With a thousand draws its error is about that of the sample quantile itself.
///
/// # Source
/// Jain and Chlamtac (1985), Communications of the ACM 28(10).
#[derive(Clone, Debug)]
pub struct Quantile {
    p: f64,
    n: usize,
    markers: Vec<Markers>,
}

#[derive(Clone, Debug, Default)]
struct Markers {
    height: [f64; 5],
    place: [f64; 5],
}

impl Quantile {
    /// The quantile of probability `p`, clamped to [0, 1].
    #[must_use]
    pub fn new(p: f64) -> Self {
        Self { p: p.clamp(0.0, 1.0), n: 0, markers: Vec::new() }
    }
}

impl Markers {
    /// Takes in observation number `n` (from 0).
    fn add(&mut self, n: usize, x: f64, p: f64) {
        if n < 5 {
            self.height[n] = x;
            self.height[..=n].sort_by(f64::total_cmp);
            self.place = [0.0, 1.0, 2.0, 3.0, 4.0];
            return;
        }
        let cell = self.height[1..4].iter().filter(|&&h| x >= h).count();
        self.height[0] = self.height[0].min(x);
        self.height[4] = self.height[4].max(x);
        self.place[cell + 1..].iter_mut().for_each(|i| *i += 1.0);
        let last = n as f64;
        for (i, share) in [(1, p / 2.0), (2, p), (3, f64::midpoint(1.0, p))] {
            let d = last * share - self.place[i];
            let (right, left) = (self.place[i + 1] - self.place[i], self.place[i - 1] - self.place[i]);
            if !(d >= 1.0 && right > 1.0 || d <= -1.0 && left < -1.0) {
                continue;
            }
            let step = d.signum();
            let slope = |j: usize, distance: f64| (self.height[j] - self.height[i]) / distance;
            let (up, down) = (slope(i + 1, right), slope(i - 1, left));
            let parabola = self.height[i] + step / (right - left) * ((step - left) * up + (right - step) * down);
            let fits = self.height[i - 1] < parabola && parabola < self.height[i + 1];
            self.height[i] = match (fits, step > 0.0) {
                (true, _) => parabola,
                (false, true) => self.height[i] + up,
                (false, false) => self.height[i] - down,
            };
            self.place[i] += step;
        }
    }

    fn quantile(&self, n: usize, p: f64) -> f64 {
        match n {
            0 => f64::NAN,
            // So few are all kept, sorted: interpolate.
            1..=5 => {
                let at = p * (n - 1) as f64;
                let low = at.floor() as usize;
                let high = (low + 1).min(n - 1);
                self.height[low] + (at - low as f64) * (self.height[high] - self.height[low])
            }
            _ if p == 0.0 => self.height[0],
            _ if p == 1.0 => self.height[4],
            _ => self.height[2],
        }
    }
}

impl Reducer for Quantile {
    type Output = ArrayD<f64>;
    fn start(&mut self, elements: usize) {
        self.markers = vec![Markers::default(); elements];
    }
    fn add(&mut self, draw: &[f64]) {
        for (m, &x) in self.markers.iter_mut().zip(draw) {
            m.add(self.n, x, self.p);
        }
        self.n += 1;
    }
    fn finish(self, shape: &Shape) -> ArrayD<f64> {
        shaped(self.markers.iter().map(|m| m.quantile(self.n, self.p)).collect(), shape)
    }
}

macro_rules! tuples {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Reducer),+> Reducer for ($($name,)+) {
            type Output = ($($name::Output,)+);
            fn start(&mut self, elements: usize) {
                $(self.$index.start(elements);)+
            }
            fn add(&mut self, draw: &[f64]) {
                $(self.$index.add(draw);)+
            }
            fn finish(self, shape: &Shape) -> Self::Output {
                ($(self.$index.finish(shape),)+)
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;

    fn reduce<R: Reducer>(mut reducer: R, draws: &[[f64; 2]]) -> R::Output {
        reducer.start(2);
        draws.iter().for_each(|d| reducer.add(d));
        reducer.finish(&Shape::from([2]))
    }

    #[test]
    fn mean_and_sd_are_the_textbook_ones() {
        let draws = [[1.0, 1e9], [2.0, 1e9 + 2.0], [6.0, 1e9 + 4.0]];
        let (mean, sd) = reduce((Mean::new(), Sd::new()), &draws);
        assert_eq!(mean.as_slice().unwrap(), [3.0, 1e9 + 2.0]);
        // Squared deviations 4 + 1 + 9 over 2; 4 + 0 + 4 over 2, where a naive formula has no digit left.
        assert!((sd[0] - 7f64.sqrt()).abs() < 1e-14 && (sd[1] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn quantiles_of_a_uniform_law_are_its_probabilities() {
        // The golden-ratio sequence fills [0, 1) evenly: sample quantiles of 2000 points are within 1/2000 of p, and
        // the marker's error stays below 0.005.
        let draws: Vec<[f64; 2]> =
            (0..2000).map(|i| (f64::from(i) * 0.618_033_988_75).fract()).map(|u| [u, -u]).collect();
        for p in [0.05, 0.5, 0.9] {
            let q = reduce(Quantile::new(p), &draws);
            assert!((q[0] - p).abs() < 0.005, "{p}: {}", q[0]);
            let q = reduce(Quantile::new(1.0 - p), &draws);
            assert!((q[1] + p).abs() < 0.005, "{p}: {}", q[1]);
        }
    }

    #[test]
    fn few_draws_are_interpolated() {
        let q = reduce(Quantile::new(0.5), &[[1.0, 3.0], [2.0, 1.0]]);
        assert_eq!(q.as_slice().unwrap(), [1.5, 2.0]);
    }
}
