//! Words of a command that an error names, to be typed as they are.

pub use crate::platform::quoted;
