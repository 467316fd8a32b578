//! Which rows a batch from memory has: a function of seed, chain and iteration.

use ppl_autodiff::random::{Philox, Purpose};

/// The order of the batches of one chain.
pub(super) struct Order {
    seed: u64,
    chain: u32,
    rows: usize,
    size: usize,
    replacement: bool,
    /// The epoch whose order is at hand.
    epoch: Option<u32>,
    order: Vec<usize>,
}

impl Order {
    pub fn new(seed: u64, chain: u32, rows: usize, size: usize, replacement: bool) -> Self {
        let order = if replacement { vec![0; size] } else { (0..rows).collect() };
        Self { seed, chain, rows, size, replacement, epoch: None, order }
    }

    /// From now on rows are drawn independently.
    pub fn replace(&mut self) {
        if !self.replacement {
            *self = Self::new(self.seed, self.chain, self.rows, self.size, true);
        }
    }

    /// Whether rows are drawn independently.
    pub fn replaces(&self) -> bool {
        self.replacement
    }

    /// The rows of the batch of an iteration.
    pub fn batch(&mut self, iteration: u64) -> &[usize] {
        if self.replacement {
            let mut stream = self.stream(iteration as u32);
            let rows = self.rows;
            self.order.fill_with(|| below(&mut stream, rows));
            return &self.order;
        }
        let per_epoch = (self.rows / self.size) as u64;
        let epoch = (iteration / per_epoch) as u32;
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        let start = (iteration % per_epoch) as usize * self.size;
        &self.order[start..start + self.size]
    }

    /// Fisher and Yates, from the natural order, so that an epoch's order does not depend on the epochs before.
    fn shuffle(&mut self, epoch: u32) {
        let mut stream = self.stream(epoch);
        self.order.iter_mut().enumerate().for_each(|(i, row)| *row = i);
        for i in (1..self.rows).rev() {
            self.order.swap(i, below(&mut stream, i + 1));
        }
        self.epoch = Some(epoch);
    }

    fn stream(&self, index: u32) -> Philox {
        Philox::new(self.seed, Purpose::Minibatch, self.chain, index)
    }
}

/// A whole number in `0..n`, n < 2^53; the bias against exactly equal chances is below n 2^-53.
fn below(stream: &mut Philox, n: usize) -> usize {
    ((stream.uniform() * n as f64) as usize).min(n - 1)
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn an_epoch_holds_every_row_once() {
        let mut order = Order::new(3, 0, 10, 5, false);
        for epoch in 0..4 {
            let mut seen: Vec<usize> = (0..2).flat_map(|i| order.batch(2 * epoch + i).to_vec()).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_does_not_depend_on_those_before() {
        for replacement in [false, true] {
            let mut through = Order::new(3, 1, 23, 4, replacement);
            let all: Vec<Vec<usize>> = (0..40).map(|i| through.batch(i).to_vec()).collect();
            for i in [39, 7, 22] {
                assert_eq!(Order::new(3, 1, 23, 4, replacement).batch(i), all[i as usize]);
            }
            assert_ne!(
                all,
                (0..40).map(|i| Order::new(4, 1, 23, 4, replacement).batch(i).to_vec()).collect::<Vec<_>>()
            );
        }
    }

    /// Each of 20 rows is in a batch of 5 with chance 1/4: 20,000 batches give 5,000 +- 61 (one sd); five of them allowed.
    #[test]
    fn rows_are_equally_likely() {
        for replacement in [false, true] {
            let mut order = Order::new(11, 0, 20, 5, replacement);
            let mut counts = [0_i32; 20];
            for i in 0..20_000 {
                order.batch(i).iter().for_each(|&row| counts[row] += 1);
            }
            assert!(counts.iter().all(|c| (c - 5000).abs() < 5 * 70), "{counts:?}");
        }
    }
}
