//! What an evaluation costs: gradients of whole models, the kernels inside them, and the same gradient by hand.
//!
//! `cargo bench --bench core -- gradient/hierarchical` runs a part. The data are those of `data/moons`.

mod handwritten;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ppl_autodiff::kernels::elementary;
use ppl_autodiff::{Program, Real, Traced, Var, gradient, trace};

use handwritten::Hierarchical;

const LAYERS: [usize; 4] = [2, 5, 5, 1];
const GROUPS: usize = 18;
const ROWS: usize = 50;

/// Predictors (row by row) and labels of the training rows of a file whose columns are `_, x1, x2, y, split`.
fn moons(file: &str) -> (Vec<f64>, Vec<f64>) {
    let path = format!("{}/../../data/moons/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|l| l.ends_with(",train")) {
        let columns: Vec<&str> = line.split(',').collect();
        let number = |i: usize| columns[i].parse::<f64>().unwrap_or(f64::NAN);
        x.extend([number(1), number(2)]);
        y.push(number(3));
    }
    (x, y)
}

fn array(shape: &[usize], data: Vec<f64>) -> Var {
    Var::constant(ndarray::ArrayD::from_shape_vec(shape, data).expect("the data have this shape"))
}

/// Numbers that look random, about standard normal in spread.
fn point(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| 1.5 * (i as f64 * 12.9898).sin() * (i as f64 * 0.618).cos())
        .collect()
}

/// The log-density of standard normal elements.
fn standard_normal(x: Var) -> Var {
    const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;
    (x.square() * -0.5 - HALF_LN_2PI).sum()
}

/// Bernoulli with logits `t`: `-softplus((1 - 2 y) t)`.
fn bernoulli(t: Var, y: Var) -> Var {
    -((1.0 - y * 2.0) * t).softplus().sum()
}

/// One network per group, its weights around a group mean, one scale per layer: 763 parameters.
fn hierarchical_bnn() -> (Var, Var) {
    let (x, y) = moons("moons_hier.csv");
    let mut z = array(&[GROUPS, ROWS, 2], x);
    let y = array(&[GROUPS, ROWS], y);
    let mut parameters = Vec::new();
    let mut log_density = Var::from(0.0);
    for (layer, d) in LAYERS.windows(2).enumerate() {
        let mean = Var::input(0, [d[0], d[1]]);
        let log_scale = Var::input(0, []);
        let offset = Var::input(0, [GROUPS, d[0], d[1]]);
        let scale = log_scale.exp();
        // Half-normal through exp: ln 2 and the log-Jacobian.
        let half_normal = standard_normal(scale) + std::f64::consts::LN_2 + log_scale;
        log_density = log_density + standard_normal(mean) + half_normal + standard_normal(offset);
        z = z.matmul(offset * scale + mean);
        if layer + 2 < LAYERS.len() {
            z = z.tanh();
        }
        parameters.extend([mean, log_scale, offset]);
    }
    log_density = log_density + bernoulli(z.squeeze(-1), y);
    (log_density, flat(log_density, &parameters))
}

/// One network for `rows` points: 40 weights.
fn flat_bnn(rows: usize) -> (Var, Var) {
    let (x, y) = moons("moons_flat.csv");
    let mut z = array(&[rows, 2], x[..2 * rows].to_vec());
    let y = array(&[rows], y[..rows].to_vec());
    let mut parameters = Vec::new();
    let mut log_density = Var::from(0.0);
    for (layer, d) in LAYERS.windows(2).enumerate() {
        let w = Var::input(0, [d[0], d[1]]);
        log_density = log_density + standard_normal(w);
        z = z.matmul(w);
        if layer + 2 < LAYERS.len() {
            z = z.tanh();
        }
        parameters.push(w);
    }
    log_density = log_density + bernoulli(z.squeeze(-1), y);
    (log_density, flat(log_density, &parameters))
}

/// Logistic regression: 100,000 rows of 50 predictors.
fn logistic() -> (Var, Var) {
    let (n, k) = (100_000, 50);
    let x = array(&[n, k], point(n * k));
    let y = array(&[n], (0..n).map(|i| (i % 3 / 2) as f64).collect());
    let b = Var::input(0, [k]);
    let log_density = standard_normal(b) + bernoulli(x.matmul(b), y);
    (log_density, flat(log_density, &[b]))
}

/// A thousand scalar sites in a loop, each around the one before.
fn thousand_sites() -> (Var, Var) {
    let x: Vec<Var> = (0..1000).map(|_| Var::input(0, [])).collect();
    let mut log_density = standard_normal(x[0]);
    for pair in x.windows(2) {
        log_density = log_density + standard_normal((pair[1] - pair[0] * 0.9) / 0.5);
    }
    (log_density, flat(log_density, &x))
}

/// The gradient as one vector.
fn flat(y: Var, parameters: &[Var]) -> Var {
    let parts: Vec<Var> = gradient(y, parameters)
        .into_iter()
        .map(|g| g.reshape([g.shape().size()]))
        .collect();
    ppl_autodiff::concat(&parts, 0)
}

fn traced<R>(f: impl FnOnce() -> R) -> (R, Traced) {
    trace(f).expect("the model has no mistakes")
}

/// A program over one input vector, called over and over.
fn run<T: Real>(c: &mut Criterion, id: &str, program: &Program<T>) {
    let x: Vec<Vec<T>> = program
        .input_lengths()
        .iter()
        .map(|&n| point(n).into_iter().map(T::from_f64).collect())
        .collect();
    let x: Vec<&[T]> = x.iter().map(|x| &x[..]).collect();
    let mut out: Vec<Vec<T>> = program
        .output_lengths()
        .iter()
        .map(|&n| vec![T::ZERO; n])
        .collect();
    let mut out: Vec<&mut [T]> = out.iter_mut().map(|o| &mut o[..]).collect();
    let mut workspace = program.workspace();
    if std::env::var_os("EXPLAIN").is_some() {
        eprintln!("{id}: {}", program.explain());
    }
    c.bench_function(id, |b| {
        b.iter(|| program.evaluate(&mut workspace, black_box(&x), black_box(&mut out)));
    });
}

fn gradient_of<T: Real>(c: &mut Criterion, id: &str, model: impl FnOnce() -> (Var, Var)) {
    let ((y, g), tape) = traced(model);
    run(c, id, &Program::<T>::compile(tape.tape(), &[&[y], &[g]]));
}

fn models(c: &mut Criterion) {
    gradient_of::<f64>(c, "gradient/hierarchical_bnn", hierarchical_bnn);
    gradient_of::<f32>(c, "gradient_f32/hierarchical_bnn", hierarchical_bnn);
    gradient_of::<f64>(c, "gradient/flat_bnn_500", || flat_bnn(500));
    gradient_of::<f64>(c, "gradient/flat_bnn_50", || flat_bnn(50));
    gradient_of::<f64>(c, "gradient/logistic_1e5x50", logistic);
    gradient_of::<f64>(c, "scalar/thousand_sites", thousand_sites);
    let ((y, _), tape) = traced(hierarchical_bnn);
    run(
        c,
        "value/hierarchical_bnn",
        &Program::<f64>::compile(tape.tape(), &[&[y]]),
    );
}

fn compiling(c: &mut Criterion) {
    let models: [(&str, fn() -> (Var, Var)); 2] = [
        ("hierarchical_bnn", hierarchical_bnn),
        ("thousand_sites", thousand_sites),
    ];
    for (name, model) in models {
        c.bench_function(&format!("compile/{name}"), |b| {
            b.iter(|| {
                let ((y, g), tape) = traced(model);
                Program::<f64>::compile(tape.tape(), &[&[y], &[g]])
            });
        });
    }
}

/// Products of one shape, the operands laid out as a model has them: row-major.
fn products(c: &mut Criterion) {
    for (batch, m, k, n) in [
        (18, 50, 2, 5),
        (18, 50, 5, 5),
        (18, 50, 5, 1),
        (18, 5, 50, 5),
        (1, 500, 5, 5),
    ] {
        let (y, tape) =
            traced(|| Var::input(0, [batch, m, k]).matmul(Var::input(0, [batch, k, n])));
        run(
            c,
            &format!("kernel/matmul_{batch}x{m}x{k}x{n}"),
            &Program::<f64>::compile(tape.tape(), &[&[y]]),
        );
    }
}

fn elementary_functions(c: &mut Criterion) {
    let (x, mut y) = (point(9000), vec![0.0; 9000]);
    c.bench_function("kernel/tanh_f64", |b| {
        b.iter(|| elementary::tanh(black_box(&x), black_box(&mut y)));
    });
}

/// The hand-written gradient; that it is the same function is checked before it is timed.
fn by_hand(c: &mut Criterion) {
    let ((y, g), tape) = traced(hierarchical_bnn);
    let program = Program::<f64>::compile(tape.tape(), &[&[y], &[g]]);
    let x = point(program.input_lengths()[0]);
    let (mut value, mut want, mut got) = ([0.0], vec![0.0; x.len()], vec![0.0; x.len()]);
    program.evaluate(
        &mut program.workspace(),
        &[&x],
        &mut [&mut value, &mut want],
    );
    let (predictors, labels) = moons("moons_hier.csv");
    let mut model = Hierarchical::new(&predictors, &labels);
    let by_hand = model.gradient(&x, &mut got);
    assert!(
        (by_hand - value[0]).abs() < 1e-9 * by_hand.abs(),
        "{by_hand} {}",
        value[0]
    );
    for (i, (w, g)) in want.iter().zip(&got).enumerate() {
        assert!(
            (w - g).abs() < 1e-9 * (1.0 + w.abs()),
            "parameter {i}: {w} {g}"
        );
    }
    c.bench_function("handwritten/hierarchical_bnn", |b| {
        b.iter(|| model.gradient(black_box(&x), black_box(&mut got)));
    });
}

criterion_group! {
    name = core;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = models, compiling, products, elementary_functions, by_hand
}
criterion_main!(core);
