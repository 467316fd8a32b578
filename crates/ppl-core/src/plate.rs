//! Plates: sites inside are independent copies along one axis.
//!
//! ```
//! use ppl_core::dist::Normal;
//! use ppl_core::model::ModelTrace;
//! use ppl_core::{model, plate, sample};
//!
//! model! {
//!     /// Five schools of three classes each.
//!     fn schools() {
//!         let classes = plate!("schools", 5, dim = -2, {
//!             let school = sample!("school", Normal::new(0.0, 1.0));
//!             plate!("classes", 3, dim = -1, sample!("class", Normal::new(school, 0.5)))
//!         });
//!         assert_eq!(classes.shape(), [5, 3].into());
//!     }
//! }
//! let trace = ModelTrace::unconstrained(&schools(), &[])?;
//! let shapes: Vec<String> = trace.sites().iter().map(|s| s.shape.to_string()).collect();
//! assert_eq!(shapes, ["[5, 1]", "[5, 3]"]);
//! # Ok::<(), ppl_core::ModelError>(())
//! ```

use ppl_autodiff::{Mistake, Shape, mistake};

use crate::error::{SiteError, site_mistake};
use crate::run::{Plate, with_current};

/// The most axes that plates may span.
const MAX_AXES: usize = 32;

/// Runs `body` with a plate open: every site inside has `size` independent copies along `dim`, an axis counted from
/// the right (-1 is the last) as in NumPyro; without one, the first that is free.
///
/// Usually written [`plate!`](crate::plate!). A distribution inside either has extent 1 at the plate's axis (or no such
/// axis) and is copied, or has `size` there already.
#[track_caller]
pub fn plate<R>(name: &str, size: usize, dim: Option<isize>, body: impl FnOnce() -> R) -> R {
    let opened = open(name, size, dim);
    struct Guard(bool);
    impl Drop for Guard {
        fn drop(&mut self) {
            if self.0 {
                with_current(|run| run.plates.pop());
            }
        }
    }
    let _guard = Guard(opened);
    body()
}

#[track_caller]
fn open(name: &str, size: usize, dim: Option<isize>) -> bool {
    let taken = with_current(|run| {
        let open = run.plates.iter();
        open.map(|p| (p.dim, p.name.clone())).collect::<Vec<_>>()
    });
    let Some(taken) = taken else {
        let operation = "plate!";
        mistake(Mistake::OutsideTrace { operation });
        return false;
    };
    let at = |dim: isize| taken.iter().find(|(d, _)| *d == dim);
    let free = || (1..).map(|d: isize| -d).find(|&d| at(d).is_none());
    let dim = dim.or_else(free).unwrap_or(0);
    let plate = name.to_owned();
    if dim >= 0 || dim.unsigned_abs() > MAX_AXES {
        let most = MAX_AXES;
        site_mistake(SiteError::PlateDim { plate, dim, most });
        return false;
    }
    if let Some((_, other)) = at(dim) {
        let other = other.clone();
        site_mistake(SiteError::PlateTaken { plate, dim, other });
        return false;
    }
    let name = plate;
    with_current(|run| run.plates.push(Plate { name, size, dim }));
    true
}

/// The batch shape of a site: the distribution's own, enlarged by the open plates.
pub(crate) fn batch_in_plates(distribution: &'static str, own: &Shape) -> Shape {
    let plates = with_current(|run| run.plates.clone()).unwrap_or_default();
    let mut batch = own.clone();
    for plate in plates {
        let depth = plate.dim.unsigned_abs();
        let got = if depth <= own.rank() { own[own.rank() - depth] } else { 1 };
        if got != 1 && got != plate.size {
            let Plate { name, size, dim } = plate;
            site_mistake(SiteError::Plate { distribution, batch: own.clone(), got, dim, plate: name, size });
            continue;
        }
        let mut frame = vec![1; depth];
        frame[0] = plate.size;
        if let Some(larger) = batch.broadcast(&Shape::from(frame)) {
            batch = larger;
        }
    }
    batch
}
