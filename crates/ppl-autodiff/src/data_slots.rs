//! Data that come anew with each evaluation: a function is traced over two sets of rows, and the constants in which
//! the traces differ become input slots. The function itself knows nothing of it.

use std::sync::Arc;

use thiserror::Error;

use crate::error::{Mistake, TraceError};
use crate::ops::Op;
use crate::tape::{Node, NodeId, Tape};
use crate::tensor::Tensor;
use crate::trace::Traced;

/// Why a traced function cannot take its data anew.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DataSlotError {
    /// Something was computed from the rows before they entered the tape.
    #[error(
        "a constant of shape {shape} depends on the rows of the batch, but is none of its arrays: make the array a \
         `Var` as it is, and compute with that"
    )]
    Derived {
        /// The constant's shape.
        shape: crate::Shape,
    },
    /// Other rows, other operations.
    #[error("`{operation}`: the function does something else for other rows (it indexes or branches by the data)")]
    Structure {
        /// The first operation that differs.
        operation: &'static str,
    },
}

/// One array of the data, as two traces of a function saw it.
#[derive(Clone, Debug)]
pub struct DataSlot {
    /// In the first trace.
    pub first: Tensor,
    /// In the other trace, with other rows in the same shape.
    pub other: Tensor,
}

impl DataSlot {
    /// Whether constants of the two traces are this array.
    fn is(&self, first: &Tensor, other: &Tensor) -> bool {
        same(&self.first, first) && same(&self.other, other)
    }
}

/// The same numbers in the same shape, to the bit.
fn same(a: &Tensor, b: &Tensor) -> bool {
    a.shape() == b.shape() && a.data().iter().zip(b.data()).all(|(a, b)| a.to_bits() == b.to_bits())
}

impl Traced {
    /// The same trace with arrays of data as input slots, array `i` as slot `first_slot + i`. `other` is a trace of the
    /// same function over other rows.
    ///
    /// The rows of an array, its first axis, lie innermost in its slot: element `[row, j]` of `n x m` at `j n + row`,
    /// as products and elementwise functions want them.
    ///
    /// # Errors
    /// The first operation that depends on the data in another way than through these arrays.
    pub fn with_data_slots(self, other: &Traced, first_slot: usize, data: &[DataSlot]) -> Result<Self, TraceError> {
        let tape = self.tape();
        let slots = find(tape, other.tape(), data);
        match slots {
            Ok(slots) => {
                let places: Vec<Option<u32>> = slots.into_iter().map(|s| s.map(|s| (first_slot + s) as u32)).collect();
                let lengths = data.iter().map(|d| d.first.data().len());
                let tape = tape.with_inputs(&places, first_slot, lengths);
                Ok(self.replace_tape(tape))
            }
            Err((node, error)) => {
                let location = tape.nodes().get(node).or(tape.nodes().last()).map(|n| n.location);
                Err(self.error_at(Mistake::Other(Arc::new(error)), location))
            }
        }
    }
}

/// For each node, the array that it holds, if it holds one.
fn find(tape: &Tape, other: &Tape, data: &[DataSlot]) -> Result<Vec<Option<usize>>, (usize, DataSlotError)> {
    let mut slots = Vec::with_capacity(tape.nodes().len());
    for (id, (a, b)) in tape.nodes().iter().zip(other.nodes()).enumerate() {
        let structure = || (id, DataSlotError::Structure { operation: a.op.name() });
        if a.shape != b.shape || a.operands != b.operands {
            return Err(structure());
        }
        let constants = (tape.constant(id as NodeId), other.constant(id as NodeId));
        let (Some(first), Some(second)) = constants else {
            if a.op != b.op {
                return Err(structure());
            }
            slots.push(None);
            continue;
        };
        let slot = data.iter().position(|d| d.is(first, second));
        if slot.is_none() && !same(first, second) {
            return Err((id, DataSlotError::Derived { shape: first.shape().clone() }));
        }
        slots.push(slot);
    }
    let (here, there) = (tape.nodes().len(), other.nodes().len());
    if here != there {
        let longer = if here > there { tape } else { other };
        let operation = longer.nodes()[here.min(there)].op.name();
        return Err((here.min(there), DataSlotError::Structure { operation }));
    }
    Ok(slots)
}

impl Tape {
    /// The same tape, node for node, with some constants as whole input slots.
    fn with_inputs(&self, places: &[Option<u32>], first_slot: usize, lengths: impl Iterator<Item = usize>) -> Tape {
        let mut new = Tape::default();
        new.constants.clone_from(&self.constants);
        new.slots.clone_from(&self.slots);
        new.first_data_slot = Some(first_slot);
        new.slots.resize(first_slot, 0);
        new.slots.extend(lengths);
        for (id, (node, place)) in self.nodes.iter().zip(places).enumerate() {
            let node = match place {
                Some(slot) => Node { op: Op::Input { slot: *slot, offset: 0 }, ..node.clone() },
                None => node.clone(),
            };
            let scalar = self.constant(id as NodeId).filter(|c| place.is_none() && c.shape().rank() == 0);
            let id = new.push(node);
            if let Some(scalar) = scalar {
                new.know_scalar(scalar.data()[0], id);
            }
        }
        new
    }
}
