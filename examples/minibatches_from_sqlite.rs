//! Minibatches from a database: logistic regression, fitted by variational inference over the rows of an SQLite table,
//! which is never held in memory as a whole.
//!
//! `cargo run --release -p ppl --features sqlite --example minibatches_from_sqlite`
//!
//! A thread reads the table with a cursor and sends the rows through a channel; the channel's receiver is an iterator,
//! and any iterator over rows can feed a [`Minibatch`].

use std::error::Error;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use ppl::prelude::*;
use rusqlite::{Connection, params};

model! {
    /// Logistic regression with an intercept.
    fn logistic(x: Array2<f64>, y: Array1<i64>) {
        let intercept = sample!("intercept", Normal::new(0.0, 2.0));
        let slopes = sample!("slopes", Normal::new(0.0, 2.0).expand([x.ncols()]));
        observe!("y", Bernoulli::logits(intercept + Var::from(&x).matmul(slopes)), y);
    }
}

/// The law that the table is drawn from.
const TRUTH: [f64; 3] = [-0.5, 1.5, -1.0];
const ROWS: usize = 50_000;
const BATCH: usize = 100;

type Row = (Array1<f64>, i64);
type Failure = Box<dyn Error + Send + Sync>;

/// Fills a table with points of the plane and labels, in random order.
fn make_table(path: &str) -> Result<(), Failure> {
    let _ = std::fs::remove_file(path);
    let mut connection = Connection::open(path)?;
    connection.execute("CREATE TABLE points (x1 REAL, x2 REAL, y INTEGER)", [])?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO points VALUES (?1, ?2, ?3)")?;
        let mut stream = ppl::autodiff::random::Philox::new(1, ppl::autodiff::random::Purpose::PriorPredictive, 0, 0);
        for _ in 0..ROWS {
            let (x1, x2) = (stream.standard_normal(), stream.standard_normal());
            let logit = TRUTH[0] + TRUTH[1] * x1 + TRUTH[2] * x2;
            let y = i64::from(stream.uniform() < 1.0 / (1.0 + (-logit).exp()));
            insert.execute(params![x1, x2, y])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The rows of the table, read by a thread that waits while nobody takes them.
fn read_table(path: &'static str) -> Receiver<Result<Row, Failure>> {
    let (send, receive) = sync_channel(4 * BATCH);
    thread::spawn(move || {
        let read = || -> Result<(), Failure> {
            let connection = Connection::open(path)?;
            let mut query = connection.prepare("SELECT x1, x2, y FROM points")?;
            let rows = query.query_map([], |row| Ok((array![row.get(0)?, row.get(1)?], row.get(2)?)))?;
            for row in rows {
                if send.send(Ok(row?)).is_err() {
                    break; // nobody listens any more
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            let _ = send.send(Err(error));
        }
    });
    receive
}

fn main() -> Result<(), Failure> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/points.sqlite");
    make_table(path)?;
    // The table is read from its beginning again whenever it has ended.
    let batches = Minibatch::<(Array2<f64>, Array1<i64>)>::reopen(ROWS, BATCH, move || read_table(path).into_iter())?;
    let model = batches.model(|(x, y)| logistic(x, y));
    let fit = Advi::mean_field().steps(5_000).seed(1).fit_batches(&model)?;
    let draws = fit.draws(2_000)?;
    let found = [draws.mean("intercept")?.sum(), draws.mean("slopes")?[0], draws.mean("slopes")?[1]];
    println!("{}", draws.summary());
    println!("the table was drawn with intercept {}, slopes {} and {}", TRUTH[0], TRUTH[1], TRUTH[2]);
    let off = found.iter().zip(TRUTH).map(|(m, t)| (m - t).abs()).fold(0.0, f64::max);
    // The posterior's standard deviations are about 0.013.
    if off > 0.08 { Err(format!("{off:.3} off").into()) } else { Ok(()) }
}
