//! What can be wrong with a traced function, and where.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use thiserror::Error;

use crate::shape::Shape;

/// A mistake in a traced function: what it is, without where.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Mistake {
    /// Operands whose shapes do not go together.
    #[error("`{operation}` of shapes {}: {rule}", list(.shapes))]
    Shapes {
        /// The operation.
        operation: &'static str,
        /// The operands' shapes.
        shapes: Vec<Shape>,
        /// What would fit.
        rule: &'static str,
    },
    /// An axis that the operand does not have.
    #[error("`{operation}`: axis {axis} of an array of shape {shape}")]
    Axis {
        /// The operation.
        operation: &'static str,
        /// The axis asked for.
        axis: isize,
        /// The operand's shape.
        shape: Shape,
    },
    /// An index or a range outside an axis.
    #[error("`{operation}`: index {index} on an axis of length {length}")]
    Index {
        /// The operation.
        operation: &'static str,
        /// The first index that lies outside.
        index: usize,
        /// The axis' length.
        length: usize,
    },
    /// An argument whose value cannot be right.
    #[error("{owner}: `{argument}` must be {wanted}, got {got}")]
    Argument {
        /// The operation, distribution or site.
        owner: String,
        /// The argument.
        argument: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// The first offending value.
        got: f64,
    },
    /// A `Var` that belongs to a trace which has ended or to another one.
    #[error("`{operation}`: a `Var` of another trace (a `Var` lives only while the function that made it is traced)")]
    ForeignVar {
        /// The operation that met it.
        operation: &'static str,
    },
    /// An operation outside any trace.
    #[error("`{operation}` outside a running model: no trace is being recorded")]
    OutsideTrace {
        /// The operation or macro.
        operation: &'static str,
    },
    /// A mistake that a layer above knows more about.
    #[error("{0}")]
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and ")
}

/// The first mistake of a trace, with the place in the user's source, the site and the model.
#[derive(Debug, Clone)]
pub struct TraceError {
    /// What is wrong.
    pub mistake: Mistake,
    /// The line of the user's source.
    pub location: &'static Location<'static>,
    /// The innermost enclosing site, if any.
    pub site: Option<Box<str>>,
    /// The model being traced, if it has a name.
    pub model: Option<Box<str>>,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.model {
            write!(f, "model `{model}`, ")?;
        }
        if let Some(site) = &self.site {
            write!(f, "site `{site}`, ")?;
        }
        write!(f, "{}:{}: {}", self.location.file(), self.location.line(), self.mistake)
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.mistake {
            Mistake::Other(inner) => Some(&**inner),
            _ => None,
        }
    }
}
