//! How a summary looks in a terminal.

use crate::interval::{IntervalKind, percent};
use crate::summary::{Row, Summary};
use std::fmt;

/// More components than this are shown by their ranges.
const ROWS_SHOWN: usize = 40;
/// Of which so many, the least converged, are shown after all.
const WORST_SHOWN: usize = 10;

/// All rows of a [`Summary`], however many; made by [`Summary::table`].
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(&'a Summary);

impl Summary {
    /// The whole table for printing, where `Display` of the summary itself shortens a long one.
    pub fn table(&self) -> Table<'_> {
        Table(self)
    }

    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (chains, draws, rows) = (self.chains(), self.draws(), self.rows().len());
        let components = if rows == 1 { "component" } else { "components" };
        writeln!(f, "{chains} x {draws} draws, {rows} {components}, {} intervals\n", self.interval())
    }

    fn row_cells(&self, rows: &[&Row]) -> Vec<Vec<String>> {
        let outside = 0.5 * (1.0 - self.interval().prob());
        let prefix = match self.interval().kind() {
            IntervalKind::EqualTailed => "eti",
            IntervalKind::HighestDensity => "hdi",
        };
        let ends = [outside, 1.0 - outside].map(|p| format!("{prefix}_{}", percent(p)));
        let mut cells = vec![titles(&[
            "",
            "mean",
            "sd",
            &ends[0],
            &ends[1],
            "mcse_mean",
            "mcse_sd",
            "ess_bulk",
            "ess_tail",
            "r_hat",
        ])];
        cells.extend(rows.iter().map(|row| {
            vec![
                row.label.clone(),
                on_scale(row.mean, row.sd),
                on_scale(row.sd, row.sd),
                on_scale(row.lower, row.sd),
                on_scale(row.upper, row.sd),
                significant(row.mcse_mean),
                significant(row.mcse_sd),
                format!("{:.0}", row.ess_bulk),
                format!("{:.0}", row.ess_tail),
                format!("{:.3}", row.r_hat),
            ]
        }));
        cells
    }

    fn site_cells(&self) -> Vec<Vec<String>> {
        let mut cells = vec![titles(&["", "components", "mean", "sd", "min ess_bulk", "min ess_tail", "max r_hat"])];
        let sites = self.rows().chunk_by(|a, b| a.site == b.site);
        cells.extend(sites.clone().take(ROWS_SHOWN).map(|rows| {
            let sd = range(rows, |row| row.sd);
            let span = |(low, high)| match (on_scale(low, sd.1), on_scale(high, sd.1)) {
                (low, high) if low == high => low,
                (low, high) => format!("{low} .. {high}"),
            };
            vec![
                rows[0].site.clone(),
                rows.len().to_string(),
                span(range(rows, |row| row.mean)),
                span(sd),
                format!("{:.0}", range(rows, |row| row.ess_bulk).0),
                format!("{:.0}", range(rows, |row| row.ess_tail).0),
                format!("{:.3}", range(rows, |row| row.r_hat).1),
            ]
        }));
        let left_out = sites.count().saturating_sub(ROWS_SHOWN);
        if left_out > 0 {
            cells.push(vec![format!("... and {left_out} more sites")]);
        }
        cells
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.heading(f)?;
        write_aligned(f, &self.0.row_cells(&self.0.rows().iter().collect::<Vec<_>>()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows().len() <= ROWS_SHOWN {
            return self.table().fmt(f);
        }
        self.heading(f)?;
        write_aligned(f, &self.site_cells())?;
        writeln!(f, "\nThe {WORST_SHOWN} components with the largest r_hat:\n")?;
        write_aligned(f, &self.row_cells(&self.worst(WORST_SHOWN)))
    }
}

fn titles(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// Columns two spaces apart, the first to the left, the others to the right; no space at the end of a line.
fn write_aligned(f: &mut fmt::Formatter<'_>, cells: &[Vec<String>]) -> fmt::Result {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let table = cells.iter().filter(|row| row.len() == columns); // a remark on a line of its own has one cell
        table.map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in cells {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => write!(f, "{cell:<width$}")?,
                _ => write!(f, "  {cell:>width$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// Smallest and largest of a figure, NaN if no row has it.
fn range(rows: &[Row], figure: impl Fn(&Row) -> f64) -> (f64, f64) {
    rows.iter().map(figure).fold((f64::NAN, f64::NAN), |(low, high), v| (low.min(v), high.max(v)))
}

/// A number in the digits that matter beside a spread: two or three of the spread's. The decimals change at spreads of
/// 0.5, 5, ..., since many posteriors have a spread of about one, and their rows look better alike.
fn on_scale(x: f64, spread: f64) -> String {
    let reference = if spread > 0.0 && spread.is_finite() { spread } else { x };
    decimals(x, 2 - exponent(2.0 * reference))
}

/// A number to two digits.
fn significant(x: f64) -> String {
    decimals(x, 1 - exponent(x))
}

/// `floor(log10 |x|)`, zero for zero and what is not finite.
fn exponent(x: f64) -> i32 {
    let log = x.abs().log10().floor();
    if log.is_finite() { log as i32 } else { 0 }
}

/// With so many decimals where that is readable, otherwise to three digits and a power of ten.
fn decimals(x: f64, wanted: i32) -> String {
    if !x.is_finite() {
        return format!("{x}");
    }
    if x != 0.0 && (wanted > 7 || x.abs() >= 1e7) {
        return format!("{x:.2e}");
    }
    let text = format!("{x:.*}", wanted.clamp(0, 7) as usize);
    // "-0.00" says less than it seems to.
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_string(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_the_digits_that_matter() {
        let shown = [
            on_scale(0.123456, 1.0),
            on_scale(-1234.56, 321.0),
            on_scale(-0.0001, 0.5),
            on_scale(12.3456789, 0.00123),
            on_scale(3e9, 1e8),
            on_scale(1.25, 0.0),
            on_scale(f64::NAN, f64::NAN),
            significant(0.0123),
            significant(123.4),
            significant(1e-12),
            significant(0.0),
        ];
        let want = ["0.12", "-1235", "0.00", "12.34568", "3.00e9", "1.25", "NaN", "0.012", "123", "1.00e-12", "0.0"];
        assert_eq!(shown, want);
    }
}
