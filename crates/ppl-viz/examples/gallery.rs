//! One picture of every kind, as SVG and PNG: `cargo run -p ppl-viz --example gallery -- out`.

use std::error::Error;
use std::f64::consts::PI;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, s};
use ppl_viz::{Figure, Grid, LinePlot, Scatter, Surface, TracePlot};

/// Deterministic pseudo-random numbers: an additive Weyl sequence, mixed.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (2.0 * PI * self.uniform()).cos()
    }
}

const PLANE: (f64, f64) = (-3.0, 3.0);

/// Two half moons, rotated.
fn moons(n: usize, degrees: f64, noise: &mut Noise) -> (Array2<f64>, Array1<f64>) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let class = |i: usize| (i % 2) as f64;
    let points = Array2::from_shape_fn((n, 2), |_| noise.normal() * 0.28);
    let points = Array2::from_shape_fn((n, 2), |(i, k)| {
        let t = PI * (i / 2) as f64 / (n / 2) as f64;
        let (x, y) = if i % 2 == 0 { (t.cos(), t.sin()) } else { (1.0 - t.cos(), 0.5 - t.sin()) };
        let (x, y) = (1.15 * (x - 0.5) + points[[i, 0]], 1.9 * (y - 0.25) + points[[i, 1]]);
        if k == 0 { cos * x + sin * y } else { -sin * x + cos * y }
    });
    (points, (0..n).map(class).collect())
}

/// A wavy boundary, as a network with two layers would draw it.
fn probability(x: f64, y: f64, degrees: f64) -> f64 {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (u, v) = (cos * x - sin * y, sin * x + cos * y);
    1.0 / (1.0 + (2.2 * v - 2.6 * (1.9 * u).sin() * (-0.25 * u * u).exp()).exp())
}

fn surfaces(degrees: f64) -> (Array2<f64>, Array2<f64>) {
    let node = |i: usize| PLANE.0 + (PLANE.1 - PLANE.0) * i as f64 / 99.0;
    let mean = Array2::from_shape_fn((100, 100), |(i, j)| probability(node(j), node(i), degrees));
    let sd = mean.mapv(|p: f64| (p * (1.0 - p)).sqrt() * 0.9);
    (mean, sd)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "out".into()));
    std::fs::create_dir_all(&folder)?;
    let save = |figure: Figure, name: &str| -> Result<(), Box<dyn Error>> {
        figure.save(folder.join(format!("{name}.svg")))?;
        figure.save(folder.join(format!("{name}.png")))?;
        Ok(())
    };
    let mut noise = Noise(1);

    let (points, classes) = moons(500, 0.0, &mut noise);
    let scatter = Scatter::new(points.view(), classes.view())?.axis_labels("X", "Y");
    save(Figure::new(scatter).title("Toy binary classification data set"), "scatter")?;

    let (mean, sd) = surfaces(0.0);
    let decision = Surface::decision(mean.view(), PLANE, PLANE)?.points(points.view(), classes.view())?;
    save(Figure::new(decision.axis_labels("X", "Y")).title("Posterior predictive mean"), "decision")?;
    let uncertainty = Surface::uncertainty(sd.view(), PLANE, PLANE)?.points(points.view(), classes.view())?;
    save(Figure::new(uncertainty.axis_labels("X", "Y")), "uncertainty")?;

    for kind in ["decision", "uncertainty", "scatter"] {
        let mut grid = Grid::new(4).axis_labels("X", "Y");
        for i in 0..16 {
            let degrees = 47.0 * i as f64;
            let (points, classes) = moons(50, degrees, &mut noise);
            let (mean, sd) = surfaces(degrees);
            let title = format!("Category {}", i + 1);
            grid = match kind {
                "decision" => grid
                    .panel(title, Surface::decision(mean.view(), PLANE, PLANE)?.points(points.view(), classes.view())?),
                "uncertainty" => grid.panel(
                    title,
                    Surface::uncertainty(sd.view(), PLANE, PLANE)?.points(points.view(), classes.view())?,
                ),
                _ => grid.panel(title, Scatter::new(points.view(), classes.view())?),
            };
        }
        save(Figure::new(grid).size(1500, 1200), &format!("grid_{kind}"))?;
    }

    let mut chain = |shape: (usize, usize, usize), persistence: f64| {
        let mut draws = Array3::from_shape_fn(shape, |_| noise.normal());
        for i in 1..shape.1 {
            let before = draws.slice(s![.., i - 1, ..]).to_owned();
            let fresh = draws.slice(s![.., i, ..]).to_owned();
            draws
                .slice_mut(s![.., i, ..])
                .assign(&(before * persistence + fresh * (1.0 - persistence * persistence).sqrt()));
        }
        draws
    };
    let sites: Vec<(&str, ArrayD<f64>)> = vec![
        ("w0_c_std", chain((4, 500, 1), 0.5).mapv(|v: f64| (0.4 * v).exp()).into_dyn()),
        ("w0_c", (chain((4, 500, 10), 0.3) + Array1::linspace(-3.0, 3.0, 10)).into_dyn()),
        ("w1_c", chain((4, 500, 25), 0.8).into_dyn()),
        ("constant", ArrayD::from_elem(vec![4, 500], 2.0)),
    ];
    let diverging = Array2::from_shape_fn((4, 500), |(c, i)| (i * (c + 3)) % 97 == 5);
    let traces = TracePlot::new(sites.iter().map(|(name, draws)| (*name, draws.view())))?.divergences(diverging.view());
    save(Figure::new(traces), "traces")?;

    let bound = |scale: f64, noise: &mut Noise| -> Array1<f64> {
        (0..20_000).map(|i| -150.0 - 900.0 * (-f64::from(i) / (2000.0 * scale)).exp() + 12.0 * noise.normal()).collect()
    };
    let plot = LinePlot::new("iteration", "ELBO")
        .line("full batch", bound(1.0, &mut noise).view())?
        .line("minibatches of 50", bound(0.4, &mut noise).view())?
        .stroke(0.8, 0.8);
    save(Figure::new(plot).title("Evidence lower bound"), "elbo")
}
