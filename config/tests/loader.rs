//! The settings of a process that goes on running, with real files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use argus_config::Loader;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn loader(&self) -> Loader {
        Loader::new(self.path("config.yaml"), self.path("registry.json"))
    }
}

fn wait(loader: &Loader) -> u64 {
    loader.current().lock.wait.as_secs()
}

#[test]
fn a_wrong_file_keeps_the_last_good_settings_until_it_is_mended_or_gone() {
    let folder = Folder::new();
    let mut loader = folder.loader();
    assert_eq!((wait(&loader), loader.look()), (2, false), "no file is the defaults");

    folder.write("config.yaml", "lock: {wait: 5s}");
    assert!(loader.look());
    assert_eq!((wait(&loader), loader.look()), (5, false));

    folder.write("config.yaml", "lock: {wait: 5}");
    assert!(loader.look());
    assert_eq!((wait(&loader), loader.look()), (5, false));
    let problem = loader.problem().expect("wrong").to_string();
    assert!(problem.contains("config.yaml:1:14: `lock.wait`"), "{problem}");

    folder.write("config.yaml", "lock: {wait: 5s}");
    assert!(loader.look(), "the problem is gone");
    assert!(loader.problem().is_none());

    folder.write("config.yaml", "lock: {wait: 5s} # as before");
    assert!(!loader.look(), "nothing that counts changed");

    fs::remove_file(folder.path("config.yaml")).expect("removed");
    assert!(loader.look());
    assert_eq!((wait(&loader), loader.look()), (2, false));
}

#[test]
fn a_file_that_is_wrong_from_the_start_is_the_defaults_and_a_problem() {
    let folder = Folder::new();
    folder.write("config.yaml", "lock: [");
    let loader = folder.loader();
    assert_eq!(wait(&loader), 2);
    assert!(loader.problem().is_some());
}

#[test]
fn a_schema_is_looked_at_too_also_where_it_was_missing() {
    let folder = Folder::new();
    folder.write("config.yaml", "collections: {jobs: {schema: job.json}}");
    let mut loader = folder.loader();
    assert!(loader.problem().is_some());
    assert!(loader.current().collections.named(Some("jobs")).is_err());

    folder.write("job.json", r#"{"type":"object"}"#);
    assert!(loader.look());
    assert!(loader.problem().is_none());
    let schema = |loader: &Loader| {
        format!("{:?}", loader.current().collections.named(Some("jobs")).expect("jobs").schema)
    };
    assert!(schema(&loader).contains("object"));

    folder.write("job.json", r#"{"type":"string"}"#);
    assert!(loader.look());
    assert!(schema(&loader).contains("string"));
    assert!(!loader.look());
}

#[test]
fn a_file_of_the_same_size_in_the_same_second_is_another() {
    let folder = Folder::new();
    folder.write("config.yaml", "lock: {wait: 1s}");
    let mut loader = folder.loader();
    for round in 0..50 {
        let wanted = 2 + round % 7;
        let text = format!("lock: {{wait: {wanted}s}}");
        // In its place, and another in its place.
        if round % 2 == 0 {
            folder.write("config.yaml", &text);
        } else {
            folder.write("new", &text);
            fs::rename(folder.path("new"), folder.path("config.yaml")).expect("renamed");
        }
        assert!(loader.look());
        assert_eq!(wait(&loader), wanted);
    }
}

#[test]
fn a_file_that_keeps_its_time_is_known_by_what_else_changed() {
    let folder = Folder::new();
    let path = folder.path("config.yaml");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let write = |text: &str| {
        folder.write("config.yaml", text);
        fs::File::open(&path).expect("open").set_modified(long_ago).expect("set");
    };
    write("lock: {wait: 3s}");
    let mut loader = folder.loader();
    assert!(!loader.look());
    fs::remove_file(&path).expect("removed");
    // Keeps the old one's number from being given to the new one.
    folder.write("other", "");
    write("lock: {wait: 40s}");
    assert!(loader.look());
    assert_eq!(wait(&loader), 40);
}
