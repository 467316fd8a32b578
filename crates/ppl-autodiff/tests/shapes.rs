//! Operations on arrays of every shape: empty ones, all ranks and broadcasts, many axes of extent 1.

mod common;

use common::interpreter::interpret;
use common::{assert_same, at, whole_numbers};
use ppl_autodiff::{Program, Shape, Var, concat, gradient, stack, trace};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Name, function, shape of the (empty) argument, shape and values of the result.
#[test]
fn empty_arrays_go_through_every_operation() {
    type Empty = (&'static str, &'static dyn Fn(Var) -> Var, &'static [usize], &'static [usize], &'static [f64]);
    let cases: &[Empty] = &[
        ("sum", &|x| x.sum(), &[0], &[], &[0.0]),
        ("sum of rows", &|x| x.sum_axis(1), &[2, 0], &[2], &[0.0, 0.0]),
        ("sum of columns", &|x| x.sum_axis(0), &[2, 0], &[0], &[]),
        ("sum of a function", &|x| (x.exp() * 2.0).sum(), &[3, 0], &[], &[0.0]),
        ("sum of a number", &|x| (Var::from(INF).broadcast_to(x.shape())).sum(), &[0], &[], &[0.0]),
        ("mean", &|x| x.mean(), &[0], &[], &[NAN]),
        ("maximum", &|x| x.maximum(), &[0], &[], &[-INF]),
        ("minimum", &|x| x.min_axis(0), &[0, 2], &[2], &[INF, INF]),
        ("logsumexp", &|x| x.logsumexp_axis(1), &[2, 0], &[2], &[-INF, -INF]),
        ("prod", &|x| x.prod_axis(0), &[0, 2], &[2], &[1.0, 1.0]),
        ("norm", &|x| x.norm(), &[0], &[], &[0.0]),
        ("cumsum", &|x| x.cumsum(0), &[0, 2], &[0, 2], &[]),
        ("linear_recurrence", &|x| x.linear_recurrence(0.5, 1), &[2, 0], &[2, 0], &[]),
        ("cumprod", &|x| x.cumprod(0), &[0], &[0], &[]),
        ("softmax", &|x| x.softmax(0), &[0], &[0], &[]),
        ("functions", &|x| x.lgamma().sin().pow(x).select(x, 1.0), &[0, 3], &[0, 3], &[]),
        ("broadcast with 1", &|x| x + Var::zeros([2, 1]), &[0], &[2, 0], &[]),
        ("matmul, k = 0", &|x| x.matmul(x.t()), &[2, 0], &[2, 2], &[0.0; 4]),
        ("matmul, m = n = 0", &|x| x.t().matmul(x), &[2, 0], &[0, 0], &[]),
        ("matmul, m = 0", &|x| x.matmul(Var::eye(3)), &[0, 3], &[0, 3], &[]),
        ("matmul, no batch", &|x| x.matmul(Var::eye(3)), &[0, 2, 3], &[0, 2, 3], &[]),
        ("dot", &|x| x.matmul(x), &[0], &[], &[0.0]),
        ("transpose", &|x| x.transpose(&[2, 0, 1]), &[2, 0, 3], &[3, 2, 0], &[]),
        ("reshape", &|x| x.reshape([5, 0]), &[0], &[5, 0], &[]),
        ("broadcast_to", &|x| x.broadcast_to([3, 0]), &[1, 0], &[3, 0], &[]),
        ("slice of nothing", &|x| x.slice(0, 0..0), &[0], &[0], &[]),
        ("concat", &|x| concat(&[x, Var::from([1.0, 2.0]), x], 0), &[0], &[2], &[1.0, 2.0]),
        ("stack", &|x| stack(&[x, x], 0), &[0], &[2, 0], &[]),
        ("gather", &|x| x.gather(0, &[] as &[usize]), &[0, 2], &[0, 2], &[]),
        ("gather along the other axis", &|x| x.gather(1, &[1, 0]), &[0, 2], &[0, 2], &[]),
        ("scatter_add", &|x| x.scatter_add(0, &[] as &[usize], 2), &[0], &[2], &[0.0, 0.0]),
        ("flip", &|x| x.flip(0), &[0], &[0], &[]),
        ("diag", &|x| x.diag(), &[0, 0], &[0], &[]),
        ("diag_embed", &|x| x.diag_embed(), &[0], &[0, 0], &[]),
        ("cholesky", &|x| x.cholesky(), &[0, 0], &[0, 0], &[]),
        ("log_det", &|x| x.log_det(), &[0, 0], &[], &[0.0]),
        ("log_det, no batch", &|x| x.log_det(), &[0, 2, 2], &[0], &[]),
        ("solve_lower", &|x| x.solve_lower(Var::zeros([0, 3])), &[0, 0], &[0, 3], &[]),
        ("solve_lower, no column", &|x| Var::eye(2).solve_lower(x), &[2, 0], &[2, 0], &[]),
        ("tril", &|x| x.tril(), &[3, 0], &[3, 0], &[]),
        ("lookup of nothing", &|x| Var::eye(3).lookup(x), &[0, 2], &[0, 2, 3], &[]),
        ("lookup in nothing", &|x| x.lookup([1.0, 0.0]), &[0], &[2], &[NAN, NAN]),
        ("one_hot", &|_| Var::one_hot(&[] as &[usize], 3), &[0], &[0, 3], &[]),
    ];
    for (name, f, shape, result, value) in cases {
        trace(|| assert_eq!(f(Var::input(0, *shape)).shape(), Shape::from(*result), "{name}")).unwrap();
        assert_same(name, &at::<f64>(shape, &[], f).0, value, 0.0);
        assert_same(name, &at::<f32>(shape, &[], f).0, value, 0.0);
    }
    // A slice of nothing from something, with its adjoint.
    let (y, g) = at::<f64>(&[3], &[1.0, 2.0, 3.0], |x| x.slice(0, 3..3).sum() + x.sum());
    assert_eq!((y, g), (vec![6.0], vec![1.0; 3]));
}

/// All shapes of rank 0 to 5 with extents of 1 or their place's own.
fn broadcastable() -> Vec<Vec<usize>> {
    let full = [2, 3, 1, 2, 3];
    let mut shapes = Vec::new();
    for rank in 0..=5 {
        for ones in 0..1 << rank {
            let tail = &full[5 - rank..];
            let shape: Vec<usize> = (0..rank).map(|a| if ones >> a & 1 == 1 { 1 } else { tail[a] }).collect();
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
    }
    shapes
}

/// Every pair of shapes that broadcast, with the gradients: sums of whole numbers, so the interpreter's bits.
#[test]
fn all_pairs_of_shapes_broadcast() {
    let shapes = broadcastable();
    let mut pairs = 0;
    for a in &shapes {
        for b in &shapes {
            let (outputs, traced) = trace(|| {
                let (x, y) = (Var::input(0, &a[..]), Var::input(0, &b[..]));
                let z = (x - y * 2.0) * y.max(x);
                let g = gradient(z.sum(), &[x, y]);
                [z, g[0], g[1]]
            })
            .unwrap();
            let program = Program::<f64>::compile(traced.tape(), &[&outputs]);
            let x = whole_numbers(program.input_lengths()[0], 5);
            let mut got = vec![0.0; program.output_lengths()[0]];
            program.evaluate(&mut program.workspace(), &[&x], &mut [&mut got]);
            let values = interpret(traced.tape(), &x);
            let want: Vec<f64> = outputs.iter().flat_map(|y| values[y.node() as usize].clone()).collect();
            assert_eq!(got, want, "{a:?} and {b:?}");
            pairs += 1;
        }
    }
    assert!(pairs > 1000, "{pairs}");
}

#[test]
fn many_axes_of_extent_one() {
    let shape = [1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let (y, g) = at::<f64>(&shape, &x, |x| {
        let order: Vec<usize> = (0..16).rev().collect();
        let y = x.transpose(&order) * x.sum_axes(&[5, 12]) + x.reshape([6]).sum();
        y.max_axes(&[0, 1, 2]).squeeze(0)
    });
    // The transpose has the axes of 2 and of 3 in the other order; each element is x_i s + s with s = 21.
    assert_eq!(y, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0].map(|x| x * 21.0 + 21.0));
    // y_i = x_i s + s: the derivative of the sum is s + s + 6 for each element.
    assert_eq!(g, [21.0 + 21.0 + 6.0; 6]);
}
