//! Reading values while a function is traced: a small cache of programs, one for each prefix of a tape.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use crate::error::TraceError;
use crate::program::Program;
use crate::random::Key;
use crate::tape::{NodeId, Tape};
use crate::tensor::Tensor;

/// Programs kept before the cache starts anew: a function whose constants change at every evaluation must not fill
/// the memory.
const MAX_PROGRAMS: usize = 256;

/// A cache of the programs with which a function's values are read; clones share it.
#[derive(Clone, Default)]
pub struct Reader(Arc<Mutex<HashMap<u64, Arc<Program<f64>>>>>);

impl Reader {
    /// Evaluates a node of a tape at a point (slots that are too short count as filled up with zeros).
    pub(crate) fn read(&self, tape: &Tape, node: NodeId, point: &[Vec<f64>], key: &Key) -> Result<Tensor, TraceError> {
        let mark = signature(tape, node + 1);
        let known = self.lock().get(&mark).cloned();
        let program = known.unwrap_or_else(|| {
            let program = Arc::new(Program::compile_nodes(tape, &[node], &[1]));
            let mut cache = self.lock();
            if cache.len() >= MAX_PROGRAMS {
                cache.clear();
            }
            cache.insert(mark, program.clone());
            program
        });
        let slots: Vec<Vec<f64>> = tape
            .slots()
            .iter()
            .enumerate()
            .map(|(i, &n)| {
                let mut values = point.get(i).cloned().unwrap_or_default();
                values.resize(n, 0.0);
                values
            })
            .collect();
        let slots: Vec<&[f64]> = slots.iter().map(|s| &s[..]).collect();
        let shape = tape.nodes()[node as usize].shape.clone();
        let mut value = vec![0.0; shape.size()];
        // The tape goes on growing, so its slots may be longer by now than when the program was compiled.
        let cut: Vec<&[f64]> = slots.iter().zip(program.input_lengths()).map(|(s, &n)| &s[..n.min(s.len())]).collect();
        program.run(&mut program.workspace(), &cut, &mut [&mut value], key);
        Ok(Tensor::new(shape.clone(), value).unwrap_or_else(|| Tensor::full(shape, f64::NAN)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Program<f64>>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A hash of the first `nodes` of a tape: equal for equal operations on equal operands and constants.
pub fn signature(tape: &Tape, nodes: NodeId) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (id, node) in tape.nodes().iter().take(nodes as usize).enumerate() {
        match tape.constant(id as NodeId) {
            Some(tensor) => {
                tensor.shape().hash(&mut hasher);
                tensor.data().iter().for_each(|x| x.to_bits().hash(&mut hasher));
            }
            None => node.op.hash(&mut hasher),
        }
        node.operands.hash(&mut hasher);
    }
    hasher.finish()
}
