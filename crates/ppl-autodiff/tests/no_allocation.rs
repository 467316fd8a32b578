//! An evaluation touches no allocator: a counting one watches programs that contain every instruction.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ppl_autodiff::ops::Law;
use ppl_autodiff::random::{Key, Purpose};
use ppl_autodiff::{Program, Real, Var, concat, gradient, scan, trace};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    COUNT.with(|c| c.set(c.get() + 1));
}

// SAFETY: all work is the system allocator's; the counter is a thread-local number that needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's contract.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    f();
    COUNT.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) >= 2);
}

/// Every kind of instruction; products small, tall, narrow and batched.
fn everything() -> Vec<Var> {
    let x = Var::input(0, [6, 6]);
    let tall = Var::input(0, [200, 5]);
    let batch = Var::input(0, [3, 7, 4]);
    let positive = x.matmul(x.t()) + Var::eye(6) * 9.0;
    let l = positive.cholesky();
    let uniform = Var::random(Law::Uniform, [300], &[]);
    let y = x.tanh().sum()
        + tall.matmul(x.slice(1, 0..5).index(0, 2)).exp().sum()
        + tall.t().matmul(tall).sum()
        + batch.matmul(batch.transpose(&[0, 2, 1])).square().sum()
        + l.solve_lower(x).solve_lower_transposed(x).diag().sum()
        + scan(6, [x.index(0, 0)], [x], |[s], [row]| ([s.tanh() + row], [s * row])).1[0].sum()
        + x.cumsum(1).max_axis(0).sum()
        + x.linear_recurrence(0.5, 1).sum()
        + x.min_axis(1).logsumexp()
        + tall.gather(0, &[3, 3, 150]).scatter_add(0, &[1, 0, 1], 2).sin().sum()
        + concat(&[x, x.t().exp()], 0).slice_step(0, 1..12, 3).lgamma().sum()
        + x.gt(0.0).select(x, x.sigmoid()).diag().diag_embed().sum()
        + (tall * uniform.slice(0, 0..5)).sum()
        + tall.softplus().sum()
        + (tall.slice(0, 0..100) - tall.slice(0, 100..200).reshape([5, 100]).t()).tanh().sum();
    let slopes = gradient(y, &[x, tall, batch]);
    let rate = x.exp();
    let draws = [
        uniform,
        Var::random(Law::Normal, [6, 6], &[]),
        Var::random(Law::Exponential, [3], &[]),
        Var::random(Law::LogGamma, [6, 6], &[rate * 0.3]),
        Var::random(Law::Poisson, [6, 6], &[rate * 20.0]),
        Var::random(Law::Poisson, [6, 6], &[rate]),
        Var::random(Law::Binomial, [2, 6], &[Var::from([5.0, 900.0]).expand_dims(1), Var::from(0.3)]),
    ];
    [vec![y], slopes, draws.to_vec()].concat()
}

fn watch<T: Real>() {
    let (outputs, traced) = trace(everything).unwrap();
    let program = Program::<T>::compile(traced.tape(), &[&outputs]);
    let listing = program.explain();
    for name in [
        "fused(",
        "fused sum(",
        "short(",
        "matmul(",
        "sum(",
        "max_axis(",
        "min_axis(",
        "copy(",
        "fill(",
        "cumsum(",
        "linear_recurrence(",
        "gather(",
        "scatter_add(",
        "cholesky(",
        "solve_lower(",
        "random(",
        "scan(",
        "gathered",
    ] {
        assert!(listing.contains(name), "{name} is missing in\n{listing}");
    }
    let x: Vec<T> = (0..program.input_lengths()[0]).map(|i| T::from_f64((i as f64 * 0.7 + 0.2).sin())).collect();
    let mut out = vec![T::ZERO; program.output_lengths()[0]];
    let mut workspace = program.workspace();
    let key = Key::new(3, Purpose::PosteriorPredictive, 1, 2);
    for round in 0..3 {
        let during = allocations(|| {
            program.evaluate(&mut workspace, &[&x], &mut [&mut out]);
            program.run(&mut workspace, &[&x], &mut [&mut out], &key);
        });
        assert_eq!(during, 0, "in round {round}");
    }
    assert!(out.iter().all(|v| v.is_finite()), "{out:?}");
}

#[test]
fn programs_of_every_instruction_allocate_nothing_in_f64() {
    watch::<f64>();
}

#[test]
fn programs_of_every_instruction_allocate_nothing_in_f32() {
    watch::<f32>();
}

#[test]
fn large_products_allocate_nothing() {
    let (y, traced) = trace(|| {
        let x = Var::input(0, [64, 64]);
        x.matmul(x.t())
    })
    .unwrap();
    let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
    let (x, mut out) = (vec![0.5; 64 * 64], vec![0.0; 64 * 64]);
    let mut workspace = program.workspace();
    program.evaluate(&mut workspace, &[&x], &mut [&mut out]);
    let during = allocations(|| program.evaluate(&mut workspace, &[&x], &mut [&mut out]));
    assert_eq!(during, 0);
    assert_eq!(out[7], 16.0);
}
