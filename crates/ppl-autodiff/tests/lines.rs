//! Chains that become one loop give the bits of their steps, one after the other, for values and ends of all sizes, on every
//! instruction set.

use ppl_autodiff::kernels::dispatch::Isa;
use ppl_autodiff::{Program, Real, Var, trace};

/// More than a chain of its own steps needs, and not a multiple of a vector.
const N: usize = 75;
/// The parameters: m, s, five of the middle, the ends of an interval, what stands outside of it.
const NUMBERS: usize = 10;

/// A function of an array and numbers, as the compiler sees it and as it is meant.
struct Part<T> {
    name: &'static str,
    recorded: fn(Var, [Var; NUMBERS]) -> Var,
    meant: fn(T, [T; NUMBERS]) -> T,
}

fn starts<T: Real>() -> Vec<Part<T>> {
    vec![
        Part { name: "", recorded: |x, _| x, meant: |x, _| x },
        Part { name: "x - m", recorded: |x, [m, ..]| x - m, meant: |x, [m, ..]| x - m },
        Part { name: "x / s", recorded: |x, [_, s, ..]| x / s, meant: |x, [_, s, ..]| x / s },
        Part { name: "(x - m) / s", recorded: |x, [m, s, ..]| (x - m) / s, meant: |x, [m, s, ..]| (x - m) / s },
    ]
}

/// Those that are one step already come first.
const SHORT: usize = 3;

fn middles<T: Real>() -> Vec<Part<T>> {
    vec![
        Part {
            name: "affine",
            recorded: |v, [_, _, a, b, ..]| v * a + b,
            meant: |v, [_, _, a, b, ..]| v.mul_add(a, b),
        },
        Part {
            name: "affine",
            recorded: |v, [_, _, a, b, ..]| b - v * a,
            meant: |v, [_, _, a, b, ..]| (-v).mul_add(a, b),
        },
        Part {
            name: "of_square",
            recorded: |v, [_, _, a, b, ..]| v.square() * a - b,
            meant: |v, [_, _, a, b, ..]| (v * v).mul_add(a, -b),
        },
        Part { name: "sub_abs", recorded: |v, [_, _, a, ..]| a - v.abs(), meant: |v, [_, _, a, ..]| a - v.abs() },
        Part {
            name: "quadratic",
            recorded: |v, [_, _, a, b, c, ..]| v * (a * v - b) - c,
            meant: |v, [_, _, a, b, c, ..]| v.mul_add(v.mul_add(a, -b), -c),
        },
        Part {
            name: "quadratic",
            recorded: |v, [_, _, a, b, c, ..]| c - (b - v * a) * v,
            meant: |v, [_, _, a, b, c, ..]| (-v).mul_add((-v).mul_add(a, b), c),
        },
        Part {
            name: "bent",
            recorded: |v, [_, _, a, b, c, d, ..]| v * v.gt(a).select(b, c) - d,
            meant: |v, [_, _, a, b, c, d, ..]| v.mul_add(if v > a { b } else { c }, -d),
        },
        Part {
            name: "bent",
            recorded: |v, [_, _, a, b, c, d, ..]| d - v.gt(a).select(b, c) * v,
            meant: |v, [_, _, a, b, c, d, ..]| (-v).mul_add(if v > a { b } else { c }, d),
        },
    ]
}

/// What only whole numbers take, without a start.
fn cases<T: Real>() -> Vec<Part<T>> {
    vec![
        Part {
            name: "cases",
            recorded: |v, [_, _, a, b, c, ..]| v.eq(a).select(b, c),
            meant: |v, [_, _, a, b, c, ..]| if v == a { b } else { c },
        },
        Part {
            name: "cases",
            recorded: |v, [_, _, a, b, c, d, e, ..]| v.eq(a).select(b, v.eq(c).select(d, e)),
            meant: |v, [_, _, a, b, c, d, e, ..]| {
                if v == a {
                    b
                } else if v == c {
                    d
                } else {
                    e
                }
            },
        },
    ]
}

type Recorded = fn(Var, Var, Var) -> Var;

/// An end: its condition of x, low and high, recorded and meant.
struct End<T> {
    recorded: Recorded,
    meant: fn(T, T, T) -> bool,
}

fn ends<T: Real>() -> Vec<End<T>> {
    vec![
        End { recorded: |x, l, h| x.ge(l) * x.le(h), meant: |x, l, h| x >= l && x <= h },
        End { recorded: |x, l, h| x.gt(l) * x.le(h), meant: |x, l, h| x > l && x <= h },
        End { recorded: |x, l, h| x.ge(l) * x.lt(h), meant: |x, l, h| x >= l && x < h },
        End { recorded: |x, l, h| x.lt(h) * x.gt(l), meant: |x, l, h| x > l && x < h },
    ]
}

fn whole<T: Real>() -> End<T> {
    End {
        recorded: |x, l, h| x.ge(l) * x.le(h) * (x - x.floor()).eq(0.0),
        meant: |x, l, h| x >= l && x <= h && x - x.floor() == T::ZERO,
    }
}

fn values() -> Vec<f64> {
    let special = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300, -1e30, 1e-310];
    let usual = (special.len()..N).map(|i| (i as f64 * 0.37).sin() * 3.0);
    special.into_iter().chain(usual).collect()
}

/// Ordinary ones, a divisor that no estimate serves, ends at which nothing is left, ends that leave all.
fn parameters() -> Vec<[f64; NUMBERS]> {
    let (none, most) = (f64::NEG_INFINITY, f64::INFINITY);
    vec![
        [0.3, 1.7, -0.5, 0.25, 1.0, -2.0, 0.7, 0.0, 2.0, none],
        [-2.0, 1e35, 1.0, -3.0, 2.0, 0.1, 0.0, -0.0, most, -7.0],
        [1e3, -0.1, 0.0, 1.5, -1.0, 0.4, 9.0, none, 0.5, f64::NAN],
        [0.0, 1.0, 2.0, 0.5, 0.0, -0.5, 3.0, none, most, 1.0],
        [0.0, 3.0, 0.5, 0.5, 0.5, 0.5, 0.5, most, none, 1.0],
        [0.0, 7.0, 1.0, 1.0, 1.0, 1.0, 1.0, f64::NAN, 1.0, 1.0],
    ]
}

/// Compiles a function, compares its values at all parameters, and gives their bits.
fn same<T: Real>(
    name: &str,
    steps: usize,
    recorded: impl Fn(Var, [Var; NUMBERS]) -> Var,
    meant: impl Fn(T, [T; NUMBERS]) -> T,
) -> Vec<u64> {
    let (y, traced) = trace(|| {
        let numbers = Var::input(1, [NUMBERS]);
        let number = |i: usize| numbers.slice(0, i..i + 1).squeeze(0);
        recorded(Var::input(0, [N]), std::array::from_fn(number))
    })
    .unwrap();
    let program = Program::<T>::compile(traced.tape(), &[&[y]]);
    let explained = program.explain();
    if steps > 1 {
        assert!(explained.contains(&format!(" x [{name}]")), "{name}\n{explained}");
    }
    let x: Vec<T> = values().into_iter().map(T::from_f64).collect();
    let (mut workspace, mut bits) = (program.workspace(), Vec::new());
    for numbers in parameters() {
        let numbers = numbers.map(T::from_f64);
        let mut out = vec![T::ZERO; N];
        program.evaluate(&mut workspace, &[&x, &numbers], &mut [&mut out]);
        for (&x, &got) in x.iter().zip(&out) {
            let want = meant(x, numbers);
            // Zeros are equal, whichever sign.
            assert!(got == want || got.is_nan() && want.is_nan(), "{name} of {x}, {numbers:?}: {got}, not {want}");
            bits.push(if got.is_nan() { u64::MAX } else { (got + T::ZERO).to_f64().to_bits() });
        }
    }
    bits
}

fn lines<T: Real>() -> Vec<u64> {
    let mut bits = Vec::new();
    for (i, start) in starts::<T>().into_iter().enumerate() {
        for (j, middle) in middles::<T>().into_iter().enumerate() {
            let recorded = |x, n| (middle.recorded)((start.recorded)(x, n), n);
            let meant = |x, n| (middle.meant)((start.meant)(x, n), n);
            let steps = usize::from(i > 0) + 1 + usize::from(j > SHORT);
            bits.extend(same::<T>(middle.name, steps, recorded, meant));
            for end in ends::<T>() {
                let name = format!("{}_within", middle.name);
                bits.extend(same::<T>(
                    &name,
                    steps + 1,
                    |x, n| (end.recorded)(x, n[7], n[8]).select(recorded(x, n), n[9]),
                    |x, n| if (end.meant)(x, n[7], n[8]) { meant(x, n) } else { n[9] },
                ));
            }
        }
    }
    for (j, case) in cases::<T>().into_iter().enumerate() {
        bits.extend(same::<T>(case.name, 1 + j, case.recorded, case.meant));
        for end in ends::<T>().into_iter().chain([whole::<T>()]) {
            bits.extend(same::<T>(
                "cases_within",
                2,
                |x, n| (end.recorded)(x, n[7], n[8]).select((case.recorded)(x, n), n[9]),
                |x, n| if (end.meant)(x, n[7], n[8]) { (case.meant)(x, n) } else { n[9] },
            ));
        }
    }
    bits
}

/// All in one function, since the choice of an instruction set is global.
#[test]
fn one_loop_gives_the_bits_of_its_steps() {
    let sets: Vec<Isa> = Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect();
    let of = |isa: Isa| {
        assert!(isa.force());
        [lines::<f64>(), lines::<f32>()]
    };
    let portable = of(sets[0]);
    assert!(portable[0].len() > 10_000);
    for &isa in &sets[1..] {
        assert!(of(isa) == portable, "{isa:?}");
    }
}

/// What something else needs too stays a step of its own, and so does what has no kernel.
#[test]
fn other_chains_stay_as_they_are() {
    let explain = |f: fn(Var, Var) -> Var| {
        let (y, traced) = trace(|| f(Var::input(0, [N]), Var::input(1, ()))).unwrap();
        Program::<f64>::compile(traced.tape(), &[&[y]]).explain()
    };
    let steps = |f: fn(Var, Var) -> Var, want: &str| {
        let explained = explain(f);
        assert!(explained.contains(want), "{explained}");
    };
    steps(|x, m| ((x - m) * m + m).exp(), "[affine exp]");
    steps(|x, m| x.exp().square() * m + m, "[exp square_mul_add]");
    steps(|x, m| (x - m) * m + x, "[sub mul_add]");
    steps(|x, m| ((x - m) * m + m) * (x - m), "[sub mul_add mul]");
    // The interval is not that of what is moved.
    steps(|x, m| (x.exp().ge(m) * x.exp().le(1.0)).select((x - m) * m + m, 0.0), "[exp affine choose_within]");
}
