//! Reducing predictions keeps neither all draws of a large site nor anything that grows with their number.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ppl::prelude::*;

/// The system's allocator, counting the bytes in use and the most there were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes that `f` had in use beyond those at its beginning.
fn most_bytes<R>(f: impl FnOnce() -> R) -> (usize, R) {
    let before = IN_USE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = f();
    (MOST.load(Ordering::Relaxed) - before, result)
}

model! {
    /// A line; the surface is its value at many points.
    fn line(x: Array1<f64>, y: Option<Array1<f64>>) {
        let a = sample!("a", Normal::new(0.0, 1.0));
        let b = sample!("b", Normal::new(0.0, 1.0));
        let mean = deterministic!("mean", a + b * &x);
        observe!("y", Normal::new(mean, 0.5), y);
    }
}

const ELEMENTS: usize = 1_000_000;

// One test, as another would allocate beside it.
#[test]
fn a_million_points_take_the_memory_of_some_surfaces_however_many_draws() {
    let x = Array1::from_shape_fn(20, |i| i as f64 / 20.0);
    let fit = |draws| {
        let nuts = Nuts::new().warmup(200).draws(draws).chains(2).seed(1);
        nuts.run(&line(x.clone(), Some(&x * 2.0 - 1.0))).unwrap()
    };
    let (few, many) = (fit(10), fit(100));
    let grid = Array1::from_shape_fn(ELEMENTS, |i| i as f64 / ELEMENTS as f64);
    let model = line(grid, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    // In units of the million numbers of one draw.
    let surfaces = |posterior: &Posterior, site: &str| {
        let (most, (mean, sd)) = most_bytes(|| {
            let predictive = posterior.predictive(&model).unwrap();
            predictive.reduce(site, (Mean::new(), Sd::new())).unwrap()
        });
        assert_eq!((mean.shape(), sd.shape()), (&[ELEMENTS][..], &[ELEMENTS][..]));
        most as f64 / (8 * ELEMENTS) as f64
    };
    pool.build().unwrap().install(|| {
        let (little, much) = (surfaces(&few, "mean"), surfaces(&many, "mean"));
        // All draws would be 20 and 200 surfaces. Kept are three for the reducers (a mean; a mean and squares), some
        // copies of the data while the function is traced, and for each of two threads a row and a workspace.
        assert!((little - much).abs() < 0.1, "{little} and {much} surfaces");
        for most in [much, surfaces(&few, "y")] {
            assert!(most < 15.0, "{most} surfaces");
        }
    });
}
