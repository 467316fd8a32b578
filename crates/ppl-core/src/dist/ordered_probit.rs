//! The ordered probit law: a graded answer, cut from a normal opinion.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, check, pick, vector};
use crate::special::NormalInterval;
use crate::support::Support;

/// Ordered probit distribution on {0, .., K - 1}: the number of the K - 1 increasing cutpoints c that a normal variable
/// with mean e (the predictor) and standard deviation s exceeds, `P(k) = Phi((c_{k+1} - e) / s) - Phi((c_k - e) / s)`.
///
/// # Shapes
/// `predictor: [B..]`, `scale: [B..]` and `cutpoints: [B.., K - 1]` broadcast to the batch shape; a draw and a `log_prob`
/// have that shape.
///
/// # Errors
/// A predictor or cutpoints that are not finite, cutpoints that do not increase, a scale that is not positive and finite: at
/// once where they are numbers; a category between latent cutpoints that do not increase has no mass. Take latent
/// cutpoints from an ordered support: [`Improper`](super::Improper), [`Support::Ordered`].
///
/// # Source
/// PyMC `OrderedProbit(eta, cutpoints, sigma)`, Stan `ordered_probit(eta, c)`, which counts from 1; NumPyro has none.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::OrderedProbit;
/// // Half of the opinions lie below a cutpoint at the predictor.
/// let (log_prob, _) = value_and_grad(|e| OrderedProbit::new(e, [1.0, 2.0]).log_prob(0.0.into()), 1.0)?;
/// assert_eq!(log_prob, 0.5f64.ln());
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OrderedProbit {
    predictor: Var,
    cutpoints: Var,
    scale: Var,
}

const NAME: &str = "OrderedProbit";

impl OrderedProbit {
    /// By predictor and increasing cutpoints, along the last axis.
    #[track_caller]
    pub fn new(predictor: impl Into<Var>, cutpoints: impl Into<Var>) -> Self {
        Self::scaled(predictor, cutpoints, 1.0)
    }

    /// With another standard deviation of the opinion than 1.
    #[track_caller]
    pub fn scaled(predictor: impl Into<Var>, cutpoints: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self {
            predictor: check::real(NAME, "predictor", predictor),
            cutpoints: check::increasing(NAME, "cutpoints", cutpoints),
            scale: check::positive(NAME, "scale", scale),
        }
    }

    fn cuts(&self) -> usize {
        self.cutpoints.dim(-1)
    }
}

impl Distribution for OrderedProbit {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: Var::from(0.0), high: Var::from(self.cuts() as f64) }
    }
    fn batch_shape(&self) -> Shape {
        let (predictor, scale, cutpoints) = (self.predictor.shape(), self.scale.shape(), self.cutpoints.shape());
        let own = Shape::from(&cutpoints[..cutpoints.rank() - 1]);
        let common = predictor.broadcast(&scale).and_then(|both| both.broadcast(&own));
        common.unwrap_or_else(|| {
            let rule = "[B..], [B..] and [B.., K - 1] with batch axes that broadcast";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![predictor.clone(), scale, cutpoints], rule });
            predictor
        })
    }
    /// The ends by one tail, what is between by the interval: nothing is a difference of numbers next to 1.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let n = self.cuts();
        let (first, last) = (k.eq(0.0), k.eq(n as f64));
        let distance = |k: Var| (pick(k, self.cutpoints, Some(0.0)) - self.predictor) / self.scale;
        let (above, below) = (distance(last.select(0.0, k)), distance(first.select(0.0, k - 1.0)));
        let middle = (1.0 - first) * (1.0 - last);
        let some = middle * above.gt(below);
        let between = NormalInterval::new(some.select(below, -1.0), some.select(above, 1.0)).log_mass();
        let between = (middle * (1.0 - some)).select(f64::NEG_INFINITY, between);
        let log_prob = first.select(above.log_ndtr(), last.select((-below).log_ndtr(), between));
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let opinion = self.predictor + self.scale * Var::random(Law::Normal, batch, &[]);
        opinion.expand_dims(-1).gt(self.cutpoints).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["predictor", "cutpoints"],
            good: &[&[0.4, -1.0, 0.5, 2.0], &[-2.0, 0.0, 0.1, 0.2], &[0.3, 1.0]],
            bad: &[&[f64::NAN, 0.0, 1.0], &[0.0, 1.0, 0.5], &[0.0, f64::INFINITY, 1.0]],
            build: |p| Box::new(OrderedProbit::new(p[0], vector(&p[1..]))),
        },
        Form {
            constructor: "scaled",
            arguments: &["predictor", "scale", "cutpoints"],
            good: &[&[0.4, 1.7, -1.0, 2.0]],
            bad: &[&[0.0, 0.0, 0.0, 1.0]],
            build: |p| Box::new(OrderedProbit::scaled(p[0], vector(&p[2..]), p[1])),
        },
    ],
};
