//! Programs go to threads; what belongs to a trace does not (see the documentation of `Var`).

use ppl_autodiff::dynamic::{DynamicFunction, Reader};
use ppl_autodiff::{Function, Program, Tensor, TraceError, Traced, Var, Workspace, trace};

const fn shared<T: Send + Sync>() {}
const fn sent<T: Send>() {}

const _: () = {
    shared::<Program<f64>>();
    shared::<Program<f32>>();
    shared::<Tensor>();
    shared::<TraceError>();
    shared::<Reader>();
    shared::<Traced>();
    sent::<Workspace<f64>>();
    sent::<Function>();
    sent::<DynamicFunction<fn(Var) -> Var>>();
};

/// The same bits from eight threads at once, each with its own workspace.
#[test]
fn threads_share_a_program() {
    let (y, traced) = trace(|| {
        let x = Var::input(0, [40, 3]);
        (x.matmul(x.t()).tanh() * 0.3).exp().sum_axis(0)
    })
    .unwrap();
    let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
    let run = |seed: usize| {
        let x: Vec<f64> = (0..120).map(|i| ((i + seed) as f64).sin()).collect();
        let mut out = vec![0.0; 40];
        program.evaluate(&mut program.workspace(), &[&x], &mut [&mut out]);
        out
    };
    let alone: Vec<Vec<f64>> = (0..8).map(run).collect();
    let run = &run;
    let together: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || run(seed))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}
