//! Loops over slices: what programs spend their time in.

pub mod dispatch;
pub mod elementary;
