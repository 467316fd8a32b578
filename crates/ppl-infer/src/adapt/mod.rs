//! Warm-up: step size, metric, the schedule that says when, and what comes out of it frozen.

mod adapted;
mod block_estimates;
mod dual_averaging;
mod final_step;
mod fisher;
mod fisher_warmup;
mod groups;
mod kind;
mod low_rank;
mod step_size;
mod symmetric;
mod warmup;
mod welford;
mod windows;

pub use adapted::{Adapted, AdaptedChain, WarmStartError};
pub use block_estimates::{FisherBlocks, WelfordBlocks};
pub use dual_averaging::DualAveraging;
pub use fisher::FisherDiagonal;
pub use groups::{SiteGroups, SiteGroupsError};
pub use kind::MetricAdaptation;
pub use low_rank::FisherLowRank;
pub use step_size::{StepSizeError, find_step_size};
pub use warmup::{Warmup, WarmupConfig, WarmupError};
pub use welford::{WelfordDense, WelfordDiagonal};
pub use windows::{FisherAction, FisherSchedule, StanWindows};
