//! Recursions against loops that record every step.

use ndarray::{Array1, Array2, array};
use ppl_autodiff::{Program, Var, gradient, hvp, scan, trace, value_and_grad};

/// A vector autoregression with a nonlinearity, a second state that counts, and two emitted values.
fn step(a: Var, state: Var, sum: Var, input: Var) -> (Var, Var) {
    let next = (a.matmul(state) + input).tanh();
    (next, sum + next.square().sum())
}

fn inputs(length: usize) -> Array2<f64> {
    Array2::from_shape_fn((length, 3), |(t, i)| ((t * 3 + i) as f64 * 0.7).sin())
}

fn by_scan(a: Var, length: usize) -> Var {
    let u = inputs(length);
    let start = Var::from(array![0.1, 0.2, 0.3]) * a.sum();
    let ([last, sum], [all, sums]) = scan(length, [start, Var::from(0.0)], [Var::from(&u)], |[x, s], [u]| {
        let (x, s) = step(a, x, s, u);
        ([x, s], [x, s * 2.0])
    });
    last.sum() + sum + (all * all.cumsum(0)).sum() + sums.sin().sum()
}

fn by_loop(a: Var, length: usize) -> Var {
    let u = inputs(length);
    let mut x = Var::from(array![0.1, 0.2, 0.3]) * a.sum();
    let mut s = Var::from(0.0);
    let (mut all, mut sums) = (Vec::new(), Vec::new());
    for t in 0..length {
        (x, s) = step(a, x, s, Var::from(&u.row(t)));
        all.push(x);
        sums.push(s * 2.0);
    }
    let all = ppl_autodiff::stack(&all, 0);
    x.sum() + s + (all * all.cumsum(0)).sum() + ppl_autodiff::stack(&sums, 0).sin().sum()
}

#[test]
fn values_gradients_and_curvature_are_those_of_the_loop() {
    let a = array![[0.5, -0.2, 0.1], [0.3, 0.4, -0.6], [-0.1, 0.2, 0.7]];
    let direction = array![[1.0, 0.3, -0.2], [0.5, -1.0, 0.4], [0.1, 0.9, -0.3]];
    for length in [1, 2, 7] {
        let (value, slope) = value_and_grad(|a| by_scan(a, length), &a).unwrap();
        let (wanted, wanted_slope) = value_and_grad(|a| by_loop(a, length), &a).unwrap();
        assert!((value - wanted).abs() < 1e-13 * wanted.abs(), "{value} but {wanted}");
        assert!((&slope - &wanted_slope).iter().all(|d| d.abs() < 1e-12), "{slope} but {wanted_slope}");
        let bent = hvp(|a| by_scan(a, length), &a, &direction).unwrap();
        let wanted = hvp(|a| by_loop(a, length), &a, &direction).unwrap();
        assert!((&bent - &wanted).iter().all(|d| d.abs() < 1e-10), "{bent} but {wanted}");
    }
}

#[test]
fn scans_nest_and_see_the_variables_around_them() {
    // Sums of sums: x[t] = x[t - 1] + sum over i < 3 of (p + u[t])^i.
    let f = |p: Var| {
        let ([x], []) = scan(4, [Var::from(0.0)], [Var::from(array![0.1, 0.2, 0.3, 0.4])], |[x], [u]| {
            let ([_, power_sum], []) =
                scan(3, [Var::from(1.0), Var::from(0.0)], [], |[power, sum], []| ([power * (p + u), sum + power], []));
            ([x + power_sum], [])
        });
        x
    };
    let (value, slope) = value_and_grad(f, 0.5).unwrap();
    let points = [0.6f64, 0.7, 0.8, 0.9];
    let wanted: f64 = points.iter().map(|b| 1.0 + b + b * b).sum();
    let wanted_slope: f64 = points.iter().map(|b| 1.0 + 2.0 * b).sum();
    assert!((value - wanted).abs() < 1e-14 && (slope.sum() - wanted_slope).abs() < 1e-14);
}

/// The program of 10,000 steps has as many instructions as that of 100.
#[test]
fn a_step_is_compiled_once() {
    let compile = |length: usize| {
        let ((y, g), traced) = trace(|| {
            let x = Var::input(0, [length]);
            let rate = Var::input(0, ());
            let ([last], []) = scan(length, [Var::from(0.0)], [x], |[s], [x]| ([(s * rate + x).tanh()], []));
            (last, gradient(last, &[x, rate]))
        })
        .unwrap();
        Program::<f64>::compile(traced.tape(), &[&[y], &g])
    };
    let (short, long) = (compile(100), compile(10_000));
    assert_eq!(short.len(), long.len());
    let mut x: Vec<f64> = (0..10_000).map(|i| (f64::from(i) * 0.3).cos()).collect();
    x.push(0.9);
    let (mut y, mut g) = ([0.0], vec![0.0; 10_001]);
    long.evaluate(&mut long.workspace(), &[&x], &mut [&mut y, &mut g]);
    let states: Array1<f64> = x[..10_000]
        .iter()
        .scan(0.0, |s, x| {
            *s = f64::tanh(*s * 0.9 + x);
            Some(*s)
        })
        .collect();
    assert!((y[0] - states[9_999]).abs() < 1e-15);
    // The derivative by the last input, and by the one before.
    let bend = |t: usize| 1.0 - states[t] * states[t];
    assert!((g[9_999] - bend(9_999)).abs() < 1e-15);
    assert!((g[9_998] - bend(9_999) * 0.9 * bend(9_998)).abs() < 1e-15);
}

#[test]
fn mistakes_are_errors_with_their_line() {
    let message = |f: &dyn Fn(Var) -> Var| value_and_grad(f, 1.0).unwrap_err().to_string();
    let zero = || Var::from(0.0);
    let length = message(&|x| {
        let ([s], []) = scan(4, [zero()], [Var::from(array![1.0, 2.0])], |[s], [u]| ([s + x * u], []));
        s
    });
    assert!(length.contains("scan.rs") && length.contains("first axis"), "{length}");
    let grows = message(&|x| {
        let ([s], []) = scan(2, [zero()], [], |[s], []| ([(s + x).broadcast_to([3])], []));
        s.sum()
    });
    assert!(grows.contains("a state must keep its shape"), "{grows}");
    let draws = message(&|x| {
        let ([s], []) =
            scan(2, [zero()], [], |[s], []| ([s + x * Var::random(ppl_autodiff::ops::Law::Normal, (), &[])], []));
        s
    });
    assert!(draws.contains("draws random numbers"), "{draws}");
    let reads = message(&|x| {
        let ([s], []) = scan(2, [zero()], [], |[s], []| if s.value() > 0.0 { ([s + x], []) } else { ([s - x], []) });
        s
    });
    assert!(reads.contains("is read in a step"), "{reads}");
    let inner = message(&|x| {
        let ([s], []) = scan(2, [x], [], |[s], []| ([s.matmul(s)], []));
        s
    });
    assert!(inner.contains("matmul"), "{inner}");
}
