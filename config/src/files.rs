//! Small text files, read with a bound.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use argus_proto::error::Code;

/// Longest `config.yaml`, and longest schema.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("it is not there")]
    Missing,
    #[error("it is not a file")]
    NotAFile,
    #[error("it has more than {CONFIG_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is not UTF-8 text, from line {0} on")]
    NotText(usize),
    #[error("{0}")]
    Io(io::Error),
}

impl Unread {
    pub(crate) fn code(&self) -> Code {
        match self {
            Unread::NotText(_) => Code::Invalid,
            Unread::TooLarge => Code::TooLarge,
            Unread::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Code::Permission
            }
            Unread::Missing | Unread::NotAFile | Unread::Io(_) => Code::Io,
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Unread::Missing,
            _ => Unread::Io(error),
        }
    }
}

pub(crate) fn read(path: &Path) -> Result<String, Unread> {
    // To open a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(Unread::NotAFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Unread::NotText(valid.iter().filter(|byte| **byte == b'\n').count() + 1)
    })
}
