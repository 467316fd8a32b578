//! The ordered logistic law: a graded answer, cut from a continuous opinion.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, concat, mistake};

use super::{Distribution, Entry, Form, check, pick, vector};
use crate::support::Support;

/// Ordered logistic distribution on {0, .., K - 1}: the number of the K - 1 increasing cutpoints c that a logistic
/// variable around the predictor e exceeds, `P(k) = s(c_{k+1} - e) - s(c_k - e)` with `s(x) = 1 / (1 + e^-x)`.
///
/// # Shapes
/// `predictor: [B..]` and `cutpoints: [B.., K - 1]` broadcast to the batch shape; a draw and a `log_prob` have that
/// shape.
///
/// # Errors
/// A predictor or cutpoints that are not finite, cutpoints that do not increase: at once where they are numbers; a
/// category between latent cutpoints that do not increase has no mass. Take latent cutpoints from an ordered support:
/// [`Improper`](super::Improper), [`Support::Ordered`].
///
/// # Source
/// NumPyro `OrderedLogistic(predictor, cutpoints)`, PyMC `OrderedLogistic(eta, cutpoints)`, Stan `ordered_logistic(eta, c)`,
/// which counts from 1.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::OrderedLogistic;
/// // Half of the opinions lie below a cutpoint at the predictor.
/// let (log_prob, _) = value_and_grad(|e| OrderedLogistic::new(e, [0.0, 1.0]).log_prob(0.0.into()), 0.0)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OrderedLogistic {
    predictor: Var,
    cutpoints: Var,
}

const NAME: &str = "OrderedLogistic";

impl OrderedLogistic {
    /// By predictor and increasing cutpoints, along the last axis.
    #[track_caller]
    pub fn new(predictor: impl Into<Var>, cutpoints: impl Into<Var>) -> Self {
        let predictor = check::real(NAME, "predictor", predictor);
        let cutpoints = check::increasing(NAME, "cutpoints", cutpoints);
        Self { predictor, cutpoints }
    }

    fn cuts(&self) -> usize {
        self.cutpoints.dim(-1)
    }
}

impl Distribution for OrderedLogistic {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: Var::from(0.0), high: Var::from(self.cuts() as f64) }
    }
    fn batch_shape(&self) -> Shape {
        let (predictor, cutpoints) = (self.predictor.shape(), self.cutpoints.shape());
        let own = Shape::from(&cutpoints[..cutpoints.rank() - 1]);
        predictor.broadcast(&own).unwrap_or_else(|| {
            let rule = "[B..] and [B.., K - 1] with batch axes that broadcast";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![predictor.clone(), cutpoints], rule });
            predictor
        })
    }
    /// With b the distance to the cut above and a to the one below: `ln(1 - e^(a - b)) - softplus(a) - softplus(-b)`,
    /// where `b - a` comes from the cutpoints alone: nothing cancels, however far off the predictor is.
    fn log_prob(&self, value: Var) -> Var {
        let n = self.cuts();
        let shape = self.cutpoints.shape();
        let end = |x: f64| Var::from(x).broadcast_to(Shape::from(&shape[..shape.rank() - 1]).join(&[1]));
        // For each category: the cut above it, the one below it, and what is between them; all chosen together.
        let above = concat(&[self.cutpoints, end(f64::INFINITY)], -1);
        let below = concat(&[end(f64::NEG_INFINITY), self.cutpoints], -1);
        let mut between = vec![end(0.0), end(0.0)];
        if n > 1 {
            let gaps = self.cutpoints.slice(-1, 1..n) - self.cutpoints.slice(-1, 0..n - 1);
            let wide = gaps.gt(0.0);
            between.insert(1, wide.select(wide.select(gaps, 1.0).log1mexp(), f64::NEG_INFINITY));
        }
        let ends = (self.predictor - pick(value, above, Some(f64::INFINITY))).softplus()
            + (pick(value, below, Some(f64::NEG_INFINITY)) - self.predictor).softplus();
        pick(value, concat(&between, -1), Some(f64::NEG_INFINITY)) - ends
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        let opinion = self.predictor + u.ln() - (-u).ln_1p();
        opinion.expand_dims(-1).gt(self.cutpoints).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["predictor", "cutpoints"],
        good: &[&[0.4, -1.0, 0.5, 2.0], &[-2.0, 0.0, 0.1, 0.2], &[0.3, 1.0]],
        bad: &[&[f64::NAN, 0.0, 1.0], &[0.0, 1.0, 0.5], &[0.0, f64::INFINITY, 1.0]],
        build: |p| Box::new(OrderedLogistic::new(p[0], vector(&p[1..]))),
    }],
};
