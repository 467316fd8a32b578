//! The regularised incomplete gamma and beta functions: the distribution functions of gamma and beta laws.
//!
//! Each is a kernel, the density times its argument by the saddle point where that is needed, times a ratio of moderate
//! size ([`ppl_autodiff::incomplete`]). The smaller of the two tails is computed, the other is its complement.

use ppl_autodiff::Var;
use ppl_autodiff::incomplete::{beta_lower_ratio, gamma_lower_ratio, gamma_upper_ratio};

use super::{LARGE, LN_SQRT_2PI, Share, deviance, ln_beta, ln_gamma_fall, stirling_correction};

/// `P(a, x)`, the regularised lower incomplete gamma function, for positive a; 0 for `x <= 0`.
pub fn gamma_inc(a: impl Into<Var>, x: impl Into<Var>) -> Var {
    gamma_tails(a.into(), x.into()).plain().0
}

/// `Q(a, x) = 1 - P(a, x)`, the regularised upper incomplete gamma function.
pub fn gamma_inc_c(a: impl Into<Var>, x: impl Into<Var>) -> Var {
    gamma_tails(a.into(), x.into()).plain().1
}

/// `ln P(a, x)`, also where P underflows; -inf for `x <= 0`.
pub fn ln_gamma_inc(a: impl Into<Var>, x: impl Into<Var>) -> Var {
    gamma_tails(a.into(), x.into()).logarithms().0
}

/// `ln Q(a, x)`, also where Q underflows.
pub fn ln_gamma_inc_c(a: impl Into<Var>, x: impl Into<Var>) -> Var {
    gamma_tails(a.into(), x.into()).logarithms().1
}

/// `I_x(a, b)`, the regularised incomplete beta function, for positive a and b; 0 for `x <= 0`, 1 for `x >= 1`.
pub fn beta_inc(a: impl Into<Var>, b: impl Into<Var>, x: impl Into<Var>) -> Var {
    let x = x.into();
    beta_tails(a.into(), b.into(), x, 1.0 - x).plain().0
}

/// `1 - I_x(a, b)`.
pub fn beta_inc_c(a: impl Into<Var>, b: impl Into<Var>, x: impl Into<Var>) -> Var {
    let x = x.into();
    beta_tails(a.into(), b.into(), x, 1.0 - x).plain().1
}

/// `ln I_x(a, b)`, also where it underflows.
pub fn ln_beta_inc(a: impl Into<Var>, b: impl Into<Var>, x: impl Into<Var>) -> Var {
    let x = x.into();
    beta_tails(a.into(), b.into(), x, 1.0 - x).logarithms().0
}

/// `ln(1 - I_x(a, b))`, also where it underflows.
pub fn ln_beta_inc_c(a: impl Into<Var>, b: impl Into<Var>, x: impl Into<Var>) -> Var {
    let x = x.into();
    beta_tails(a.into(), b.into(), x, 1.0 - x).logarithms().1
}

/// Two probabilities with sum 1, of which the one that is computed first is known with all digits. Beyond the ends of
/// the support they are exactly 0 and 1.
pub(crate) struct Tails {
    /// 1 where the lower tail was computed.
    lower: Var,
    /// The logarithm of the tail that was computed.
    ln: Var,
    /// Where both are small enough for it, the complement with its own digits.
    complement: Option<(Var, Var)>,
    below: Var,
    above: Var,
}

impl Tails {
    /// The lower and the upper tail.
    pub(crate) fn plain(&self) -> (Var, Var) {
        let tail = self.ln.exp();
        let rest = match self.complement {
            Some((known, value)) => known.select(value, 1.0 - tail),
            None => 1.0 - tail,
        };
        self.ends(self.lower.select(tail, rest), self.lower.select(rest, tail), 0.0, 1.0)
    }

    /// The logarithms of the lower and the upper tail.
    pub(crate) fn logarithms(&self) -> (Var, Var) {
        let certain = self.ln.ge(0.0);
        let plain = certain.select(f64::NEG_INFINITY, (-certain.select(-1.0, self.ln)).log1mexp());
        let rest = match self.complement {
            Some((known, value)) => known.select(known.select(value, 1.0).ln(), plain),
            None => plain,
        };
        self.ends(self.lower.select(self.ln, rest), self.lower.select(rest, self.ln), f64::NEG_INFINITY, 0.0)
    }

    fn ends(&self, p: Var, q: Var, none: f64, all: f64) -> (Var, Var) {
        let p = self.below.select(none, self.above.select(all, p));
        let q = self.below.select(all, self.above.select(none, q));
        (p, q)
    }
}

/// `a ln x - x - ln Gamma(a)`: the log-density of `ln x` for x from `Gamma(a, 1)`. For large a by the saddle point, where
/// nothing of the size of a ln a is left to cancel.
pub(crate) fn gamma_kernel(a: Var, ln_x: Var, x: Var) -> Var {
    let large = a.ge(LARGE);
    let saddle = {
        let (a, x) = (large.select(a, LARGE), large.select(x, LARGE));
        0.5 * a.ln() - LN_SQRT_2PI - stirling_correction(a) - deviance(a, x)
    };
    let plain = {
        let a = large.select(1.0, a);
        a * ln_x - x - a.lgamma()
    };
    large.select(saddle, plain)
}

/// `a ln x + b ln(1 - x) - ln B(a, b)`: the log-density of the log-odds of x from `Beta(a, b)`. Where both concentrations
/// are large, by the saddle point of a binomial law with a of a + b successes.
pub(crate) fn beta_kernel(a: Var, b: Var, share: Share) -> Var {
    let large = a.ge(LARGE) * b.ge(LARGE);
    let saddle = {
        let (a, b) = (large.select(a, LARGE), large.select(b, LARGE));
        let n = a + b;
        let corrections = stirling_correction(n) - stirling_correction(a) - stirling_correction(b);
        let middle = 0.5 * (a / n * b).ln() - LN_SQRT_2PI;
        corrections + middle - deviance(a, n * share.x) - deviance(b, n * share.rest)
    };
    let plain = {
        let (a, b) = (large.select(1.0, a), large.select(1.0, b));
        a * share.ln + b * share.ln_rest - ln_beta(a, b)
    };
    large.select(saddle, plain)
}

/// `Q(a, x)` for `a < 1` and `x <= 1`, with its own digits where a is tiny:
/// `1 - x^a / Gamma(1 + a) (1 + a sum_{n >= 1} (-x)^n / (n! (a + n)))`. DLMF 8.7.3.
fn gamma_upper_small(a: Var, x: Var) -> Var {
    const TERMS: u32 = 18;
    // ln Gamma(1 + a) = ln Gamma(2 + a) - ln(1 + a), exact as a goes to 0.
    let ln_power = a * x.ln() + ln_gamma_fall(Var::from(2.0), a) + a.ln_1p();
    // sum_{n >= 1} (-x)^n / (n! (a + n)), by Horner's rule in -x with the factorials inside.
    let series = (1..=TERMS).rev().fold(Var::from(0.0), |rest, n| {
        let n = f64::from(n);
        (-x / n) * ((a + n).recip() + rest)
    });
    -ln_power.exp_m1() - ln_power.exp() * a * series
}

/// Both tails of `Gamma(a, 1)` at x.
pub(crate) fn gamma_tails(a: Var, x: Var) -> Tails {
    let (below, above) = (x.le(0.0), x.ge(f64::INFINITY));
    let x = (below + above).select(1.0, x);
    let lower = x.le(a.max(1.0));
    let ratio = {
        let up = lower.select(a.detach().max(1.0) + 1.0, x);
        let a_low = lower.select(a, 1.0);
        lower.select(gamma_lower_ratio(a_low, lower.select(x, 0.0)), gamma_upper_ratio(lower.select(1.0, a), up))
    };
    let ln = gamma_kernel(a, x.ln(), x) + ratio.ln();
    let small = lower * a.lt(1.0);
    let complement = gamma_upper_small(small.select(a, 0.5), small.select(x, 0.5));
    Tails { lower, ln, complement: Some((small, complement)), below, above }
}

/// Both tails of `Beta(a, b)` at x, with `rest = 1 - x`.
pub(crate) fn beta_tails(a: Var, b: Var, x: Var, rest: Var) -> Tails {
    let (below, above) = (x.le(0.0), rest.le(0.0));
    let outside = below + above;
    let (x, rest) = (outside.select(0.5, x), outside.select(0.5, rest));
    let lower = x.le((a + 1.0) / (a + b + 2.0));
    let (first, second, at) = (lower.select(a, b), lower.select(b, a), lower.select(x, rest));
    let ln = beta_kernel(a, b, Share::of(x, rest)) + beta_lower_ratio(first, second, at).ln();
    Tails { lower, ln, complement: None, below, above }
}
