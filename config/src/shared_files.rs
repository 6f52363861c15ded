//! No two collections in one file: each would take the other's records for damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argus_proto::collection::Collection;

use crate::setting::Setting;

/// Notes each of `members` whose collection is in the file of another. `registry` is the file of
/// the collection that names none.
pub(crate) fn check(members: &[Setting<'_>], all: &[Arc<Collection>], registry: &Path) {
    let folder = registry.parent().unwrap_or(Path::new(""));
    let member = |name: &str| members.iter().find(|member| member.name == name);
    let files: Vec<File<'_>> = all
        .iter()
        .map(|collection| match &collection.file {
            Some(file) => File::new(&collection.name, &folder.join(file)),
            None => File::new(&collection.name, registry),
        })
        .collect();
    for (at, file) in files.iter().enumerate() {
        for other in files[..at].iter().filter(|other| other.is(file)) {
            // The later one in the file is told; what is not in it cannot be.
            let (first, second) = match (member(other.collection), member(file.collection)) {
                (Some(a), Some(b)) if a.line() > b.line() => (Some(b), a),
                (first, Some(second)) => (first, second),
                (Some(second), None) => (None, second),
                (None, None) => continue,
            };
            let name = match second.name == file.collection {
                true => other.collection,
                false => file.collection,
            };
            let line = first.map(|first| format!(" (line {})", first.line())).unwrap_or_default();
            second.refuse_key(
                format!("is kept in {}, as `{name}` is{line}", file.path.display()),
                "give one of them another `file`",
            );
        }
    }
}

/// The file of a collection, in the spellings by which two are known to be one.
struct File<'a> {
    collection: &'a str,
    path: PathBuf,
    lower: String,
    canonical: Option<PathBuf>,
}

impl<'a> File<'a> {
    fn new(collection: &'a str, path: &Path) -> Self {
        let lower = path.to_string_lossy().to_lowercase();
        let canonical = fs::canonicalize(path).ok();
        File { collection, path: path.to_owned(), lower, canonical }
    }

    fn is(&self, other: &File<'_>) -> bool {
        self.lower == other.lower || (self.canonical.is_some() && self.canonical == other.canonical)
    }
}
