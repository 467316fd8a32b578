//! Chains of one scalar quantity, copied to lie one after the other: what every diagnostic computes on.

use ndarray::ArrayView2;

/// Fewer draws than this say nothing about convergence: half a chain would have no variance.
pub(crate) const MIN_DRAWS: usize = 4;

/// Finite draws, chain after chain, each of the same length.
#[derive(Clone, Debug)]
pub(crate) struct Chains {
    values: Vec<f64>,
    length: usize,
}

impl Chains {
    /// Copies a `(chain, draw)` view; `None` for input without a diagnosis (see the crate's documentation).
    pub(crate) fn new(x: ArrayView2<f64>) -> Option<Self> {
        let length = x.ncols();
        if x.nrows() == 0 || length < MIN_DRAWS {
            return None;
        }
        let values: Vec<f64> = x.iter().copied().collect();
        values.iter().all(|v| v.is_finite()).then_some(Self { values, length })
    }

    /// Chains of `length` draws each from values that lie one chain after the other.
    pub(crate) fn from_values(values: Vec<f64>, length: usize) -> Self {
        debug_assert!(length > 0 && values.len().is_multiple_of(length));
        Self { values, length }
    }

    /// All draws, chain after chain.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Draws in a chain.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Number of chains.
    pub(crate) fn count(&self) -> usize {
        self.values.len() / self.length
    }

    /// One slice a chain.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.length)
    }

    /// `f` of every draw, with each chain cut into its first and last half; an odd chain loses its middle draw.
    pub(crate) fn split_map(&self, f: impl Fn(f64) -> f64) -> Chains {
        let half = self.length / 2;
        let values = self
            .iter()
            .flat_map(|chain| chain[..half].iter().chain(&chain[self.length - half..]))
            .map(|&v| f(v))
            .collect();
        Chains { values, length: half }
    }

    /// Each chain cut into its first and last half.
    pub(crate) fn split(&self) -> Chains {
        self.split_map(|v| v)
    }
}

/// Mean, exact for a constant slice: deviations are summed from the first value.
pub(crate) fn mean(x: &[f64]) -> f64 {
    let Some(&origin) = x.first() else {
        return f64::NAN;
    };
    origin + x.iter().map(|v| v - origin).sum::<f64>() / x.len() as f64
}

/// Mean and variance with divisor `n - 1`; a constant slice has variance zero exactly.
pub(crate) fn mean_variance(x: &[f64]) -> (f64, f64) {
    let mean = mean(x);
    let squares: f64 = x.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, squares / (x.len() as f64 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn an_odd_chain_loses_its_middle_draw() {
        let x = array![[1., 2., 3., 4., 5.], [6., 7., 8., 9., 10.]];
        let split = Chains::new(x.view()).unwrap().split();
        assert_eq!(split.values(), [1., 2., 4., 5., 6., 7., 9., 10.]);
        assert_eq!((split.count(), split.length()), (4, 2));
    }

    #[test]
    fn the_moments_of_a_constant_are_exact() {
        // 0.1 summed 7 times and divided by 7 is not 0.1 in binary; from the first value it is.
        assert_eq!(mean_variance(&[0.1; 7]), (0.1, 0.0));
    }
}
