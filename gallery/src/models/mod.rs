//! The models, one a file with its posteriors.

pub mod ar_k;
pub mod blr;
pub mod brownian_motion;
pub mod diamonds;
pub mod dogs;
pub mod earnings;
pub mod eight_schools;
pub mod garch11;
pub mod german_credit;
pub mod glm_poisson;
pub mod gp_pois_regr;
pub mod hmm_drive_0;
pub mod irt_2pl;
pub mod kidscore;
pub mod kilpisjarvi;
pub mod lorenz_bridge;
pub mod lotka_volterra;
pub mod low_dim_gauss_mix;
pub mod mesquite;
pub mod nes;
pub mod radon;
pub mod rats;
pub mod seeds;
pub mod stochastic_volatility;
pub mod wells;

use crate::entry::Entry;

/// Every posterior of the gallery.
pub(crate) const CATALOGUE: &[Entry] = &[
    ar_k::AR_K,
    blr::BLR,
    brownian_motion::BROWNIAN_MOTION,
    diamonds::DIAMONDS,
    dogs::DOGS,
    earnings::EARN_HEIGHT,
    earnings::LOGEARN_HEIGHT,
    earnings::LOGEARN_INTERACTION,
    eight_schools::CENTERED,
    eight_schools::NONCENTERED,
    eight_schools::LOG_SCALE,
    garch11::GARCH11,
    german_credit::GERMAN_CREDIT,
    glm_poisson::GLM_POISSON,
    gp_pois_regr::GP_POIS_REGR,
    hmm_drive_0::HMM_DRIVE_0,
    irt_2pl::IRT_2PL,
    kidscore::MOMHS,
    kidscore::MOMHSIQ,
    kidscore::INTERACTION,
    kidscore::MOM_WORK,
    kilpisjarvi::KILPISJARVI,
    lorenz_bridge::LORENZ_BRIDGE,
    lotka_volterra::LOTKA_VOLTERRA,
    low_dim_gauss_mix::LOW_DIM_GAUSS_MIX,
    mesquite::MESQUITE,
    mesquite::LOGMESQUITE,
    mesquite::LOGMESQUITE_LOGVOLUME,
    nes::NES_1972,
    nes::NES_1984,
    nes::NES_2000,
    radon::PARTIALLY_POOLED,
    radon::VARIABLE_INTERCEPT,
    radon::CONTEXTUAL_EFFECTS,
    rats::RATS,
    seeds::SEEDS,
    stochastic_volatility::STOCHASTIC_VOLATILITY,
    wells::WELLS,
];
