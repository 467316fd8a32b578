//! Sorting rows, and moving their elements by indices that a program computed.

use crate::real::Real;

/// The indices that sort `x`, equal elements in their order, NaN last.
pub(crate) fn argsort<T: Real>(x: &[T], out: &mut [T]) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = T::from_f64(i as f64);
    }
    let key = |i: &T| x[index(*i, x.len())].to_f64();
    let last = |v: f64| v.is_nan();
    out.sort_unstable_by(|i, j| {
        let (a, b) = (key(i), key(j));
        let by_value = last(a).cmp(&last(b)).then(a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal));
        by_value.then(i.to_f64().total_cmp(&j.to_f64()))
    });
}

/// `out[i] = x[order[i]]`.
pub(crate) fn take<T: Real>(x: &[T], order: &[T], out: &mut [T]) {
    for (o, &i) in out.iter_mut().zip(order) {
        *o = x[index(i, x.len())];
    }
}

/// `out[order[i]] += x[i]`, from zeros.
pub(crate) fn put<T: Real>(x: &[T], order: &[T], out: &mut [T]) {
    out.fill(T::ZERO);
    for (&x, &i) in x.iter().zip(order) {
        out[index(i, out.len())] += x;
    }
}

/// A number as an index, within bounds whatever it is.
fn index<T: Real>(i: T, length: usize) -> usize {
    (i.to_f64() as usize).min(length.saturating_sub(1))
}
