//! Mixtures: one of several laws, chosen at random.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake, stack};

use super::{Distribution, Entry, Form, Normal, StudentT, check, vector};
use crate::support::Support;

/// A mixture `p(x) = sum_k w_k p_k(x)` of the laws along the last batch axis of one distribution, with the choice summed
/// out.
///
/// # Shapes
/// Weights or logits `[B.., K]` and components of batch shape `[B.., K]` broadcast; the batch shape is `[B..]`, the event
/// shape that of the components.
///
/// # Errors
/// Weights outside [0, 1] or whose sum is not 1, logits that are not finite: at once where they are numbers. Components
/// without a batch axis: at once.
///
/// # Source
/// NumPyro `MixtureSameFamily(mixing, components)` and, for [`Mixture::of`], `MixtureGeneral`; PyMC `Mixture(w,
/// comp_dists)`, `NormalMixture(w, mu, sigma)`; Stan `log_mix`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Mixture, Normal};
/// let mixture = |x| Mixture::new([0.3, 0.7], Normal::new([-1.0, 1.0], 1.0)).log_prob(x);
/// let (log_prob, _) = value_and_grad(mixture, 0.0)?;
/// // Both components have density e^(-1/2) / sqrt(2 pi) at 0.
/// assert!((log_prob + 0.5 + 0.918_938_533_204_672_7).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mixture<D> {
    ln_weights: Var,
    components: D,
}

const NAME: &str = "Mixture";

impl<D: Distribution> Mixture<D> {
    /// By weights with sum 1 and components along the last batch axis.
    #[track_caller]
    pub fn new(weights: impl Into<Var>, components: D) -> Self {
        let weights = check::probabilities(NAME, "weights", weights);
        let some = weights.gt(0.0);
        Self::with(some.select(some.select(weights, 1.0).ln(), f64::NEG_INFINITY), components)
    }

    /// By log-weights to which any constant may be added and components along the last batch axis.
    #[track_caller]
    pub fn logits(logits: impl Into<Var>, components: D) -> Self {
        let logits = check::vector(NAME, check::real(NAME, "logits", logits));
        Self::with(logits.log_softmax(-1), components)
    }

    #[track_caller]
    fn with(ln_weights: Var, components: D) -> Self {
        let shapes = vec![ln_weights.shape(), components.batch_shape()];
        if shapes[1].rank() == 0 || shapes[0].broadcast(&shapes[1]).is_none() {
            let rule = "weights [.., K] and components whose batch shape is [.., K] too";
            mistake(Mistake::Shapes { operation: NAME, shapes, rule });
        }
        Self { ln_weights, components }
    }

    /// The weights, with an axis of extent 1 for each axis of an event.
    fn weights(&self) -> Var {
        let rank = self.components.event_shape().rank();
        (0..rank).fold(self.ln_weights.exp(), |w, _| w.expand_dims(-1))
    }

    /// The axis of the components in front of an event.
    fn axis(&self) -> isize {
        -1 - self.components.event_shape().rank() as isize
    }

    fn average(&self, v: Var) -> Var {
        (self.weights() * v).sum_axis(self.axis())
    }
}

impl Mixture<Stacked> {
    /// Of any laws with one event shape and one support: the weights `[.., K]` of K components.
    #[track_caller]
    pub fn of(weights: impl Into<Var>, components: Vec<Box<dyn Distribution>>) -> Self {
        Self::new(weights, Stacked::new(components))
    }

    /// As [`Mixture::of`], by log-weights to which any constant may be added.
    #[track_caller]
    pub fn of_logits(logits: impl Into<Var>, components: Vec<Box<dyn Distribution>>) -> Self {
        Self::logits(logits, Stacked::new(components))
    }
}

impl<D: Distribution> Distribution for Mixture<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        self.components.support()
    }
    fn batch_shape(&self) -> Shape {
        let shape = self.components.batch_shape();
        let shape = shape.broadcast(&self.ln_weights.shape()).unwrap_or(shape);
        Shape::from(&shape[..shape.rank().saturating_sub(1)])
    }
    fn event_shape(&self) -> Shape {
        self.components.event_shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let each = self.components.log_prob(value.expand_dims(self.axis()));
        (self.ln_weights + each).logsumexp_axis(-1)
    }
    /// A draw of every component, of which one is kept.
    fn draw(&self, batch: &Shape) -> Var {
        let k = self.ln_weights.dim(-1);
        let all = self.components.draw(&batch.join(&[k]));
        let cumulative = self.ln_weights.exp().cumsum(-1).slice(-1, 0..k.saturating_sub(1));
        let u = Var::random(Law::Uniform, batch, &[]).expand_dims(-1);
        let choice = u.ge(cumulative).sum_axis(-1).expand_dims(-1);
        let numbers: Vec<f64> = (0..k).map(|k| k as f64).collect();
        let rank = self.components.event_shape().rank();
        let kept = (0..rank).fold(choice.eq(numbers), |kept, _| kept.expand_dims(-1));
        kept.select(all, 0.0).sum_axis(self.axis())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.average(self.components.mean()?))
    }
    /// The mean of the variances and the variance of the means.
    fn variance(&self) -> Option<Var> {
        let means = self.components.mean()?;
        let centre = self.average(means).expand_dims(self.axis());
        Some(self.average(self.components.variance()? + (means - centre).square()))
    }
}

/// Several laws side by side, along a new last batch axis; made by [`Mixture::of`].
pub struct Stacked {
    parts: Vec<Box<dyn Distribution>>,
}

impl Stacked {
    #[track_caller]
    fn new(parts: Vec<Box<dyn Distribution>>) -> Self {
        let kind = |d: &dyn Distribution| (d.event_shape(), d.support().name());
        if parts.is_empty() || parts.iter().any(|d| kind(&**d) != kind(&*parts[0])) {
            let shapes = parts.iter().map(|d| d.event_shape()).collect();
            let rule = "there must be components, all of one event shape and support";
            mistake(Mistake::Shapes { operation: NAME, shapes, rule });
        }
        Self { parts }
    }

    fn each(&self, axis: isize, f: impl Fn(&dyn Distribution) -> Option<Var>) -> Option<Var> {
        let parts: Option<Vec<Var>> = self.parts.iter().map(|d| f(&**d)).collect();
        Some(stack(&common(&parts?), axis))
    }

    fn axis(&self) -> isize {
        -1 - self.event_shape().rank() as isize
    }
}

/// All in the shape that they broadcast to.
fn common(parts: &[Var]) -> Vec<Var> {
    let shape = parts.iter().try_fold(Shape::scalar(), |all, p| all.broadcast(&p.shape()));
    parts.iter().map(|p| shape.as_ref().map_or(*p, |s| p.broadcast_to(s))).collect()
}

impl Distribution for Stacked {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        self.parts.first().map_or(Support::Real, |d| d.support())
    }
    fn batch_shape(&self) -> Shape {
        let all = self.parts.iter().map(|d| d.batch_shape());
        let shape = all.reduce(|all, s| all.broadcast(&s).unwrap_or(all)).unwrap_or_else(Shape::scalar);
        shape.join(&[self.parts.len()])
    }
    fn event_shape(&self) -> Shape {
        self.parts.first().map_or_else(Shape::scalar, |d| d.event_shape())
    }
    /// `value` has an axis for the components: of extent 1, or with a value for each.
    fn log_prob(&self, value: Var) -> Var {
        let axis = self.axis();
        let own = |k: usize| if value.dim(axis) == 1 { 0 } else { k };
        let parts: Vec<Var> =
            self.parts.iter().enumerate().map(|(k, d)| d.log_prob(value.index(axis, own(k)))).collect();
        stack(&common(&parts), -1)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let batch = Shape::from(&batch[..batch.rank().saturating_sub(1)]);
        let parts: Vec<Var> = self.parts.iter().map(|d| d.draw(&batch)).collect();
        stack(&parts, self.axis())
    }
    fn mean(&self) -> Option<Var> {
        self.each(self.axis(), |d| d.mean())
    }
    fn variance(&self) -> Option<Var> {
        self.each(self.axis(), |d| d.variance())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["weights", "loc", "loc"],
            good: &[&[0.3, 0.7, -1.0, 2.0]],
            bad: &[&[0.3, 0.6, 0.0, 1.0], &[-0.5, 1.5, 0.0, 1.0], &[f64::NAN, 0.5, 0.0, 1.0]],
            build: |p| Box::new(Mixture::new(vector(&p[..2]), Normal::new(vector(&p[2..]), 0.8))),
        },
        Form {
            constructor: "logits",
            arguments: &["logits", "loc", "loc"],
            good: &[&[0.3, -0.7, -1.0, 2.0]],
            bad: &[&[0.3, f64::INFINITY, 0.0, 1.0]],
            build: |p| Box::new(Mixture::logits(vector(&p[..2]), Normal::new(vector(&p[2..]), 0.8))),
        },
        Form {
            constructor: "of_logits",
            arguments: &["logits", "loc", "loc"],
            good: &[&[0.3, -0.7, -1.0, 2.0]],
            bad: &[&[f64::NAN, 0.3, 0.0, 1.0]],
            build: |p| {
                let parts: Vec<Box<dyn Distribution>> =
                    vec![Box::new(Normal::new(p[2], 0.5)), Box::new(StudentT::new(9.0, p[3], 0.7))];
                Box::new(Mixture::of_logits(vector(&p[..2]), parts))
            },
        },
    ],
};
