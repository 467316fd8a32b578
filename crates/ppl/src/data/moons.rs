//! Two interleaving half circles: a small classification problem that no straight line solves.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};
use rand::seq::SliceRandom;
use rand_core::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{DataError, GroupedData};

/// Standard deviation of the rotation of a group, in degrees.
const ROTATION_SD: f64 = 90.0;

/// `n_samples` points `[n_samples, 2]` in random order and their classes `[n_samples]`.
///
/// Class 0 lies on the half circle `(cos t, sin t)`, class 1 on `(1 - cos t, 1/2 - sin t)`, with `t` evenly spaced on
/// `[0, pi]`; class 0 has `n_samples / 2` points, rounded down. Every coordinate gets normal noise of standard
/// deviation `noise`.
///
/// # Errors
/// [`DataError::Noise`] if `noise` is negative or not finite.
///
/// # Source
/// The geometry of `sklearn.datasets.make_moons`; the random numbers differ.
///
/// ```
/// use ppl::data::{make_moons, scale};
/// use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
/// let (x, y) = make_moons(1000, 0.2, &mut random)?;
/// let x = scale(x.view());
/// assert_eq!((x.dim(), y.sum()), ((1000, 2), 500.0));
/// # Ok::<(), ppl::data::DataError>(())
/// ```
pub fn make_moons<R: Rng + ?Sized>(
    n_samples: usize,
    noise: f64,
    random: &mut R,
) -> Result<(Array2<f64>, Array1<f64>), DataError> {
    check_noise("make_moons", noise)?;
    let outer = n_samples / 2;
    let inner = n_samples - outer;
    let angle = |i: usize, n: usize| PI * i as f64 / n.saturating_sub(1).max(1) as f64;
    let mut samples: Vec<([f64; 2], f64)> = Vec::with_capacity(n_samples);
    samples.extend((0..outer).map(|i| angle(i, outer)).map(|t| ([t.cos(), t.sin()], 0.0)));
    samples.extend((0..inner).map(|i| angle(i, inner)).map(|t| ([1.0 - t.cos(), 0.5 - t.sin()], 1.0)));
    samples.shuffle(random);

    let y = samples.iter().map(|(_, class)| *class).collect();
    let x = Array2::from_shape_fn((n_samples, 2), |(i, k)| {
        let deviate: f64 = StandardNormal.sample(random);
        samples[i].0[k] + noise * deviate
    });
    Ok((x, y))
}

/// The columns of `x` `[n, d]`, each shifted to mean 0 and scaled to population standard deviation 1.
///
/// A column that is constant up to rounding is shifted only. NaN in a column makes all of it NaN.
///
/// # Source
/// `sklearn.preprocessing.scale`; a column counts as constant if its variance is at most
/// `n eps variance + (n eps mean)^2`, the rounding error of the sum.
#[must_use]
pub fn scale(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut scaled = x.to_owned();
    let n = x.nrows() as f64;
    for mut column in scaled.axis_iter_mut(Axis(1)) {
        let mean = column.sum() / n;
        column -= mean;
        let variance = column.mapv(|v| v * v).sum() / n;
        let rounding = n * f64::EPSILON * variance + (n * f64::EPSILON * mean).powi(2);
        if variance > rounding || variance.is_nan() {
            column /= variance.sqrt();
        }
    }
    scaled
}

/// Points of the plane `[n, 2]` turned around the origin: `x [[c, -s], [s, c]]`, clockwise for positive degrees.
///
/// # Errors
/// [`DataError::NotPlanar`] unless `x` has two columns.
pub fn rotate(x: ArrayView2<'_, f64>, degrees: f64) -> Result<Array2<f64>, DataError> {
    if x.ncols() != 2 {
        return Err(DataError::NotPlanar { function: "rotate", got: x.ncols() });
    }
    let (sin, cos) = degrees.to_radians().sin_cos();
    Ok(Array2::from_shape_fn(x.dim(), |(i, k)| {
        let (a, b) = (x[[i, 0]], x[[i, 1]]);
        if k == 0 { cos * a + sin * b } else { cos * b - sin * a }
    }))
}

/// Groups of moons, each scaled and then rotated by its own normal angle with a standard deviation of 90 degrees.
///
/// Of the `per_group` points of a group the first half, rounded down, is to fit and the rest is to test.
///
/// # Errors
/// [`DataError::TooFew`] without groups or with fewer than 2 points in each, [`DataError::Noise`].
///
/// # Source
/// T. Wiecki (2018), Hierarchical Bayesian Neural Networks with Informative Priors, twiecki.io.
pub fn hierarchical_moons<R: Rng + ?Sized>(
    groups: usize,
    per_group: usize,
    noise: f64,
    random: &mut R,
) -> Result<GroupedData, DataError> {
    const FUNCTION: &str = "hierarchical_moons";
    check_noise(FUNCTION, noise)?;
    for (argument, got, least) in [("groups", groups, 1), ("per_group", per_group, 2)] {
        if got < least {
            return Err(DataError::TooFew { function: FUNCTION, argument, least, got });
        }
    }
    let train = per_group / 2;
    let test = per_group - train;
    let mut data = GroupedData {
        x_train: Array3::zeros((groups, train, 2)),
        y_train: Array2::zeros((groups, train)),
        x_test: Array3::zeros((groups, test, 2)),
        y_test: Array2::zeros((groups, test)),
    };
    for group in 0..groups {
        let (x, y) = make_moons(per_group, noise, random)?;
        let deviate: f64 = StandardNormal.sample(random);
        let x = rotate(scale(x.view()).view(), ROTATION_SD * deviate)?;
        data.x_train.slice_mut(s![group, .., ..]).assign(&x.slice(s![..train, ..]));
        data.y_train.row_mut(group).assign(&y.slice(s![..train]));
        data.x_test.slice_mut(s![group, .., ..]).assign(&x.slice(s![train.., ..]));
        data.y_test.row_mut(group).assign(&y.slice(s![train..]));
    }
    Ok(data)
}

fn check_noise(function: &'static str, noise: f64) -> Result<(), DataError> {
    if noise.is_finite() && noise >= 0.0 { Ok(()) } else { Err(DataError::Noise { function, noise }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, concatenate};
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    fn random(seed: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(seed)
    }

    /// Distance of a point from the half circle of its class.
    fn distance(x: f64, y: f64, class: f64) -> f64 {
        let (u, v) = if class == 0.0 { (x, y) } else { (1.0 - x, 0.5 - y) };
        if v >= 0.0 { (u.hypot(v) - 1.0).abs() } else { (u.abs() - 1.0).hypot(v) }
    }

    #[test]
    fn without_noise_the_points_lie_evenly_on_two_half_circles() {
        let (x, y) = make_moons(101, 0.0, &mut random(1)).unwrap();
        assert_eq!((x.dim(), y.len(), y.sum()), ((101, 2), 101, 51.0)); // the odd one is of class 1
        for (point, class) in x.rows().into_iter().zip(&y) {
            assert!(distance(point[0], point[1], *class) < 1e-15);
        }
        // Angles of class 0 are pi i / 49, i = 0..=49.
        let class0 = x.rows().into_iter().zip(&y).filter(|(_, class)| **class == 0.0);
        let mut angles: Vec<f64> = class0.map(|(p, _)| p[1].atan2(p[0])).collect();
        angles.sort_by(f64::total_cmp);
        for (i, angle) in angles.iter().enumerate() {
            assert!((angle - PI * i as f64 / 49.0).abs() < 1e-12);
        }
    }

    #[test]
    fn classes_come_shuffled() {
        let (_, y) = make_moons(1000, 0.1, &mut random(2)).unwrap();
        // Of 500 draws from 500 + 500 without replacement: mean 250, sd sqrt(500/2/2 * 500/999) = 7.9; 5 sd either way.
        let early = y.slice(s![..500]).sum();
        assert!((early - 250.0).abs() < 40.0, "{early}");
    }

    #[test]
    fn noise_has_its_standard_deviation() {
        let (clean, _) = make_moons(4000, 0.0, &mut random(3)).unwrap();
        let (noisy, _) = make_moons(4000, 0.3, &mut random(3)).unwrap();
        // Same seed, same shuffle; 8000 deviates: the standard error of the sd is 0.3 / sqrt(16000) = 0.0024, times 4.
        let residual = &noisy - &clean;
        assert!((residual.std(0.0) - 0.3).abs() < 0.0096, "{}", residual.std(0.0));
        assert!(residual.mean().unwrap().abs() < 4.0 * 0.3 / 8000f64.sqrt());
    }

    #[test]
    fn same_seed_same_data() {
        let draw = |seed| hierarchical_moons(3, 10, 0.3, &mut random(seed)).unwrap();
        assert_eq!(draw(4), draw(4));
        assert_ne!(draw(4), draw(5));
    }

    #[test]
    fn scaled_columns_have_mean_zero_and_sd_one() {
        let scaled = scale(array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [6.0, 5.0]].view());
        // Column 0: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5. Column 1 is constant.
        let sd = 3.5f64.sqrt();
        let want = array![[-2.0 / sd, 0.0], [-1.0 / sd, 0.0], [0.0, 0.0], [3.0 / sd, 0.0]];
        assert!((scaled - want).iter().all(|d| d.abs() < 1e-15));
        // 0.1 is no binary number: the mean of ten of them is off by an ulp, which must not be blown up to 1.
        assert!(scale(Array2::from_elem((10, 1), 0.1).view()).iter().all(|v| v.abs() < 1e-15));
        assert_eq!(scale(Array2::zeros((0, 2)).view()).dim(), (0, 2));
    }

    #[test]
    fn rotation_is_the_product_with_the_matrix() {
        let turned = rotate(array![[1.0, 0.0], [0.0, 2.0]].view(), 30.0).unwrap();
        let (c, s) = (0.75f64.sqrt(), 0.5); // [1 0] gives the first row of [[c, -s], [s, c]]
        let want = array![[c, -s], [2.0 * s, 2.0 * c]];
        assert!((turned - want).iter().all(|d| d.abs() < 1e-15));
    }

    #[test]
    fn groups_are_scaled_and_rotated_moons() {
        let data = hierarchical_moons(18, 101, 0.3, &mut random(6)).unwrap();
        assert_eq!((data.x_train.dim(), data.y_train.dim()), ((18, 50, 2), (18, 50)));
        assert_eq!((data.x_test.dim(), data.y_test.dim()), ((18, 51, 2), (18, 51)));
        for group in 0..18 {
            let (train, test) = (data.x_train.index_axis(Axis(0), group), data.x_test.index_axis(Axis(0), group));
            let all = concatenate![Axis(0), train, test];
            // Rotation keeps the mean, and the sum of the two variances, which scaling made 2.
            let mean = all.mean_axis(Axis(0)).unwrap();
            assert!(mean.iter().all(|m| m.abs() < 1e-14));
            let total = all.var_axis(Axis(0), 0.0).sum();
            assert!((total - 2.0).abs() < 1e-13, "{total}");
            assert_eq!(data.y_train.row(group).sum() + data.y_test.row(group).sum(), 51.0);
        }
    }

    #[test]
    fn arguments_out_of_range_are_errors() {
        for noise in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(make_moons(10, noise, &mut random(0)), Err(DataError::Noise { .. })));
            assert!(matches!(hierarchical_moons(1, 10, noise, &mut random(0)), Err(DataError::Noise { .. })));
        }
        for (groups, per_group, argument) in [(0, 10, "groups"), (3, 1, "per_group")] {
            let error = hierarchical_moons(groups, per_group, 0.1, &mut random(0)).unwrap_err();
            assert!(matches!(error, DataError::TooFew { argument: a, .. } if a == argument), "{error}");
        }
        let error = rotate(Array2::zeros((4, 3)).view(), 10.0).unwrap_err();
        assert_eq!(error.to_string(), "rotate: x has 3 columns, wanted 2");
        for n in 0..3 {
            assert_eq!(make_moons(n, 0.1, &mut random(0)).unwrap().0.dim(), (n, 2));
        }
    }
}
