//! Placeholder until the programs are merged.
fn main() {}
