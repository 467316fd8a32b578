//! Random functions: a list of numbers decides which operations are applied to which earlier results.

use ppl_autodiff::{Shape, Var, concat, scan, stack};

/// What the functions are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Whole numbers below 2^24 only, so that every order of summation gives the same bits.
    Exact,
    /// As `Exact` without functions whose value depends on the number type.
    Single,
    /// Smooth functions of any numbers.
    Smooth,
    /// As `Smooth` without matrix products.
    NoProducts,
}

/// Results larger than this are not made.
const MAX_SIZE: usize = 3000;

pub struct Built {
    pub inputs: Vec<Var>,
    pub outputs: Vec<Vec<Var>>,
}

struct Builder<'a> {
    choices: std::slice::Iter<'a, u32>,
    mode: Mode,
    vars: Vec<Var>,
}

/// Builds a function inside a trace: two to four inputs, an operation for every four choices, one to five outputs.
pub fn build(choices: &[u32], mode: Mode) -> Built {
    build_with(choices, mode, |shape| Var::input(0, shape))
}

/// As [`build`], with the parts of one vector in the place of the inputs.
pub fn build_on(choices: &[u32], mode: Mode, x: Var) -> Built {
    let mut used = 0;
    build_with(choices, mode, |shape| {
        let start = used;
        used += shape.iter().product::<usize>();
        x.slice(0, start..used).reshape(shape)
    })
}

/// As [`build`], with inputs that the caller makes.
pub fn build_with(choices: &[u32], mode: Mode, mut input: impl FnMut(Vec<usize>) -> Var) -> Built {
    let mut b = Builder { choices: choices.iter(), mode, vars: Vec::new() };
    let inputs: Vec<Var> = (0..2 + b.pick(3))
        .map(|_| {
            let rank = [0, 1, 1, 2, 2, 2, 3, 3, 4, 5][b.pick(10)];
            let shape: Vec<usize> = (0..rank).map(|_| b.extent(rank)).collect();
            input(shape)
        })
        .collect();
    b.vars.extend(&inputs);
    while b.choices.len() > 12 {
        if let Some(new) = b.step()
            && new.shape().size() <= MAX_SIZE
        {
            b.vars.push(new);
        }
    }
    let mut outputs = vec![vec![b.vars[b.vars.len() - 1]]];
    for _ in 0..1 + b.pick(4) {
        // Any result, an input or a constant too, and the same again.
        let y = b.any();
        match b.pick(3) {
            0 => outputs.push(vec![y]),
            1 => outputs.push(vec![y, y]),
            _ => outputs.last_mut().unwrap().push(y),
        }
    }
    Built { inputs, outputs }
}

impl Builder<'_> {
    fn is_smooth(&self) -> bool {
        matches!(self.mode, Mode::Smooth | Mode::NoProducts)
    }

    /// A number below n.
    fn pick(&mut self, n: usize) -> usize {
        self.choices.next().map_or(0, |&c| c as usize) % n
    }

    fn any(&mut self) -> Var {
        // Late results more often than early ones.
        let n = self.vars.len();
        let (a, b) = (self.pick(n), self.pick(n));
        self.vars[a.max(b)]
    }

    fn extent(&mut self, rank: usize) -> usize {
        match rank {
            1 => [0, 1, 2, 3, 7, 40, 257, 600][self.pick(8)],
            2 => [1, 1, 2, 3, 3, 5, 26, 33][self.pick(8)],
            _ => [1, 1, 2, 2, 3, 3, 4, 0][self.pick(8)],
        }
    }

    fn axis(&mut self, x: Var) -> Option<isize> {
        (x.rank() > 0).then(|| self.pick(x.rank()) as isize)
    }

    /// Keeps numbers small.
    fn tame(&self, x: Var) -> Var {
        match self.mode {
            Mode::Smooth | Mode::NoProducts => x.tanh(),
            _ => x.max(-40.0).min(40.0),
        }
    }

    /// A recursion along the first axis, with a state, what it emits, and something from outside.
    fn recursion(&mut self, x: Var) -> Var {
        let outside = self.tame(self.vars[0].sum());
        let (last, [all]) = scan(x.dim(0), [x.index(0, 0)], [x], |[state], [x]| {
            let next = self.tame(state + x - outside);
            ([next], [next * 2.0 + x])
        });
        all + last[0]
    }

    /// An operand that broadcasts against `x`: an earlier result or something made of `x`.
    fn partner(&mut self, x: Var) -> Var {
        let y = self.any();
        let common = x.shape().broadcast(&y.shape());
        if common.is_some_and(|s| s.size() <= MAX_SIZE) {
            return y;
        }
        match (self.pick(3), self.axis(x)) {
            (0, Some(axis)) if x.dim(axis) > 0 => x.slice(axis, 0..1) * 2.0,
            (1, Some(axis)) => self.tame(x.sum_axes(&[axis])),
            _ => x * 3.0 - 1.0,
        }
    }

    fn step(&mut self) -> Option<Var> {
        let smooth = self.is_smooth();
        let x = self.any();
        let shape = x.shape();
        Some(match self.pick(32) {
            0 => x + self.partner(x),
            1 => self.partner(x) - x,
            2 | 3 => {
                let y = x * self.partner(x);
                self.tame(y)
            }
            4 => -x,
            5 => self.tame(x.square()),
            6 if !smooth => x.abs(),
            7 if !smooth => match self.pick(2) {
                0 => x.max(self.partner(x)),
                _ => x.min(self.partner(x)),
            },
            8 if !smooth => {
                let y = self.partner(x);
                match self.pick(6) {
                    0 => x.lt(y),
                    1 => x.le(y),
                    2 => x.gt(y),
                    3 => x.ge(y),
                    4 => x.eq(y),
                    _ => x.ne(y),
                }
            }
            9 => {
                let (y, z) = (self.partner(x), self.partner(x));
                let common = shape.broadcast(&y.shape())?.broadcast(&z.shape());
                if common.is_none_or(|s| s.size() > MAX_SIZE) {
                    return None;
                }
                let condition = match smooth {
                    true => Var::from((0..shape.last().copied().unwrap_or(1)).map(|i| i % 2).collect::<Vec<_>>()),
                    false => x.gt(0.0),
                };
                condition.select(y, z)
            }
            10 | 11 => {
                let axes: Vec<isize> = (0..x.rank() as isize).filter(|_| self.pick(2) == 0).collect();
                self.tame(x.sum_axes(&axes))
            }
            12 => self.tame(x.sum()),
            13 if !smooth && shape.size() > 0 => {
                let axis = self.axis(x)?;
                match self.pick(3) {
                    0 => x.max_axis(axis),
                    1 => x.min_axis(axis),
                    _ => x.maximum(),
                }
            }
            14 => {
                let axis = self.axis(x)?;
                if self.pick(3) == 0 && x.dim(0) > 0 && x.dim(0) < 50 {
                    return Some(self.recursion(x));
                }
                // Signs as decays keep whole numbers whole.
                let sums = match self.pick(3) {
                    0 => x.linear_recurrence(-1.0, axis),
                    1 if !smooth => x.linear_recurrence(x.signum(), axis),
                    _ => x.cumsum(axis),
                };
                self.tame(sums)
            }
            15 | 16 if self.mode != Mode::NoProducts => {
                let product = match (self.pick(4), shape.rank()) {
                    (_, 0) => return None,
                    (_, 1) => x.matmul(x),
                    (0, _) => x.matmul(x.t()),
                    (1, _) => x.t().matmul(x),
                    (2, _) if x.dim(-2) > 0 => x.matmul(x.index(-2, 0).expand_dims(-1)),
                    _ => {
                        let y = self.partner(x);
                        if y.rank() < 2 || y.dim(-1) != x.dim(-1) {
                            return None;
                        }
                        let batch = |v: Var| Shape::from(&v.shape()[..v.rank() - 2]);
                        batch(x).broadcast(&batch(y))?;
                        x.matmul(y.t())
                    }
                };
                self.tame(product)
            }
            17 | 18 => {
                let mut order: Vec<usize> = (0..x.rank()).collect();
                for i in (1..order.len()).rev() {
                    order.swap(i, self.pick(i + 1));
                }
                x.transpose(&order)
            }
            19 | 20 => x.reshape(self.other_shape(&shape)),
            21 => {
                let mut target: Vec<usize> = shape.iter().map(|&n| if n == 1 { 1 + self.pick(3) } else { n }).collect();
                if self.pick(2) == 0 {
                    target.insert(0, 2);
                }
                if target.iter().product::<usize>() > MAX_SIZE {
                    return None;
                }
                x.broadcast_to(target)
            }
            22 | 23 => {
                let axis = self.axis(x)?;
                let n = x.dim(axis);
                let (a, b) = (self.pick(n + 1), self.pick(n + 1));
                x.slice_step(axis, a.min(b)..a.max(b), 1 + self.pick(3))
            }
            24 => {
                let axis = self.axis(x)?;
                let n = x.dim(axis);
                let end = self.pick(n + 1);
                match self.pick(3) {
                    0 => concat(&[x, x.slice(axis, 0..end), x], axis),
                    1 => stack(&[x, x.flip(axis)], axis),
                    _ => concat(&[x.slice(axis, end..n), x.slice(axis, 0..end)], axis),
                }
            }
            25 => {
                let axis = self.axis(x)?;
                let n = x.dim(axis);
                if n == 0 {
                    return None;
                }
                let index: Vec<usize> = (0..1 + self.pick(4)).map(|_| self.pick(n)).collect();
                x.gather(axis, &index)
            }
            26 => {
                let axis = self.axis(x)?;
                let index: Vec<usize> = (0..x.dim(axis)).map(|_| self.pick(3)).collect();
                self.tame(x.scatter_add(axis, &index, 3))
            }
            27 => match self.pick(2) {
                0 if shape.rank() > 0 && shape[shape.rank() - 1] < 6 => x.diag_embed(),
                _ if shape.rank() > 1 => {
                    let n = x.dim(-1).min(x.dim(-2));
                    x.slice(-1, 0..n).slice(-2, 0..n).diag()
                }
                _ => return None,
            },
            28 if shape.rank() > 1 && self.mode != Mode::NoProducts => self.triangular(x)?,
            29 if self.mode != Mode::Single => match (smooth, self.pick(4)) {
                (true, 0) => x.sin(),
                (true, 1) => x.tanh().exp(),
                (true, 2) => x.sigmoid(),
                (true, _) => x.softplus().ln_1p(),
                // A few large steps of smooth functions: the same whole number wherever it is computed.
                (false, 0) => (x.sin() * 3.0).floor(),
                (false, 1) => (x.tanh() * 3.0).floor(),
                (false, 2) => (x.abs() + 1.0).ln().floor(),
                (false, _) => ((x * 0.37).exp().sqrt() * 2.0).min(30.0).floor(),
            },
            30 => match self.pick(9) {
                0 => x * 1.0,
                1 => x * -1.0,
                2 => x + 0.0,
                3 => 2.0 - x,
                4 => self.tame(x.pow(2.0)),
                5 => x / 1.0,
                6 => x * 0.0,
                7 => Var::from(2.0).broadcast_to(&shape),
                // Detached is not constant for differences.
                _ if smooth => x - -x,
                _ => x - -x.detach(),
            },
            31 => {
                let n = shape.last().copied().unwrap_or(1);
                let numbers: Vec<f64> = (0..n).map(|i| ((i * 5 + 1) % 4) as f64 - 1.0).collect();
                let data = Var::from(numbers);
                match self.pick(3) {
                    0 if shape.rank() > 0 => x + data,
                    1 => data,
                    _ => data.reshape([n, 1]) * Var::from([1.0, -2.0]),
                }
            }
            _ => return None,
        })
    }

    /// The same number of elements in another shape: flat, two axes merged, one split, an axis of 1 added.
    fn other_shape(&mut self, shape: &Shape) -> Vec<usize> {
        let mut target = shape.to_vec();
        match self.pick(4) {
            0 => vec![shape.size()],
            1 if target.len() > 1 => {
                let at = self.pick(target.len() - 1);
                let n = target.remove(at);
                target[at] *= n;
                target
            }
            2 if !target.is_empty() => {
                let at = self.pick(target.len());
                let n = target[at];
                if let Some(d) = [2, 3, 5, 13].into_iter().find(|&d| n > 0 && n.is_multiple_of(d)) {
                    target[at] = n / d;
                    target.insert(at, d);
                }
                target
            }
            _ => {
                let at = self.pick(target.len() + 1);
                target.insert(at, 1);
                target
            }
        }
    }

    /// Factors and systems of unit triangular matrices, in which whole numbers stay whole.
    fn triangular(&mut self, x: Var) -> Option<Var> {
        let n = x.dim(-1).min(x.dim(-2)).min(4);
        let square = x.slice(-1, 0..n).slice(-2, 0..n);
        let small = match self.mode {
            Mode::Smooth | Mode::NoProducts => square.tanh(),
            _ => square.max(-1.0).min(1.0),
        };
        let l = small.tril() * (1.0 - Var::eye(n)) + Var::eye(n);
        Some(match self.pick(4) {
            0 => l.matmul(l.t()).cholesky(),
            1 => self.tame(l.solve_lower(square)),
            2 => self.tame(l.solve_lower_transposed(square.t())),
            // One factor for all, a right side without batch axes.
            _ => self.tame(l.solve_lower(Var::from([1.0, -2.0, 3.0, 1.0]).slice(0, 0..n).expand_dims(1))),
        })
    }
}
