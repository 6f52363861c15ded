//! A program for which this process stands: they live equally long.

use std::io;
use std::process::Child;

use argus_windows::job::Job;

use super::signals::Deaf;

/// Starts a program and exits as it does. Where this process is killed it ends too, with all that it has
/// started; what it leaves behind by itself goes on. `begun` is called once it runs. Returns only where it
/// cannot be started.
pub(super) fn run(start: impl FnOnce() -> io::Result<Child>, begun: impl FnOnce()) -> io::Error {
    // What the console sends it sends to the program as well, which decides.
    let deaf = Deaf::new();
    // Some environments allow no job. Then the program runs without one.
    let job = Job::join().ok();
    let release = |job: Option<Job>| job.map(Job::release);
    let mut child = match start() {
        Ok(child) => child,
        Err(error) => {
            release(job);
            return error;
        }
    };
    begun();
    let code = child.wait().ok().and_then(|status| status.code());
    release(job);
    drop(deaf);
    std::process::exit(code.unwrap_or(1));
}
