//! What a stochastic gradient sampler itself costs a step, beside the gradients:
//! `cargo bench -p ppl-infer --bench stochastic`.

use std::hint::black_box;
use std::time::Instant;

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_autodiff::random::{Noise, Philox, Purpose};
use ppl_core::dist::{Bernoulli, Normal};
use ppl_core::{Distribution, Minibatch, model, observe, sample};
use ppl_infer::batch::{BatchDensity, BatchTarget};
use ppl_infer::compiled_batch::CompiledBatchModel;
use ppl_infer::density::DensityError;
use ppl_infer::random::ChainRng;
use ppl_infer::stochastic::kernel::{SgfsKernel, SghmcKernel, SgldKernel};
use ppl_infer::stochastic::symmetric::{Factor, Rows, Symmetric};
use ppl_infer::stochastic::{Fisher, Step, StochasticKernel};

/// Gradients that are there already.
struct Given {
    dim: usize,
    rows: Vec<f64>,
}

const BATCH: usize = 50;

impl Given {
    fn new(dim: usize) -> Self {
        let mut random = Philox::new(0, Purpose::PriorPredictive, 0, 0);
        Self { dim, rows: (0..dim * BATCH).map(|_| random.standard_normal()).collect() }
    }
}

impl BatchDensity for Given {
    fn dim(&self) -> usize {
        self.dim
    }
    fn total_size(&self) -> usize {
        10 * BATCH
    }
    fn batch_size(&self) -> usize {
        BATCH
    }
    fn bind(&mut self, _: u64) -> Result<(), DensityError> {
        Ok(())
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        Ok(0.0)
    }
    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        prior.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        rows.copy_from_slice(&self.rows);
        Ok(())
    }
    fn row_moments(
        &mut self,
        x: &[f64],
        prior: &mut [f64],
        sum: &mut [f64],
        squares: &mut [f64],
    ) -> Result<(), DensityError> {
        prior.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        sum.fill(0.0);
        squares.fill(BATCH as f64);
        Ok(())
    }
    fn prior_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        Ok(())
    }
    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.evaluate(x, gradient)
    }
}

/// The least of many timings of `calls` calls, in microseconds a call: what others do on the machine does not count.
fn least(calls: usize, mut f: impl FnMut()) -> f64 {
    let timed = |f: &mut dyn FnMut()| {
        let begin = Instant::now();
        (0..calls).for_each(|_| f());
        begin.elapsed().as_secs_f64() / calls as f64
    };
    1e6 * (0..300).map(|_| timed(&mut f)).fold(f64::INFINITY, f64::min)
}

fn step<K: StochasticKernel>(name: &str, mut kernel: K, dim: usize) {
    let mut density = Given::new(dim);
    let Ok(mut state) = kernel.init(&mut density, &vec![0.1; dim]) else { return };
    let mut iteration = 0;
    let us = least(2_000_000 / (dim * 1000) + 1, || {
        let random = ChainRng::new(0, 0).at(iteration as u32);
        let step = Step { iteration, size: 1e-3, exploring: false };
        iteration += 1;
        black_box(kernel.step(&mut density, &step, &random, &mut state).is_ok());
    });
    println!("{name:>20} {dim:>7} {us:>10.2} us a step");
}

model! {
    /// The flat network of the notebooks: 2 => 5 => 5 => 1, 40 weights.
    fn network(x: Array2<f64>, y: Array1<f64>) {
        let w0 = sample!("w0", Normal::new(0.0, 1.0).expand([2, 5]));
        let w1 = sample!("w1", Normal::new(0.0, 1.0).expand([5, 5]));
        let w2 = sample!("w2", Normal::new(0.0, 1.0).expand([5, 1]));
        let z = Var::from(&x).matmul(w0).tanh().matmul(w1).tanh().matmul(w2);
        observe!("y", Bernoulli::logits(z.squeeze(-1)), y);
    }
}

/// Whole steps on the network, 50 of 500 rows, and their parts.
fn whole() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Philox::new(0, Purpose::PriorPredictive, 0, 0);
    let x = Array2::from_shape_simple_fn((500, 2), || random.standard_normal());
    let y = x.outer_iter().map(|x| f64::from(u8::from(x[0] * x[1] > 0.0))).collect::<Array1<f64>>();
    let batches = Minibatch::new((x, y), BATCH)?.model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&batches)?;
    let mut density = compiled.density(0, 0)?;
    density.draw_independently();
    let mut iteration = 0;
    let bound = least(20, || {
        iteration += 1;
        black_box(density.bind(iteration).is_ok());
    });
    let at = vec![0.1; compiled.dim()];
    let (mut gradient, mut rows) = (at.clone(), vec![0.0; BATCH * at.len()]);
    let evaluated = least(20, || {
        black_box(density.evaluate(black_box(&at), &mut gradient).is_ok());
    });
    let by_rows = least(20, || {
        black_box(density.row_gradients(black_box(&at), &mut gradient, &mut rows).is_ok());
    });
    let alone = least(20, || {
        black_box(density.gradient(black_box(&at), &mut gradient).is_ok());
    });
    println!(
        "network: bind {bound:.2} us, gradient {alone:.2} us, with its value {evaluated:.2} us, gradients of rows {by_rows:.2} us"
    );
    whole_step("SGLD", SgldKernel::default(), 1e-4, &mut *density);
    whole_step("SGFS, full", SgfsKernel::default(), 1e-2, &mut *density);
    whole_step("SGFS, diagonal", SgfsKernel::default().fisher(Fisher::Diagonal), 1e-2, &mut *density);
    Ok(())
}

model! {
    /// A network of 130,000 weights: 784 => 161 => 23 => 1.
    fn large_network(x: Array2<f64>, y: Array1<f64>) {
        let w0 = sample!("w0", Normal::new(0.0, 0.05).expand([784, 161]));
        let w1 = sample!("w1", Normal::new(0.0, 0.1).expand([161, 23]));
        let w2 = sample!("w2", Normal::new(0.0, 0.3).expand([23, 1]));
        let z = Var::from(&x).matmul(w0).tanh().matmul(w1).tanh().matmul(w2);
        observe!("y", Bernoulli::logits(z.squeeze(-1)), y);
    }
}

/// The diagonal variant on the large network, so many of 1000 rows, against its gradient.
fn large(batch: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Philox::new(1, Purpose::PriorPredictive, 0, 0);
    let x = Array2::from_shape_simple_fn((1000, 784), || random.standard_normal());
    let y = x.outer_iter().map(|x| f64::from(u8::from(x[0] * x[1] > 0.0))).collect::<Array1<f64>>();
    let batches = Minibatch::new((x, y), batch)?.model(|(x, y)| large_network(x, y));
    let compiled = CompiledBatchModel::new(&batches)?;
    let mut density = compiled.density(0, 0)?;
    density.draw_independently();
    density.bind(0)?;
    let start: Vec<f64> = (0..compiled.dim()).map(|i| 0.05 * (i as f64).sin()).collect();
    let mut gradient = start.clone();
    let least = |f: &mut dyn FnMut()| {
        (0..30).map(|_| (Instant::now(), f()).0.elapsed().as_secs_f64()).fold(f64::INFINITY, f64::min) * 1e3
    };
    let evaluated = least(&mut || {
        black_box(density.evaluate(black_box(&start), &mut gradient).is_ok());
    });
    let alone = least(&mut || {
        black_box(density.gradient(black_box(&start), &mut gradient).is_ok());
    });
    let mut iteration = 0;
    let bound = least(&mut || {
        iteration += 1;
        black_box(density.bind(iteration).is_ok());
    });
    let [mut prior, mut sum, mut squares] = [(); 3].map(|()| start.clone());
    let moments = least(&mut || {
        black_box(density.row_moments(black_box(&start), &mut prior, &mut sum, &mut squares).is_ok());
    });
    let prior = least(&mut || {
        black_box(density.prior_gradient(black_box(&start), &mut prior).is_ok());
    });
    println!(
        "{} weights, {batch} rows: bind {bound:.2} ms, gradient {alone:.2} ms, with its value {evaluated:.2} ms, moments of rows {moments:.2} ms, prior {prior:.2} ms",
        start.len()
    );
    for every in [1, 10, 20] {
        let mut kernel = SgfsKernel::default().fisher(Fisher::Diagonal).fisher_every(every);
        let mut state = kernel.init(&mut *density, &start)?;
        // The least of each kind of step: longer timings would count what others do on the machine.
        let (mut with, mut without) = (f64::INFINITY, f64::INFINITY);
        for iteration in 0..40 * every.max(5) {
            let random = ChainRng::new(0, 0).at(iteration as u32);
            let step = Step { iteration, size: 1e-5, exploring: false };
            let seen = state.fisher.batches();
            let begin = Instant::now();
            black_box(density.bind(iteration).is_ok());
            black_box(kernel.step(&mut *density, &step, &random, &mut state).is_ok());
            let seconds = begin.elapsed().as_secs_f64();
            let least = if state.fisher.batches() > seen { &mut with } else { &mut without };
            *least = least.min(seconds * 1e3);
        }
        let without = if every == 1 { with } else { without };
        let ms = (with + (every - 1) as f64 * without) / every as f64;
        println!(
            "SGFS, diagonal, information every {every}: {ms:.2} ms a step ({with:.2} with, {without:.2} without), {:.2} of the gradient with its value",
            ms / evaluated
        );
    }
    Ok(())
}

fn whole_step<K: StochasticKernel>(name: &str, mut kernel: K, size: f64, density: &mut dyn BatchDensity) {
    let start = vec![0.1; density.dim()];
    let Ok(mut state) = kernel.init(density, &start) else { return };
    let mut iteration = 0;
    let us = least(20, || {
        let random = ChainRng::new(0, 0).at(iteration as u32);
        let step = Step { iteration, size, exploring: false };
        black_box(density.bind(iteration).is_ok());
        iteration += 1;
        black_box(kernel.step(density, &step, &random, &mut state).is_ok());
    });
    println!("network: {name} {us:.2} us a step, the batch bound and its gradients included");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    whole()?;
    for batch in [50, 100, 256] {
        large(batch)?;
    }
    for dim in [40, 130_000] {
        step("SGLD", SgldKernel::default(), dim);
        step("SGHMC", SghmcKernel::default(), dim);
        step("SGFS, diagonal", SgfsKernel::default().fisher(Fisher::Diagonal), dim);
    }
    for dim in [3, 10, 40, 100, 763] {
        step("SGFS, full", SgfsKernel::default(), dim);
    }
    for dim in [40, 763] {
        let given = Given::new(dim);
        let (mut rows, mut gram, mut factor) = (Rows::default(), Symmetric::zeros(dim), Factor::new(dim));
        let mut mean = vec![0.0; dim];
        let calls = 40_000 / (dim * dim) + 1;
        let laid_out = least(calls, || rows.set_columns(black_box(&given.rows), BATCH, &mut mean));
        let grown = least(calls, || gram.add_gram(0.9, 0.1, black_box(&rows)));
        gram.add_diagonal(std::iter::repeat(1.0));
        let factored = least(calls, || {
            black_box(factor.factor(black_box(&gram)));
        });
        let mut b = vec![1.0; dim];
        let solved = least(calls, || factor.solve(black_box(&mut b)));
        let mut noise = vec![0.0; dim];
        let drawn = least(calls, || {
            Noise::new(&mut Philox::new(0, Purpose::StochasticGradient, 0, 1))
                .fill_standard_normal(black_box(&mut noise));
        });
        println!(
            "{dim} coordinates: rows {laid_out:.2} us, Gram {grown:.2} us, factor {factored:.2} us, solve {solved:.2} us, \
             normals {drawn:.2} us"
        );
    }
    Ok(())
}
