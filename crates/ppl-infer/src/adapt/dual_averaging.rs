//! Dual averaging: drives the step size to where the acceptance statistic has its target mean.

const GAMMA: f64 = 0.05;
const T0: f64 = 10.0;
const KAPPA: f64 = 0.75;

/// Nesterov's dual averaging of the logarithm of the step size.
///
/// With eta = 1/(t + 10) and target delta, after the t-th statistic a:
/// `h = (1 - eta) h + eta (delta - a)`, `x = mu - h sqrt(t) / 0.05`, `xbar = (1 - t^-0.75) xbar + t^-0.75 x`,
/// where mu = ln(10 e0) for the initial step size e0; e^x is the next step size, e^xbar the final one.
///
/// # Source
/// Hoffman and Gelman (2014), JMLR 15, section 3.2, with the constants given there.
#[derive(Debug, Clone, PartialEq)]
pub struct DualAveraging {
    target: f64,
    mu: f64,
    count: f64,
    shortfall: f64,
    log_step: f64,
    log_averaged: f64,
    log_limit: f64,
}

impl DualAveraging {
    /// Starts from a step size, towards a target mean of the statistic.
    #[must_use]
    pub fn new(step_size: f64, target: f64) -> Self {
        Self {
            target,
            mu: (10.0 * step_size).ln(),
            count: 0.0,
            shortfall: 0.0,
            log_step: step_size.ln(),
            log_averaged: step_size.ln(),
            log_limit: f64::INFINITY,
        }
    }

    /// Steps never grow beyond `limit`.
    pub fn set_limit(&mut self, limit: f64) {
        self.log_limit = limit.ln();
        self.log_step = self.log_step.min(self.log_limit);
        self.log_averaged = self.log_averaged.min(self.log_limit);
    }

    /// Forgets everything but the target and starts again from a step size.
    pub fn restart(&mut self, step_size: f64) {
        *self = Self { log_limit: self.log_limit, ..Self::new(step_size, self.target) };
    }

    /// Learns one acceptance statistic. One that is not a number counts as 0.
    pub fn update(&mut self, acceptance: f64) {
        let acceptance = if acceptance.is_nan() { 0.0 } else { acceptance.clamp(0.0, 1.0) };
        self.count += 1.0;
        let eta = 1.0 / (self.count + T0);
        self.shortfall = (1.0 - eta) * self.shortfall + eta * (self.target - acceptance);
        self.log_step = (self.mu - self.shortfall * self.count.sqrt() / GAMMA).min(self.log_limit);
        let weight = self.count.powf(-KAPPA);
        self.log_averaged = (1.0 - weight) * self.log_averaged + weight * self.log_step;
    }

    /// The step size to try next.
    #[must_use]
    pub fn step_size(&self) -> f64 {
        self.log_step.exp()
    }

    /// The step size to keep after warm-up; the initial one before the first update.
    #[must_use]
    pub fn averaged_step_size(&self) -> f64 {
        self.log_averaged.exp()
    }
}
