//! The loops that programs run: elementary functions, matrix products, reductions, random numbers.

pub mod dispatch;
pub mod elementary;
pub(crate) mod elementwise;
pub(crate) mod line;
pub(crate) mod log_products;
pub(crate) mod lu;
pub(crate) mod product;
pub(crate) mod recurrence;
pub(crate) mod sample;
pub(crate) mod sort;
pub mod symmetric;
pub(crate) mod triangular;
pub(crate) mod vector;
pub(crate) mod window;
