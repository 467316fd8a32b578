//! Whole pictures: their size, their texts, the colours of their regions, and small ones against stored files.

use std::io::Cursor;

use ndarray::{Array1, Array2, Array3, array};
use plotters_backend::{BackendColor, BackendCoord, DrawingBackend, DrawingErrorKind};
use ppl_viz::{CalibrationPlot, Colormap, Figure, Grid, LinePlot, Scatter, Surface, TracePlot};

/// A decoded PNG.
struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn of(bytes: &[u8]) -> Self {
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: info.width as usize, height: info.height as usize, rgb }
    }

    /// Mean colour of a square of `2 r + 1` pixels.
    fn mean(&self, x: usize, y: usize, r: usize) -> [f64; 3] {
        let mut sum = [0.0; 3];
        for row in y - r..=y + r {
            for column in x - r..=x + r {
                let start = 3 * (row * self.width + column);
                sum.iter_mut().zip(&self.rgb[start..]).for_each(|(s, v)| *s += f64::from(*v));
            }
        }
        sum.map(|s| s / ((2 * r + 1) * (2 * r + 1)) as f64)
    }

    /// Mean absolute difference of all channels, of 255.
    fn difference(&self, other: &Self) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let total: f64 = self.rgb.iter().zip(&other.rgb).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        total / self.rgb.len() as f64
    }
}

const PLANE: (f64, f64) = (-3.0, 3.0);

fn points() -> (Array2<f64>, Array1<f64>) {
    let points = Array2::from_shape_fn((24, 2), |(i, k)| {
        let t = i as f64 / 23.0 * 6.0;
        if k == 0 { 2.0 * t.cos() } else { 2.0 * (1.3 * t).sin() }
    });
    (points, Array1::from_shape_fn(24, |i| (i % 2) as f64))
}

fn saddle() -> Array2<f64> {
    Array2::from_shape_fn((40, 40), |(i, j)| {
        let (x, y) = (j as f64 / 19.5 - 1.0, i as f64 / 19.5 - 1.0);
        1.0 / (1.0 + (-6.0 * x * y).exp())
    })
}

fn small_surface() -> Figure {
    let (points, classes) = points();
    let surface = Surface::decision(saddle().view(), PLANE, PLANE).unwrap();
    let surface = surface.points(points.view(), classes.view()).unwrap().axis_labels("X", "Y").bar_label("p(y = 1)");
    Figure::new(surface).title("Saddle").size(400, 300)
}

fn small_trace() -> Figure {
    let scale = Array3::from_shape_fn((2, 60, 1), |(c, d, _)| 1.0 + 0.5 * ((d * (c + 2)) as f64 * 0.7).sin());
    let weights = Array3::from_shape_fn((2, 60, 5), |(c, d, k)| k as f64 + ((d * (c + 2) + k) as f64 * 0.9).cos());
    let plot = TracePlot::new([("τ", scale.view()), ("w", weights.view())]).unwrap();
    let diverging = Array2::from_shape_fn((2, 60), |(_, d)| d % 20 == 7);
    Figure::new(plot.divergences(diverging.view())).size(560, 300)
}

fn small_grid() -> Figure {
    let (points, classes) = points();
    let sd = saddle().mapv(|p: f64| p * (1.0 - p));
    let mut grid = Grid::new(2).axis_labels("X", "Y");
    for i in 1..=3 {
        let surface = Surface::uncertainty((&sd * f64::from(i)).view(), PLANE, PLANE).unwrap();
        grid =
            grid.panel(format!("Category {i}"), surface.points(points.view(), classes.view()).unwrap().bar_label("sd"));
    }
    grid = grid.panel("Data", Scatter::new(points.view(), classes.view()).unwrap());
    Figure::new(grid).size(480, 400)
}

fn small_lines() -> Figure {
    let curve = |rate: f64| Array1::from_shape_fn(300, |i| -100.0 - 500.0 * (-rate * i as f64).exp());
    let plot = LinePlot::new("iteration", "ELBO").line("slow", curve(0.01).view()).unwrap();
    Figure::new(plot.line("fast", curve(0.05).view()).unwrap()).title("Bound").size(400, 250)
}

/// One parameter whose ranks are even, and one whose ranks lie in the middle and leave the band.
fn small_calibration() -> Figure {
    let at: Vec<f64> = (1..=20).map(|k| f64::from(k) / 20.0).collect();
    let band: Vec<f64> = at.iter().map(|z| 3.0 * (z * (1.0 - z) / 100.0).sqrt()).collect();
    let lower: Vec<f64> = band.iter().map(|b| -b).collect();
    let mut plot = CalibrationPlot::new(19);
    let even: Vec<usize> = (0..100).map(|i| i % 20).collect();
    let crowded: Vec<usize> = (0..100).map(|i| 5 + i % 10).collect();
    for (name, ranks) in [("even", even), ("too wide", crowded)] {
        let below = |z: f64| ranks.iter().filter(|r| (**r + 1) as f64 / 20.0 <= z + 1e-12).count() as f64 / 100.0 - z;
        let difference: Vec<f64> = at.iter().map(|z| below(*z)).collect();
        plot = plot.parameter(name, &ranks, &at, &difference, (&lower, &band)).unwrap();
    }
    Figure::new(plot).size(560, 320)
}

fn goldens() -> [(&'static str, Figure); 5] {
    [
        ("surface", small_surface()),
        ("trace", small_trace()),
        ("grid", small_grid()),
        ("lines", small_lines()),
        ("calibration", small_calibration()),
    ]
}

fn golden_path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"))
}

/// A shifted label or a missing curve moves the mean difference by more than 0.5 of 255; rounding does not reach 0.05.
#[test]
fn pictures_look_as_they_did_when_they_were_looked_at() {
    for (name, figure) in goldens() {
        let stored = Picture::of(&std::fs::read(golden_path(name)).unwrap());
        let difference = Picture::of(&figure.to_png().unwrap()).difference(&stored);
        assert!(difference < 0.25, "{name} differs from its stored picture by {difference} of 255 on average");
    }
}

#[test]
#[ignore = "writes the stored pictures anew; look at them before committing"]
fn write_the_stored_pictures() {
    for (name, figure) in goldens() {
        figure.save(golden_path(name)).unwrap();
    }
}

#[test]
fn svg_has_the_texts_and_the_size() {
    for (figure, size, texts) in [
        (small_surface(), (400, 300), vec!["Saddle", "X", "Y", "p(y = 1)", "\u{2212}2", "0.50"]),
        (small_trace(), (560, 300), vec!["τ", "w", "value", "draw"]),
        (small_grid(), (480, 400), vec!["Category 1", "Category 3", "Data", "sd"]),
        (small_calibration(), (560, 320), vec!["even", "too wide", "rank of the truth", "19"]),
        (small_lines(), (400, 250), vec!["Bound", "slow", "fast", "iteration", "ELBO", "\u{2212}200"]),
    ] {
        let svg = figure.to_svg().unwrap();
        assert!(svg.starts_with(&format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1)));
        assert!(svg.trim_end().ends_with("</svg>"));
        for text in texts {
            assert!(svg.contains(&format!(">\n{text}\n</text>")), "no text {text}");
        }
        assert!(svg.contains("sans-serif"));
    }
}

#[test]
fn texts_of_the_user_are_escaped() {
    let plot = LinePlot::new("<iteration>", "a & b").line("x", array![1.0, 2.0].view()).unwrap();
    let svg = Figure::new(plot).to_svg().unwrap();
    assert!(svg.contains("&lt;iteration&gt;") && svg.contains("a &amp; b"));
}

#[test]
fn pixels_have_the_colours_of_the_map() {
    // Rising from left to right over 5 bands, so that each is a stripe about 100 pixels wide.
    let ramp = Array2::from_shape_fn((11, 101), |(_, j)| j as f64 / 100.0);
    for map in [Colormap::Diverging, Colormap::Sequential] {
        let surface = Surface::new(ramp.view(), PLANE, PLANE).unwrap().colormap(map).bands(5);
        let picture = Picture::of(&Figure::new(surface).size(600, 400).to_png().unwrap());
        for band in 0..5 {
            // The frame goes from about 45 to 545; anywhere near the middle of a stripe will do.
            let got = picture.mean(45 + 98 * band + 49, 200, 8);
            let want = map.at((band as f64 + 0.5) / 5.0).rgb.map(f64::from);
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() <= 1.0), "band {band}: {got:?}, wanted {want:?}");
        }
        // Paper outside of the frame.
        assert_eq!(picture.mean(4, 4, 3), [255.0; 3]);
    }
}

#[test]
fn the_first_row_of_values_is_at_the_bottom() {
    let rows = Array2::from_shape_fn((3, 3), |(i, _)| i as f64);
    let surface = Surface::new(rows.view(), PLANE, PLANE).unwrap();
    let picture = Picture::of(&Figure::new(surface).size(300, 300).to_png().unwrap());
    let lightness = |y| picture.mean(130, y, 4).iter().sum::<f64>();
    assert!(lightness(260) > lightness(150) && lightness(150) > lightness(30));
}

#[test]
fn a_pixel_ratio_makes_more_pixels_of_the_same_layout() {
    let once = Picture::of(&small_surface().to_png().unwrap());
    let twice = Picture::of(&small_surface().pixel_ratio(2.0).to_png().unwrap());
    assert_eq!((twice.width, twice.height), (800, 600));
    // Averaged over 2 x 2 pixels it is the first picture again, but for text, which is hinted to whole pixels.
    let halved = Picture {
        width: 400,
        height: 300,
        rgb: (0..400 * 300 * 3)
            .map(|i| {
                let (row, column, channel) = (i / 1200, i / 3 % 400, i % 3);
                let at =
                    |r: usize, c: usize| u32::from(twice.rgb[3 * ((2 * row + r) * 800 + 2 * column + c) + channel]);
                ((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4) as u8
            })
            .collect(),
    };
    assert!(once.difference(&halved) < 2.0, "{}", once.difference(&halved));
}

#[test]
fn files_carry_the_signature_of_their_kind() {
    let folder = std::env::temp_dir().join(format!("ppl-viz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, signature) in [("a.svg", b"<svg".as_slice()), ("b.PNG", b"\x89PNG\r\n\x1a\n")] {
        small_surface().save(folder.join(name)).unwrap();
        assert!(std::fs::read(folder.join(name)).unwrap().starts_with(signature));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A backend with nothing but pixels: counts those that are not white.
struct Ink {
    pixels: Vec<bool>,
}

impl DrawingBackend for Ink {
    type ErrorType = std::convert::Infallible;
    fn get_size(&self) -> (u32, u32) {
        (400, 300)
    }
    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        Ok(())
    }
    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        Ok(())
    }
    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        if (0..400).contains(&x) && (0..300).contains(&y) && color.alpha > 0.5 {
            self.pixels[y as usize * 400 + x as usize] = color.rgb != (255, 255, 255);
        }
        Ok(())
    }
}

#[test]
fn any_plotters_backend_can_be_drawn_on() {
    let mut device = Ink { pixels: vec![false; 400 * 300] };
    small_surface().draw_on(&mut device).unwrap();
    let ink = |rows: std::ops::Range<usize>| {
        rows.map(|y| device.pixels[y * 400..(y + 1) * 400].iter().filter(|i| **i).count())
    };
    // The title alone, then the filled plane; both agree with our own PNG up to smoothing.
    let png = Picture::of(&small_surface().to_png().unwrap());
    let title: usize = ink(10..32).sum();
    let own: usize =
        (10..32).flat_map(|y| (0..400).map(move |x| (x, y))).filter(|(x, y)| png.mean(*x, *y, 0)[0] < 140.0).count();
    assert!(title > 60 && own > 60 && title.abs_diff(own) < own / 3, "{title} and {own}");
    assert!(ink(120..180).sum::<usize>() > 60 * 250);
}
