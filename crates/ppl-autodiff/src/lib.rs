//! Reverse-mode automatic differentiation on a tape that is compiled to programs.

pub mod kernels;
pub mod random;
