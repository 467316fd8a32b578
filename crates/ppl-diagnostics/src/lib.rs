//! Draws as labelled arrays, convergence diagnostics and summaries.
