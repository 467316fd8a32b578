//! The hypergeometric law: marked things among those drawn without putting back.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::ln_choose;
use crate::support::Support;

/// Hypergeometric distribution of the number of marked things among n drawn, without putting back, from N of which K are
/// marked: `P(k) = (K choose k) (N - K choose n - k) / (N choose n)`, from `max(0, n + K - N)` to `min(K, n)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not an integer from 0 on or not data, more marked or drawn things than there are: at once. No
/// derivatives are meant.
///
/// # Source
/// PyMC `HyperGeometric(N, k, n)`, Stan `hypergeometric(N, a, b)` with a marked and b others.
/// NumPyro has none.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::HyperGeometric;
/// // 2 * 2 of the 6 pairs have one of each kind.
/// let (log_prob, _) = value_and_grad(|x| HyperGeometric::new(4.0, 2.0, 2.0).log_prob(x), 1.0)?;
/// assert!((log_prob - ((2.0f64 / 3.0).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HyperGeometric {
    population: Var,
    marked: Var,
    drawn: Var,
    /// The largest number that may be drawn, for the table that draws are looked up in.
    most: usize,
}

const NAME: &str = "HyperGeometric";

impl HyperGeometric {
    /// By the number of things, of marked ones, of drawn ones: data, not latents.
    #[track_caller]
    pub fn new(population: impl Into<Var>, marked: impl Into<Var>, drawn: impl Into<Var>) -> Self {
        let population = check::count(NAME, "population", population);
        let marked = check::count(NAME, "marked", marked);
        let drawn = check::count(NAME, "drawn", drawn);
        check::above(NAME, "population", marked - 1.0, population);
        check::above(NAME, "population", drawn - 1.0, population);
        let most = drawn.as_constant().and_then(|n| n.data().iter().copied().reduce(f64::max));
        if most.is_none() {
            check::fail(NAME, "drawn", "data", f64::NAN);
        }
        Self { population, marked, drawn, most: most.unwrap_or(0.0) as usize }
    }
}

impl Distribution for HyperGeometric {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        let low = (self.drawn + self.marked - self.population).max(0.0);
        Support::IntegerInterval { low, high: self.marked.min(self.drawn) }
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.population, self.marked, self.drawn])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let guard = |x: Var| inside.select(x, 0.0);
        let (k, others) = (guard(value), self.population - self.marked);
        let ways = ln_choose(guard(self.marked), k) + ln_choose(guard(others), guard(self.drawn - k));
        inside.select(ways - ln_choose(self.population, self.drawn), f64::NEG_INFINITY)
    }
    /// The number of cumulative probabilities that a uniform number has passed.
    fn draw(&self, batch: &Shape) -> Var {
        let numbers: Vec<f64> = (0..self.most).map(|k| k as f64).collect();
        let wide = |x: Var| x.expand_dims(-1);
        let table = Self {
            population: wide(self.population),
            marked: wide(self.marked),
            drawn: wide(self.drawn),
            most: self.most,
        };
        let cumulative = table.log_prob(Var::from(numbers)).exp().cumsum(-1);
        // Sums of masses may end just below 1.
        let count = wide(Var::random(Law::Uniform, batch, &[])).ge(cumulative).sum_axis(-1);
        count.min(self.marked.min(self.drawn))
    }
    fn mean(&self) -> Option<Var> {
        Some(self.drawn * self.marked / self.population.max(1.0))
    }
    fn variance(&self) -> Option<Var> {
        let size = self.population;
        let share = self.marked / size.max(1.0);
        Some(self.drawn * share * (1.0 - share) * (size - self.drawn) / (size - 1.0).max(1.0))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["population", "marked", "drawn"],
        good: &[&[50.0, 12.0, 10.0], &[9.0, 7.0, 5.0]],
        bad: &[&[-1.0, 0.0, 0.0], &[5.0, 6.0, 1.0], &[5.0, 1.0, 6.0], &[5.0, 1.5, 2.0], &[5.0, 1.0, f64::NAN]],
        build: |p| Box::new(HyperGeometric::new(p[0], p[1], p[2])),
    }],
};
