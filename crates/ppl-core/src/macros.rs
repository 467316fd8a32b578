//! The spelling of models: thin macros over documented functions.

/// Defines models: functions that return their body, with their data, as a [`Model`](crate::Model).
///
/// ```
/// use ppl_core::dist::{HalfNormal, Normal};
/// use ppl_core::{Model, model, observe, sample};
///
/// model! {
///     /// The mean and the spread of some measurements.
///     pub fn measurements(y: Option<Vec<f64>>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         let spread = sample!("spread", HalfNormal::new(5.0));
///         observe!("y", Normal::new(mean, spread), y);
///     }
/// }
/// assert_eq!(measurements(Some(vec![1.0, 2.0])).name(), "measurements");
/// ```
///
/// A call clones its arguments for each run of the body, of which there are few.
#[macro_export]
macro_rules! model {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident : $ty:ty),* $(,)?) $body:block)+) => {$(
        $(#[$meta])*
        #[must_use]
        $vis fn $name($($arg: $ty),*) -> impl $crate::Model + ::std::clone::Clone + ::std::fmt::Debug {
            $crate::model::FnModel::new(::std::stringify!($name), move || {
                $(let $arg = ::std::clone::Clone::clone(&$arg);)*
                $body
            })
        }
    )+};
}

/// A random variable: `sample!("w{i}", Normal::new(0.0, 1.0))`. The name is a format string with inline captures, or
/// any string expression. See [`sample`](crate::site::sample()).
#[macro_export]
macro_rules! sample {
    ($name:literal, $distribution:expr $(,)?) => {
        $crate::site::sample(&::std::format!($name), || $distribution)
    };
    ($name:expr, $distribution:expr $(,)?) => {
        $crate::site::sample(::std::convert::AsRef::<str>::as_ref(&$name), || $distribution)
    };
}

/// A random variable with data: `observe!("y", Normal::new(mean, sd), y)`, where `y` may be an `Option`: without data
/// it is drawn. See [`observe`](crate::site::observe()).
#[macro_export]
macro_rules! observe {
    ($name:literal, $distribution:expr, $data:expr $(,)?) => {
        $crate::site::observe(&::std::format!($name), || $distribution, $data)
    };
    ($name:expr, $distribution:expr, $data:expr $(,)?) => {
        $crate::site::observe(::std::convert::AsRef::<str>::as_ref(&$name), || $distribution, $data)
    };
}

/// Names a function of other sites, so that it is kept with the draws. See
/// [`deterministic`](crate::site::deterministic()).
#[macro_export]
macro_rules! deterministic {
    ($name:literal, $value:expr $(,)?) => {
        $crate::site::deterministic(&::std::format!($name), $value)
    };
    ($name:expr, $value:expr $(,)?) => {
        $crate::site::deterministic(::std::convert::AsRef::<str>::as_ref(&$name), $value)
    };
}

/// Adds a term to the log-density. See [`factor`](crate::site::factor()).
#[macro_export]
macro_rules! factor {
    ($name:literal, $term:expr $(,)?) => {
        $crate::site::factor(&::std::format!($name), $term)
    };
    ($name:expr, $term:expr $(,)?) => {
        $crate::site::factor(::std::convert::AsRef::<str>::as_ref(&$name), $term)
    };
}

/// Independent copies along an axis: `plate!("category", 18, dim = -3, { ... })`, or without `dim` along the first
/// free axis from the right. The value is the block's. See [`plate`](crate::plate::plate()).
#[macro_export]
macro_rules! plate {
    ($name:literal, $size:expr, dim = $dim:expr, $body:expr $(,)?) => {
        $crate::plate!(::std::format!($name), $size, dim = $dim, $body)
    };
    ($name:literal, $size:expr, $body:expr $(,)?) => {
        $crate::plate!(::std::format!($name), $size, $body)
    };
    ($name:expr, $size:expr, dim = $dim:expr, $body:expr $(,)?) => {
        $crate::plate::plate(
            ::std::convert::AsRef::<str>::as_ref(&$name),
            $size,
            ::std::option::Option::Some($dim),
            || $body,
        )
    };
    ($name:expr, $size:expr, $body:expr $(,)?) => {
        $crate::plate::plate(::std::convert::AsRef::<str>::as_ref(&$name), $size, ::std::option::Option::None, || $body)
    };
}
