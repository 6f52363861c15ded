//! What every whole-system test stands on: a home of its own, the real executables, and the
//! certainty that nothing is left behind.

mod context;
mod executables;
pub mod history;
pub mod linearizable;
mod lines;
mod old_program;
pub mod platform;
mod processes;
mod rpc;
mod versions;
mod wait;

pub use context::{Bystander, Run, TestContext};
pub use executables::{Executables, executables, helper};
pub use lines::Lines;
pub use old_program::{OldLock, OldProgram};
pub use platform::*;
pub use processes::Stopped;
pub use rpc::Rpc;
pub use versions::{Altered, OLDER};
pub use wait::{DEADLINE, until};

use std::path::Path;
use std::sync::LazyLock;

/// Names the owner of its records to a helper program.
pub(crate) const OWNER: &str = "OWNER_OF_RECORDS";

/// Whose the records are that a helper program announces: a process that outlives it, since what
/// belongs to a dead one goes.
pub fn owner() -> u32 {
    let owner = std::env::var(OWNER).expect("whoever started this has prepared it");
    owner.parse().expect("a pid")
}

/// How a source names a folder.
pub fn file_uri(folder: &Path) -> String {
    let path = folder.to_string_lossy().replace('\\', "/");
    if path.starts_with('/') { format!("file://{path}") } else { format!("file:///{path}") }
}

/// The pid of the test, for what is announced on behalf of somebody who lives.
pub fn own_pid() -> &'static str {
    static PID: LazyLock<String> = LazyLock::new(|| std::process::id().to_string());
    &PID
}

/// The way of a client, as the helper programs of the tests are told it.
pub fn mode(name: &str) -> argus_client::Mode {
    match name {
        "auto" => argus_client::Mode::Auto,
        "daemon" => argus_client::Mode::DaemonOnly,
        "direct" => argus_client::Mode::Direct,
        other => panic!("no mode {other}"),
    }
}
