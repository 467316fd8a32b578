//! Schedules of warm-up as data: which iterations feed the metric, and after which of them it changes.

/// Stan's windows: a start for the step size alone, windows that double, an end for the step size alone.
///
/// ```text
/// |  init  |base| 2 base |     4 base     |  ..., the last takes the rest  | term |
/// ```
///
/// # Source
/// Stan reference manual, "HMC algorithm parameters: automatic parameter tuning".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StanWindows {
    /// Iterations before the first window.
    pub init: usize,
    /// Iterations after the last window.
    pub term: usize,
    /// Length of the first window.
    pub base: usize,
    /// The last iteration of each window, counted from 0: the metric changes after it.
    pub ends: Vec<usize>,
    /// Warm-up iterations altogether.
    pub iterations: usize,
}

impl StanWindows {
    /// 75, 25, 50, 100, ..., 50 iterations; in shares of 15, 75 and 10 percent where these do not fit; with fewer
    /// than 20 iterations there are no windows.
    #[must_use]
    pub fn new(iterations: usize) -> Self {
        let (mut init, mut term, mut base) = (75, 50, 25);
        if iterations < 20 {
            return Self { init: iterations, term: 0, base: 0, ends: Vec::new(), iterations };
        }
        if init + base + term > iterations {
            init = iterations * 15 / 100;
            term = iterations / 10;
            base = iterations - init - term;
        }
        let last = iterations - term - 1;
        let mut size = base;
        let mut ends = vec![init + base - 1];
        while let Some(&end) = ends.last()
            && end < last
        {
            size *= 2;
            let next = end + size;
            // A window that would leave no room for the one after it takes the rest.
            ends.push(if next + 2 * size > last { last } else { next });
        }
        Self { init, term, base, ends, iterations }
    }

    /// Whether the draw of an iteration belongs to a window.
    #[must_use]
    pub fn contains(&self, iteration: usize) -> bool {
        self.init <= iteration && iteration < self.iterations - self.term
    }

    /// Whether the metric changes after an iteration.
    #[must_use]
    pub fn ends_at(&self, iteration: usize) -> bool {
        self.ends.contains(&iteration)
    }
}

/// What a [`FisherSchedule`] says about an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FisherAction {
    /// Refine the metric from the foreground estimate.
    Refine,
    /// The background estimate becomes the foreground, a new background starts, then refine.
    Switch,
    /// The metric stays: the end belongs to the step size.
    Keep,
}

/// The schedule of nutpie: the metric follows a foreground estimate that is replaced by a younger background one,
/// every 10 draws in the first 30 percent, then after 80, 120, 180, ... draws, until the last 15 percent.
///
/// One that may settle has an early phase of at most 120 iterations. Once [`settle`](Self::settle)d there come only as
/// many iterations for the step size as belong to a run of that length, at least 100.
///
/// The early phase may [end early](Self::end_early), where two of its windows agree; the second of them then counts as the
/// first of the main phase.
///
/// One that continues another warm-up keeps the metric that it came with until there are 80 draws, which either agree
/// with it, whereupon warm-up ends, or begin the main phase.
///
/// # Source
/// nuts-rs 0.18, Seyboldt, Carlson and Carpenter (2026), arXiv:2603.18845; the early end is our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FisherSchedule {
    early_end: usize,
    final_start: usize,
    end: usize,
    window: usize,
    background: usize,
    main_switches: usize,
    late: bool,
    held: bool,
}

impl FisherSchedule {
    const EARLY_WINDOW: usize = 10;
    const MAIN_WINDOW: usize = 80;
    const LONGEST_START: usize = 120;
    /// Draws between two looks at whether the estimates agree.
    const LOOK: usize = 40;
    /// The average of the step size begins after ten of them.
    const SHORTEST_END: usize = 100;
    /// What is left to the step size at the end of a warm-up that continues another.
    const LEAST_END: usize = 50;

    /// For so many iterations. The starting point counts as the first member of both estimates.
    #[must_use]
    pub fn new(iterations: usize) -> Self {
        Self {
            early_end: (0.3 * iterations as f64) as usize,
            final_start: iterations - (0.15 * iterations as f64) as usize,
            end: iterations,
            window: Self::MAIN_WINDOW,
            background: 1,
            main_switches: 0,
            late: false,
            held: false,
        }
    }

    /// For at most so many iterations.
    #[must_use]
    pub fn that_may_settle(iterations: usize) -> Self {
        let nutpie = Self::new(iterations);
        Self { early_end: nutpie.early_end.min(Self::LONGEST_START), ..nutpie }
    }

    /// For at most so many iterations after an earlier warm-up. With fewer than 130 only the step size is learned.
    #[must_use]
    pub fn continuing(iterations: usize) -> Self {
        let end = ((0.15 * iterations as f64) as usize).max(Self::LEAST_END).min(iterations);
        Self { early_end: 0, final_start: iterations - end, held: true, ..Self::new(iterations) }
    }

    /// Whether the metric is still the one that came from an earlier warm-up.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.held
    }

    /// The metric that came from an earlier warm-up has been found good after an iteration.
    pub fn keep(&mut self, iteration: usize) {
        self.held = true;
        self.final_start = self.final_start.min(iteration + 1);
        self.end = self.end.min((iteration + 1).max(Self::SHORTEST_END));
    }

    /// Goes past an iteration, told whether its draw was added to the estimates.
    pub fn advance(&mut self, iteration: usize, added: bool) -> FisherAction {
        if iteration >= self.final_start {
            self.late = true;
            return FisherAction::Keep;
        }
        if self.held {
            self.background += usize::from(added);
            if self.background < Self::MAIN_WINDOW {
                return FisherAction::Keep;
            }
            self.held = false;
            self.main_switches = 1;
            self.background = 0;
            return FisherAction::Switch;
        }
        let early = iteration < self.early_end;
        if iteration == self.early_end {
            self.window = self.window.max(self.background);
        }
        self.background += usize::from(added);
        let (window, next) = if early {
            (Self::EARLY_WINDOW, Self::EARLY_WINDOW)
        } else {
            // round(1.5 window)
            (self.window, (self.window + 1).max((3 * self.window).div_ceil(2)))
        };
        self.late = iteration + next > self.final_start;
        if self.late || self.background < window {
            return FisherAction::Refine;
        }
        self.background = 0;
        if !early {
            self.window = next;
            self.main_switches += 1;
        }
        FisherAction::Switch
    }

    /// Whether an iteration belongs to the early phase.
    #[must_use]
    pub fn is_early(&self, iteration: usize) -> bool {
        iteration < self.early_end
    }

    /// The early phase ends after an iteration that switched, because its window agrees with the one before.
    pub fn end_early(&mut self, iteration: usize) {
        self.early_end = self.early_end.min(iteration + 1);
        self.main_switches = 1;
        self.window = Self::MAIN_WINDOW * 3 / 2;
    }

    /// Whether the background now holds enough draws, none of which made the foreground of the last switch, to tell
    /// whether the two agree.
    #[must_use]
    pub fn may_settle(&self) -> bool {
        self.main_switches > 0 && self.background >= Self::MAIN_WINDOW && self.background.is_multiple_of(Self::LOOK)
    }

    /// The metric has settled after an iteration: what follows belongs to the step size.
    pub fn settle(&mut self, iteration: usize) {
        let remaining = ((0.15 / 0.85 * iteration as f64) as usize).max(Self::SHORTEST_END);
        self.final_start = self.final_start.min(iteration + 1);
        self.end = self.end.min(self.final_start + remaining);
    }

    /// The number of iterations, as far as is known.
    #[must_use]
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether no more switches come.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// First iteration of the main phase, and first of the last phase.
    #[must_use]
    pub fn phases(&self) -> (usize, usize) {
        (self.early_end, self.final_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start is a draw, so that windows of ten end after iterations 8 and 18. If these two agree the next switch comes
    /// 120 draws later, and draws are looked at after 80; if none do it comes after 120 iterations and 80 draws.
    #[test]
    fn windows_that_agree_end_the_early_phase() {
        let run = |agree: Option<usize>| {
            let mut schedule = FisherSchedule::that_may_settle(1000);
            let (mut switches, mut looks) = (Vec::new(), Vec::new());
            for iteration in 0..300 {
                if schedule.advance(iteration, true) == FisherAction::Switch {
                    switches.push(iteration);
                }
                if schedule.may_settle() {
                    looks.push(iteration);
                }
                if agree == Some(iteration) {
                    schedule.end_early(iteration);
                }
            }
            (schedule.is_early(agree.map_or(119, |i| i + 1)), switches, looks)
        };
        assert_eq!(run(Some(18)), (false, vec![8, 18, 138], vec![98, 218, 258, 298]));
        let (is_early, switches, looks) = run(None);
        assert!(is_early && looks == [278]);
        assert_eq!(switches[..12], (0..12).map(|i| 8 + 10 * i).collect::<Vec<_>>());
        assert_eq!(switches[12..], [198]);
    }
}
