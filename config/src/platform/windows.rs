//! Windows: a file is told by its times and its attributes; paths have drives, and `\` between names.

use std::fs::Metadata;
use std::os::windows::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A folder, for who needs an example.
pub(crate) const EXAMPLE_URI: &str = "file:///C:/tasks";

/// What tells a file from others, and from what it was, beside its size and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    created: u64,
    written: u64,
    attributes: u32,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Identity {
            created: metadata.creation_time(),
            written: metadata.last_write_time(),
            attributes: metadata.file_attributes(),
        }
    }
}

/// The path that stands behind `file://`: before a drive there is one more `/`.
pub(crate) fn path_of(text: &str) -> PathBuf {
    let path = match text.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => &text[1..],
        _ => text,
    };
    PathBuf::from(path.replace('/', "\\"))
}

/// An absolute path as it stands behind `file://`; `None` for one that is no Unicode, or that only Windows'
/// own notation can tell.
pub(crate) fn text_of(path: &Path) -> Option<String> {
    let text = path.to_str().filter(|text| !text.starts_with(r"\\?\"))?.replace('\\', "/");
    Some(if text.starts_with('/') { text } else { format!("/{text}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_means_the_path_that_it_was_made_of() {
        let rows = [
            (r"C:\tasks", "/C:/tasks"),
            (r"d:\a b\c", "/d:/a b/c"),
            (r"\\server\share\tasks", "//server/share/tasks"),
        ];
        for (path, text) in rows {
            assert_eq!(text_of(Path::new(path)).as_deref(), Some(text));
            assert_eq!(path_of(text), Path::new(path));
        }
        assert_eq!(path_of("./tasks/x"), Path::new(r".\tasks\x"));
        assert_eq!(text_of(Path::new(r"\\?\C:\tasks")), None);
    }
}
