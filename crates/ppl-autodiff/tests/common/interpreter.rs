//! A tape, one operation after another, one element after another: the meaning of [`Op`] without a compiler.

use ppl_autodiff::ops::{Op, Reduction};
use ppl_autodiff::tape::Tape;
use ppl_autodiff::{Shape, Tensor};

/// The index of an element along each axis.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = flat % n;
        flat /= n;
    }
    index
}

fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (&i, &n)| flat * n + i)
}

struct Array<'a> {
    shape: &'a [usize],
    data: &'a [f64],
}

impl Array<'_> {
    /// The element that broadcasting puts at an index of a larger shape.
    fn at(&self, index: &[usize]) -> f64 {
        let skip = index.len() - self.shape.len();
        let own: Vec<usize> = index[skip..].iter().zip(self.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
        self.data[ravel(&own, self.shape)]
    }
}

/// The values of all nodes of a tape without random nodes; the inputs of slot 0 are `x`.
pub fn interpret(tape: &Tape, x: &[f64]) -> Vec<Vec<f64>> {
    interpret_slots(tape, &[x])
}

fn interpret_slots(tape: &Tape, slots: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::new();
    for (id, node) in tape.nodes().iter().enumerate() {
        let operands: Vec<Array> = node
            .operands
            .iter()
            .map(|&o| Array { shape: &tape.nodes()[o as usize].shape, data: &values[o as usize] })
            .collect();
        let constant = tape.constant(id as u32).map(Tensor::data);
        let value = evaluate(&node.op, &node.shape, &operands, constant, slots);
        assert_eq!(value.len(), node.shape.size(), "{}", node.op.name());
        values.push(value);
    }
    values
}

/// Operations that random functions do not contain.
fn no(op: &Op) -> ! {
    panic!("{} is not for the interpreter", op.name())
}

fn evaluate(op: &Op, shape: &Shape, x: &[Array], constant: Option<&[f64]>, slots: &[&[f64]]) -> Vec<f64> {
    let each = |f: &dyn Fn(&[usize]) -> f64| -> Vec<f64> { (0..shape.size()).map(|e| f(&unravel(e, shape))).collect() };
    let with = |index: &[usize], axis: usize, i: usize| {
        let mut index = index.to_vec();
        index[axis] = i;
        index
    };
    match op {
        Op::Input { slot, offset } => slots[*slot as usize][*offset..*offset + shape.size()].to_vec(),
        Op::Constant(_) => constant.unwrap().to_vec(),
        Op::LogAbsDet | Op::DetSign | Op::Inverse | Op::Windows(_) | Op::Overlay { .. } => no(op),
        Op::ArgSort | Op::TakeAlong | Op::PutAlong { .. } => no(op),
        Op::Poison | Op::Random { .. } => no(op),
        Op::Unary(f) => x[0].data.iter().map(|&x| f.value(x)).collect(),
        Op::Binary(f) => each(&|i| f.value(x[0].at(i), x[1].at(i))),
        Op::Select => each(&|i| {
            if x[0].at(i) != 0.0 { x[1].at(i) } else { x[2].at(i) }
        }),
        Op::Reduce { op, axes } => {
            let mut parts: Vec<Vec<f64>> = vec![Vec::new(); shape.size()];
            for (e, &value) in x[0].data.iter().enumerate() {
                let mut index = unravel(e, x[0].shape);
                axes.iter().for_each(|&a| index[a] = 0);
                parts[ravel(&index, shape)].push(value);
            }
            parts.iter().map(|part| reduce(*op, part)).collect()
        }
        Op::CumSum { axis, reverse } => each(&|i| {
            let n = shape[*axis];
            let range = if *reverse { i[*axis]..n } else { 0..i[*axis] + 1 };
            range.map(|k| x[0].at(&with(i, *axis, k))).sum()
        }),
        Op::Recurrence { axis, reverse } => each(&|i| {
            let before = |k: usize| if *reverse { shape[*axis] - 1 - k } else { k };
            (0..=before(i[*axis])).fold(0.0, |y, k| {
                let index = with(i, *axis, before(k));
                if k == 0 { x[1].at(&index) } else { x[0].at(&index) * y + x[1].at(&index) }
            })
        }),
        Op::MatMul => each(&|i| {
            let last = i.len() - 1;
            (0..x[0].shape[x[0].shape.len() - 1])
                .map(|k| x[0].at(&with(i, last, k)) * x[1].at(&with(i, last - 1, k)))
                .sum()
        }),
        Op::Transpose(order) => each(&|i| {
            let mut index = vec![0; i.len()];
            order.iter().zip(i).for_each(|(&axis, &i)| index[axis] = i);
            x[0].at(&index)
        }),
        Op::Reshape(_) => x[0].data.to_vec(),
        Op::Broadcast(_) => each(&|i| x[0].at(i)),
        Op::Slice { axis, start, step, .. } => each(&|i| x[0].at(&with(i, *axis, start + i[*axis] * step))),
        Op::Pad { axis, start, step, .. } => each(&|i| {
            let n = x[0].shape[*axis];
            let place = (0..n).find(|k| start + k * step == i[*axis]);
            // An axis of extent 1 is no broadcast here.
            place.map_or(0.0, |k| x[0].data[ravel(&with(i, *axis, k), x[0].shape)])
        }),
        Op::Concat { axis } => each(&|i| {
            let mut place = i[*axis];
            for part in x {
                if place < part.shape[*axis] {
                    return part.data[ravel(&with(i, *axis, place), part.shape)];
                }
                place -= part.shape[*axis];
            }
            unreachable!()
        }),
        Op::Gather { axis, index } => each(&|i| x[0].at(&with(i, *axis, index[i[*axis]]))),
        Op::ScatterAdd { axis, index, .. } => each(&|i| {
            (0..index.len())
                .filter(|&k| index[k] == i[*axis])
                .map(|k| x[0].data[ravel(&with(i, *axis, k), x[0].shape)])
                .sum()
        }),
        Op::Diag => each(&|i| x[0].at(&[i, &i[i.len() - 1..]].concat())),
        Op::DiagEmbed => each(&|i| {
            let last = i.len() - 1;
            if i[last] == i[last - 1] { x[0].at(&i[..last]) } else { 0.0 }
        }),
        Op::Scan { body, length, reverse } => {
            let ([_, input, _], width) = (body.lengths(), body.width());
            let mut state = x[0].data.to_vec();
            let mut out = vec![0.0; length * width];
            for turn in 0..*length {
                let t = if *reverse { length - 1 - turn } else { turn };
                let step = [&state[..], &x[1].data[t * input..(t + 1) * input], x[2].data];
                let result = interpret_slots(body.tape(), &step).swap_remove(body.result() as usize);
                let n = state.len();
                state.copy_from_slice(&result[..n]);
                out[t * width..(t + 1) * width].copy_from_slice(&result);
            }
            out
        }
        Op::Cholesky => {
            let n = shape[shape.rank() - 1];
            x[0].data.chunks((n * n).max(1)).flat_map(|a| cholesky(n, a)).collect()
        }
        Op::SolveLower { transposed } => {
            let (n, m) = (shape[shape.rank() - 2], shape[shape.rank() - 1]);
            let mut out = each(&|i| x[1].at(i));
            for (batch, b) in out.chunks_mut((n * m).max(1)).enumerate() {
                let mut index = unravel(batch, &shape[..shape.rank() - 2]);
                index.extend([0, 0]);
                let r = index.len() - 2;
                let mut l = |i: usize, j: usize| {
                    (index[r], index[r + 1]) = if *transposed { (j, i) } else { (i, j) };
                    x[0].at(&index)
                };
                for step in 0..n {
                    let i = if *transposed { n - 1 - step } else { step };
                    let known = if *transposed { i + 1..n } else { 0..i };
                    for c in 0..m {
                        let s: f64 = known.clone().map(|k| l(i, k) * b[k * m + c]).sum();
                        b[i * m + c] = (b[i * m + c] - s) / l(i, i);
                    }
                }
            }
            out
        }
    }
}

fn reduce(op: Reduction, x: &[f64]) -> f64 {
    match op {
        Reduction::Sum => x.iter().sum(),
        Reduction::Max => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => x.iter().copied().fold(f64::INFINITY, f64::min),
        Reduction::LogSumExp => x.iter().map(|x| x.exp()).sum::<f64>().ln(),
    }
}

fn cholesky(n: usize, a: &[f64]) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let s: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - s;
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    l
}
