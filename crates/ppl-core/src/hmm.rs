//! Hidden Markov chains with the path of states summed out.

use ppl_autodiff::{Mistake, Var, concat, mistake};

/// Up to so many states the chain is summed out pairwise: K^3 work in place of K^2, but on whole arrays.
const PAIRWISE_STATES: usize = 8;

/// The log-probability of observations, summed over all paths of hidden states:
/// `ln sum_z p(z_1) p(y_1 | z_1) prod_t p(z_t | z_{t-1}) p(y_t | z_t)`.
///
/// The forward algorithm in logarithms. With few states, neighbouring steps are merged pairwise, so that a chain of T
/// steps makes `log2 T` levels of operations on whole arrays; with more, it goes step by step.
///
/// # Shapes
/// With K states and T steps: `ln_initial: [.., K]`; `ln_transition: [.., K, K]`, the logarithm of the probability of going
/// from the row's state to the column's, or `[.., T - 1, K, K]`, a matrix for each step; `ln_emission: [.., T, K]`, the
/// log-density of each observation in each state. Batch axes broadcast, where a transition matrix for all steps has an
/// axis of extent 1 in the place of the steps if it has batch axes. The result is `[..]`.
///
/// # Errors
/// Shapes that do not fit poison the trace. Probabilities need not be normalised: a constant in them stays a constant.
///
/// # Source
/// Rabiner (1989), "A tutorial on hidden Markov models"; pairwise as in Särkkä and García-Fernández (2021), "Temporal
/// parallelization of Bayesian smoothers", and Pyro's `DiscreteHMM`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::hmm::log_marginal;
/// // A chain that stays in its first state with certainty emits with probabilities 1/2 and 1/4 there.
/// let never = f64::NEG_INFINITY;
/// let stay = ndarray::array![[0.0, never], [never, 0.0]];
/// let seen = ndarray::array![[0.5_f64, 0.9], [0.25, 0.9]].ln();
/// let (ln_p, _) = value_and_grad(|x| log_marginal([0.0, never], &stay, x + &seen), 0.0)?;
/// assert!((ln_p - 0.125_f64.ln()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[track_caller]
pub fn log_marginal(ln_initial: impl Into<Var>, ln_transition: impl Into<Var>, ln_emission: impl Into<Var>) -> Var {
    let (initial, transition, emission) = (ln_initial.into(), ln_transition.into(), ln_emission.into());
    if emission.rank() < 2 || transition.rank() < 2 || emission.dim(-2) == 0 {
        let shapes = vec![transition.shape(), emission.shape()];
        let rule = "transitions [.., K, K] and emissions [.., T, K] with at least one step";
        mistake(Mistake::Shapes { operation: "log_marginal", shapes, rule });
        return Var::from(0.0);
    }
    let steps = emission.dim(-2);
    let first = initial + emission.index(-2, 0);
    if steps == 1 {
        return first.logsumexp_axis(-1);
    }
    let transition = if transition.rank() == 2 { transition.expand_dims(0) } else { transition };
    // Steps last, so that work on all of them runs along memory: [.., from, to, T - 1].
    let later = emission.slice(-2, 1..steps).t();
    let moves = steps_last(transition) + later.expand_dims(-3);
    let last = if emission.dim(-1) <= PAIRWISE_STATES {
        step(first, pairwise(moves))
    } else {
        (0..steps - 1).fold(first, |forward, t| step(forward, moves.index(-1, t)))
    };
    last.logsumexp_axis(-1)
}

/// `[.., T, K, K]` as `[.., K, K, T]`.
fn steps_last(matrices: Var) -> Var {
    let rank = matrices.rank();
    let order: Vec<usize> = (0..rank - 3).chain([rank - 2, rank - 1, rank - 3]).collect();
    matrices.transpose(&order)
}

/// The log-weights of the states after a step.
fn step(forward: Var, moves: Var) -> Var {
    (forward.expand_dims(-1) + moves).logsumexp_axis(-2)
}

/// The product of all matrices along the last axis, whose elements are logarithms.
///
/// In the order of their numbers' bits read backwards, and filled up with identities to a power of two, neighbours lie
/// half the length apart: each level multiplies the first half with the second, both along memory.
fn pairwise(moves: Var) -> Var {
    let (count, states) = (moves.dim(-1), moves.dim(-2));
    let levels = count.next_power_of_two().trailing_zeros();
    let identity = Var::eye(states).ln().expand_dims(-1);
    let mut one = moves.shape().to_vec();
    one[moves.rank() - 1] = 1;
    let identity = identity.broadcast_to(one);
    let backwards = |p: usize| (0..levels).fold(0, |n, bit| n << 1 | (p >> bit & 1));
    let order: Vec<usize> = (0..1 << levels).map(|p| backwards(p).min(count)).collect();
    let mut moves = concat(&[moves, identity], -1).gather(-1, &order);
    for level in (0..levels).rev() {
        let half = 1 << level;
        let (left, right) = (moves.slice(-1, 0..half), moves.slice(-1, half..2 * half));
        // [.., from, to, pairs] by way of each state between.
        let between = |k: usize| left.slice(-2, k..k + 1) + right.slice(-3, k..k + 1);
        moves = log_sum_exp(&(0..states).map(between).collect::<Vec<Var>>());
    }
    moves.index(-1, 0)
}

/// `ln sum_k e^(x_k)` of few arrays, element by element: work on whole arrays, where a reduction over a short axis would
/// begin anew for every few numbers.
fn log_sum_exp(x: &[Var]) -> Var {
    let largest = x.iter().copied().reduce(|a, b| a.max(b)).unwrap_or_else(|| Var::from(f64::NEG_INFINITY)).detach();
    // Where all are -inf, so is the result, without a slope.
    let finite = largest.abs().lt(f64::INFINITY);
    let shift = finite.select(largest, 0.0);
    let sum = x.iter().map(|&x| (x - shift).exp()).sum::<Var>();
    finite.select(shift + finite.select(sum, 1.0).ln(), largest)
}
