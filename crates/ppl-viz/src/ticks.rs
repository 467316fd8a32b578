//! Round numbers along an axis, and how to write them.

/// Values at which an axis is labelled, with their labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ticks {
    pub values: Vec<f64>,
    pub labels: Vec<String>,
}

/// Multiples of 1, 2, 2.5 or 5 times a power of ten within `[low, high]`, at most about `wanted` of them.
pub(crate) fn ticks(low: f64, high: f64, wanted: f64) -> Ticks {
    let step = nice_step((high - low) / wanted.max(1.0));
    let slack = 1e-9 * (high - low);
    let first = ((low - slack) / step).ceil();
    let count = ((high + slack) / step).floor() - first + 1.0;
    if !(step > 0.0 && (0.0..=1000.0).contains(&count)) {
        return Ticks { values: vec![low], labels: vec![write(low, low.abs())] };
    }
    // `+ 0.0` turns a negative zero into zero.
    let values: Vec<f64> = (0..count as usize).map(|i| ((first + i as f64) * step + 0.0).clamp(low, high)).collect();
    let labels = values.iter().map(|v| write(*v, step)).collect();
    Ticks { values, labels }
}

/// The smallest of 1, 2, 2.5, 5, 10 times a power of ten that is not below `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|f| f * power >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// As many decimals as `step` has; powers of ten for the very large and the very small.
fn write(value: f64, step: f64) -> String {
    let size = value.abs().max(step);
    let plain = if size >= 1e6 || (step > 0.0 && step < 1e-4) {
        if value == 0.0 {
            return "0".into();
        }
        let exponent = value.abs().log10().floor();
        let unit = 10f64.powf(exponent);
        let digits = decimals(step / unit);
        return format!("{}·10{}", minus(&format!("{:.digits$}", value / unit)), superscript(exponent as i32));
    } else {
        format!("{value:.*}", decimals(step))
    };
    minus(&plain)
}

/// Digits after the point that a multiple of `step` needs, 9 at most.
fn decimals(step: f64) -> usize {
    (0..9)
        .find(|d| {
            let scaled = step * 10f64.powi(*d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1e-3) && scaled.round() > 0.0
        })
        .map_or(9, |d| d as usize)
}

fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

fn superscript(exponent: i32) -> String {
    exponent
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' | '4'..='9' => char::from_u32(0x2070 + (c as u32 - '0' as u32)).unwrap_or(c),
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, wanted: f64) -> Vec<String> {
        ticks(low, high, wanted).labels
    }

    #[test]
    fn labels_are_round_and_as_short_as_they_can_be() {
        assert_eq!(labels(0.0, 1.0, 5.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-2.2, 2.2, 5.0), ["−2", "−1", "0", "1", "2"]);
        assert_eq!(labels(0.0, 0.32, 4.0), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(0.0, 1.0, 4.0), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(labels(-12_000.0, -1_000.0, 3.0), ["−10000", "−5000"]);
        assert_eq!(labels(0.0, 4e-6, 3.0), ["0", "2·10⁻⁶", "4·10⁻⁶"]);
        assert_eq!(labels(0.0, 3e7, 3.0), ["0", "1·10⁷", "2·10⁷", "3·10⁷"]);
    }

    #[test]
    fn values_lie_inside_and_are_evenly_spaced() {
        for (low, high) in [(-3.7, 11.2), (1e-9, 3e-9), (5e8, 5.000_1e8), (-0.1, 0.1)] {
            let values = ticks(low, high, 6.0).values;
            assert!((2..=8).contains(&values.len()), "{values:?}");
            assert!(values.iter().all(|v| (low..=high).contains(v)), "{values:?}");
            let step = values[1] - values[0];
            assert!(values.windows(2).all(|w| ((w[1] - w[0]) / step - 1.0).abs() < 1e-5));
        }
    }

    #[test]
    fn an_interval_without_length_has_one_tick() {
        assert_eq!(ticks(2.0, 2.0, 5.0).values, [2.0]);
    }
}
