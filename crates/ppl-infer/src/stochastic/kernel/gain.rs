//! What the gain of Fisher scoring is made of: the factor of the information, and the matrix of the injected noise.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::in_range;
use crate::runner::SettingsError;
use crate::stochastic::fisher::Fisher;
use crate::stochastic::symmetric::{Factor, Symmetric};

fn positive(x: f64) -> bool {
    x > 0.0 && x < f64::INFINITY
}

/// The factor c of the Fisher information in the gain.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Gain {
    /// (N + n)/n, or N/n where the rows of a batch are distinct: right for every step size.
    #[default]
    Exact,
    /// (N + n)/N, as in PyMC3: about N/n times too small, so that the draws are overdispersed by far.
    Pymc3,
    /// Another.
    Factor(f64),
}

impl Gain {
    /// c for batches of n of N rows.
    #[must_use]
    pub fn factor(self, batch_size: usize, total_size: usize, distinct: bool) -> f64 {
        let (n, total) = (batch_size as f64, total_size as f64);
        match self {
            Self::Exact if distinct => total / n,
            Self::Exact => (total + n) / n,
            Self::Pymc3 => (total + n) / total,
            Self::Factor(factor) => factor,
        }
    }

    pub(super) fn check(self) -> Result<(), SettingsError> {
        match self {
            Self::Factor(c) => in_range("gain", c, positive(c), "positive and finite"),
            Self::Exact | Self::Pymc3 => Ok(()),
        }
    }
}

/// The matrix B of the injected noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Preconditioner {
    /// A multiple of the identity.
    Scaled(f64),
    /// A diagonal matrix.
    Diagonal(Vec<f64>),
    /// A symmetric positive definite matrix; only with [`Fisher::Full`].
    Dense(#[serde(with = "crate::stochastic::saved::matrix")] Array2<f64>),
    /// The identity for the first 50 floor(N/n) iterations, then c I_t, as in PyMC3. On networks, whose information is
    /// near singular, the second explodes where c is right.
    Fisher,
}

impl Preconditioner {
    /// b where B is b times the identity, as it is at first where it follows the information.
    pub(super) fn scale(&self) -> f64 {
        if let Self::Scaled(b) = self { *b } else { 1.0 }
    }

    /// Whether it fits so many coordinates and this form of the information.
    pub(super) fn check(&self, dim: usize, fisher: Fisher) -> Result<(), SettingsError> {
        let setting = "preconditioner";
        let length = |got: usize| {
            if got == dim { Ok(()) } else { Err(SettingsError::Count { setting, got, least: dim, most: dim }) }
        };
        match self {
            Self::Fisher => Ok(()),
            Self::Scaled(b) => in_range(setting, *b, positive(*b), "positive and finite"),
            Self::Diagonal(values) => {
                length(values.len())?;
                let bad = values.iter().find(|b| !positive(**b));
                bad.map_or(Ok(()), |b| in_range(setting, *b, false, "positive and finite numbers"))
            }
            Self::Dense(matrix) => {
                length(matrix.nrows())?;
                length(matrix.ncols())?;
                let wanted = "a matrix only with the full Fisher information";
                in_range(setting, dim as f64, fisher == Fisher::Full, wanted)?;
                let symmetric =
                    matrix.iter().zip(matrix.t()).all(|(a, b)| (a - b).abs() <= 1e-12 * (a.abs() + b.abs()));
                let fits = symmetric && Factor::new(dim).factor(&Symmetric::from_fn(dim, |i, j| matrix[[i, j]]));
                in_range(setting, dim as f64, fits, "a symmetric positive definite matrix")
            }
        }
    }
}
