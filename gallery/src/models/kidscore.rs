//! Test scores of children by what is known of their mothers: linear regressions.

use crate::data::{Data, indicator};
use crate::error::GalleryError;
use ppl::prelude::*;

use crate::data::predictors;
use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `score ~ Normal(x beta, sigma)`, beta flat, sigma half-Cauchy.
    ///
    /// posteriordb models `kidscore_momhs`, `kidscore_momhsiq`, `kidscore_interaction`, which differ in x.
    pub fn kidscore(x: Array2<f64>, score: Array1<f64>) {
        let beta = sample!("beta", Flat.expand([x.ncols()]));
        let sigma = sample!("sigma", HalfCauchy::new(2.5));
        observe!("score", Normal::new(Var::from(&x).matmul(beta), sigma), score);
    }

    /// `score ~ Normal(x beta, sigma)`, both flat.
    ///
    /// posteriordb model `kidscore_mom_work`.
    pub fn kidscore_mom_work(x: Array2<f64>, score: Array1<f64>) {
        let beta = sample!("beta", Flat.expand([x.ncols()]));
        let sigma = sample!("sigma", HalfFlat);
        observe!("score", Normal::new(Var::from(&x).matmul(beta), sigma), score);
    }
}

/// The mother's high school diploma and her IQ.
fn mother(data: &Data) -> Result<(Array1<f64>, Array1<f64>), GalleryError> {
    Ok((data.vector("mom_hs")?, data.vector("mom_iq")?))
}

pub(super) const MOMHS: Entry =
    posteriordb!("kidiq-kidscore_momhs", "linear regression", data = "kidiq", stan = ["beta", "sigma"], |data| Ok(
        Box::new(kidscore(predictors(&[&mother(data)?.0])?, data.vector("kid_score")?))
    ));

pub(super) const MOMHSIQ: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!("kidiq-kidscore_momhsiq", "linear regression", data = "kidiq", |data| {
        let (school, iq) = mother(data)?;
        Ok(Box::new(kidscore(predictors(&[&school, &iq])?, data.vector("kid_score")?)))
    })
};

pub(super) const INTERACTION: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!("kidiq-kidscore_interaction", "linear regression", data = "kidiq", |data| {
        let (school, iq) = mother(data)?;
        Ok(Box::new(kidscore(predictors(&[&school, &iq, &(&school * &iq)])?, data.vector("kid_score")?)))
    })
};

pub(super) const MOM_WORK: Entry =
    posteriordb!("kidiq_with_mom_work-kidscore_mom_work", "linear regression", data = "kidiq_with_mom_work", |data| {
        let work = data.vector("mom_work")?;
        let x = predictors(&[&indicator(&work, 2.0), &indicator(&work, 3.0), &indicator(&work, 4.0)])?;
        Ok(Box::new(kidscore_mom_work(x, data.vector("kid_score")?)))
    });
