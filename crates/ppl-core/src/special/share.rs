//! A number between 0 and 1 with what it leaves of 1 and both logarithms, each with its own digits.

use ppl_autodiff::Var;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub x: Var,
    pub rest: Var,
    pub ln: Var,
    pub ln_rest: Var,
}

impl Share {
    /// Of x and `1 - x`. Each logarithm is from the smaller of the two: the other has been rounded.
    pub fn of(x: Var, rest: Var) -> Self {
        let left = x.lt(0.5);
        let small = left.select(x, rest);
        let (ln, ln_rest) = (small.ln(), (-small).ln_1p());
        Self { x, rest, ln: left.select(ln, ln_rest), ln_rest: left.select(ln_rest, ln) }
    }

    /// Of the log-odds, from which nothing has been rounded away.
    pub fn of_logit(logit: Var) -> Self {
        let (up, down) = (logit.softplus(), (-logit).softplus());
        Self { x: logit.sigmoid(), rest: (-logit).sigmoid(), ln: -down, ln_rest: -up }
    }
}
