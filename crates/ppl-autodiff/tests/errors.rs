//! Mistakes in traced functions: the first one comes out, with its place, and nothing panics on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::array;
use ppl_autodiff::ops::Law;
use ppl_autodiff::{
    Function, Mistake, Shape, Trace, TraceError, Var, concat, gradient, hessian, hvp, scope, stack, trace,
    value_and_grad,
};

/// What a mistake says about itself: kind, operation, shapes (or the shape and the axis, the index and the length).
fn facts(mistake: &Mistake) -> (&'static str, String, String) {
    let list = |shapes: &[Shape]| {
        let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
        shapes.join(" ")
    };
    match mistake {
        Mistake::Shapes { operation, shapes, .. } => ("shapes", operation.to_string(), list(shapes)),
        Mistake::Axis { operation, axis, shape } => ("axis", operation.to_string(), format!("{axis} of {shape}")),
        Mistake::Index { operation, index, length } => ("index", operation.to_string(), format!("{index} of {length}")),
        Mistake::Argument { owner, argument, got, .. } => ("argument", owner.clone(), format!("{argument} {got}")),
        Mistake::ForeignVar { operation } => ("foreign", operation.to_string(), String::new()),
        Mistake::OutsideTrace { operation } => ("outside", operation.to_string(), String::new()),
        other => panic!("unexpected {other}"),
    }
}

/// Everything that a function may go on doing with a placeholder.
fn go_on(y: Var) {
    for axis in [-3, -1, 0, 1, 5] {
        let n = y.dim(axis);
        let _ = (0..n.min(4)).map(|i| y.index(axis, i).exp()).sum::<Var>();
        let _ = y.sum_axis(axis) + y.max_axis(axis) * y.cumsum(axis) - y.softmax(axis);
        let _ = y.linear_recurrence(y, axis);
        let _ = y.slice(axis, 1..n.max(1)).flip(axis).prod_axis(axis);
        let _ = y.gather(axis, &[0, 7]).scatter_add(axis, &[1], 2);
        let _ = (y.squeeze(axis), y.expand_dims(axis), y.variance_axis(axis));
        let _ = (concat(&[y, y], axis), stack(&[y, y], axis), y.cumprod(axis));
        let _ = y.take_along_axis(axis, &array![[0, 1]]);
    }
    let _ = y.matmul(y.t()).cholesky().log_det() + y.t().matmul(y).solve_spd(y);
    let _ = y.solve_lower(y).diag().diag_embed().tril().triu().inverse_spd();
    let _ = y.reshape([2, 3]).transpose(&[1, 0]).broadcast_to([4, 3, 2]);
    let _ = y.sum_to(&Shape::from([1, 1, 1, 1, 7])).logsumexp().clamp(0.0, y);
    let _ = (y + 1.0).select(y, y.xlogy(y)).pow(y).powi(i32::MIN).norm();
    let _ = (y.logaddexp(Var::zeros([9, 9, 9])), y.outer(y), y.prod(), y.std());
    let _ = Var::random(Law::Binomial, y.shape(), &[y, y]) + Var::one_hot(&[3], 2);
    let _ = (y.value(), y.array(), y.as_constant(), format!("{y:?}"));
    let weights = ndarray::ArrayD::<f64>::zeros(ndarray::IxDyn(&y.shape()));
    let _ = gradient((y * &weights).sum(), &[y, y.exp()]);
    let mut total = y;
    total += y;
    total /= 3.0;
    assert_eq!(y.shape().rank(), y.rank());
}

/// Runs `f` in a named model, inside a site, with an argument of shape `[2, 3]`; its value is used in every way after.
fn error_of(f: &dyn Fn(Var) -> (Var, u32)) -> (TraceError, u32) {
    let mut line = 0;
    let result = Trace::default().model("weather").run(|| {
        let x = Var::input(0, [2, 3]);
        scope("before", || x.exp());
        let y = scope("rain", || {
            let (y, at) = f(x);
            line = at;
            y
        });
        scope("after", || go_on(y));
        y
    });
    let Err(error) = result else { panic!("the mistake at line {line} went unnoticed") };
    (error, line)
}

/// Lines are compared: keep each mistake on the line of its `line!()`.
#[rustfmt::skip]
#[test]
fn each_mistake_is_reported_with_operation_shapes_line_site_and_model() {
    type Wrong = &'static dyn Fn(Var) -> (Var, u32);
    let cases: Vec<(Wrong, &str, &str, &str)> = vec![
        (&|x| (x + Var::zeros([2]), line!()), "shapes", "add", "[2, 3] [2]"),
        (&|x| (Var::zeros([4, 3]) - x, line!()), "shapes", "sub", "[4, 3] [2, 3]"),
        (&|x| (x * &array![1.0, 2.0], line!()), "shapes", "mul", "[2, 3] [2]"),
        (&|x| (&array![1.0, 2.0] / x, line!()), "shapes", "div", "[2] [2, 3]"),
        (&|x| { let mut y = x; y *= [1.0, 2.0]; (y, line!()) }, "shapes", "mul", "[2, 3] [2]"),
        (&|x| (x.pow([1.0, 2.0]), line!()), "shapes", "pow", "[2, 3] [2]"),
        (&|x| (x.max([1.0, 2.0]), line!()), "shapes", "max", "[2, 3] [2]"),
        (&|x| (x.min([1.0, 2.0]), line!()), "shapes", "min", "[2, 3] [2]"),
        (&|x| (x.lt([1.0, 2.0]), line!()), "shapes", "lt", "[2, 3] [2]"),
        (&|x| (x.le([1.0, 2.0]), line!()), "shapes", "le", "[2, 3] [2]"),
        (&|x| (x.gt([1.0, 2.0]), line!()), "shapes", "gt", "[2, 3] [2]"),
        (&|x| (x.ge([1.0, 2.0]), line!()), "shapes", "ge", "[2, 3] [2]"),
        (&|x| (x.eq([1.0, 2.0]), line!()), "shapes", "eq", "[2, 3] [2]"),
        (&|x| (x.ne([1.0, 2.0]), line!()), "shapes", "ne", "[2, 3] [2]"),
        (&|x| (x.select(x, [1.0, 2.0]), line!()), "shapes", "select", "[2, 3] [2, 3] [2]"),
        (&|x| (x.clamp(0.0, [1.0, 2.0]), line!()), "shapes", "le", "[2, 3] [2]"),
        (&|x| (x.xlogy([1.0, 2.0]), line!()), "shapes", "select", "[2, 3] [2] []"),
        (&|x| (x.logaddexp([1.0, 2.0]), line!()), "shapes", "logaddexp", "[2, 3] [2]"),
        (&|x| (x.sum_axis(2), line!()), "axis", "sum", "2 of [2, 3]"),
        (&|x| (x.mean_axis(-3), line!()), "axis", "dim", "-3 of [2, 3]"),
        (&|x| (x.max_axis(2), line!()), "axis", "max_axis", "2 of [2, 3]"),
        (&|x| (x.min_axes(&[0, -3]), line!()), "axis", "min_axis", "-3 of [2, 3]"),
        (&|x| (x.logsumexp_axis(9), line!()), "axis", "logsumexp", "9 of [2, 3]"),
        (&|x| (x.softmax(2), line!()), "axis", "logsumexp", "2 of [2, 3]"),
        (&|x| (x.cumsum(2), line!()), "axis", "cumsum", "2 of [2, 3]"),
        (&|x| (x.linear_recurrence(0.5, 2), line!()), "axis", "linear_recurrence", "2 of [2, 3]"),
        (&|x| (x.linear_recurrence([1.0, 2.0], 1), line!()), "shapes", "broadcast_to", "[2] [2, 3]"),
        (&|x| (x.cumprod(2), line!()), "axis", "cumprod", "2 of [2, 3]"),
        (&|x| (x.cumlogsumexp(2), line!()), "axis", "cumlogsumexp", "2 of [2, 3]"),
        (&|x| (x.prod_axis(2), line!()), "axis", "prod", "2 of [2, 3]"),
        (&|x| (x.flip(2), line!()), "axis", "flip", "2 of [2, 3]"),
        (&|x| (x.variance_axis(2), line!()), "axis", "sum", "2 of [2, 3]"),
        (&|x| (x.matmul(x), line!()), "shapes", "matmul", "[2, 3] [2, 3]"),
        (&|x| (x.matmul(2.0), line!()), "shapes", "matmul", "[2, 3] []"),
        (&|x| (x.matmul([1.0, 2.0]), line!()), "shapes", "matmul", "[2, 3] [2]"),
        (&|x| (x.broadcast_to([4, 2, 3]).matmul(Var::zeros([5, 3, 1])), line!()), "shapes", "matmul", "[4, 2, 3] [5, 3, 1]"),
        (&|x| (x.outer(Var::zeros([5, 1])), line!()), "shapes", "mul", "[2, 3, 1] [5, 1, 1]"),
        (&|x| (x.reshape([4]), line!()), "shapes", "reshape", "[2, 3] [4]"),
        (&|x| (x.reshape(7), line!()), "shapes", "reshape", "[2, 3] [7]"),
        (&|x| (x.broadcast_to([2]), line!()), "shapes", "broadcast_to", "[2, 3] [2]"),
        (&|x| (x.squeeze(0), line!()), "shapes", "squeeze", "[2, 3]"),
        (&|x| (x.squeeze(2), line!()), "axis", "squeeze", "2 of [2, 3]"),
        (&|x| (x.expand_dims(4), line!()), "axis", "expand_dims", "4 of [2, 3]"),
        (&|x| (x.index(0, 0).t(), line!()), "axis", "t", "-2 of [3]"),
        (&|x| (x.transpose(&[0, 0]), line!()), "shapes", "transpose", "[2, 3] [0, 0]"),
        (&|x| (x.transpose(&[1]), line!()), "shapes", "transpose", "[2, 3] [1]"),
        (&|x| (x.slice(1, 1..4), line!()), "index", "slice", "4 of 3"),
        #[allow(clippy::reversed_empty_ranges)]
        (&|x| (x.slice(1, 2..1), line!()), "index", "slice", "2 of 3"),
        (&|x| (x.slice(2, 0..1), line!()), "axis", "slice", "2 of [2, 3]"),
        (&|x| (x.slice_step(1, 0..2, 0), line!()), "argument", "slice", "step 0"),
        (&|x| (x.index(1, 3), line!()), "index", "index", "3 of 3"),
        (&|x| (x.index(1, usize::MAX), line!()), "index", "index", "18446744073709551615 of 3"),
        (&|x| (x.index(-3, 0), line!()), "axis", "index", "-3 of [2, 3]"),
        (&|x| (x.gather(0, &[0, 2]), line!()), "index", "gather", "2 of 2"),
        (&|x| (x.gather(0, &[-1]), line!()), "argument", "gather", "indices -1"),
        (&|x| (x.gather(0, &[0.5]), line!()), "argument", "gather", "indices 0.5"),
        (&|x| (x.gather(0, &[f64::INFINITY]), line!()), "argument", "gather", "indices inf"),
        (&|x| (x.gather(2, &[0]), line!()), "axis", "gather", "2 of [2, 3]"),
        (&|x| (x.scatter_add(0, &[0, 4], 4), line!()), "index", "scatter_add", "4 of 4"),
        (&|x| (x.scatter_add(0, &[0], 4), line!()), "shapes", "scatter_add", "[2, 3] [1]"),
        (&|x| (x.scatter_add(5, &[0], 4), line!()), "axis", "scatter_add", "5 of [2, 3]"),
        (&|x| (x.take_along_axis(1, &array![[0], [3]]), line!()), "index", "take_along_axis", "3 of 3"),
        (&|x| (x.take_along_axis(1, &array![0, 1]), line!()), "shapes", "take_along_axis", "[2, 3] [2]"),
        (&|x| (x.take_along_axis(2, &array![[0]]), line!()), "axis", "take_along_axis", "2 of [2, 3]"),
        (&|x| (x.sum().lookup(1.0), line!()), "axis", "lookup", "0 of []"),
        (&|_| (Var::one_hot(&[0, 3], 3), line!()), "index", "one_hot", "3 of 3"),
        (&|x| (x.diag(), line!()), "shapes", "diag", "[2, 3]"),
        (&|x| (x.sum().diag_embed(), line!()), "axis", "diag_embed", "-1 of []"),
        (&|x| (x.cholesky(), line!()), "shapes", "cholesky", "[2, 3]"),
        (&|x| (x.log_det(), line!()), "shapes", "cholesky", "[2, 3]"),
        (&|x| (x.solve_lower(x), line!()), "shapes", "solve_lower", "[2, 3]"),
        (&|x| (Var::eye(3).solve_lower(x), line!()), "shapes", "solve_lower", "[3, 3] [2, 3]"),
        (&|_| (Var::eye(3).solve_lower_transposed([1.0; 3]), line!()), "shapes", "solve_lower", "[3, 3] [3]"),
        (&|x| (Var::eye(3).solve_spd(x), line!()), "shapes", "solve_lower", "[3, 3] [2, 3]"),
        (&|x| (x.sum().inverse_spd(), line!()), "axis", "inverse_spd", "-2 of []"),
        (&|x| (x.index(0, 0).tril(), line!()), "axis", "tril", "-2 of [3]"),
        (&|x| (x.sum().triu(), line!()), "axis", "triu", "-2 of []"),
        (&|x| (concat(&[x, x.t()], 0), line!()), "shapes", "concat", "[2, 3] [3, 2]"),
        (&|x| (concat(&[x, x.sum()], 0), line!()), "shapes", "concat", "[2, 3] []"),
        (&|x| (concat(&[x, x], 2), line!()), "axis", "concat", "2 of [2, 3]"),
        (&|_| (concat(&[], 0), line!()), "shapes", "concat", ""),
        (&|x| (stack(&[x, x], 3), line!()), "axis", "expand_dims", "3 of [2, 3]"),
        (&|x| (stack(&[x, x.t()], 0), line!()), "shapes", "concat", "[1, 2, 3] [1, 3, 2]"),
        (&|_| (stack(&[], 0), line!()), "shapes", "concat", ""),
        (&|x| (x.sum_to(&Shape::from([4])), line!()), "shapes", "reshape", "[1, 3] [4]"),
        (&|x| (Var::random(Law::Poisson, [2], &[x]), line!()), "shapes", "random", "[2, 3] [2]"),
        (&|_| (Var::random(Law::Poisson, [2], &[]), line!()), "shapes", "random", "[2]"),
        (&|x| (Var::zeros([x.dim(2)]), line!()), "axis", "dim", "2 of [2, 3]"),
        (&|x| (Var::from(x.value()), line!()), "shapes", "value", "[2, 3]"),
        (&|_| (Var::zeros([usize::MAX, 2]), line!()), "shapes", "broadcast_to", "[] [18446744073709551615, 2]"),
        (&|_| (Var::input(1, [usize::MAX / 4, 3]), line!()), "shapes", "input", "[4611686018427387903, 3]"),
        (&|x| (x.expand_dims(0).scatter_add(0, &[1], usize::MAX / 16), line!()), "shapes", "scatter_add", "[1, 2, 3] [1152921504606846975, 2, 3]"),
    ];
    for (wrong, kind, operation, shapes) in cases {
        let (error, line) = error_of(wrong);
        let (got_kind, got_operation, got_shapes) = facts(&error.mistake);
        assert_eq!(
            (got_kind, &got_operation[..], &got_shapes[..]),
            (kind, operation, shapes),
            "{error}"
        );
        assert_eq!((error.location.file(), error.location.line()), (file!(), line), "{error}");
        assert_eq!(error.site.as_deref(), Some("rain"), "{error}");
        assert_eq!(error.model.as_deref(), Some("weather"), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("model `weather`, site `rain`, {}:{line}: ", file!())), "{text}");
    }
}

#[test]
fn the_first_mistake_is_the_one_reported() {
    let error = trace(|| {
        let x = Var::input(0, [2]);
        let first = scope("a", || x.matmul([1.0, 2.0, 3.0]));
        let second = scope("b", || first + Var::zeros([7, 7]));
        second.reshape([1000]).cholesky().value()
    })
    .err()
    .unwrap();
    assert_eq!(error.site.as_deref(), Some("a"));
    assert_eq!(error.model, None);
    assert_eq!(facts(&error.mistake).1, "matmul");
}

#[test]
fn the_innermost_scope_counts_and_is_left_again() {
    let site = |f: fn(Var)| trace(|| f(Var::input(0, [2]))).err().unwrap().site;
    assert_eq!(
        site(|x| {
            scope("a", || scope("b", || x.t()));
        })
        .as_deref(),
        Some("b")
    );
    assert_eq!(
        site(|x| {
            scope("a", || {
                scope("b", || x);
                x.t()
            });
        })
        .as_deref(),
        Some("a")
    );
    assert_eq!(
        site(|x| {
            scope("a", || x);
            x.t();
        }),
        None
    );
}

/// The adjoint is recorded at the line of the operation, so that its mistakes would be reported there.
#[test]
fn adjoints_have_the_line_of_their_operation() {
    let (line, traced) = trace(|| {
        let x = Var::input(0, [3]);
        let (y, line) = (x.tanh(), line!());
        gradient(y.sum(), &[x]);
        line
    })
    .unwrap();
    let own = traced.tape().nodes().iter().filter(|n| n.op.name() == "square");
    let lines: Vec<u32> = own.map(|n| n.location.line()).collect();
    assert_eq!(lines, [line]);
}

#[test]
fn values_of_an_ended_trace_are_foreign() {
    let (old, _traced) = trace(|| Var::input(0, [3])).unwrap();
    type Use = (fn(Var) -> Var, &'static str);
    let uses: [Use; 10] = [
        (|v| v + 1.0, "add"),
        (|v| 1.0 - v, "sub"),
        (|v| v.exp(), "exp"),
        (|v| v.sum(), "shape"),
        (|v| v.sum_axis(0), "shape"),
        (|v| Var::zeros(v.shape()), "shape"),
        (|v| v.matmul([1.0, 2.0, 3.0]), "shape"),
        (|v| concat(&[v, v], 0), "shape"),
        (|v| Var::from(v.value()), "value"),
        (|v| gradient(v, &[Var::input(0, [2])])[0], "gradient"),
    ];
    for (f, operation) in uses {
        let error = trace(|| go_on(f(old))).err().unwrap();
        assert!(matches!(error.mistake, Mistake::ForeignVar { operation: o } if o == operation), "{error}");
        assert_eq!(error.location.file(), file!());
    }
    // The gradient by a stranger, too.
    let error = trace(|| {
        let x = Var::input(0, [3]);
        gradient(x.sum(), &[x, old])[1]
    });
    assert!(matches!(error.err().unwrap().mistake, Mistake::ForeignVar { operation: "gradient" }));
    // Outside any trace it has no shape and prints, and nothing more.
    assert_eq!((old.shape().rank(), old.dim(0)), (0, 1));
    assert!(format!("{old:?}").contains("no living trace"));
}

#[test]
fn a_var_made_outside_any_trace_is_reported_where_it_was_made() {
    let (orphan, line) = (Var::zeros([3]), line!());
    let later = orphan.exp() * 2.0;
    for v in [orphan, later] {
        let error = trace(|| Var::input(0, [3]) + v).err().unwrap();
        assert!(matches!(error.mistake, Mistake::OutsideTrace { .. }), "{error}");
        assert_eq!(error.location.file(), file!());
    }
    let error = trace(|| orphan.sum()).err().unwrap();
    assert_eq!(error.location.line(), line);
    // Many of them cost a bounded amount of memory: where the last ones came from is forgotten, not that they are wrong.
    go_on(orphan);
    let last = (0..1000).map(|_| Var::zeros([1])).next_back().unwrap();
    let error = trace(|| last.sum()).err().unwrap();
    assert!(matches!(error.mistake, Mistake::OutsideTrace { .. } | Mistake::ForeignVar { .. }));
}

#[test]
fn nested_traces_keep_their_values_and_mistakes_apart() {
    let ((inner, sum), _) = trace(|| {
        let x = Var::input(0, [3]);
        let inner = trace(|| {
            // The outer shape can be asked for, the outer value cannot be used.
            assert_eq!(x.shape(), Shape::from([3]));
            x + 1.0
        });
        let from_inside = trace(|| Var::input(0, [2])).unwrap().0;
        let leaked = trace(|| from_inside.exp());
        assert!(matches!(leaked.err().unwrap().mistake, Mistake::ForeignVar { operation: "exp" }));
        (inner.err().unwrap(), x.sum())
    })
    .unwrap();
    assert!(matches!(inner.mistake, Mistake::ForeignVar { operation: "add" }));
    assert_eq!(sum.node(), 2);
    // A mistake after a nested one that went well belongs to the outer.
    let error = Trace::default().model("outer").run(|| {
        let _ = Trace::default().model("inner").run(|| Var::input(0, [2]).sum());
        Var::input(0, [2]).t()
    });
    assert_eq!(error.err().unwrap().model.as_deref(), Some("outer"));
}

#[test]
fn a_panic_inside_a_traced_function_leaves_no_recorder_behind() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        trace(|| {
            let x = Var::input(0, [2]);
            scope("outer", || trace(|| scope("inner", || panic!("in the model")))).ok();
            x
        })
    }));
    // A panic that the function itself catches ends the nested trace only.
    let survived = trace(|| {
        let x = Var::input(0, [2]);
        let _ = catch_unwind(AssertUnwindSafe(|| scope("lost", || trace(|| panic!("nested")).ok())));
        x.t()
    });
    std::panic::set_hook(previous);
    assert!(caught.is_err());
    let error = survived.err().unwrap();
    assert_eq!((error.site, facts(&error.mistake).1), (None, "t".to_owned()));
    // No recorder is left: what is made now is an orphan.
    let orphan = Var::zeros([2]);
    let error = trace(|| orphan.exp()).err().unwrap();
    assert!(matches!(error.mistake, Mistake::OutsideTrace { .. }));
    let (value, slope) = value_and_grad(|x: Var| x.square().sum(), &array![3.0]).unwrap();
    assert_eq!((value, slope[0]), (9.0, 6.0));
}

/// The functions of plain arrays report at the line of the user who called them, where it is their own step that fails.
#[rustfmt::skip]
#[test]
fn derivatives_of_functions_with_strange_results_are_errors() {
    let (old, _traced) = trace(|| Var::input(0, ())).unwrap();
    let x = array![1.0, 2.0];
    let (result, line) = (value_and_grad(|_| old, &x), line!());
    let error = result.unwrap_err();
    assert_eq!((error.location.file(), error.location.line()), (file!(), line), "{error}");
    let (result, line) = (Function::new([2], |_| old), line!());
    assert_eq!(result.err().unwrap().location.line(), line);
    // Inputs beside the argument are filled by nobody.
    let (result, line) = (value_and_grad(|x: Var| x.sum() + Var::input(1, ()), &x), line!());
    let error = result.unwrap_err();
    assert_eq!((facts(&error.mistake).0, error.location.line()), ("argument", line));
    assert!(value_and_grad(|x: Var| x.sum() + Var::input(0, ()), &x).is_err());
    assert!(hessian(|x: Var| x.sum() + Var::input(2, ()), &x).is_err());
    assert!(Function::new([2], |x: Var| x.sum() + Var::input(3, ())).is_err());
    // A direction of another shape would broadcast.
    let (result, line) = (hvp(|x: Var| x.square().sum(), &x, &array![1.0]), line!());
    let error = result.unwrap_err();
    assert_eq!(facts(&error.mistake), ("shapes", "hvp".to_owned(), "[2] [1]".to_owned()));
    assert_eq!(error.location.line(), line);
}
