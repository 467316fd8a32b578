//! Several draws of a step: one evaluation of a program for all of them gives what one by one gives, for every family.

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::dist::{HalfNormal, Normal};
use ppl_core::{Distribution, Minibatch, model, observe, sample};
use ppl_infer::batch::BatchTarget;
use ppl_infer::compiled::CompiledModel;
use ppl_infer::compiled_batch::CompiledBatchModel;
use ppl_infer::density::{DensityError, LogDensity, Target};
use ppl_infer::variational::{Estimator, FamilyKind, Layer, Objective, Scale};

model! {
    fn regression(x: Array2<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 2]));
        let v = sample!("v", Normal::new(0.0, 1.0).expand([2]));
        let spread = sample!("spread", HalfNormal::new(1.0));
        observe!("y", Normal::new(Var::from(&x).matmul(w).tanh().matmul(v), spread), y);
    }
}

fn data() -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((30, 3), |(i, j)| ((i * (2 * j + 3)) as f64 * 0.7).sin());
    let y = x.outer_iter().map(|x| x[0] - 0.5 * x[1]).collect();
    (x, y)
}

/// A density that knows one point at a time.
struct OneByOne<'d>(Box<dyn LogDensity + 'd>, usize);

impl LogDensity for OneByOne<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.1 += 1;
        self.0.evaluate(x, gradient)
    }
}

fn close(got: &[f64], want: &[f64]) {
    let scale = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-12 * scale, "{got} but {want} wanted");
    }
}

/// Values and gradients of one program agree with the mean over eight evaluations up to rounding.
#[test]
fn one_evaluation_is_the_mean_of_many() {
    const DRAWS: usize = 8;
    let (x, y) = data();
    let model = regression(x, y);
    let compiled = CompiledModel::new(&model).unwrap();
    let dim = Target::dim(&compiled);
    let (mut together, mut alone) = (compiled.density(), OneByOne(compiled.density(), 0));
    let kinds = [
        FamilyKind::MeanField(Scale::Softplus),
        FamilyKind::FullRank,
        FamilyKind::LowRank(2),
        FamilyKind::Blocks(vec![(4, FamilyKind::FullRank), (dim - 4, FamilyKind::MeanField(Scale::Exp))]),
        FamilyKind::Flow(Layer::Planar, 2),
        FamilyKind::Flow(Layer::InverseAutoregressive, 1),
    ];
    let mut evaluations = 0;
    for kind in kinds {
        let mut family = kind.build(dim).unwrap();
        let mut params = vec![0.0; family.params()];
        family.start(&vec![0.2; dim], 0.3, &mut params);
        family.update(&params);
        for estimator in [Estimator::Reparameterised, Estimator::StickingTheLanding] {
            for antithetic in [false, true] {
                let mut estimate = |density: &mut dyn LogDensity| {
                    let mut gradient = vec![0.0; params.len()];
                    let mut random = Philox::new(3, Purpose::Variational, 0, 0);
                    let elbo = Objective::new(&*family, estimator, antithetic)
                        .estimate(density, &mut *family, &params, &mut random, DRAWS, &mut gradient)
                        .unwrap();
                    gradient.push(elbo);
                    gradient
                };
                let (got, want) = (estimate(&mut *together), estimate(&mut alone));
                close(&got, &want);
                evaluations += DRAWS;
                assert_eq!(alone.1, evaluations, "one by one");
            }
        }
    }
}

/// At the points of a batch too, with the batch shared.
#[test]
fn points_share_the_bound_batch() {
    let batches = Minibatch::new(data(), 10).unwrap().model(|(x, y)| regression(x, y));
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let dim = BatchTarget::dim(&compiled);
    let mut density = compiled.density(0, 0).unwrap();
    let points: Vec<f64> = (0..5 * dim).map(|i| (i as f64 * 0.37).sin()).collect();
    let (mut values, mut gradients) = ([0.0; 5], vec![0.0; 5 * dim]);
    for iteration in 0..3 {
        density.bind(iteration).unwrap();
        density.evaluate_points(&points, &mut values, &mut gradients).unwrap();
        for (point, (value, got)) in points.chunks(dim).zip(values.iter().zip(gradients.chunks(dim))) {
            let mut want = vec![0.0; dim];
            close(&[*value], &[density.evaluate(point, &mut want).unwrap()]);
            close(got, &want);
            let mut alone = vec![0.0; dim];
            density.gradient(point, &mut alone).unwrap();
            close(&alone, &want);
        }
    }
}
