//! A readable account of a program: what runs, over how many elements, with how many bytes.

use std::fmt::{self, Display, Write};

use super::Program;
use super::fused::Source;
use super::instruction::{Instruction, Place};
use super::layout::Store;
use super::short::ShortStep;
use crate::real::Real;

impl<T: Real> Program<T> {
    /// The instructions in order, one a line, with the places they read and write, and the sizes of the memory.
    pub fn explain(&self) -> String {
        self.explain_after(|_| String::new())
    }

    /// With something to say before each line.
    pub(super) fn explain_after(&self, lead: impl Fn(usize) -> String) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out, &lead);
        out
    }

    /// The number of instructions.
    pub fn len(&self) -> usize {
        self.instructions.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    fn write(&self, out: &mut String, lead: &dyn Fn(usize) -> String) -> fmt::Result {
        let bytes = |n: usize| n * size_of::<T>();
        writeln!(
            out,
            "{} instructions, inputs {:?}, outputs {:?}; {} B arena, {} B registers, {} B constants",
            self.instructions.len(),
            self.inputs,
            self.outputs,
            bytes(self.arena),
            bytes(self.scratch),
            bytes(self.constants.len()),
        )?;
        for (at, instruction) in self.instructions.iter().enumerate() {
            let (result, sources) = instruction.places();
            let sources: Vec<String> = sources.iter().map(|p| p.to_string()).collect();
            write!(out, "{}{at:4}  {result} = {}({})", lead(at), instruction.name(), sources.join(", "))?;
            match instruction {
                Instruction::Fused(f) => {
                    let steps: Vec<&str> = f.steps.iter().map(|s| s.name).collect();
                    let gathered = f.sources.iter().filter(|s| matches!(s, Source::Strided(..))).count();
                    write!(out, "  {} x [{}]", f.elements, steps.join(" "))?;
                    if gathered > 0 {
                        write!(out, ", {gathered} gathered")?;
                    }
                }
                Instruction::Runs(r) => {
                    let (inner, outer) = r.nest.split_last().map_or((0, &r.nest[..]), |(l, rest)| (l.extent, rest));
                    let count: usize = outer.iter().map(|l| l.extent).product();
                    write!(out, "  {count} of {inner} x [{}]", r.name)?;
                }
                Instruction::Short(s) => {
                    let step = |(name, step): (&&str, &ShortStep)| match step.elements {
                        1 => name.to_string(),
                        n => format!("{name}[{n}]"),
                    };
                    let steps: Vec<String> = s.names.iter().zip(&s.steps).map(step).collect();
                    write!(out, "  {} x [{}]", steps.len(), steps.join(" "))?;
                }
                Instruction::Product(p) => {
                    let outer: usize = p.batch.iter().map(|l| l.extent).product();
                    let batch = outer * p.spec.count;
                    write!(out, "  {batch} x {}x{}x{} by {:?}", p.spec.m, p.spec.k, p.spec.n, p.method)?;
                    if p.slope.is_some() {
                        write!(out, ", times_one_minus_square")?;
                    }
                }
                Instruction::Reduce(r) => {
                    let count = |n: usize, extent: usize| n * extent;
                    let kept = r.kept.iter().map(|l| l.extent).fold(1, count);
                    let reduced = r.reduced.iter().map(|l| l.extent).fold(1, count);
                    write!(out, "  {kept} of {reduced}")?;
                }
                Instruction::Copy { nest, .. } => {
                    write!(out, "  {}", nest.iter().map(|l| l.extent).product::<usize>())?;
                }
                Instruction::Scan(scan) => write!(out, "  {scan}")?,
                Instruction::Strips(strips) => write!(out, "  {strips}")?,
                Instruction::Fill { elements, .. } | Instruction::Random { elements, .. } => {
                    write!(out, "  {elements}")?
                }
                _ => {}
            }
            out.push('\n');
        }
        Ok(())
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.store {
            Store::Constants => write!(f, "const")?,
            Store::Buffer(id) => write!(f, "b{id}")?,
            Store::Input(slot) => write!(f, "in{slot}")?,
            Store::Output(slot) => write!(f, "out{slot}")?,
        }
        if self.offset > 0 { write!(f, "+{}", self.offset) } else { Ok(()) }
    }
}
