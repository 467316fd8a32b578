//! Forms that keep their digits: what log-densities are made of where the textbook formula cancels.
//!
//! They are compositions of operations, so that their derivatives keep their digits too. Where a form has branches the
//! argument of the branch that does not count is made harmless first: its derivative must not be NaN.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};

use ppl_autodiff::Var;

/// `ln sqrt(2 pi)`.
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// Euler's constant.
pub(crate) const EULER: f64 = 0.577_215_664_901_532_9;

/// From here on Stirling's series has all the digits of a double.
pub(crate) const LARGE: f64 = 10.0;

/// `r (c0 + c1 r^2 + c2 r^4 + ..)`.
fn odd_series(r: Var, coefficients: &[f64]) -> Var {
    r * even_series(r.square(), coefficients)
}

/// `c0 + c1 s + c2 s^2 + ..`.
fn even_series(s: Var, coefficients: &[f64]) -> Var {
    coefficients.iter().rev().fold(Var::from(0.0), |sum, &c| sum * s + c)
}

/// `1/3, 1/5, 1/7, ..`: `atanh(v) = v + v^3/3 + v^5/5 + ..`.
const ATANH: [f64; 8] = {
    let mut c = [0.0; 8];
    let mut j = 0;
    while j < 8 {
        c[j] = 1.0 / (2 * j + 3) as f64;
        j += 1;
    }
    c
};

/// The coefficients of Stirling's series in odd powers of 1/x. DLMF 5.11.1.
const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// `D(x) = ln Gamma(x) - (x - 1/2) ln x + x - ln sqrt(2 pi)` for `x >= LARGE`.
pub(crate) fn stirling_correction(x: Var) -> Var {
    odd_series(x.recip(), &STIRLING)
}

/// `D(x) - D(x + d)` for `x >= LARGE`, `d > 0`, by the divided difference of the series: d may be tiny.
pub(crate) fn stirling_fall(x: Var, d: Var) -> Var {
    let (r, s) = (x.recip(), (x + d).recip());
    let (rr, ss) = (r.square(), s.square());
    let zero = Var::from(0.0);
    // The polynomial at r^2 and its divided difference to s^2.
    let (value, difference) = STIRLING.iter().rev().fold((zero, zero), |(e, d), &c| (e * rr + c, d * ss + e));
    d * r * s * (value + s * (r + s) * difference)
}

/// `ln Gamma(x + 1/2) - ln Gamma(x) - ln(x) / 2` for x > 0: the series in odd powers of 1/x with the coefficients
/// `-(1 - 4^-k) B_2k / (k (2k - 1))` where x is large, which follows from DLMF 5.11.8.
pub(crate) fn half_step(x: Var) -> Var {
    const C: [f64; 8] = [
        -1.0 / 8.0,
        1.0 / 192.0,
        -1.0 / 640.0,
        17.0 / 14_336.0,
        -31.0 / 18_432.0,
        691.0 / 180_224.0,
        -5461.0 / 425_984.0,
        929_569.0 / 15_728_640.0,
    ];
    let large = x.ge(LARGE);
    let series = odd_series(large.select(x, LARGE).recip(), &C);
    let x = large.select(1.0, x);
    large.select(series, (x + 0.5).lgamma() - x.lgamma() - 0.5 * x.ln())
}

/// `x ln(x / m) + m - x` for positive x and m.
pub(crate) fn deviance(x: Var, m: Var) -> Var {
    x.deviance(m)
}

/// `(1 + v) / 2 * ln(1 + z^2 / v)` for v > 0, whose derivative by v keeps its digits when v is large.
pub(crate) fn student_tail(v: Var, z: Var) -> Var {
    let near = (z.square() / v).lt(0.1);
    let (zn, vn) = (near.select(z, 0.0), near.select(v, 1.0));
    let series = student_series(vn, 1.0, zn.square());
    near.select(series, 0.5 * (v + 1.0) * (z / v.sqrt()).ln_1p_square())
}

/// As [`student_tail`] for vectors: `(d + v) / 2 * ln(1 + s / v)` with s a sum of d squares.
pub(crate) fn student_tail_vector(v: Var, d: f64, s: Var) -> Var {
    let near = (s / v).lt(0.1);
    let series = student_series(near.select(v, 1.0), d, near.select(s, 0.0));
    near.select(series, 0.5 * (v + d) * (s / v).ln_1p())
}

/// `(d + v) / 2 * ln(1 + s / v)` for s small beside v: with `q = s / v` it is `s (1 + d/v) / 2` times `ln(1 + q) / q`, a
/// smooth function of q.
fn student_series(v: Var, d: f64, s: Var) -> Var {
    let q = s / v;
    let w = (q / (q + 2.0)).square();
    let ratio = 2.0 * (1.0 + w * even_series(w, &ATANH[..6])) / (q + 2.0);
    0.5 * s * (1.0 + d * v.recip()) * ratio
}

/// `ln Gamma(q) - ln Gamma(q + p)` for positive arguments, which keeps its digits where p is small beside q. From q on,
/// or from q + 10 on where q is small, by Stirling's series; the steps between are factors `1 + p / (q + i)`.
pub(crate) fn ln_gamma_fall(q: Var, p: Var) -> Var {
    let large = q.ge(LARGE);
    let start = large.select(1.0, q);
    // The product of the factors, less 1.
    let excess = (0..LARGE as usize).fold(Var::from(0.0), |product, i| {
        let step = p / (start + i as f64);
        product + step * (product + 1.0)
    });
    let steps = large.select(0.0, excess).ln_1p();
    let q = large.select(q, q + LARGE);
    steps + stirling_fall(q, p) + p - p * (p + q).ln() - (q - 0.5) * (p / q).ln_1p()
}

/// `ln B(a, b)`, the logarithm of the beta function. Didonato and Morris (1992), ACM TOMS 18(3), algorithm 708.
pub(crate) fn ln_beta(a: Var, b: Var) -> Var {
    let (p, q) = (a.min(b), a.max(b));
    let both = p.ge(LARGE);
    let large = {
        let (p, q) = (both.select(p, LARGE), both.select(q, LARGE));
        let corrections = stirling_correction(p) + stirling_correction(q) - stirling_correction(p + q);
        (LN_SQRT_2PI - 0.5 * q.ln()) + corrections + (p - 0.5) * (p / (p + q)).ln() - q * (p / q).ln_1p()
    };
    let small = {
        let p = both.select(1.0, p);
        p.lgamma() + ln_gamma_fall(q, p)
    };
    both.select(large, small)
}

/// `ln (n choose k)` for integers `0 <= k <= n`; exactly 0 at both ends.
pub(crate) fn ln_choose(n: Var, k: Var) -> Var {
    let ends = k.eq(0.0).max(k.eq(n));
    let k = ends.select(0.0, k);
    ends.select(0.0, -(n + 1.0).ln() - ln_beta(k + 1.0, n - k + 1.0))
}

/// `m - c ln(1 + m / c)` for c > 0 and `m >= 0`, about `m^2 / (2 c)` where m is small beside c.
pub(crate) fn ln_1p_deficit(m: Var, c: Var) -> Var {
    let v = m / (2.0 * c + m);
    let near = v.lt(0.1);
    let s = near.select(v, 0.0).square();
    let series = m * v - 2.0 * c * v * s * even_series(s, &ATANH);
    near.select(series, m - c * (m / c).ln_1p())
}

/// `ln prod_{i=0..k-1} (1 + i / a)` for integers `k >= 0` and a > 0: the rising factorial over `a^k`, which tends to 1 as
/// a grows. By its factors for small k, else by [`ln_gamma_fall`]'s series.
pub(crate) fn ln_rise(k: Var, a: Var) -> Var {
    let few = k.lt(LARGE);
    let factors = {
        let (k, a) = (few.select(k, 0.0), few.select(a, 1.0));
        let excess = (1..LARGE as usize).fold(Var::from(0.0), |product, i| {
            let i = i as f64;
            let step = k.gt(i).select(i / a, 0.0);
            product + step * (product + 1.0)
        });
        excess.ln_1p()
    };
    if is_always(few) {
        return factors;
    }
    let series = {
        let (k, a) = (few.select(LARGE, k), few.select(1.0, a));
        let large = a.ge(LARGE);
        let start = large.select(1.0, a);
        let excess = (0..LARGE as usize).fold(Var::from(0.0), |product, i| {
            let step = k / (start + i as f64);
            product + step * (product + 1.0)
        });
        // From a + 10 on where a is small: what the steps between change.
        let shift = large.select(0.0, k * (LARGE / start).ln_1p() - excess.ln_1p());
        let a = large.select(a, a + LARGE);
        let corrections = stirling_correction(a + k) - stirling_correction(a);
        shift + corrections + (k - 0.5) * (k / a).ln_1p() - ln_1p_deficit(k, a)
    };
    few.select(factors, series)
}

/// `ln (Gamma(a + k) / (Gamma(a) k!))` for integers `k >= 0` and a > 0, the mass of a negative binomial law without its
/// powers.
pub(crate) fn ln_choose_rising(k: Var, a: Var) -> Var {
    let few = k.lt(LARGE);
    let small = few.select(k, 0.0);
    let factors = ln_rise(small, a) + small * a.ln() - (small + 1.0).lgamma();
    if is_always(few) {
        return factors;
    }
    let k = few.select(LARGE, k);
    few.select(factors, -(k + a).ln() - ln_beta(a, k + 1.0))
}

/// Whether a condition on data holds throughout, so that the other branch need not be computed.
pub(crate) fn is_always(condition: Var) -> bool {
    condition.as_constant().is_some_and(|c| c.data().iter().all(|&c| c != 0.0))
}

/// `ln(sinh(h) / h)` for `|h| < 1`, an even function: by the series of `sinh(h) / h - 1`.
pub(crate) fn ln_sinh_ratio(h: Var) -> Var {
    let s = h.square();
    let factors = [2.0 * 3.0, 4.0 * 5.0, 6.0 * 7.0, 8.0 * 9.0, 10.0 * 11.0, 12.0 * 13.0, 14.0 * 15.0, 16.0 * 17.0];
    factors.iter().rev().fold(Var::from(0.0), |rest, &f| (s / f) * (1.0 + rest)).ln_1p()
}

/// The continued fraction `c` of `sqrt(pi) e^(u^2) erfc(u) = 1 / (u + c)`, over u, for `u >= 4`: DLMF 7.9.3.
pub(crate) fn erfcx_remainder(u: Var) -> Var {
    const LEVELS: u32 = 16;
    (1..=LEVELS).rev().fold(Var::from(0.0), |c, k| 0.5 * f64::from(k) / (u + c)) / u
}

/// `ln(e^-k I0(k))` for k >= 0: by Hankel's series where k is large (DLMF 10.40.1), since there the derivative
/// `I1/I0 - 1` would cancel.
pub(crate) fn ln_i0e(k: Var) -> Var {
    const FROM: f64 = 25.0;
    // ((2j - 1)!!)^2 / (j! 8^j)
    const C: [f64; 21] = {
        let mut c = [1.0; 21];
        let mut j = 1;
        while j < 21 {
            let odd = (2 * j - 1) as f64;
            c[j] = c[j - 1] * odd * odd / (8 * j) as f64;
            j += 1;
        }
        c
    };
    let large = k.ge(FROM);
    let far = large.select(k, FROM);
    let r = far.recip();
    let series = (r * even_series(r, &C[1..])).ln_1p() - 0.5 * far.ln() - LN_SQRT_2PI;
    large.select(series, large.select(0.0, k).i0e().ln())
}

/// The x with `ln Phi(x) = log`, for negative logarithms. Where `e^log` is near underflow by Newton's method from the
/// leading terms of the tail.
pub(crate) fn log_ndtri(log: Var) -> Var {
    const DEEP: f64 = -300.0;
    let deep = log.lt(DEEP);
    let plain = deep.select(DEEP, log).exp().ndtri();
    let log = deep.select(log, DEEP);
    let mut x = -(-2.0 * log - (-2.0 * log).ln() - 2.0 * LN_SQRT_2PI).sqrt();
    for _ in 0..3 {
        // Phi / phi at x.
        let inverse_slope = FRAC_PI_2.sqrt() * (x * -FRAC_1_SQRT_2).erfcx();
        x -= (x.log_ndtr() - log) * inverse_slope;
    }
    deep.select(x, plain)
}

/// Nodes and weights of Gauss and Legendre's rule with 8 points, the positive half. Abramowitz and Stegun (1964), 25.4.
const LEGENDRE: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// A standard normal law between a and b, cut to what keeps its digits: where the interval is narrow (`b - a <= 1` and
/// the logarithm of the density changes by at most 2), or not.
pub(crate) struct NormalInterval {
    a: Var,
    b: Var,
    /// 1 where the interval is narrow.
    pub(crate) narrow: Var,
}

impl NormalInterval {
    pub(crate) fn new(a: Var, b: Var) -> Self {
        let width = b - a;
        let narrow = width.le(1.0) * (width * (a + b)).abs().le(4.0);
        Self { a, b, narrow }
    }

    /// Where narrow: the mean of the density over the interval as a multiple of that in the middle, the logarithm; 0
    /// elsewhere.
    pub(crate) fn log_shape(&self) -> Var {
        let half_width = 0.5 * self.narrow.select(self.b - self.a, 0.0);
        let middle = 0.5 * self.narrow.select(self.a + self.b, 0.0);
        let terms = LEGENDRE.iter().map(|&(t, weight)| {
            let (curved, tilted) = (-0.5 * (half_width * t).square(), middle * half_width * t);
            0.5 * weight * ((curved + tilted).exp_m1() + (curved - tilted).exp_m1())
        });
        terms.sum::<Var>().ln_1p()
    }

    /// The middle where the interval is narrow, else 0.
    pub(crate) fn middle(&self) -> Var {
        0.5 * self.narrow.select(self.a + self.b, 0.0)
    }

    /// Where not narrow: `ln(Phi(b) - Phi(a))`, from the side whose tail is the smaller; 0 elsewhere.
    pub(crate) fn log_mass_wide(&self) -> Var {
        let (a, b) = (self.narrow.select(-1.0, self.a), self.narrow.select(1.0, self.b));
        let mirror = (a + b).gt(0.0);
        let (low, high) = (mirror.select(-b, a), mirror.select(-a, b));
        let (low, high) = (low.log_ndtr(), high.log_ndtr());
        self.narrow.select(0.0, high + (high - low).log1mexp())
    }

    /// `ln(Phi(b) - Phi(a))`.
    pub(crate) fn log_mass(&self) -> Var {
        let width = self.narrow.select(self.b - self.a, 1.0);
        let narrow = width.ln() - 0.5 * self.middle().square() - LN_SQRT_2PI + self.log_shape();
        self.narrow.select(narrow, self.log_mass_wide())
    }
}

/// `atanh(v) / v - 1` for `0 < v < 1`: by its series where v is small.
pub(crate) fn atanh_ratio_m1(v: Var) -> Var {
    const SERIES: [f64; 16] = {
        let mut c = [0.0; 16];
        let mut j = 0;
        while j < 16 {
            c[j] = 1.0 / (2 * j + 3) as f64;
            j += 1;
        }
        c
    };
    let small = v.lt(0.3);
    let s = small.select(v, 0.0).square();
    let v = small.select(0.5, v);
    small.select(s * even_series(s, &SERIES), 0.5 * ((1.0 + v) / (1.0 - v)).ln() / v - 1.0)
}

/// The entropy of `Gamma(a, 1)`, `a + ln Gamma(a) + (1 - a) digamma(a)`: for large a by Stirling's series, where nothing of
/// the size of a is left.
pub(crate) fn gamma_entropy(a: Var) -> Var {
    // digamma(a) - ln a + 1/(2a), the derivative of the correction, in even powers of 1/a.
    const C: [f64; 8] = {
        let mut c = [0.0; 8];
        let mut j = 0;
        while j < 8 {
            c[j] = -((2 * j + 1) as f64) * STIRLING[j];
            j += 1;
        }
        c
    };
    let large = a.ge(LARGE);
    let far = {
        let a = large.select(a, LARGE);
        let r = a.recip();
        let s = r.square();
        let less_ln = s * even_series(s, &C) - 0.5 * r;
        0.5 * a.ln() + LN_SQRT_2PI + stirling_correction(a) + (1.0 - a) * less_ln
    };
    let a = large.select(1.0, a);
    large.select(far, a + a.lgamma() + (1.0 - a) * a.digamma())
}
