//! What can be wrong with a file of the gallery.

use std::sync::Arc;

use thiserror::Error;

/// Why data or a reference could not be read.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum GalleryError {
    /// Not JSON, or not of the form that was expected.
    #[error("{0}")]
    Json(Arc<serde_json::Error>),
    /// A field is missing or of another form.
    #[error("field `{name}`: wanted {wanted}")]
    Field {
        /// The field.
        name: &'static str,
        /// What was wanted.
        wanted: &'static str,
    },
    /// Columns of a matrix of predictors have unequal lengths.
    #[error("columns of predictors have unequal lengths")]
    Columns,
}

impl From<serde_json::Error> for GalleryError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(Arc::new(error))
    }
}
