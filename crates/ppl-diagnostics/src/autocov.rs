//! Autocovariance averaged over chains, lag by lag, for as many lags as somebody asks for.

use crate::chains::{Chains, mean};

/// Lags computed one by one before turning to the Fourier transform. A well-mixing chain stops Geyer's sum earlier,
/// and then a lag costs one pass over the draws; at 500 draws a chain the transform costs about fifty such passes.
const DIRECT_LAGS: usize = 48;

/// `acov(t) = mean over chains of (1/n) sum_i (x_i - mean)(x_{i+t} - mean)`, with each chain's own mean.
pub(crate) struct MeanAutocovariance {
    centred: Chains,
    known: Vec<f64>,
}

impl MeanAutocovariance {
    /// Centres the chains; no lag is computed yet.
    pub(crate) fn new(chains: &Chains) -> Self {
        let mut centred = Vec::with_capacity(chains.values().len());
        for chain in chains.iter() {
            let mean = mean(chain);
            centred.extend(chain.iter().map(|v| v - mean));
        }
        Self { centred: Chains::from_values(centred, chains.length()), known: Vec::new() }
    }

    /// The autocovariance at `lag`, which is below the chains' length.
    pub(crate) fn at(&mut self, lag: usize) -> f64 {
        while self.known.len() <= lag {
            if self.known.len() >= DIRECT_LAGS {
                self.known = by_fourier(&self.centred);
            } else {
                self.known.push(directly(&self.centred, self.known.len()));
            }
        }
        self.known[lag]
    }
}

/// One lag by its definition.
fn directly(centred: &Chains, lag: usize) -> f64 {
    let n = centred.length();
    let sum: f64 = centred.iter().map(|x| dot(&x[..n - lag], &x[lag..])).sum();
    sum / centred.values().len() as f64
}

/// Inner product in eight running sums, which the compiler keeps in vector registers.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (x, y) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in x.zip(y) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// All lags at once, by the Wiener-Khinchin theorem.
///
/// Two chains travel as real and imaginary part of one signal `z = x + iy`: the real part of the autocorrelation of
/// `z` is the sum of those of `x` and `y`. Power spectra add up over chains, so one inverse transform serves all.
fn by_fourier(centred: &Chains) -> Vec<f64> {
    let n = centred.length();
    let size = (2 * n).next_power_of_two();
    let roots = roots_of_unity(size);
    let mut power = vec![(0.0, 0.0); size];
    let mut signal = vec![(0.0, 0.0); size];
    for pair in centred.values().chunks(2 * n) {
        let (x, y) = pair.split_at(n);
        signal.fill((0.0, 0.0));
        for (z, &re) in signal.iter_mut().zip(x) {
            z.0 = re;
        }
        for (z, &im) in signal.iter_mut().zip(y) {
            z.1 = im;
        }
        to_spectrum(&mut signal, &roots);
        for (p, z) in power.iter_mut().zip(&signal) {
            p.0 += z.0 * z.0 + z.1 * z.1;
        }
    }
    from_spectrum(&mut power, &roots);
    let scale = 1.0 / (size as f64 * centred.values().len() as f64);
    power[..n].iter().map(|p| p.0 * scale).collect()
}

type Complex = (f64, f64);

/// `exp(-2 pi i k / size)` for `k < size / 2`.
fn roots_of_unity(size: usize) -> Vec<Complex> {
    let step = -std::f64::consts::TAU / size as f64;
    (0..size / 2).map(|k| (step * k as f64).sin_cos()).map(|(sin, cos)| (cos, sin)).collect()
}

fn times(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// Radix-2 transform, decimation in frequency: natural order in, bit-reversed order out.
fn to_spectrum(z: &mut [Complex], roots: &[Complex]) {
    let mut half = z.len() / 2;
    while half > 0 {
        let stride = roots.len() / half;
        for block in z.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), &root) in low.iter_mut().zip(high).zip(roots.iter().step_by(stride)) {
                let (u, v) = (*a, *b);
                *a = (u.0 + v.0, u.1 + v.1);
                *b = times((u.0 - v.0, u.1 - v.1), root);
            }
        }
        half /= 2;
    }
}

/// Radix-2 transform, decimation in time: bit-reversed order in, natural order out. A real spectrum has the same real
/// part under the forward and the inverse transform, so the same roots serve; the caller divides by the size.
fn from_spectrum(z: &mut [Complex], roots: &[Complex]) {
    let mut half = 1;
    while half < z.len() {
        let stride = roots.len() / half;
        for block in z.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), &root) in low.iter_mut().zip(high).zip(roots.iter().step_by(stride)) {
                let (u, v) = (*a, times(*b, root));
                *a = (u.0 + v.0, u.1 + v.1);
                *b = (u.0 - v.0, u.1 - v.1);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn the_definition_by_hand() {
        // Centred: -1.5 -0.5 0.5 1.5. Lag 0: 5/4; lag 1: (0.75 - 0.25 + 0.75)/4; lag 2: (-0.75 - 0.75)/4; lag 3: -2.25/4.
        let chains = Chains::new(array![[1., 2., 3., 4.]].view()).unwrap();
        let mut acov = MeanAutocovariance::new(&chains);
        for (lag, want) in [1.25, 0.3125, -0.375, -0.5625].into_iter().enumerate() {
            assert!((acov.at(lag) - want).abs() < 1e-15, "lag {lag}");
        }
    }

    #[test]
    fn the_transform_agrees_with_the_definition() {
        // Odd and even numbers of chains, lengths at and off a power of two. Both routes round at 2^-53 a term.
        for (count, length) in [(1, 4), (2, 7), (3, 64), (5, 100)] {
            let x = Array2::from_shape_fn((count, length), |(c, t)| ((c * 31 + t * t) as f64).sin() + c as f64);
            let chains = Chains::new(x.view()).unwrap();
            let centred = MeanAutocovariance::new(&chains).centred;
            for (lag, got) in by_fourier(&centred).into_iter().enumerate() {
                let want = directly(&centred, lag);
                assert!((got - want).abs() < 1e-14, "{count} x {length}, lag {lag}: {got} {want}");
            }
        }
    }

    #[test]
    fn a_long_chain_passes_from_one_route_to_the_other() {
        let x = Array2::from_shape_fn((2, 3 * DIRECT_LAGS), |(c, t)| ((c + 2 * t * t) as f64).cos());
        let mut acov = MeanAutocovariance::new(&Chains::new(x.view()).unwrap());
        for lag in 0..2 * DIRECT_LAGS {
            let want = directly(&acov.centred, lag);
            assert!((acov.at(lag) - want).abs() < 1e-14, "lag {lag}");
        }
    }
}
