//! The page of results: a table of all posteriors, and below it every miss with what is known of it.

use std::fmt::Write;

use ppl_gallery::run::{Cost, Length, Outcome};
use ppl_gallery::{Comparison, Entry, Figure, compare};

/// Standard errors that a figure may be off.
const ERRORS: f64 = 4.0;
/// The probability that a normal variable is further off than that.
const BY_CHANCE: f64 = 6.3e-5;
/// The largest R-hat that counts as converged.
const R_HAT: f64 = 1.01;

/// The runs of one posterior.
pub struct Line {
    /// Which.
    pub entry: &'static Entry,
    /// What its program costs.
    pub cost: Cost,
    /// Its runs, one for each seed.
    pub outcomes: Vec<Outcome>,
}

impl Line {
    fn figures(&self) -> usize {
        self.outcomes.iter().map(|o| o.comparison.figures.len()).sum()
    }

    fn misses(&self) -> Vec<(u64, &Figure)> {
        self.outcomes.iter().flat_map(|o| o.comparison.off(ERRORS).map(move |f| (o.seed, f))).collect()
    }

    fn worst(&self) -> f64 {
        let worst = self.outcomes.iter().filter_map(|o| o.comparison.worst());
        worst.map(|f| f.errors().abs()).fold(0.0, f64::max)
    }

    fn r_hat(&self) -> f64 {
        self.outcomes.iter().map(|o| o.comparison.r_hat).fold(0.0, f64::max)
    }

    fn mean(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        self.outcomes.iter().map(of).sum::<f64>() / self.outcomes.len().max(1) as f64
    }

    fn total(&self, of: impl Fn(&Outcome) -> usize) -> usize {
        self.outcomes.iter().map(of).sum()
    }

    /// Whether every figure of every seed is where it should be, all chains agree and none diverged.
    fn passes(&self) -> bool {
        self.misses().is_empty() && self.r_hat() < R_HAT && self.total(|o| o.divergences) == 0
    }

    /// The draws of all seeds beside the reference.
    fn pooled(&self) -> Option<Comparison> {
        let (first, rest) = self.outcomes.split_first()?;
        let all = rest.iter().try_fold(first.draws.clone(), |all, o| all.with_chains(&o.draws).ok())?;
        compare(self.entry, &all).ok()
    }

    /// One line for the terminal.
    pub fn progress(&self) -> String {
        let mut text = format!(
            "{:60} {:8.0} gradients  ess {:6.0}  {:6.2} s  r-hat {:.4}  {} divergences  {} astray  worst {:.1}  misses {}",
            self.entry.name,
            self.mean(|o| o.gradients as f64),
            self.mean(|o| o.comparison.ess),
            self.mean(|o| o.seconds),
            self.r_hat(),
            self.total(|o| o.divergences),
            self.total(|o| o.astray),
            self.worst(),
            self.misses().len(),
        );
        for (seed, figure) in self.misses().iter().take(12) {
            let _ = write!(text, "\n    seed {seed}: {figure}");
        }
        text
    }

    fn row(&self) -> String {
        let (ess, gradients) = (self.mean(|o| o.comparison.ess), self.mean(|o| o.gradients as f64));
        format!(
            "| {} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.4} | {} | {:.1} | {} of {} |",
            self.entry.name,
            self.cost.dim,
            self.cost.compile.as_secs_f64() * 1e3,
            self.cost.gradient.as_secs_f64() * 1e6,
            self.mean(|o| o.warmup_gradients as f64),
            gradients,
            ess,
            1e3 * ess / gradients,
            self.mean(|o| o.seconds),
            self.r_hat(),
            self.total(|o| o.divergences),
            self.worst(),
            self.misses().len(),
            self.figures(),
        )
    }

    /// What is to be said below the table.
    fn remarks(&self) -> Option<String> {
        if self.passes() && self.entry.needs.remark.is_empty() {
            return None;
        }
        let mut text = format!("\n### {}\n\n", self.entry.name);
        if !self.entry.needs.remark.is_empty() {
            let _ = writeln!(text, "{}\n", self.entry.needs.remark);
        }
        let needs = self.entry.needs;
        if let Some(acceptance) = needs.acceptance {
            let _ = writeln!(text, "- target acceptance {acceptance}");
        }
        if needs.length > 1 {
            let _ = writeln!(text, "- {} times the iterations of the others", needs.length);
        }
        if needs.minor_modes {
            let _ = writeln!(
                text,
                "- chains left out because they were in a minor mode, at least for a while: {}",
                self.total(|o| o.astray)
            );
        }
        if self.r_hat() >= R_HAT {
            let _ = writeln!(text, "- R-hat up to {:.4} where less than {R_HAT} is wanted", self.r_hat());
        }
        if self.total(|o| o.divergences) > 0 {
            let draws = self.total(|o| o.draws.chains() * o.draws.draws());
            let _ = writeln!(text, "- {} of {draws} draws diverged", self.total(|o| o.divergences));
        }
        let pooled = self.pooled();
        for (seed, figure) in self.misses() {
            let same = |c: &Comparison| {
                let same = |f: &&Figure| f.parameter == figure.parameter && f.statistic == figure.statistic;
                c.figures.iter().find(same).map_or(f64::NAN, Figure::errors)
            };
            let seeds: Vec<String> = self.outcomes.iter().map(|o| format!("{:+.1}", same(&o.comparison))).collect();
            let all = pooled.as_ref().map_or(f64::NAN, same);
            let _ = writeln!(text, "- seed {seed}: {figure}; all seeds {}, pooled {all:+.1}", seeds.join(", "));
        }
        Some(text)
    }
}

/// What the page says of one posterior: its row of the table and what stands below it. It is read again from the page, so
/// that a run of some posteriors renews their part and keeps the others.
pub struct Part {
    name: String,
    row: String,
    remarks: Option<String>,
}

impl Part {
    /// Of a line.
    pub fn new(line: &Line) -> Self {
        Self { name: line.entry.name.to_owned(), row: line.row(), remarks: line.remarks() }
    }

    /// All parts of a page.
    pub fn read(page: &str) -> Vec<Self> {
        let (table, remarks) = page.split_once(REMARKS).unwrap_or((page, ""));
        let part = |entry: &Entry| {
            let row = table.lines().find(|row| row.starts_with(&format!("| {} |", entry.name)))?;
            let heading = format!("\n### {}\n", entry.name);
            let remarks = remarks.find(&heading).map(|from| {
                let body = &remarks[from + heading.len()..];
                format!("{heading}{}", &body[..body.find("\n### ").unwrap_or(body.len())])
            });
            Some(Self { name: entry.name.to_owned(), row: row.to_owned(), remarks })
        };
        ppl_gallery::all().iter().filter_map(part).collect()
    }

    /// Puts this part in the place of the one of its name; parts stand in the order of the catalogue.
    pub fn put(self, parts: &mut Vec<Self>) {
        let place = |name: &str| ppl_gallery::all().iter().position(|e| e.name == name);
        parts.retain(|part| part.name != self.name);
        let at = parts.partition_point(|part| place(&part.name) < place(&self.name));
        parts.insert(at, self);
    }

    /// A cell of the row from the right, 0 the last.
    fn cell(&self, from_right: usize) -> &str {
        self.row.rsplit('|').nth(from_right + 1).unwrap_or("").trim()
    }

    /// Figures that are off, and all.
    fn figures(&self) -> (usize, usize) {
        let (off, all) = self.cell(0).split_once(" of ").unwrap_or(("0", "0"));
        (off.parse().unwrap_or(0), all.parse().unwrap_or(0))
    }

    /// Whether every figure of every seed is where it should be, all chains agree and none diverged.
    fn passes(&self) -> bool {
        let converged = self.cell(3).parse().is_ok_and(|r_hat: f64| r_hat < R_HAT);
        self.figures().0 == 0 && converged && self.cell(2) == "0"
    }
}

/// What stands between the table and what is said of single posteriors.
const REMARKS: &str = "\n## Remarks\n";

/// The whole page.
pub fn page(parts: &[Part], length: Length, seeds: u64) -> String {
    let Length { chains, warmup, draws } = length;
    let (misses, figures) = parts.iter().map(Part::figures).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    let passed = parts.iter().filter(|part| part.passes()).count();
    let mut page = format!(
        "# Posteriors\n\n\
         Every posterior of posteriordb and of the Inference Gym that the gallery has, sampled with NUTS and held against\n\
         reference draws. Made by `cargo run --release -p ppl-gallery -- --write`; data, references and their licences are\n\
         described in `gallery/data/README.md`.\n\n\
         {seeds} seeds of {chains} chains, {warmup} iterations of warm-up and {draws} draws a chain. Figures are means,\n\
         standard deviations and, where the reference has them, 5, 50 and 95 % quantiles of every parameter: {figures} in\n\
         all. Off by more than {ERRORS} combined Monte Carlo standard errors would by chance be about {:.1}, and are\n\
         {misses}. {passed} of {} posteriors have no figure off in any seed, R-hat below {R_HAT} everywhere and no\n\
         divergence; below the table stands what there is to say of the others.\n\n\
         Gradients, effective draws (the smallest bulk ESS of all parameters) and seconds (of all chains one after the\n\
         other, without compiling) are means over seeds; R-hat and the largest difference are the worst of all seeds,\n\
         divergences and figures their sums.\n\n\
         | posterior | dim | compile, ms | gradient, us | warm-up gradients | gradients | ESS | ESS / 1000 gradients | s | \
         R-hat | divergences | largest difference, errors | figures off |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
        figures as f64 * BY_CHANCE,
        parts.len(),
    );
    for part in parts {
        let _ = writeln!(page, "{}", part.row);
    }
    page.push_str(REMARKS);
    page.extend(parts.iter().filter_map(|part| part.remarks.as_deref()));
    page
}
