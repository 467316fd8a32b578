//! Functions that look at numbers: branches, what is read as a constant, caches of programs.

use std::cell::Cell;

use ndarray::array;
use ppl_autodiff::dynamic::{DynamicFunction, Reader, signature};
use ppl_autodiff::ops::Law;
use ppl_autodiff::random::{Key, Philox, Purpose};
use ppl_autodiff::{Mistake, Program, Trace, Var, scope, trace, value_and_grad};

/// x^2 below 1, 3 x - 2 from there on.
fn piecewise(x: Var) -> Var {
    let x = x.sum();
    if x.value() < 1.0 { x.square() } else { 3.0 * x - 2.0 }
}

#[test]
fn both_sides_of_a_branch_are_right() {
    for (x, value, slope) in [(0.5, 0.25, 1.0), (-2.0, 4.0, -4.0), (1.0, 1.0, 3.0), (4.0, 10.0, 3.0)] {
        let (y, g) = value_and_grad(piecewise, &array![x]).unwrap();
        assert_eq!((y, g[0]), (value, slope), "at {x}");
    }
}

#[test]
fn what_is_read_is_a_constant_for_the_derivative() {
    // d/dx (x * [x]) = [x], the number that was read: 3, not 2 * 3.
    let (y, g) = value_and_grad(|x: Var| x.sum() * x.sum().value(), &array![3.0]).unwrap();
    assert_eq!((y, g[0]), (9.0, 3.0));
    let (y, g) = value_and_grad(|x: Var| (x * &x.array()).sum(), &array![3.0, -1.0]).unwrap();
    assert_eq!((y, g), (10.0, array![3.0, -1.0].into_dyn()));
}

#[test]
fn a_trace_is_dynamic_if_it_reads_what_varies() {
    let is_dynamic = |f: fn(Var)| trace(|| f(Var::input(0, [2]))).unwrap().1.is_dynamic();
    assert!(is_dynamic(|x| {
        x.sum().value();
    }));
    assert!(is_dynamic(|x| {
        (x * 0.0).array();
    }));
    assert!(is_dynamic(|_| {
        Var::random(Law::Normal, (), &[]).value();
    }));
    assert!(!is_dynamic(|x| {
        assert_eq!(Var::from(3.0).value(), 3.0);
        assert_eq!((Var::from(3.0) + 1.0).square().value(), 16.0);
        let _ = x.exp().shape();
    }));
}

#[test]
fn values_are_read_at_the_point_and_missing_ones_are_zero() {
    let read = |point: &[&[f64]]| {
        let ((a, b), _) = Trace::default()
            .point(point)
            .run(|| {
                let (x, y) = (Var::input(0, [2]), Var::input(1, [2]));
                let first = (x + y).array();
                // An input that comes later in a slot that was read before.
                let z = Var::input(0, [1]);
                (first, (x.sum() + z.sum()).value())
            })
            .unwrap();
        (a, b)
    };
    assert_eq!(read(&[&[1.0, 2.0, 5.0], &[10.0, 20.0]]), (array![11.0, 22.0].into_dyn(), 8.0));
    assert_eq!(read(&[&[1.0], &[10.0, 20.0, 30.0]]), (array![11.0, 20.0].into_dyn(), 1.0));
    assert_eq!(read(&[]), (array![0.0, 0.0].into_dyn(), 0.0));
}

/// A shared cache must tell functions apart by everything that makes programs differ.
#[test]
fn a_reader_is_shared_by_functions_of_any_shape() {
    let reader = Reader::default();
    let sum_of = |point: &[f64], early: bool| {
        let run = Trace::default().point(&[point]).reader(reader.clone()).run(|| {
            let x = Var::input(0, point.len());
            let y = x.sum();
            if early {
                return y.value();
            }
            // The slot grows before the same node is read.
            let _ = Var::input(0, [3]);
            y.value()
        });
        run.unwrap().0
    };
    for _ in 0..2 {
        assert_eq!(sum_of(&[1.0, 2.0], false), 3.0);
        assert_eq!(sum_of(&[1.0, 2.0, 4.0], true), 7.0);
        assert_eq!(sum_of(&[1.0, 2.0], true), 3.0);
        assert_eq!(sum_of(&[5.0, 6.0, 7.0, 8.0], false), 26.0);
        assert_eq!(sum_of(&[9.0], true), 9.0);
        assert_eq!(sum_of(&[], true), 0.0);
    }
    // Constants of one shape but other numbers are other programs; the point is not part of the program.
    let times = |c: f64, x: f64| {
        let run = Trace::default().point(&[&[x]]).reader(reader.clone());
        run.run(|| (Var::input(0, ()) * c).value()).unwrap().0
    };
    assert_eq!((times(2.0, 3.0), times(5.0, 3.0), times(2.0, 7.0)), (6.0, 15.0, 14.0));
}

#[test]
fn nested_traces_read_their_own_values() {
    let ((inner, outer), traced) = Trace::default()
        .point(&[&[2.0]])
        .run(|| {
            let x = Var::input(0, ());
            let (inner, _) = Trace::default().point(&[&[5.0]]).run(|| Var::input(0, ()).square().value()).unwrap();
            // A function of plain numbers may be differentiated while another one is traced.
            let (_, slope) = value_and_grad(|y: Var| y.square().sum(), &array![inner]).unwrap();
            (slope[0], (x * inner).value())
        })
        .unwrap();
    assert_eq!((inner, outer), (50.0, 50.0));
    assert!(traced.is_dynamic());
    // Reading the outer trace's value inside the inner one is a mistake of the inner.
    let ((nested, value), outer) = Trace::default()
        .point(&[&[2.0]])
        .run(|| {
            let x = Var::input(0, ());
            let nested = trace(|| x.value());
            (nested.map(|(v, _)| v), x.value())
        })
        .unwrap();
    assert!(matches!(nested.unwrap_err().mistake, Mistake::ForeignVar { operation: "value" }));
    assert_eq!(value, 2.0);
    assert!(outer.is_dynamic());
}

/// What is read of a draw is what the program draws with the same key, in any order of reading.
#[test]
fn draws_that_are_read_are_those_of_the_program() {
    let key = Key::new(11, Purpose::PriorPredictive, 0, 4);
    let ((read, draws), traced) = Trace::default()
        .key(key)
        .run(|| {
            let u = scope("u", || Var::random(Law::Uniform, [3], &[]));
            let z = scope("z", || Var::random(Law::Normal, [2], &[]));
            let y = u.sum() + z.sum();
            ([y.value(), u.array()[2], z.array()[0]], [u, z, y])
        })
        .unwrap();
    let program = Program::<f64>::compile(traced.tape(), &[&draws]);
    let mut out = [0.0; 6];
    program.run(&mut program.workspace(), &[], &mut [&mut out], &key);
    assert_eq!(read, [out[5], out[2], out[3]]);
    let mut other = [0.0; 6];
    let key = Key::new(11, Purpose::PriorPredictive, 0, 5);
    program.run(&mut program.workspace(), &[], &mut [&mut other], &key);
    assert!(out.iter().zip(&other).all(|(a, b)| a != b));
}

#[test]
fn signatures_tell_tapes_apart() {
    let mark = |f: fn(Var) -> Var| {
        let (_, traced) = trace(|| f(Var::input(0, [6]))).unwrap();
        signature(traced.tape(), traced.tape().nodes().len() as u32)
    };
    let functions: [fn(Var) -> Var; 8] = [
        |x| x + 1.0,
        |x| x + 2.0,
        |x| x + Var::from([1.0]),
        |x| x - 1.0,
        |x| 1.0 - x,
        |x| x.reshape([2, 3]),
        |x| x.slice(0, 0..2),
        |_| Var::input(0, [6]),
    ];
    for (i, &f) in functions.iter().enumerate() {
        for (j, &g) in functions.iter().enumerate() {
            assert_eq!(mark(f) == mark(g), i == j, "{i} {j}");
        }
    }
}

/// A log-density with four pieces by the signs of two coordinates, and its gradient by hand.
fn quadrants(x: Var) -> Var {
    let (a, b) = (x.index(0, 0), x.index(0, 1));
    let first = if a.value() > 0.0 { -a } else { a * 2.0 };
    let second = if b.value() > 0.0 { -b.square() * 0.5 } else { (b * 3.0).exp() - 1.0 };
    first + second + x.index(0, 2).sin()
}

fn quadrants_by_hand(x: &[f64]) -> (f64, [f64; 3]) {
    let (first, da) = if x[0] > 0.0 { (-x[0], -1.0) } else { (2.0 * x[0], 2.0) };
    let (second, db) =
        if x[1] > 0.0 { (-x[1] * x[1] / 2.0, -x[1]) } else { ((3.0 * x[1]).exp() - 1.0, 3.0 * (3.0 * x[1]).exp()) };
    (first + second + x[2].sin(), [da, db, x[2].cos()])
}

#[test]
fn a_dynamic_function_compiles_each_path_once() {
    let mut f = DynamicFunction::new(3, quadrants).unwrap();
    assert!(f.is_dynamic());
    let mut stream = Philox::new(5, Purpose::Init, 0, 0);
    let mut shared = f.clone();
    for _ in 0..200 {
        let mut x = [0.0; 3];
        stream.fill_standard_normal(&mut x);
        let mut g = [f64::NAN; 3];
        let y = f.value_and_gradient(&x, &mut g).unwrap();
        let (want, slopes) = quadrants_by_hand(&x);
        assert!((y - want).abs() < 1e-14, "{y} {want} at {x:?}");
        for (g, w) in g.iter().zip(slopes) {
            assert!((g - w).abs() < 1e-14, "{g} {w} at {x:?}");
        }
    }
    assert_eq!(f.compiled(), 4);
    // A clone, as another chain has, finds the same programs.
    let mut g = [0.0; 3];
    shared.value_and_gradient(&[1.0, 1.0, 1.0], &mut g).unwrap();
    assert_eq!((shared.compiled(), g[1]), (4, -1.0));
}

#[test]
fn a_static_function_is_traced_and_compiled_once() {
    let traces = Cell::new(0);
    let mut f = DynamicFunction::new(2, |x: Var| {
        traces.set(traces.get() + 1);
        x.square().sum()
    })
    .unwrap();
    let mut g = [0.0; 2];
    for i in 0..5 {
        let a = f64::from(i);
        assert_eq!(f.value_and_gradient(&[a, 1.0], &mut g).unwrap(), a * a + 1.0);
        assert_eq!(g, [2.0 * a, 2.0]);
    }
    assert!(!f.is_dynamic());
    assert_eq!((traces.get(), f.compiled()), (1, 1));
}

/// A number that is read and used makes another program at each point: the cache stays bounded and the values right.
#[test]
fn the_cache_of_a_dynamic_function_is_bounded() {
    let mut f = DynamicFunction::new(1, |x: Var| (x * x.sum().value()).sum()).unwrap();
    let mut g = [0.0];
    for i in 0..600 {
        let x = f64::from(i) * 0.5;
        assert_eq!(f.value_and_gradient(&[x], &mut g).unwrap(), x * x);
        assert_eq!(g[0], x);
    }
    assert!(f.compiled() <= 256, "{}", f.compiled());
}

#[test]
fn a_mistake_on_one_path_is_an_error_there_only() {
    let mut f =
        DynamicFunction::new(2, |x: Var| if x.index(0, 0).value() > 1.0 { x + Var::zeros([3]) } else { x }).unwrap();
    let mut g = [0.0; 2];
    assert_eq!(f.value_and_gradient(&[0.5, 1.0], &mut g).unwrap(), 1.5);
    let error = f.value_and_gradient(&[2.0, 1.0], &mut g).unwrap_err();
    assert!(matches!(error.mistake, Mistake::Shapes { operation: "add", .. }));
    assert_eq!(f.value_and_gradient(&[-0.5, 1.0], &mut g).unwrap(), 0.5);
}
