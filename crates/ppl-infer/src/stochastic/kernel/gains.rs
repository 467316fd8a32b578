//! The gain of Fisher scoring as it stands: kept from step to step as long as nothing that it is made of changes.

use super::gain::Preconditioner;
use crate::density::DensityError;
use crate::stochastic::fisher::Block;
use crate::stochastic::prior_precision::PriorCurvature;
use crate::stochastic::symmetric::{Factor, Symmetric};

/// What the matrices of one iteration have in common, and which estimates they are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MadeOf {
    /// c N.
    pub information: f64,
    /// 4/e.
    pub injected: f64,
    /// Whether I_t rests on so few rows that it may miss directions.
    pub early: bool,
    /// c where B = c I_t.
    pub fisher_as_b: Option<f64>,
    /// 1 where P counts, else 0.
    pub with_prior: f64,
    /// Batches in I_t.
    pub batches: u64,
    /// Looks that P rests on.
    pub looks: u64,
}

/// A and what moves need of it. It is a function of the rest of a state and of the kernel, so it is neither saved nor
/// copied nor compared: a copy of the state makes it anew.
#[derive(Debug, Default)]
pub(super) struct Gains {
    made_of: Option<MadeOf>,
    /// For each block its A and B, and room for their factors.
    blocks: Vec<[(Symmetric, Factor); 2]>,
    /// 2/A where it is diagonal.
    diagonal: Vec<f64>,
}

impl Clone for Gains {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Gains {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Gains {
    /// Makes the factors of A, and of B where it is a matrix, if they are not what they would be.
    pub fn renew_blocks(
        &mut self,
        made_of: MadeOf,
        preconditioner: &Preconditioner,
        blocks: &[Block],
        prior: &PriorCurvature,
    ) -> Result<(), DensityError> {
        if self.made_of == Some(made_of) {
            return Ok(());
        }
        self.made_of = None;
        if self.blocks.len() != blocks.len() {
            let pair = |d| (Symmetric::zeros(d), Factor::new(d));
            let dims = blocks.iter().map(|b| b.information.dim());
            self.blocks = dims.map(|d| [pair(d), pair(d)]).collect();
            if let (Preconditioner::Dense(matrix), Some([_, (b, factor)])) = (preconditioner, self.blocks.first_mut()) {
                *b = Symmetric::from_fn(matrix.nrows(), |i, j| matrix[[i, j]]);
                factor.factor(b).then_some(()).ok_or(DensityError::NotFinite)?;
            }
        }
        let MadeOf { information: scale, injected, early, fisher_as_b, with_prior, .. } = made_of;
        for (block, [(a, a_factor), (b, b_factor)]) in blocks.iter().zip(&mut self.blocks) {
            let information = &block.information;
            // What is added to the diagonal but for B. The information's diagonal a second time early on: where it is
            // singular steps would otherwise be unstable.
            let again = |i| if early { scale * information.get(i, i) } else { 0.0 };
            let fixed = prior.iter().skip(block.first).enumerate().map(|(i, p)| with_prior * p + again(i));
            let whole = match (preconditioner, fisher_as_b) {
                (Preconditioner::Dense(_), _) | (_, Some(_)) => {
                    if let Some(c) = fisher_as_b {
                        b.set_scaled(c, information);
                        b_factor.factor(b).then_some(()).ok_or(DensityError::NotFinite)?;
                    }
                    a.set_scaled(scale, information);
                    a.add(injected, b);
                    a_factor.factor_sum(1.0, a, fixed)
                }
                (Preconditioner::Diagonal(values), _) => {
                    let values = values.iter().skip(block.first);
                    a_factor.factor_sum(scale, information, values.zip(fixed).map(|(b, f)| injected * b + f))
                }
                (preconditioner, _) => {
                    let b = preconditioner.scale();
                    a_factor.factor_sum(scale, information, fixed.map(|fixed| injected * b + fixed))
                }
            };
            whole.then_some(()).ok_or(DensityError::NotFinite)?;
        }
        self.made_of = Some(made_of);
        Ok(())
    }

    /// From the right sides, less their noise, to the moves A^-1 (right + e): `z` is the noise's, standard normal.
    pub fn move_blocks(&mut self, preconditioner: &Preconditioner, blocks: &[Block], z: &[f64], right: &mut [f64]) {
        let Some(made_of) = self.made_of else { return };
        let root = made_of.injected.sqrt();
        for (block, [(_, a_factor), (_, b_factor)]) in blocks.iter().zip(&mut self.blocks) {
            let range = block.first..block.first + block.information.dim();
            let (z, right) = (&z[range.clone()], &mut right[range.clone()]);
            match (preconditioner, made_of.fisher_as_b) {
                (Preconditioner::Dense(_), _) | (_, Some(_)) => b_factor.add_lower(root, z, right),
                (Preconditioner::Diagonal(values), _) => {
                    for ((right, z), b) in right.iter_mut().zip(z).zip(&values[range]) {
                        *right += root * b.sqrt() * z;
                    }
                }
                (preconditioner, _) => {
                    let size = root * preconditioner.scale().sqrt();
                    right.iter_mut().zip(z).for_each(|(right, z)| *right += size * z);
                }
            }
            a_factor.solve(right);
        }
    }

    /// 2/A by coordinate, and whether it must be made anew, which is the caller's to do.
    pub fn diagonal(&mut self, made_of: MadeOf, dim: usize) -> (&mut [f64], bool) {
        let stale = self.made_of != Some(made_of) || self.diagonal.len() != dim;
        self.diagonal.resize(dim, 0.0);
        self.made_of = Some(made_of);
        (&mut self.diagonal, stale)
    }
}
