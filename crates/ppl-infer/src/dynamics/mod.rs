//! Hamiltonian dynamics in whitened momenta: the metric, the leapfrog step, and the loops that they run.
//!
//! With M^-1 = L L' the momentum p ~ N(0, M) is carried as z = L' p ~ N(0, I). Then the kinetic energy is |z|^2 / 2,
//! momenta are plain standard normals, and the products v . p of the U-turn criterion (v = M^-1 p a velocity) are
//! z . z': nothing but the leapfrog step knows the metric.

mod blocks;
mod leapfrog;
mod low_rank;
mod metric;
mod saved;
pub(crate) mod vector;

pub use blocks::{Blocks, Layout};
pub(crate) use blocks::{gather, size};
pub use leapfrog::{Drift, Flow, Point, leapfrog};
pub use low_rank::LowRank;
pub use metric::{Dense, Diagonal, Metric, MetricError};
