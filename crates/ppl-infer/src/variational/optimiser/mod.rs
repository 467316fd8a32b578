//! Optimisers of first order: each takes the gradient of a loss and moves parameters against it.
//!
//! One file an optimiser; [`Optimiser`] is the catalogue. What an optimiser remembers is an [`OptimiserState`], so that a
//! run that is saved and resumed goes on with the same bits.

mod adadelta;
mod adagrad;
mod adagrad_window;
mod adam;
mod adamax;
mod rms_prop;
mod sgd;
mod stan;

use serde::{Deserialize, Serialize};

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adagrad_window::AdagradWindow;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use rms_prop::RmsProp;
pub use sgd::{Momentum, Nesterov, Sgd};
pub use stan::StanAdagrad;

/// A rule that moves parameters against the gradient of a loss.
pub trait Update {
    /// How many vectors, as long as the parameters, it remembers; they start at zero.
    fn buffers(&self) -> usize;

    /// The learning rate, before any schedule.
    fn rate(&self) -> f64;

    /// One step. `step` counts from 1, `rate` is the learning rate of this step.
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]);
}

macro_rules! optimisers {
    ($($name:ident),+) => {
        /// An optimiser with its settings.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Optimiser {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )+
        }

        $(impl From<$name> for Optimiser {
            fn from(optimiser: $name) -> Self {
                Self::$name(optimiser)
            }
        })+

        impl Optimiser {
            fn rule(&self) -> &dyn Update {
                match self {
                    $(Self::$name(rule) => rule,)+
                }
            }

            /// The name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                }
            }
        }
    };
}

optimisers!(Sgd, Momentum, Nesterov, Adagrad, AdagradWindow, RmsProp, Adadelta, Adam, AdamW, Adamax, StanAdagrad);

/// What an optimiser remembers between steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimiserState {
    step: u64,
    buffers: Vec<Vec<f64>>,
}

impl Optimiser {
    /// The state before the first step over `n` parameters.
    pub fn state(&self, n: usize) -> OptimiserState {
        OptimiserState { step: 0, buffers: vec![vec![0.0; n]; self.rule().buffers()] }
    }

    /// The learning rate, before any schedule.
    pub fn rate(&self) -> f64 {
        self.rule().rate()
    }

    /// One step against the gradient of a loss, with the learning rate times `factor`.
    ///
    /// ```
    /// use ppl_infer::variational::optimiser::{Adam, Optimiser};
    /// let adam = Optimiser::from(Adam::new(0.1));
    /// let (mut state, mut x) = (adam.state(1), [3.0]);
    /// for _ in 0..500 {
    ///     let slope = [2.0 * x[0]];
    ///     adam.update(&mut state, 1.0, &mut x, &slope);
    /// }
    /// assert!(x[0].abs() < 1e-3);
    /// ```
    pub fn update(&self, state: &mut OptimiserState, factor: f64, params: &mut [f64], gradient: &[f64]) {
        state.step += 1;
        let rule = self.rule();
        rule.update(state.step, factor * rule.rate(), &mut state.buffers, params, gradient);
    }
}

/// Two buffers of the same length.
fn pair(buffers: &mut [Vec<f64>]) -> [&mut [f64]; 2] {
    match buffers {
        [a, b, ..] => [a, b],
        _ => [&mut [], &mut []],
    }
}

/// The first buffer.
fn first(buffers: &mut [Vec<f64>]) -> &mut [f64] {
    buffers.first_mut().map_or(&mut [], |b| b)
}
