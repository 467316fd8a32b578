//! The loops that programs run: elementary functions, matrix products, reductions.
