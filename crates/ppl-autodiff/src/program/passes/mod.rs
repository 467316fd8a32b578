//! The passes over a graph before it is lowered. Each keeps the outputs' values and shapes. Common subexpressions
//! and dead nodes need no pass of their own: a rebuilt graph shares equal nodes and keeps only what is needed.

mod choose;
mod decided;
mod expand;
mod fold;
mod short;
mod simplify;
mod sums;

use super::graph::Graph;

/// One pass: a graph that computes the same.
pub(crate) type Pass = fn(&Graph) -> Graph;

/// All passes by name, in the order in which they run.
pub(crate) const PASSES: &[(&str, Pass)] = &[
    ("expand", expand::pass),
    ("short", short::pass),
    ("simplify", simplify::pass),
    ("decided", decided::pass),
    ("choose", choose::pass),
    ("fold", fold::pass),
    ("clean", simplify::pass),
    ("sums", sums::pass),
    ("tidy", simplify::pass),
];

/// Runs all passes.
pub(crate) fn optimise(graph: Graph) -> Graph {
    PASSES.iter().fold(graph, |graph, (_, pass)| pass(&graph))
}

/// The passes that only rewrite: what depends on data alone is not computed yet.
pub(crate) fn before_fold(graph: Graph) -> Graph {
    simplify::pass(&expand::pass(&graph))
}

/// What is left to do where a part of an optimised graph has become a constant.
pub(crate) fn settle(graph: Graph) -> Graph {
    let passes = [simplify::pass, choose::pass, sums::pass, simplify::pass];
    passes.iter().fold(graph, |graph, pass| pass(&graph))
}
