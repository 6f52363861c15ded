//! One process of a load: it prepares, says so, waits for the start, works and reports.

use std::io::Read;
use std::time::Duration;

use crate::samples::Samples;
use crate::work::Work;

/// The first argument of such a process.
pub(crate) const ROLE: &str = "--as-worker";
/// What it says when it can start.
pub(crate) const READY: &str = "ready";

/// How long it works before the measurement: the connection is open then, the caches are warm.
const WARM_UP: Duration = Duration::from_millis(30);

/// The process itself.
pub(crate) fn run(argument: &str) {
    let work = Work::from_argument(argument);
    let mut operation = work.prepare();
    let _ = Samples::take(WARM_UP, &mut operation);
    println!("{READY}");
    let mut start = [0];
    // Without a start there is nobody left to report to.
    if std::io::stdin().read_exact(&mut start).is_ok() {
        println!("{}", Samples::take(work.duration, &mut operation).to_line());
    }
}
