//! Plates: sites inside are independent copies along one axis.

use std::panic::Location;

use ppl_autodiff::{Mistake, Scope, Shape, attribute_to, placeholder};

use crate::error::{SiteError, site_mistake};
use crate::run::{Plate, with_current};

/// Runs `body` with a plate open: every site inside has `size` independent copies along `dim`, an axis counted from
/// the right (-1 is the last) as in NumPyro; without one, the first that is free.
///
/// Usually written [`plate!`](crate::plate!).
#[track_caller]
pub fn plate<R>(name: &str, size: usize, dim: Option<isize>, body: impl FnOnce() -> R) -> R {
    let location = Location::caller();
    let opened = {
        let _scope = Scope::enter(name);
        attribute_to(location, || open(name, size, dim))
    };
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

fn open(name: &str, size: usize, dim: Option<isize>) -> bool {
    let taken = with_current(|run| run.plates.iter().map(|p| p.dim).collect::<Vec<_>>());
    let Some(taken) = taken else {
        placeholder(Mistake::OutsideTrace { operation: "plate!" }, Shape::scalar());
        return false;
    };
    let free = (1..).map(|d: isize| -d).find(|d| !taken.contains(d)).unwrap_or(-1);
    let dim = dim.unwrap_or(free);
    if dim >= 0 {
        site_mistake(SiteError::PlateDim { dim, reason: "must be negative: axes of plates count from the right" });
        return false;
    }
    if taken.contains(&dim) {
        site_mistake(SiteError::PlateDim { dim, reason: "belongs to an enclosing plate already" });
        return false;
    }
    with_current(|run| run.plates.push(Plate { name: name.to_owned(), size, dim }));
    true
}

/// The batch shape of a site: the distribution's own, enlarged by the open plates.
pub(crate) fn batch_in_plates(own: &Shape) -> Shape {
    let plates = with_current(|run| run.plates.clone()).unwrap_or_default();
    let mut batch = own.clone();
    for plate in plates {
        let depth = plate.dim.unsigned_abs();
        let got = if depth <= own.rank() { own[own.rank() - depth] } else { 1 };
        if got != 1 && got != plate.size {
            let Plate { name, size, dim } = plate;
            site_mistake(SiteError::Plate { batch: own.clone(), got, dim, plate: name, size });
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
