//! Rows that come one after the other.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BatchError, Rows};

/// Why a row could not be read.
pub type RowError = Box<dyn Error + Send + Sync>;

type Iter<R> = Box<dyn Iterator<Item = Result<R, RowError>> + Send>;

/// Rows from an iterator that is read once, or that can be opened anew.
pub(super) struct Stream<R: Rows> {
    open: Option<Box<dyn Fn() -> Iter<R::Row> + Send + Sync>>,
    /// A stream that is read once, until a chain takes it.
    once: Mutex<Option<Reader<R>>>,
}

impl<R: Rows> Stream<R> {
    pub fn once(rows: Iter<R::Row>) -> Self {
        Self { open: None, once: Mutex::new(Some(Reader::new(rows))) }
    }

    pub fn reopened(open: Box<dyn Fn() -> Iter<R::Row> + Send + Sync>) -> Self {
        Self { open: Some(open), once: Mutex::new(None) }
    }

    /// The first rows, which a later reader yields again.
    pub fn peek(&self, count: usize) -> Result<Vec<R::Row>, BatchError> {
        match &self.open {
            Some(open) => Reader::<R>::new(open()).peek(count),
            None => self.lock().as_mut().ok_or(BatchError::Taken)?.peek(count),
        }
    }

    /// A reader for one chain.
    pub fn reader(&self) -> Result<Reader<R>, BatchError> {
        match &self.open {
            Some(open) => Ok(Reader::new(open())),
            None => self.lock().take().ok_or(BatchError::Taken),
        }
    }

    /// Opens the rows anew, if that can be done.
    pub fn again(&self) -> Option<Iter<R::Row>> {
        self.open.as_ref().map(|open| open())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Reader<R>>> {
        self.once.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a stream.
pub(super) struct Reader<R: Rows> {
    rows: Iter<R::Row>,
    ahead: VecDeque<R::Row>,
    /// How many rows came from the iterator.
    read: u64,
}

impl<R: Rows> Reader<R> {
    fn new(rows: Iter<R::Row>) -> Self {
        Self { rows, ahead: VecDeque::new(), read: 0 }
    }

    fn peek(&mut self, count: usize) -> Result<Vec<R::Row>, BatchError> {
        while self.ahead.len() < count {
            let row = self.pull()?.ok_or(BatchError::Ended { rows: self.read })?;
            self.ahead.push_back(row);
        }
        Ok(self.ahead.iter().take(count).cloned().collect())
    }

    fn pull(&mut self) -> Result<Option<R::Row>, BatchError> {
        let row = self.rows.next().transpose();
        let row = row.map_err(|error| BatchError::Row { row: self.read, error: Arc::from(error) })?;
        self.read += u64::from(row.is_some());
        Ok(row)
    }

    /// The next row; at the end of the rows they are opened anew, once.
    pub fn next(&mut self, stream: &Stream<R>) -> Result<R::Row, BatchError> {
        if let Some(row) = self.ahead.pop_front() {
            return Ok(row);
        }
        if let Some(row) = self.pull()? {
            return Ok(row);
        }
        if let Some(rows) = stream.again() {
            self.rows = rows;
            if let Some(row) = self.pull()? {
                return Ok(row);
            }
        }
        Err(BatchError::Ended { rows: self.read })
    }
}
