//! What the system tells about a source.

use std::path::Path;

use crate::platform::Watch;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// To the file or folder with this path, relative to the source.
    At { relative: String, what: What },
    /// More than the system could tell: anything may have changed.
    All,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Changed,
    Appeared,
    Vanished,
}

/// Takes what the system tells.
pub(crate) type Tell = Box<dyn Fn(Notice) + Send>;

/// How a watch of a folder is made. It is given, so that one can be given that fails.
pub(crate) type Establish = fn(&Path, Tell) -> Result<Watch, String>;
