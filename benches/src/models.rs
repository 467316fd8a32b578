//! The models that are timed, with their data.

use std::path::PathBuf;

use ppl::data::{DataError, read_csv_split, read_grouped_csv};
use ppl::prelude::*;

model! {
    /// The flat network of the notebooks: 2 => 5 => 5 => 1, 40 weights.
    pub fn flat_bnn(x: Array2<f64>, y: Array1<f64>) {
        let mut z = Var::from(&x);
        for (i, d) in LAYERS.windows(2).enumerate() {
            let w = sample!("w{i}", Normal::new(0.0, 1.0).expand([d[0], d[1]]));
            z = dense(z, w);
            if i + 2 < LAYERS.len() {
                z = z.tanh();
            }
        }
        observe!("y", Bernoulli::logits(z.squeeze(-1)), y);
    }

    /// The hierarchical network: every weight of every group scatters around a mean, one scale a layer; 763 latents
    /// for 18 groups.
    pub fn hierarchical_bnn(x: Array3<f64>, y: Array2<f64>) {
        let mut z = Var::from(&x);
        for (i, d) in LAYERS.windows(2).enumerate() {
            let mean = sample!("w{i}_c", Normal::new(0.0, 1.0).expand([d[0], d[1]]));
            let std = sample!("w{i}_c_std", HalfNormal::new(1.0));
            let w = plate!("category", x.len_of(Axis(0)), dim = -3, {
                std * sample!("w{i}_all", Normal::new(0.0, 1.0).expand(mean.shape())) + mean
            });
            z = z.matmul(w);
            if i + 2 < LAYERS.len() {
                z = z.tanh();
            }
        }
        observe!("y", Bernoulli::logits(z.squeeze(-1)), y);
    }

    /// A network of 129,950 weights: 784 => 161 => 23 => 1.
    pub fn wide_bnn(x: Array2<f64>, y: Array1<f64>) {
        let w0 = sample!("w0", Normal::new(0.0, 0.05).expand([784, 161]));
        let w1 = sample!("w1", Normal::new(0.0, 0.1).expand([161, 23]));
        let w2 = sample!("w2", Normal::new(0.0, 0.3).expand([23, 1]));
        let z = dense(dense(Var::from(&x), w0).tanh(), w1).tanh();
        observe!("y", Bernoulli::logits(dense(z, w2).squeeze(-1)), y);
    }

    /// Logistic regression.
    pub fn logistic(x: Array2<f64>, y: Array1<f64>) {
        let b = sample!("b", Normal::new(0.0, 1.0).expand([x.ncols()]));
        observe!("y", Bernoulli::logits(Var::from(&x).matmul(b)), y);
    }

    /// Scalar sites in a loop, each around the one before.
    pub fn scalar_walk(sites: usize) {
        let mut x = sample!("x0", Normal::new(0.0, 1.0));
        for i in 1..sites {
            x = sample!("x{i}", Normal::new(0.9 * x, 0.5));
        }
    }

    /// Eight schools (Rubin 1981), non-centred.
    pub fn eight_schools() {
        let y = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
        let sigma = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfNormal::new(5.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([8]));
        observe!("y", Normal::new(mu + tau * z, sigma), y);
    }
}

/// Units of the networks' layers.
pub const LAYERS: [usize; 4] = [2, 5, 5, 1];

fn moons(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "data", "moons", file].iter().collect()
}

/// The training rows of the flat data, at most `rows` of 500.
///
/// # Errors
/// Where the file cannot be read.
pub fn flat_data(rows: usize) -> Result<(Array2<f64>, Array1<f64>), DataError> {
    let data = read_csv_split(moons("moons_flat.csv"))?;
    Ok((data.x_train.slice(s![..rows, ..]).to_owned(), data.y_train.slice(s![..rows]).to_owned()))
}

/// The training rows of the grouped data: 18 groups of 50.
///
/// # Errors
/// Where the file cannot be read.
pub fn grouped_data() -> Result<(Array3<f64>, Array2<f64>), DataError> {
    let data = read_grouped_csv(moons("moons_hier.csv"))?;
    Ok((data.x_train, data.y_train))
}

/// A regression with as many rows and predictors as one likes.
pub fn logistic_data(rows: usize, columns: usize) -> (Array2<f64>, Array1<f64>) {
    let numbers = point(rows * columns);
    let x = Array2::from_shape_fn((rows, columns), |(i, j)| numbers[i * columns + j]);
    (x, Array1::from_shape_fn(rows, |i| (i % 3 / 2) as f64))
}

/// Numbers that look random, with about the spread of standard normal ones.
pub fn point(n: usize) -> Vec<f64> {
    (0..n).map(|i| 1.5 * (i as f64 * 12.9898).sin() * (i as f64 * 0.618).cos()).collect()
}
