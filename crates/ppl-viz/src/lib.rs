//! Plots of posteriors and predictions: traces, surfaces, small multiples.
