//! What every whole-system test stands on: a home of its own, the real executables, and the
//! certainty that nothing is left behind.

mod context;
mod executables;
pub mod history;
pub mod linearizable;
mod lines;
mod old_program;
mod processes;
mod rpc;
mod terminal;
mod versions;
mod wait;

pub use context::{Bystander, Run, TestContext};
pub use executables::{Executables, executables};
pub use lines::Lines;
pub use old_program::{OldLock, OldProgram};
pub use processes::{Stopped, ended, signal_process};
pub use rpc::Rpc;
pub use terminal::Terminal;
pub use versions::{Altered, OLDER};
pub use wait::{DEADLINE, until};

/// The way of a client, as the helper programs of the tests are told it.
pub fn mode(name: &str) -> argus_client::Mode {
    match name {
        "auto" => argus_client::Mode::Auto,
        "daemon" => argus_client::Mode::DaemonOnly,
        "direct" => argus_client::Mode::Direct,
        other => panic!("no mode {other}"),
    }
}
