//! What the disk alone takes: the floors below which nothing durable can go.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use argus_tests::TestContext;

use crate::samples::{Operation, Samples};

/// One small append to a file, with fdatasync: what a log of changes would cost.
pub(crate) fn append(context: &TestContext, bytes: usize, duration: Duration) -> Samples {
    let path = folder(context).join("log");
    let mut file = File::options().create(true).append(true).open(path).expect("own folder");
    let record = vec![b'x'; bytes];
    let mut append: Operation = Box::new(move || {
        file.write_all(&record).and_then(|()| file.sync_data()).map_err(|error| error.to_string())
    });
    Samples::take(duration, &mut append)
}

/// One whole file in the place of another: temp file, fsync, rename, fsync of the folder.
pub(crate) fn replace(context: &TestContext, bytes: usize, duration: Duration) -> Samples {
    let folder = folder(context);
    let content = vec![b'x'; bytes];
    let mut replace: Operation =
        Box::new(move || replace_once(&folder, &content).map_err(|error| error.to_string()));
    Samples::take(duration, &mut replace)
}

fn replace_once(folder: &PathBuf, content: &[u8]) -> std::io::Result<()> {
    let temp = folder.join("file.new");
    let mut file = File::create(&temp)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temp, folder.join("file"))?;
    File::open(folder)?.sync_all()
}

/// Beside the registry, so that it is the same disk.
fn folder(context: &TestContext) -> PathBuf {
    let folder = context.home().join("floor");
    fs::create_dir_all(&folder).expect("a home can be written to");
    folder
}
