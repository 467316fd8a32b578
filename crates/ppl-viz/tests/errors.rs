//! Bad data are errors that name what is wrong; odd but valid data are drawn.

use ndarray::{Array1, Array2, Array3, array};
use ppl_viz::{CalibrationPlot, Figure, Grid, LinePlot, Scatter, Surface, TracePlot, VizError};

const PLANE: (f64, f64) = (-1.0, 1.0);

fn flat() -> Array2<f64> {
    Array2::from_elem((4, 5), 0.25)
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut values = flat();
        values[[1, 2]] = bad;
        let error = Surface::new(values.view(), PLANE, PLANE).unwrap_err();
        assert!(matches!(error, VizError::NotFinite { plot: "Surface", index: 7, .. }), "{error}");
        let error = LinePlot::new("", "").line("loss", array![0.0, bad].view()).unwrap_err();
        assert!(error.to_string().starts_with("LinePlot: line \"loss\" is "), "{error}");
        let draws = Array3::from_shape_fn((2, 3, 1), |(c, d, _)| if (c, d) == (1, 0) { bad } else { 0.0 });
        let error = TracePlot::new([("w", draws.view())]).unwrap_err();
        assert!(matches!(error, VizError::NotFinite { plot: "TracePlot", index: 3, .. }), "{error}");
        let error = Scatter::new(array![[0.0, bad]].view(), array![0.0].view()).unwrap_err();
        assert!(matches!(error, VizError::NotFinite { plot: "Scatter", index: 0, .. }), "{error}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let error = Surface::new(Array2::zeros((1, 5)).view(), PLANE, PLANE).unwrap_err();
    assert!(matches!(&error, VizError::Shape { got, .. } if got == &[1, 5]), "{error}");
    let error = Scatter::new(Array2::zeros((3, 3)).view(), Array1::zeros(3).view()).unwrap_err();
    assert_eq!(error.to_string(), "Scatter: points has shape [3, 3], wanted [n, 2]");
    let error = Scatter::new(Array2::zeros((3, 2)).view(), Array1::zeros(4).view()).unwrap_err();
    assert_eq!(error.to_string(), "Scatter: classes has shape [4], wanted [3], one for each point");
    let error = CalibrationPlot::new(3).parameter("mu", &[1], &[1.0], &[0.0], (&[], &[0.0])).unwrap_err();
    assert_eq!(error.to_string(), "CalibrationPlot: the lower band of \"mu\" has shape [0], wanted [1]");
    let error = TracePlot::new([("w", Array1::<f64>::zeros(3).view())]).unwrap_err();
    assert_eq!(error.to_string(), "TracePlot: site \"w\" has shape [3], wanted [chains, draws, ..]");
}

#[test]
fn nothing_to_draw_is_an_error() {
    let none = Vec::<(&str, ndarray::ArrayView3<'_, f64>)>::new();
    assert!(matches!(TracePlot::new(none), Err(VizError::Empty { .. })));
    assert!(matches!(TracePlot::new([("w", Array2::<f64>::zeros((2, 0)).view())]), Err(VizError::Empty { .. })));
    assert!(matches!(Scatter::new(Array2::zeros((0, 2)).view(), Array1::zeros(0).view()), Err(VizError::Empty { .. })));
    assert!(matches!(Figure::new(Grid::new(3)).size(300, 300).to_png(), Err(VizError::Empty { .. })));
    assert!(matches!(Figure::new(LinePlot::new("x", "y")).to_svg(), Err(VizError::Empty { .. })));
    assert!(matches!(Figure::new(CalibrationPlot::new(3)).to_svg(), Err(VizError::Empty { .. })));
    let none = CalibrationPlot::new(3).parameter("mu", &[], &[1.0], &[0.0], (&[0.0], &[0.0]));
    assert!(matches!(none, Err(VizError::Empty { .. })));
}

#[test]
fn classes_are_zero_or_one() {
    let error = Scatter::new(Array2::zeros((3, 2)).view(), array![0.0, 1.0, 2.0].view()).unwrap_err();
    assert_eq!(error.to_string(), "Scatter: class 2 is 2, wanted 0 or 1");
}

#[test]
fn ranges_run_upwards() {
    for range in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1e308)] {
        assert!(matches!(Surface::new(flat().view(), range, PLANE), Err(VizError::Range { what: "x", .. })));
        let surface = Surface::new(flat().view(), PLANE, PLANE).unwrap();
        assert!(matches!(surface.limits(range.0, range.1), Err(VizError::Range { what: "limits", .. })));
    }
}

#[test]
fn sizes_that_cannot_be_drawn_are_errors() {
    let figure = || Figure::new(Surface::new(flat().view(), PLANE, PLANE).unwrap().bar_label("label"));
    for (width, height) in [(0, 100), (100, 0), (100_000, 100), (20, 20)] {
        assert!(matches!(figure().size(width, height).to_png(), Err(VizError::Size { .. })), "{width} x {height}");
        assert!(matches!(figure().size(width, height).to_svg(), Err(VizError::Size { .. })), "{width} x {height}");
    }
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        assert!(matches!(figure().pixel_ratio(ratio).to_png(), Err(VizError::Size { .. })), "{ratio}");
    }
}

#[test]
fn files_that_cannot_be_written_are_errors() {
    let figure = || Figure::new(Surface::new(flat().view(), PLANE, PLANE).unwrap());
    for name in ["picture.jpg", "picture", ""] {
        assert!(matches!(figure().save(name), Err(VizError::UnknownExtension { .. })), "{name}");
    }
    let missing = std::env::temp_dir().join("ppl-viz-no-such-folder").join("a.png");
    let error = figure().save(&missing).unwrap_err();
    assert!(matches!(&error, VizError::Io { path, .. } if *path == missing), "{error}");
}

#[test]
fn odd_but_valid_data_are_drawn() {
    let figures = [
        Figure::new(Surface::new(flat().view(), PLANE, PLANE).unwrap()),
        Figure::new(Surface::uncertainty(Array2::zeros((2, 2)).view(), PLANE, PLANE).unwrap()),
        Figure::new(Surface::decision(Array2::from_elem((9, 9), 0.5).view(), PLANE, PLANE).unwrap()),
        Figure::new(Surface::new((flat() * -1e300).view(), PLANE, (1e-300, 2e-300)).unwrap().contour(f64::NAN)),
        Figure::new(Scatter::new(array![[2.0, 2.0]].view(), array![1.0].view()).unwrap()),
        Figure::new(TracePlot::new([("one draw", array![[1.5]].view())]).unwrap()),
        Figure::new(TracePlot::new([("constant", Array2::<f64>::zeros((3, 200)).view())]).unwrap()),
        Figure::new(TracePlot::new([("tiny", array![[0.0, 1e-320, 3e-320]].view())]).unwrap()),
        Figure::new(TracePlot::new([("huge", array![[-1e307, 1e307, 0.0]].view())]).unwrap()),
        Figure::new(LinePlot::new("x", "y").line("one", array![3.0].view()).unwrap()),
        Figure::new(LinePlot::new("x", "y").line("cut", array![3.0, 9.0].view()).unwrap().y_range(20.0, 30.0).unwrap()),
        Figure::new(LinePlot::new("", "").line("🙂", array![1e-12, 2e-12].view()).unwrap()).title("t".repeat(500)),
    ];
    for (index, figure) in figures.into_iter().enumerate() {
        assert!(figure.to_png().unwrap().len() > 1000, "figure {index}");
        assert!(figure.to_svg().unwrap().contains("<text"), "figure {index}");
    }
}

#[test]
fn data_wider_than_any_number_are_an_error() {
    let plot = TracePlot::new([("w", array![[-1e308, 1e308]].view())]).unwrap();
    assert!(matches!(Figure::new(plot).to_png(), Err(VizError::Range { .. })));
}
