//! The judgement of a fit by itself: did the optimisation arrive, and is the approximation good.
//!
//! Two questions. *Converged* asks whether the parameters are at an optimum of the ELBO, *k-hat* whether the best member
//! of the family is near the posterior. Many a mean-field fit converges to an approximation with a k-hat above 0.7.

use std::fmt;

use ppl_autodiff::random::{Philox, Purpose};
use ppl_diagnostics::{Psis, psis};

use super::error::VariationalError;
use super::family::Family;
use super::problem::Problem;
use super::run::stream;
use super::tracker::mean_of_last;
use crate::density::DensityError;
use crate::error::InferError;

/// A number with its Monte Carlo standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} +- {:.2}", self.mean, self.error)
    }
}

/// What speaks for and against a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether all three criteria below are met.
    pub converged: bool,
    /// How much the ELBO still rose between the two halves of the watched end of the run, in nats.
    pub rise: Option<Estimate>,
    /// The largest distance of a location between these halves, in standard deviations of the approximation.
    pub drift: Option<f64>,
    /// What one natural-gradient step of full length from the result promises, in nats; 0 at an optimum.
    pub gain: Option<Estimate>,
    /// The ELBO from fresh draws of the result, over all data.
    pub elbo: Option<Estimate>,
    /// Shape of the Pareto tail of `p / q` over the same draws; above 0.7 the draws need a correction (Yao, Vehtari,
    /// Simpson and Gelman 2018).
    pub k_hat: Option<f64>,
}

/// The ELBO may still rise by this many nats, or by three standard errors, between the halves of the watched end.
const MOST_RISE: f64 = 1.0;
/// A location may differ by this many standard deviations between them.
const MOST_DRIFT: f64 = 1.0;
/// A natural-gradient step may promise this many nats.
const MOST_GAIN: f64 = 1.0;

impl Verdict {
    pub(crate) fn new(rise: Option<Estimate>, drift: Option<f64>, gain: Option<Estimate>) -> Self {
        let still = |e: &Estimate, most: f64| e.mean - 3.0 * e.error <= most && e.mean.is_finite();
        let known = rise.is_some() || gain.is_some();
        let converged = known
            && rise.is_none_or(|r| still(&r, MOST_RISE))
            && drift.is_none_or(|d| d <= MOST_DRIFT)
            && gain.is_none_or(|g| still(&g, MOST_GAIN));
        Self { converged, rise, drift, gain, elbo: None, k_hat: None }
    }

    /// What speaks against convergence, in words.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.rise.is_none() && self.gain.is_none() {
            reasons.push("too few steps to judge".to_owned());
        }
        if let Some(rise) = self.rise
            && rise.mean - 3.0 * rise.error > MOST_RISE
        {
            reasons.push(format!("the ELBO still rises ({rise} nats between the halves of the last fifth of the run)"));
        }
        if let Some(drift) = self.drift
            && drift > MOST_DRIFT
        {
            reasons.push(format!("a location still moves ({drift:.2} standard deviations between these halves)"));
        }
        if let Some(gain) = self.gain
            && (gain.mean - 3.0 * gain.error > MOST_GAIN || !gain.mean.is_finite())
        {
            reasons.push(format!("the gradient is not zero (a step along it promises {gain} nats)"));
        }
        reasons
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.converged {
            write!(f, "converged")?;
        } else {
            write!(f, "not converged: {}", self.reasons().join("; "))?;
        }
        if let Some(elbo) = self.elbo {
            write!(f, "\nELBO {elbo}")?;
        }
        match self.k_hat {
            Some(k) if k <= 0.5 => write!(f, "\nk-hat {k:.2}: close to the posterior"),
            Some(k) if k <= 0.7 => write!(f, "\nk-hat {k:.2}: usable, better with importance weights"),
            Some(k) => write!(
                f,
                "\nk-hat {k:.2}: far from the posterior; expectations may be biased, spreads are often too small"
            ),
            None => write!(f, "\nk-hat unknown: the density over all data is not to be had"),
        }
    }
}

/// The rise of the ELBO's mean between the halves of the last `watched` steps, with a standard error from means of
/// batches of steps, which are correlated.
pub(crate) fn rise(elbo: &[f64], watched: usize) -> Option<Estimate> {
    const GROUPS: usize = 10;
    let last = &elbo[elbo.len().saturating_sub(watched)..];
    let half = last.len() / 2;
    if half < 2 * GROUPS {
        return None;
    }
    let of = |part: &[f64]| -> (f64, f64) {
        let means: Vec<f64> = part.chunks_exact(part.len() / GROUPS).map(|c| mean_of_last(c, c.len())).collect();
        let mean = mean_of_last(part, part.len());
        let squares: f64 = means.iter().map(|m| (m - mean).powi(2)).sum();
        let n = means.len() as f64;
        (mean, squares / (n * (n - 1.0)))
    };
    let ((first, v), (second, w)) = (of(&last[..half]), of(&last[half..]));
    Some(Estimate { mean: second - first, error: (v + w).sqrt() })
}

/// Sums over fresh draws of the result.
#[derive(Debug)]
pub(crate) struct Check {
    ratios: Vec<f64>,
    centre: Vec<f64>,
    /// For each coordinate: the distance from the centre, the slope, and distance times slope plus 1.
    moments: Vec<[Moments; 3]>,
}

/// A mean and a sum of squared deviations, gathered one by one (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.count += 1.0;
        let off = x - self.mean;
        self.mean += off / self.count;
        self.squares += off * (x - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0)
    }
}

impl Check {
    /// Around the centre of the approximation.
    pub fn new(centre: Vec<f64>) -> Self {
        Self { ratios: Vec::new(), moments: vec![[Moments::default(); 3]; centre.len()], centre }
    }

    /// Adds a draw with log p - log q and the gradient of log p.
    pub fn add(&mut self, ratio: f64, x: &[f64], slope: &[f64]) {
        // A draw outside the support has weight zero.
        self.ratios.push(if ratio.is_finite() { ratio } else { f64::NEG_INFINITY });
        if !(ratio.is_finite() && slope.iter().all(|g| g.is_finite())) {
            return;
        }
        for (((x, g), c), [off, slope, product]) in x.iter().zip(slope).zip(&self.centre).zip(&mut self.moments) {
            off.add(x - c);
            slope.add(*g);
            product.add((x - c) * g + 1.0);
        }
    }

    /// Whether more draws would tell more: the noise of the gradient is as large as what may be left of it, or k-hat is so
    /// near the limit that its own error, 0.2 or so from a thousand draws, could take it across.
    pub fn is_vague(&self) -> bool {
        self.gain().error > 0.3 * MOST_GAIN || (0.3..1.0).contains(&self.k_hat())
    }

    /// The ELBO: the mean of log p - log q.
    pub fn elbo(&self) -> Estimate {
        estimate(&self.ratios)
    }

    /// The shape of the Pareto tail of the ratios; 0 where they are equal up to rounding and have no tail.
    pub fn k_hat(&self) -> f64 {
        k_hat(&self.ratios, &psis(&self.ratios, 1.0))
    }

    /// What one natural-gradient step of full length promises.
    ///
    /// With the mean gradient g and s = E\[(x - c) dlog p\] + 1, both 0 where locations and scales are optimal (Stein), the
    /// ELBO rises by about `sum sd^2 g^2 / 2 + s^2 / 4`; what the noise of the two means adds is taken off.
    pub fn gain(&self) -> Estimate {
        let (mut gain, mut variance) = (0.0, 0.0);
        for [off, slope, product] in &self.moments {
            for (weight, m) in [(0.5 * off.variance(), slope), (0.25, product)] {
                let (square, noise) = (m.mean * m.mean, m.variance() / m.count);
                gain += weight * (square - noise);
                // The variance of the square of a normal number.
                variance += weight * weight * (4.0 * square * noise + 2.0 * noise * noise);
            }
        }
        Estimate { mean: if gain.is_nan() { f64::INFINITY } else { gain.max(0.0) }, error: variance.sqrt() }
    }
}

/// The draws by which a fit is judged are taken up to this many times where they do not tell enough.
const MOST_ROUNDS: usize = 16;

/// Fresh draws of an approximation under the density over all data; none for a stream.
///
/// # Errors
/// What the density gives, but for points where it is not finite.
pub(crate) fn judge(
    problem: &Problem<'_>,
    family: &mut dyn Family,
    params: &[f64],
    seed: u64,
    draws: usize,
) -> Result<Option<Check>, InferError> {
    if !problem.has_whole() {
        return Ok(None);
    }
    let mut density = problem.density(seed)?;
    let dim = family.dim();
    let (mut noise, mut x, mut slope) = (vec![0.0; family.noise()], vec![0.0; dim], vec![0.0; dim]);
    let mut centre = vec![0.0; dim];
    family.centre(params, &mut centre);
    let mut check = Check::new(centre);
    for draw in 0..draws * MOST_ROUNDS {
        if draw > 0 && draw.is_multiple_of(draws) && !check.is_vague() {
            break;
        }
        Philox::new(seed, Purpose::Variational, stream::CHECK, draw as u32).fill_standard_normal(&mut noise);
        family.draw(params, &noise, &mut x);
        let log_q = family.log_density(params, &noise, &x);
        let ratio = match density.evaluate_whole(&x, &mut slope) {
            Ok(log_p) => log_p - log_q,
            Err(DensityError::NotFinite) => f64::NEG_INFINITY,
            Err(error) => return Err(VariationalError::Density { iteration: 0, error }.into()),
        };
        check.add(ratio, &x, &slope);
    }
    Ok(Some(check))
}

/// Log ratios that are equal up to this are equal.
const EQUAL: f64 = 1e-6;

/// The shape of the Pareto tail of importance ratios; 0 where they are equal up to rounding and have no tail.
pub(crate) fn k_hat(ratios: &[f64], smoothed: &Psis) -> f64 {
    let (low, high) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &r| (l.min(r), h.max(r)));
    if high - low < EQUAL { 0.0 } else { smoothed.pareto_k }
}

/// The mean and its standard error.
fn estimate(x: &[f64]) -> Estimate {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    Estimate { mean, error: (squares / (n * (n - 1.0))).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_told_from_noise() {
        // A line of slope 0.01 over the last 1000 of 2000 steps: halves differ by 5.
        let line: Vec<f64> = (0..2000).map(|i| 0.01 * f64::from(i)).collect();
        assert!((rise(&line, 1000).unwrap().mean - 5.0).abs() < 1e-9);
        assert_eq!(rise(&line[..30], 1000), None);
        let wave: Vec<f64> = (0..2000).map(|i| (f64::from(i) * 2.4).sin()).collect();
        let flat = rise(&wave, 1000).unwrap();
        assert!(flat.mean.abs() < 0.01 && flat.error < 0.01, "{flat}");
    }
}
