//! What is saved of a metric: the numbers that it was made of.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::blocks::Layout;
use super::metric::{Metric, MetricError};

/// A metric as plain numbers; matrices row by row.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Metric")]
pub(super) enum Saved {
    Diagonal { inverse_mass: Vec<f64> },
    Dense { inverse_mass: Vec<Vec<f64>> },
    LowRank { scale: Vec<f64>, directions: Vec<Vec<f64>>, variances: Vec<f64> },
    Blocks { variances: Vec<f64>, blocks: Vec<Block> },
}

/// Ranges of coordinates, from and to, with their matrix.
#[derive(Serialize, Deserialize)]
pub(super) struct Block {
    coordinates: Vec<(usize, usize)>,
    inverse_mass: Vec<Vec<f64>>,
}

fn rows(matrix: &Array2<f64>) -> Vec<Vec<f64>> {
    matrix.outer_iter().map(|row| row.to_vec()).collect()
}

/// A matrix of so many columns from its rows.
fn matrix(rows: &[Vec<f64>], columns: usize) -> Result<Array2<f64>, MetricError> {
    if let Some(row) = rows.iter().find(|row| row.len() != columns) {
        return Err(MetricError::NotSquare { rows: rows.len(), columns: row.len() });
    }
    let shape = (rows.len(), columns);
    Array2::from_shape_vec(shape, rows.concat()).map_err(|_| MetricError::NotSquare { rows: rows.len(), columns })
}

impl From<Metric> for Saved {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Diagonal(metric) => Self::Diagonal { inverse_mass: metric.inverse_mass().to_vec() },
            Metric::Dense(metric) => Self::Dense { inverse_mass: rows(metric.inverse_mass()) },
            Metric::LowRank(metric) => {
                let (directions, variances) = metric.directions().map(|(u, v)| (u.to_vec(), v)).unzip();
                Self::LowRank { scale: metric.scale().to_vec(), directions, variances }
            }
            Metric::Blocks(metric) => {
                let block = |(ranges, dense): (&[std::ops::Range<usize>], &super::Dense)| Block {
                    coordinates: ranges.iter().map(|r| (r.start, r.end)).collect(),
                    inverse_mass: rows(dense.inverse_mass()),
                };
                Self::Blocks { variances: metric.variances().to_vec(), blocks: metric.blocks().map(block).collect() }
            }
        }
    }
}

impl TryFrom<Saved> for Metric {
    type Error = MetricError;

    fn try_from(saved: Saved) -> Result<Self, MetricError> {
        match saved {
            Saved::Diagonal { inverse_mass } => Self::diagonal(inverse_mass),
            Saved::Dense { inverse_mass } => Self::dense(matrix(&inverse_mass, inverse_mass.len())?),
            Saved::LowRank { scale, directions, variances } => {
                let directions = matrix(&directions, scale.len())?;
                Self::low_rank(scale, &directions, variances)
            }
            Saved::Blocks { variances, blocks } => {
                let ranges = blocks.iter().map(|b| b.coordinates.iter().map(|&(from, to)| from..to).collect());
                let layout = Layout::new(variances.len(), ranges.collect())?;
                let matrices = blocks.iter().map(|b| matrix(&b.inverse_mass, b.inverse_mass.len()));
                Self::blocks(layout, variances, matrices.collect::<Result<_, _>>()?)
            }
        }
    }
}
