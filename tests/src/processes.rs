//! Processes that are held up.

use crate::platform::{go_on, stop};

/// A process that does not run for as long as this lives.
#[derive(Debug)]
pub struct Stopped(u32);

impl Stopped {
    /// Stops it, and returns when it has.
    pub fn new(pid: u32) -> Self {
        stop(pid);
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        go_on(self.0);
    }
}
