//! Progress on a terminal: a line for each chain, redrawn at most ten times a second.

use std::io::IsTerminal;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::observe::{Ending, Event, Observer, Phase, Plan};

const INTERVAL: Duration = Duration::from_millis(100);
const LINE: &str = "chain {prefix} {bar:24} {pos}/{len} {msg} {eta} left";
const LAST_LINE: &str = "chain {prefix} {bar:24} {pos}/{len} {msg}";

/// Shows each chain's draws, step size, gradients, divergences and time left on standard error.
///
/// ```
/// use ppl_infer::progress::Progress;
///
/// let shown = Progress::new();        // silent unless standard error is a terminal
/// let switched_off = Progress::hidden();
/// ```
#[derive(Debug)]
pub struct Progress {
    bars: MultiProgress,
    lines: RwLock<Vec<Line>>,
}

#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    begin: Instant,
    /// When the line was last redrawn, in nanoseconds from its beginning.
    shown: AtomicU64,
}

impl Progress {
    /// On standard error if that is a terminal, else silent.
    #[must_use]
    pub fn new() -> Self {
        if std::io::stderr().is_terminal() { Self::on(ProgressDrawTarget::stderr()) } else { Self::hidden() }
    }

    /// Silent.
    #[must_use]
    pub fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self { bars: MultiProgress::with_draw_target(target), lines: RwLock::new(Vec::new()) }
    }

    fn line(&self, chain: usize, show: impl FnOnce(&Line)) {
        // A poisoned lock only means that another thread panicked; the lines are still good to look at.
        let lines = self.lines.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(line) = lines.get(chain) {
            show(line);
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

impl Observer for Progress {
    fn started(&self, plan: &Plan) {
        let begin = Instant::now();
        let lines = (0..if self.bars.is_hidden() { 0 } else { plan.chains }).map(|chain| {
            let bar = self.bars.add(ProgressBar::new((plan.warmup + plan.draws) as u64));
            bar.set_style(style(LINE));
            bar.set_prefix((chain + 1).to_string());
            Line { bar, begin, shown: AtomicU64::new(0) }
        });
        *self.lines.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = lines.collect();
    }

    fn iterated(&self, event: &Event) {
        self.line(event.chain, |line| {
            let now = line.begin.elapsed();
            let done = event.iteration as u64 + 1;
            let last = Duration::from_nanos(line.shown.load(Ordering::Relaxed));
            let all = event.iterations as u64;
            if now < last + INTERVAL && done != all {
                return;
            }
            line.shown.store(now.as_nanos() as u64, Ordering::Relaxed);
            let phase = match event.phase {
                Phase::Warmup => "warm-up",
                Phase::Sampling => "sampling",
            };
            line.bar.set_message(format!(
                "{phase} | step {:.2e} | {} gradients | {} divergences |",
                event.step_size, event.gradients, event.divergences
            ));
            if line.bar.length() != Some(all) {
                line.bar.set_length(all);
            }
            line.bar.set_position(done);
        });
    }

    fn chain_ended(&self, chain: usize, ending: Ending) {
        self.line(chain, |line| {
            line.bar.set_style(style(LAST_LINE));
            let message = line.bar.message();
            line.bar.abandon_with_message(match ending {
                Ending::Complete => format!("{message} done in {:.1?}", line.begin.elapsed()),
                Ending::Interrupted => format!("{message} interrupted"),
                Ending::Failed => format!("{message} failed"),
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A terminal that keeps what is written.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl indicatif::TermLike for Paper {
        fn width(&self) -> u16 {
            200
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn event(iteration: usize) -> Event {
        let phase = if iteration < 50_000 { Phase::Warmup } else { Phase::Sampling };
        let gradients = 7 * (iteration + 1);
        let (step_size, n_steps, iterations) = (0.25, 7, 100_000);
        let (diverging, divergences) = (false, 3);
        Event { chain: 1, phase, iteration, iterations, step_size, n_steps, diverging, gradients, divergences }
    }

    #[test]
    fn shows_the_last_state_and_redraws_rarely() {
        let paper = Paper::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(paper.clone())));
        let begin = Instant::now();
        progress.started(&Plan { chains: 2, warmup: 50_000, draws: 50_000 });
        for iteration in 0..100_000 {
            progress.iterated(&event(iteration));
        }
        let passed = begin.elapsed();
        progress.chain_ended(1, Ending::Complete);
        let text = paper.0.lock().unwrap();
        assert!(text.contains("chain 2"), "{text}");
        assert!(text.contains("100000/100000 sampling | step 2.50e-1 | 700000 gradients | 3 divergences"), "{text}");
        assert!(text.contains("done in"), "{text}");
        // A message and a position for each interval, and for the last iteration, the ending and the start.
        let most = 2 * (passed.as_millis() / INTERVAL.as_millis()) as usize + 12;
        let drawn = text.matches("chain 2").count();
        assert!(drawn <= most, "{drawn} redraws in {passed:?}");
    }

    #[test]
    fn a_hidden_one_has_no_lines() {
        let progress = Progress::hidden();
        progress.started(&Plan { chains: 2, warmup: 10, draws: 10 });
        progress.iterated(&event(0));
        assert!(progress.lines.read().unwrap().is_empty());
    }
}
