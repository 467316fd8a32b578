//! Where the time of an evaluation goes, instruction by instruction.

use std::time::Instant;

use super::{Program, Workspace};
use crate::random::Key;
use crate::real::Real;

impl<T: Real> Program<T> {
    /// As [`Program::explain`], each line led by the nanoseconds of its instruction: the least of so many evaluations, less
    /// the time that looking at the clock takes. Together they take longer than an evaluation does, since an instruction
    /// that is timed does not overlap with its neighbours.
    ///
    /// # Panics
    /// As [`Program::evaluate`].
    pub fn profile(&self, inputs: &[&[T]], evaluations: usize) -> String {
        let mut outputs: Vec<Vec<T>> = self.outputs.iter().map(|&n| vec![T::ZERO; n]).collect();
        let mut outputs: Vec<&mut [T]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
        let mut workspace = self.workspace();
        let mut least = vec![f64::INFINITY; self.instructions.len()];
        for _ in 0..evaluations.max(1) {
            self.time(&mut workspace, inputs, &mut outputs, &mut least);
        }
        self.explain_after(|at| format!("{:7.0} ns", least[at]))
    }

    /// Lowers the least times of the instructions by one evaluation.
    fn time(&self, workspace: &mut Workspace<T>, inputs: &[&[T]], outputs: &mut [&mut [T]], least: &mut [f64]) {
        let key = Key::default();
        let mut memory = self.memory(workspace, inputs, outputs, &key);
        let mut clock = f64::INFINITY;
        for instruction in self.instructions.chunks(1).zip(least) {
            let begin = Instant::now();
            let empty = Instant::now();
            // SAFETY: as in `run`: one after the other they are an evaluation.
            unsafe { T::execute(instruction.0, &mut memory) };
            let end = Instant::now();
            clock = clock.min(1e9 * (empty - begin).as_secs_f64());
            *instruction.1 = instruction.1.min((1e9 * (end - empty).as_secs_f64() - clock).max(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Program, Var, trace};

    /// A line for each instruction, each with its time, after the line of sizes.
    #[test]
    fn every_instruction_has_a_time() {
        let (y, traced) = trace(|| {
            let x = Var::input(0, [60, 50]);
            x.matmul(Var::input(1, [50, 40])).tanh().sum()
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
        let profile = program.profile(&[&[0.1; 3000], &[0.2; 2000]], 3);
        let lines: Vec<&str> = profile.lines().collect();
        assert_eq!(lines.len(), 1 + program.len());
        let times: Vec<f64> =
            lines[1..].iter().map(|l| l.split(" ns").next().unwrap().trim().parse().unwrap()).collect();
        // 120,000 products and additions: no machine does them in a microsecond.
        assert!(times.iter().sum::<f64>() > 1000.0, "{profile}");
    }
}
