//! Single steps against numbers made by an independent implementation (NumPy, float64) of the formulas.

use ndarray::Array2;
use serde_json::Value;

use super::*;
use crate::stochastic::fisher::{Fisher, FisherEstimate, Form};
use crate::stochastic::symmetric::Symmetric;

/// A few hundred roundings.
const TOLERANCE: f64 = 1e-12;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn all_close(got: &[f64], want: &Value) {
    let want = numbers(want);
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= TOLERANCE * (1.0 + want.abs()), "{got} against {want}");
    }
}

/// The batch of the reference: the same gradients at every point.
struct Given {
    total: usize,
    prior: Vec<f64>,
    rows: Vec<Vec<f64>>,
}

impl Given {
    fn new(reference: &Value) -> Self {
        let rows = reference["grad_items"].as_array().unwrap().iter().map(numbers).collect();
        Self { total: reference["N"].as_u64().unwrap() as usize, prior: numbers(&reference["grad_prior"]), rows }
    }

    fn gradient(&self) -> Vec<f64> {
        let mut gradient = vec![0.0; self.dim()];
        Given::evaluate(&mut Given { rows: self.rows.clone(), prior: self.prior.clone(), ..*self }, &[], &mut gradient)
            .unwrap();
        gradient
    }
}

impl BatchDensity for Given {
    fn dim(&self) -> usize {
        self.prior.len()
    }
    fn total_size(&self) -> usize {
        self.total
    }
    fn batch_size(&self) -> usize {
        self.rows.len()
    }
    fn bind(&mut self, _: u64) -> Result<(), DensityError> {
        Ok(())
    }
    fn evaluate(&mut self, _: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let scale = self.total as f64 / self.rows.len() as f64;
        for (i, (g, prior)) in gradient.iter_mut().zip(&self.prior).enumerate() {
            *g = prior + scale * self.rows.iter().map(|row| row[i]).sum::<f64>();
        }
        Ok(0.0)
    }
    fn row_gradients(&mut self, _: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        prior.copy_from_slice(&self.prior);
        let n = self.rows.len();
        rows.iter_mut().enumerate().for_each(|(i, out)| *out = self.rows[i % n][i / n]);
        Ok(())
    }
    fn full(&mut self, _: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.evaluate(&[], gradient)
    }
}

fn reference() -> Value {
    let mut all: Value = serde_json::from_str(include_str!("../../../tests/reference/algorithms.json")).unwrap();
    all["sgmcmc"].take()
}

#[test]
fn langevin_step() {
    let want = reference();
    let (given, x) = (Given::new(&want), numbers(&want["theta"]));
    let step = Step { iteration: 0, size: number(&want["sgld"]["eps"]), exploring: false };
    let mut next = vec![0.0; 2];
    SgldKernel::update(&step, &x, &given.gradient(), &numbers(&want["noise"]), &mut next);
    all_close(&next, &want["sgld"]["theta_new"]);
}

#[test]
fn preconditioned_langevin_step() {
    let all = reference();
    let (mut given, want) = (Given::new(&all), &all["psgld"]);
    let mut kernel = PsgldKernel::default().decay(number(&want["alpha"])).stabiliser(number(&want["lam"]));
    // The running means move as the reference's, through a whole step.
    let mut state = PsgldState { position: numbers(&all["theta"]), squares: numbers(&want["v0"]) };
    let step = Step { iteration: 0, size: number(&want["eps"]), exploring: true };
    kernel.step(&mut given, &step, &ChainRng::new(0, 0), &mut state).unwrap();
    all_close(&state.squares, &want["v1"]);
    let (x, noise, v) = (numbers(&all["theta"]), numbers(&all["noise"]), &state.squares);
    // The preconditioner alone: what a gradient of 1 moves by with a step of 2.
    all_close(&[0, 1].map(|i| kernel.update(2.0, 0.0, 0.0, v[i], 1.0, 0.0)), &want["G"]);
    let update = |i: usize| kernel.update(step.size, step.size.sqrt(), x[i], v[i], given.gradient()[i], noise[i]);
    all_close(&[update(0), update(1)], &want["theta_new_without_gamma_term"]);
}

#[test]
fn hamiltonian_step() {
    let all = reference();
    let (given, want) = (Given::new(&all), &all["sghmc"]);
    let kernel = SghmcKernel::default().friction(number(&want["alpha"])).noise_estimate(number(&want["beta_hat"]));
    let (x, m, noise) = (numbers(&all["theta"]), numbers(&want["momentum"]), numbers(&all["noise"]));
    let next = [0, 1].map(|i| kernel.update(number(&want["eta"]), [x[i], m[i]], given.gradient()[i], noise[i]));
    all_close(&next.map(|[x, _]| x), &want["theta_new"]);
    all_close(&next.map(|[_, m]| m), &want["momentum_new"]);
}

#[test]
fn fisher_scoring_step() {
    let all = reference();
    let (mut given, want) = (Given::new(&all), &all["sgfs"]);
    let matrix = |value: &Value| -> Vec<Vec<f64>> { value.as_array().unwrap().iter().map(numbers).collect() };
    let (b, old) = (matrix(&want["B"]), matrix(&want["I_old"]));
    for (gain, gamma, next) in
        [(Gain::Exact, "gamma_paper", "theta_new_paper"), (Gain::Pymc3, "gamma_pymc3", "theta_new_pymc3")]
    {
        let factor = gain.factor(given.batch_size(), given.total_size(), false);
        all_close(&[factor], &Value::from(vec![number(&want[gamma])]));
        let b = Preconditioner::Dense(Array2::from_shape_fn((2, 2), |(i, j)| b[i][j]));
        let mut kernel = SgfsKernel::default().gain(gain).preconditioner(b).prior_precision(false);
        let mut fisher = FisherEstimate::new(Fisher::Full, 2, &[2]);
        fisher.batches = want["t"].as_u64().unwrap() - 1;
        fisher.in_mean = fisher.batches;
        if let Form::Blocks(blocks) = &mut fisher.form {
            blocks[0].information = Symmetric::from_fn(2, |i, j| old[i][j]);
        }
        let mut state = SgfsState::new(numbers(&all["theta"]), fisher);
        let step = Step { iteration: 4, size: number(&want["eps"]), exploring: false };
        kernel.advance_with(&mut given, &step, &numbers(&all["noise"]), &mut state).unwrap();
        for (i, row) in matrix(&want["I_hat"]).iter().enumerate() {
            let got: Vec<f64> = (0..2).map(|j| state.fisher.get(i, j)).collect();
            all_close(&got, &Value::from(row.clone()));
        }
        all_close(&state.position, &want[next]);
    }
}
