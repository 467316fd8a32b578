//! Each number type's own copy of the lowering and of the interpreter, compiled here and nowhere else: what is generic
//! over the number would be compiled anew in every crate and test that uses a program, with all its kernels.

#![expect(private_interfaces, reason = "the trait is sealed: nobody outside can name it, nor what it speaks of")]

use super::graph::Graph;
use super::instruction::{Instruction, Memory};
use super::lower::{Lowered, lower};
use super::strips::Policy;

/// A number type that programs are compiled for; sealed, since the module is private.
pub trait Machine: Sized {
    /// See [`lower`].
    fn lower(graph: &Graph, outputs: &[(u32, usize)], policy: Policy) -> Lowered<Self>;

    /// Runs instructions one after the other.
    ///
    /// # Safety
    /// As [`Instruction::run`], for each of them.
    unsafe fn execute(instructions: &[Instruction<Self>], memory: &mut Memory<'_, '_, Self>);
}

macro_rules! machines {
    ($($number:ty),*) => { $(
        impl Machine for $number {
            fn lower(graph: &Graph, outputs: &[(u32, usize)], policy: Policy) -> Lowered<Self> {
                lower(graph, outputs, policy)
            }

            unsafe fn execute(instructions: &[Instruction<Self>], memory: &mut Memory<'_, '_, Self>) {
                for instruction in instructions {
                    // SAFETY: the caller's promise.
                    unsafe { instruction.run(memory) };
                }
            }
        }
    )* };
}
machines!(f64, f32);
