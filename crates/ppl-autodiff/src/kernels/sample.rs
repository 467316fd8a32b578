//! Random numbers for the random nodes of a program: a pure function of the key, the node and the element.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use rand_distr::Distribution;

use crate::kernels::dispatch::multiversion;
use crate::kernels::elementary::lane::{Lane, horner};
use crate::kernels::elementary::log::LogTable;
use crate::kernels::elementary::trig::TrigTable;
use crate::ops::Law;
use crate::random::{Blocks, Key, LANES, PAIRS, Philox, Widths};
use crate::real::Real;

/// Beyond 2^53 not every count is a number.
const MAX_TRIALS: f64 = (1u64 << 53) as f64;

/// 52 random bits and a half as a number strictly between 0 and 1: the bits behind a leading 1, less 1 - 2^-53.
#[inline(always)]
fn open_unit(word: u64) -> f64 {
    f64::from_bits(word >> 12 | 1.0f64.to_bits()) - (1.0 - 0.5 * f64::EPSILON)
}

/// As [`open_unit`] and still below 1 when rounded to `T`: in single precision the numbers next to 1 would become 1.
#[inline(always)]
fn unit<T: Real>(word: u64) -> f64 {
    open_unit(word).min((T::ONE - T::EPSILON * T::HALF).to_f64())
}

/// Fills `out` with draws. `parameter(i, e)` is parameter `i` of element `e`; NaN comes out where a law has no such
/// parameters.
pub(crate) fn fill<T: Real>(law: Law, key: &Key, node: u32, out: &mut [T], parameter: impl Fn(usize, usize) -> f64) {
    match law {
        Law::Uniform => pairs::<T, UniformPair>(&key.blocks(node), 0, out),
        Law::Exponential => pairs::<T, ExponentialPair>(&key.blocks(node), 0, out),
        Law::Normal => pairs::<T, NormalPair>(&key.blocks(node), 0, out),
        Law::LogGamma => each(out, |e| log_gamma(parameter(0, e), key, node, e)),
        Law::VonMises => each(out, |e| von_mises(parameter(0, e), &mut key.element(node, e as u32))),
        Law::Poisson => each(out, |e| {
            let rate = parameter(0, e);
            if rate == 0.0 {
                return 0.0;
            }
            let law = rand_distr::Poisson::new(rate);
            law.map_or(f64::NAN, |law| law.sample(&mut key.element(node, e as u32)))
        }),
        Law::Binomial => each(out, |e| {
            let (n, p) = (parameter(0, e), parameter(1, e));
            if !((0.0..=MAX_TRIALS).contains(&n) && n.fract() == 0.0) {
                return f64::NAN;
            }
            let law = rand_distr::Binomial::new(n as u64, p);
            law.map_or(f64::NAN, |law| law.sample(&mut key.element(node, e as u32)) as f64)
        }),
    }
}

/// Fills `out` with standard normal numbers, two of each block from `first` on.
pub(crate) fn standard_normal(blocks: &Blocks, first: u32, out: &mut [f64]) {
    pairs::<f64, NormalPair>(blocks, first, out);
}

/// The logarithm of a number in (0, 1) that is no subnormal.
#[inline(always)]
fn ln_unit(u: f64) -> f64 {
    let (m, k, _) = u.split();
    f64::ln_near_one(m - 1.0, k, 0.0)
}

/// A law of which two draws are made of two random numbers.
trait Pair {
    fn make<T: Real>(words: [u64; 2]) -> [f64; 2];
}

struct UniformPair;
struct ExponentialPair;
struct NormalPair;

impl Pair for UniformPair {
    #[inline(always)]
    fn make<T: Real>([a, b]: [u64; 2]) -> [f64; 2] {
        [unit::<T>(a), unit::<T>(b)]
    }
}

impl Pair for ExponentialPair {
    #[inline(always)]
    fn make<T: Real>([a, b]: [u64; 2]) -> [f64; 2] {
        [-ln_unit(open_unit(a)), -ln_unit(open_unit(b))]
    }
}

/// Box and Muller (1958): both numbers of a pair are used. The angle is cut into quarter turns before it is one in
/// radians, which is exact.
impl Pair for NormalPair {
    #[inline(always)]
    fn make<T: Real>([a, b]: [u64; 2]) -> [f64; 2] {
        let radius = (-2.0 * ln_unit(open_unit(a))).sqrt();
        let turn = open_unit(b);
        let t = turn.mul_add(4.0, f64::ROUND);
        let r = turn.mul_add(4.0, f64::ROUND - t) * FRAC_PI_2;
        let z = r * r;
        let sin = (r * z).mul_add(horner(z, f64::S), r);
        let cos = (z * z).mul_add(horner(z, f64::C), (-0.5f64).mul_add(z, 1.0));
        let odd = f64::is_odd(t);
        let (cos, sin) = (f64::select(odd, sin, cos), f64::select(odd, cos, sin));
        [radius * cos.flip_if_bit_1(t + 1.0), radius * sin.flip_if_bit_1(t)]
    }
}

multiversion! {
    /// Numbers 2 p and 2 p + 1 are those of block `first + p`.
    fn pairs<T: Real, P: Pair>(blocks: &Blocks, first: u32, out: &mut [T]) {
        if let [one] | [one, _] = out {
            // A single number does not pay for a vector.
            let pair = P::make::<T>(blocks.one(first));
            *one = T::from_f64(pair[0]);
            if let [_, other] = out {
                *other = T::from_f64(pair[1]);
            }
            return;
        }
        let mut block = first;
        for out in out.chunks_mut(2 * LANES) {
            let words = blocks.lanes(block);
            block = block.wrapping_add(LANES as u32);
            let mut pairs = [[0.0; 2]; LANES];
            for (l, pair) in pairs.iter_mut().enumerate() {
                *pair = P::make::<T>([words[0][l], words[1][l]]);
            }
            let pairs = pairs.as_flattened();
            match <&mut [T; 2 * LANES]>::try_from(&mut *out) {
                Ok(out) => (0..2 * LANES).for_each(|i| out[i] = T::from_f64(pairs[i])),
                Err(_) => out.iter_mut().zip(pairs).for_each(|(slot, x)| *slot = T::from_f64(*x)),
            }
        }
    }
}

/// The output of SplitMix64 at a state (Stafford's thirteenth mixer).
#[inline(always)]
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

multiversion! {
    /// Numbers from pairs of words of SplitMix64, eight pairs at a time: their first numbers, then their second. The words
    /// of a pair are those of neighbouring lanes of eight, too.
    pub(crate) fn noise<W: Widths>(state: u64, increment: u64, widths: usize, to: &mut W) {
        let mut lanes = [0; PAIRS];
        lanes.iter_mut().zip(0..).for_each(|(lane, l)| *lane = increment.wrapping_mul(l));
        let step = increment.wrapping_mul(PAIRS as u64);
        let mut state = state;
        for _ in 0..widths {
            let mut numbers = [0.0; 2 * PAIRS];
            let (first, second) = numbers.split_at_mut(PAIRS);
            noise_pairs(state, &lanes, step, first, second);
            to.take(&numbers);
            state = state.wrapping_add(step.wrapping_mul(2));
        }
    }
}

/// The pairs of one width.
#[inline(always)]
fn noise_pairs(state: u64, lanes: &[u64; PAIRS], width: u64, first: &mut [f64], second: &mut [f64]) {
    for l in 0..PAIRS {
        let word = state.wrapping_add(lanes[l]);
        [first[l], second[l]] = noise_pair([mix(word), mix(word.wrapping_add(width))]);
    }
}

/// As [`NormalPair`], with the quarter turn from the bits that no angle needs, so that nothing is cut off.
#[inline(always)]
fn noise_pair([a, b]: [u64; 2]) -> [f64; 2] {
    let radius = (-2.0 * ln_unit(open_unit(a))).sqrt();
    let r = (f64::from_bits(b >> 12 | 1.0f64.to_bits()) - 1.5) * FRAC_PI_2;
    let z = r * r;
    let sin = (r * z).mul_add(horner(z, f64::S), r);
    let cos = (z * z).mul_add(horner(z, f64::C), (-0.5f64).mul_add(z, 1.0));
    let (along, across) = (f64::from_bits((radius * cos).to_bits() ^ (b & 2) << 62), radius * sin);
    let other = b & 1 != 0;
    [f64::select(other, across, along), f64::select(other, along, across)]
}

fn each<T: Real>(out: &mut [T], draw: impl Fn(usize) -> f64) {
    for (e, slot) in out.iter_mut().enumerate() {
        *slot = T::from_f64(draw(e));
    }
}

/// `ln Gamma(a, 1)`: for a < 1 through `Gamma(a + 1) U^(1/a)` in logarithms, so that nothing underflows.
fn log_gamma(a: f64, key: &Key, node: u32, element: usize) -> f64 {
    if !(a > 0.0 && a < f64::INFINITY) {
        return f64::NAN;
    }
    let mut stream = key.element(node, element as u32);
    let (shape, boost) = if a < 1.0 { (a + 1.0, stream.uniform_open().ln() / a) } else { (a, 0.0) };
    rand_distr::Gamma::new(shape, 1.0).map_or(f64::NAN, |law| law.sample(&mut stream).ln() + boost)
}

/// Rejection from a wrapped Cauchy law: Best and Fisher (1979), Applied Statistics 28(2). The normal law where its
/// difference is below 1e-6.
fn von_mises(concentration: f64, stream: &mut Philox) -> f64 {
    let k = concentration;
    if !(k >= 0.0 && k.is_finite()) {
        return f64::NAN;
    }
    let mut uniform = || stream.uniform_open();
    if k > 1e6 {
        let (radius, angle) = ((-2.0 * uniform().k_ln() / k).sqrt(), TAU * uniform());
        return radius * angle.k_cos();
    }
    // r = (1 + rho^2) / (2 rho) loses its digits where k is small; there it is 1/k + k.
    let r = if k < 1e-5 {
        1.0 / k + k
    } else {
        let tau = 1.0 + (1.0 + 4.0 * k * k).sqrt();
        let rho = (tau - (2.0 * tau).sqrt()) / (2.0 * k);
        (1.0 + rho * rho) / (2.0 * rho)
    };
    loop {
        let z = (PI * uniform()).k_cos();
        // Infinite r, which is k = 0: f = z.
        let f = if r.is_finite() { (1.0 + r * z) / (r + z) } else { z };
        let c = if r.is_finite() { k * (r - f) } else { 1.0 };
        let (accept, side) = (uniform(), uniform());
        if c * (2.0 - c) > accept || (c / accept).k_ln() + 1.0 >= c {
            return f.clamp(-1.0, 1.0).acos().copysign(side - 0.5);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_exclude_both_ends_in_both_number_types() {
        for word in [0, 1, u64::MAX - 1, u64::MAX] {
            let (single, double) = (unit::<f32>(word) as f32, unit::<f64>(word));
            assert!(0.0 < single && single < 1.0, "{word}: {single}");
            assert!(0.0 < double && double < 1.0, "{word}: {double}");
        }
        // Away from 1 both number types have the same draw.
        assert_eq!(unit::<f32>(1 << 63), unit::<f64>(1 << 63));
    }
}
