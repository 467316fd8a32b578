//! How what `serde` does not know is saved.

/// A matrix as its rows, columns and numbers.
pub mod matrix {
    use ndarray::Array2;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// # Errors
    /// What the serializer returns.
    pub fn serialize<S: Serializer>(matrix: &Array2<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers: Vec<f64> = matrix.iter().copied().collect();
        (matrix.nrows(), matrix.ncols(), numbers).serialize(serializer)
    }

    /// # Errors
    /// What the deserializer returns; another number of numbers than rows and columns say.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Array2<f64>, D::Error> {
        let (rows, columns, numbers): (usize, usize, Vec<f64>) = Deserialize::deserialize(deserializer)?;
        Array2::from_shape_vec((rows, columns), numbers).map_err(D::Error::custom)
    }
}

/// Numbers of which some are NaN, which not every format can say.
pub mod gaps {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// # Errors
    /// What the serializer returns.
    pub fn serialize<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        let numbers: Vec<Option<f64>> = numbers.iter().map(|x| (!x.is_nan()).then_some(*x)).collect();
        numbers.serialize(serializer)
    }

    /// # Errors
    /// What the deserializer returns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let numbers: Vec<Option<f64>> = Deserialize::deserialize(deserializer)?;
        Ok(numbers.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect())
    }
}
