//! Where the figures come from: without it they mean nothing to anyone else.

use std::fs;
use std::path::Path;

/// Cores, kernel, file system, and how busy the machine is with other things.
pub(crate) fn describe() -> String {
    let folder = std::env::temp_dir();
    let file_system = file_system(&folder).unwrap_or_else(|| "an unknown file system".to_owned());
    let mut text = format!(
        "argus {} · {} cores ({}) · {} {} · {file_system} at {} · load {} at the start",
        env!("CARGO_PKG_VERSION"),
        std::thread::available_parallelism().map_or(0, usize::from),
        processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        std::env::consts::OS,
        first_word("/proc/sys/kernel/osrelease"),
        folder.display(),
        first_word("/proc/loadavg"),
    );
    if file_system == "tmpfs" {
        text.push_str("\nNothing is written to a disk there: set TMPDIR to a folder on one.");
    }
    text
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the innermost mount that the folder is in.
fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        // The later of two on the same place hides the earlier.
        .max_by_key(|(point, _)| point.len())?;
    Some(mount.1.to_owned())
}
