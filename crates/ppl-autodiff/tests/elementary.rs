//! The elementary functions against values computed with 60 digits, and against themselves on every instruction set.
//!
//! `reference/elementary.json` is written by `reference/elementary.py` (mpmath); `reference/special_functions.json` holds
//! points of special functions to 60 digits, with condition numbers.

use std::f64::consts::FRAC_PI_2;

use ppl_autodiff::kernels::dispatch::Isa;
use ppl_autodiff::kernels::elementary::{ELEMENTARY, Elementary, pow};
use ppl_autodiff::real::Real;
use serde_json::Value;

/// The method of [`Real`] that is the function of this name on one number.
fn scalar<T: Real>(name: &str) -> fn(T) -> T {
    match name {
        "exp" => T::k_exp,
        "expm1" => T::k_expm1,
        "ln" => T::k_ln,
        "ln_1p" => T::k_ln_1p,
        "tanh" => T::k_tanh,
        "sigmoid" => T::k_sigmoid,
        "softplus" => T::k_softplus,
        "sin" => T::k_sin,
        "cos" => T::k_cos,
        "atan" => T::k_atan,
        "erf" => T::k_erf,
        "erfc" => T::k_erfc,
        "lgamma" => T::k_lgamma,
        "digamma" => T::k_digamma,
        "trigamma" => T::k_trigamma,
        "erfcx" => T::k_erfcx,
        "log_ndtr" => T::k_log_ndtr,
        "ndtri" => T::k_ndtri,
        "i0e" => T::k_i0e,
        "i1e" => T::k_i1e,
        _ => panic!("{name} has no scalar form in this test"),
    }
}

/// What the tests need to know of a format beyond [`Real`].
trait Format: Real {
    const NAME: &'static str;
    fn from_hex(digits: &str) -> Self;
    fn bits(self) -> u64;
    /// The distance from `|self|` to the next larger number.
    fn ulp(self) -> f64;
    fn slices(entry: &Elementary) -> fn(&[Self], &mut [Self]);
    fn bound(entry: &Elementary) -> f64;
}

macro_rules! format {
    ($t:ident, $bits:ident, $slices:ident, $bound:ident) => {
        impl Format for $t {
            const NAME: &'static str = stringify!($t);
            fn from_hex(digits: &str) -> Self {
                $t::from_bits($bits::from_str_radix(digits, 16).unwrap())
            }
            fn bits(self) -> u64 {
                if self.is_nan() { u64::MAX } else { self.to_bits() as u64 }
            }
            fn ulp(self) -> f64 {
                let a = self.abs();
                if a == $t::MAX { (a - a.next_down()) as f64 } else { (a.next_up() - a) as f64 }
            }
            fn slices(entry: &Elementary) -> fn(&[Self], &mut [Self]) {
                entry.$slices
            }
            fn bound(entry: &Elementary) -> f64 {
                entry.$bound
            }
        }
    };
}

format!(f64, u64, f64, max_ulp);
format!(f32, u32, f32, max_ulp_f32);

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/elementary.json")).unwrap()
}

/// The points of a function: its arguments, the nearest value, and the rest in ulps.
fn points<T: Format>(reference: &Value, name: &str) -> Vec<(Vec<T>, T, f64)> {
    let rows = reference[T::NAME][name].as_array().unwrap();
    let parse = |row: &Value| {
        let fields: Vec<&str> = row.as_str().unwrap().split(' ').collect();
        let (rest, numbers) = fields.split_last().unwrap();
        let (value, arguments) = numbers.split_last().unwrap();
        let arguments = arguments.iter().map(|x| T::from_hex(x)).collect();
        (arguments, T::from_hex(value), rest.parse::<f64>().unwrap() / 1000.0)
    };
    rows.iter().map(parse).collect()
}

/// Distance of `got` from `value + rest * ulp`, in ulps of `value`.
fn error<T: Format>(got: T, value: T, rest: f64) -> f64 {
    if got == value {
        return if value.is_finite() { rest.abs() } else { 0.0 };
    }
    // The largest number is half an ulp from what rounds to infinity.
    let (got, value, ulp) = match (got.is_finite(), value.is_finite()) {
        (true, true) => (got.to_f64(), value.to_f64(), value.ulp()),
        (true, false) => return (T::MAX.to_f64() - got.abs().to_f64()) / T::MAX.ulp() + 1.0,
        (false, true) => return (T::MAX.to_f64() - value.abs().to_f64()) / T::MAX.ulp() + 1.0,
        _ => return f64::INFINITY,
    };
    ((got - value) / ulp - rest).abs()
}

fn check_bounds<T: Format>() {
    let reference = reference();
    assert_eq!(reference[T::NAME].as_object().unwrap().len(), ELEMENTARY.len() + 1, "functions in the fixture");
    for entry in ELEMENTARY {
        let points = points::<T>(&reference, entry.name);
        assert!(points.len() > 100, "{} has {} points", entry.name, points.len());
        let x: Vec<T> = points.iter().map(|p| p.0[0]).collect();
        let mut got = vec![T::NAN; x.len()];
        T::slices(entry)(&x, &mut got);
        let mut worst = (0.0, T::ZERO);
        for (&got, (x, value, rest)) in got.iter().zip(&points) {
            let e = error(got, *value, *rest);
            assert!(
                e <= T::bound(entry),
                "{} {}({:e}) = {got:?}, wanted {value:?}: {e} ulp",
                T::NAME,
                entry.name,
                x[0].to_f64()
            );
            if e > worst.0 {
                worst = (e, x[0]);
            }
        }
        println!("{} {:9} worst {:.3} ulp at {}", T::NAME, entry.name, worst.0, worst.1);
    }
    let points = points::<T>(&reference, "pow");
    let x: Vec<T> = points.iter().map(|p| p.0[0]).collect();
    let y: Vec<T> = points.iter().map(|p| p.0[1]).collect();
    let mut got = vec![T::NAN; x.len()];
    pow(&x, &y, &mut got);
    for (&got, (arguments, value, rest)) in got.iter().zip(&points) {
        let e = error(got, *value, *rest);
        assert!(e <= 2.0, "pow({:?}) = {got:?}, wanted {value:?}: {e} ulp", arguments);
    }
}

/// Stated bounds hold at every point of the fixture: random, subnormal, and the worst that sweeps found.
#[test]
fn errors_are_within_the_stated_bounds_in_f64() {
    check_bounds::<f64>();
}

#[test]
fn errors_are_within_the_stated_bounds_in_f32() {
    check_bounds::<f32>();
}

/// Numbers of all kinds: a sweep of the bits, of the logarithm, of the middle, and the special ones.
fn numbers<T: Real>() -> Vec<T> {
    let specials = [0.0, 1.0, 0.5, 2.0, 1e-310, 5e-324, 1e-40, 1e-45, f64::MAX, 3.4e38, f64::INFINITY, f64::NAN];
    let mut x: Vec<f64> = specials.into_iter().flat_map(|x| [x, -x]).collect();
    x.extend((0..6000).map(|i| -30.0 + 0.01 * f64::from(i) + 1e-4));
    x.extend((0..3000).flat_map(|i| [1.0, -1.0].map(|sign| sign * (-740.0 + 0.49 * f64::from(i)).exp())));
    x.extend((0..3000).map(|i| -800.0 + 0.53 * f64::from(i)));
    x.into_iter().map(T::from_f64).collect()
}

fn check_same_bits<T: Format>() {
    let x = numbers::<T>();
    let y: Vec<T> = x.iter().rev().copied().collect();
    for entry in ELEMENTARY {
        let one = scalar::<T>(entry.name);
        let want: Vec<u64> = x.iter().map(|&x| one(x).bits()).collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.force()) {
            let mut out = vec![T::ZERO; x.len()];
            T::slices(entry)(&x, &mut out);
            for ((&x, got), &want) in x.iter().zip(&out).zip(&want) {
                assert_eq!(got.bits(), want, "{} {}({x:?}) on {isa:?}", T::NAME, entry.name);
            }
        }
    }
    let want: Vec<u64> = x.iter().zip(&y).map(|(&x, &y)| x.k_powf(y).bits()).collect();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.force()) {
        let mut out = vec![T::ZERO; x.len()];
        pow(&x, &y, &mut out);
        assert!(out.iter().map(|o| o.bits()).eq(want.iter().copied()), "pow on {isa:?}");
    }
    Isa::detect().force();
}

/// No tolerance: the same bits from one number at a time, from slices, and from each instruction set of this machine.
/// (What other tests run meanwhile may be computed by another set, which is what this test says makes no difference.)
#[test]
fn every_instruction_set_gives_the_same_bits() {
    assert!(Isa::Portable.is_available());
    check_same_bits::<f64>();
    check_same_bits::<f32>();
}

/// Every length up to 40, so every remainder of a block, at every offset of a vector: as one number at a time, and
/// nothing written behind the end.
#[test]
fn slices_of_every_length_are_filled_exactly() {
    fn check<T: Format>() {
        // Among them far arguments of sine and negative ones of the gamma functions.
        let x: Vec<T> = (0..64)
            .map(|i| T::from_f64(if i % 7 == 3 { -1e12 - f64::from(i) * 0.3 } else { f64::from(i) * 0.37 }))
            .collect();
        let sentinel = T::from_f64(-77.0);
        for entry in ELEMENTARY {
            let one = scalar::<T>(entry.name);
            for n in 0..=40 {
                let start = n % 8;
                let mut out = [sentinel; 64];
                T::slices(entry)(&x[start..start + n], &mut out[start..start + n]);
                for (i, got) in out.iter().enumerate() {
                    let inside = (start..start + n).contains(&i);
                    let want = if inside { one(x[i]) } else { sentinel };
                    assert_eq!(got.bits(), want.bits(), "{} of {n} numbers, place {i}", entry.name);
                }
            }
        }
    }
    check::<f64>();
    check::<f32>();
}

/// Limits, poles, signs of zero. Sources: the functions' limits; ISO C annex F where it speaks of them.
fn check_specials<T: Format>() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let table: &[(&str, &[(f64, f64)])] = &[
        ("exp", &[(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (nan, nan), (1e30, inf), (-1e30, 0.0)]),
        ("expm1", &[(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0), (nan, nan), (1e30, inf), (-1e30, -1.0)]),
        ("ln", &[(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan), (nan, nan)]),
        ("ln_1p", &[(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (-2.0, nan), (-inf, nan), (inf, inf), (nan, nan)]),
        ("tanh", &[(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (nan, nan), (1e30, 1.0), (-25.0, -1.0)]),
        ("sigmoid", &[(0.0, 0.5), (-0.0, 0.5), (inf, 1.0), (-inf, 0.0), (nan, nan), (1e30, 1.0), (-1e30, 0.0)]),
        ("softplus", &[(inf, inf), (-inf, 0.0), (nan, nan), (1e30, 1e30), (-1e30, 0.0), (1000.0, 1000.0)]),
        ("sin", &[(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan), (nan, nan)]),
        ("cos", &[(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan), (nan, nan)]),
        ("atan", &[(0.0, 0.0), (-0.0, -0.0), (inf, FRAC_PI_2), (-inf, -FRAC_PI_2), (nan, nan), (1e30, FRAC_PI_2)]),
        ("erf", &[(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (nan, nan), (1e30, 1.0), (-7.0, -1.0)]),
        ("erfc", &[(0.0, 1.0), (-0.0, 1.0), (inf, 0.0), (-inf, 2.0), (nan, nan), (1e30, 0.0), (-1e30, 2.0)]),
        (
            "lgamma",
            &[
                (1.0, 0.0),
                (2.0, 0.0),
                (0.0, inf),
                (-0.0, inf),
                (-1.0, inf),
                (-1e30, inf),
                (inf, inf),
                (-inf, inf),
                (nan, nan),
            ],
        ),
        ("digamma", &[(0.0, -inf), (-0.0, inf), (-1.0, nan), (-1e30, nan), (inf, inf), (-inf, nan), (nan, nan)]),
        ("trigamma", &[(0.0, inf), (-0.0, inf), (-3.0, inf), (inf, 0.0), (-inf, inf), (nan, nan)]),
        ("erfcx", &[(0.0, 1.0), (-0.0, 1.0), (inf, 0.0), (-inf, inf), (nan, nan), (-1e30, inf)]),
        ("log_ndtr", &[(inf, -0.0), (-inf, -inf), (nan, nan), (1e30, -0.0)]),
        ("ndtri", &[(0.5, 0.0), (0.0, -inf), (1.0, inf), (-0.1, nan), (1.1, nan), (inf, nan), (nan, nan)]),
        ("i0e", &[(0.0, 1.0), (-0.0, 1.0), (inf, 0.0), (-inf, 0.0), (nan, nan)]),
        ("i1e", &[(0.0, 0.0), (-0.0, -0.0), (inf, 0.0), (-inf, -0.0), (nan, nan)]),
    ];
    assert_eq!(table.len(), ELEMENTARY.len());
    for (name, rows) in table {
        let entry = ELEMENTARY.iter().find(|e| e.name == *name).unwrap();
        for &(x, want) in *rows {
            let mut got = [T::ONE];
            T::slices(entry)(&[T::from_f64(x)], &mut got);
            assert_eq!(got[0].bits(), T::from_f64(want).bits(), "{} {name}({x}) = {}", T::NAME, got[0]);
        }
    }
}

#[test]
fn special_arguments_give_special_values() {
    check_specials::<f64>();
    check_specials::<f32>();
}

/// All pairs of special and ordinary numbers, against the standard library's `powf`, which follows IEEE 754.
#[test]
fn pow_has_the_special_values_of_the_standard() {
    let inf = f64::INFINITY;
    let numbers = [0.0, 0.5, 1.0, 2.0, 3.0, 1.5, 4.0, 1e300, 9_007_199_254_740_993.0, 5e-324, inf, f64::NAN];
    let signed: Vec<f64> = numbers.into_iter().flat_map(|x| [x, -x]).collect();
    for &x in &signed {
        for &y in &signed {
            let (got, want) = (x.k_powf(y), x.powf(y));
            assert!(error(got, want, 0.0) <= 1.0 || got.is_nan() && want.is_nan(), "{x}^{y} = {got}, wanted {want}");
            assert!(
                want.is_nan() || got.is_sign_negative() == want.is_sign_negative(),
                "{x}^{y} = {got}, wanted {want}"
            );
            let (x, y) = (x as f32, y as f32);
            let (got, want) = (x.k_powf(y), x.powf(y));
            assert!(error(got, want, 0.0) <= 1.0 || got.is_nan() && want.is_nan(), "{x}^{y} = {got}, wanted {want}");
        }
    }
}

/// Subnormal results are rounded, not flushed, and subnormal arguments are seen.
#[test]
fn subnormal_numbers_are_numbers() {
    let tiny = f64::from_bits(1);
    // e^-740 = 4.1993...e-322 (85 units), by mpmath.
    assert_eq!((-740.0f64).k_exp().to_bits(), 85);
    assert_eq!((-740.0f64).k_sigmoid().to_bits(), 85);
    assert_eq!((-740.0f64).k_softplus().to_bits(), 85);
    // ln 2^-1074 = -744.4400719213812.
    assert_eq!(tiny.k_ln(), -744.440_071_921_381_2);
    assert_eq!(f32::from_bits(1).k_ln(), -103.278_93);
    for f in [f64::k_expm1, f64::k_ln_1p, f64::k_tanh, f64::k_sin] {
        for x in [tiny, -tiny, 3.0 * tiny, 1e-310] {
            assert_eq!(f(x), x);
        }
    }
}

/// `special_functions.json`: |got - want| <= 8 eps cond, where cond = |y| + |x y'| allows for a rounding of x.
#[test]
fn special_function_points_are_met() {
    let file: Value = serde_json::from_str(include_str!("reference/special_functions.json")).unwrap();
    let number = |v: &Value| match v.as_str() {
        Some(text) => text.parse::<f64>().unwrap(),
        None => v.as_f64().unwrap(),
    };
    let mut met = 0;
    for case in file["cases"].as_array().unwrap() {
        let name = match case["f"].as_str().unwrap() {
            "log1p" => "ln_1p",
            name => name,
        };
        if !ELEMENTARY.iter().any(|e| e.name == name) {
            continue;
        }
        let (x, want, cond) = (number(&case["x"][0]), number(&case["y"]), number(&case["cond"]));
        let got = scalar::<f64>(name)(x);
        let close = got == want || (got - want).abs() <= 8.0 * f64::EPSILON * cond.min(f64::MAX) + f64::MIN_POSITIVE;
        assert!(close, "{name}({x}) = {got}, wanted {want}");
        met += 1;
    }
    assert_eq!(met, 149, "points that concern these functions");
}

/// An instruction set that the machine lacks is refused, and the one in use stays.
#[test]
fn forcing_keeps_to_what_the_machine_has() {
    for isa in Isa::ALL {
        assert_eq!(isa.force(), isa.is_available());
        assert!(Isa::current().is_available());
    }
    assert!(Isa::detect().force());
}
