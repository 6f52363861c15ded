//! `argus daemon`: start, stop and look at argusd.

use std::process::Command;

use argus_client::method::{Status, StatusReport, Stopping};
use argus_client::{Code, Error, Result};

use super::status::report_lines;
use super::{Session, install};
use crate::args::Daemon;
use crate::platform;

pub(crate) async fn run(session: &Session, verb: Daemon) -> Result<()> {
    match verb {
        Daemon::Start => start(session).await,
        Daemon::Stop => {
            let stopping = stop(session).await?;
            session.output.data(&stopping, |stopping: &Stopping| {
                let text = if stopping.stopping { "stopped" } else { "no argusd was running" };
                text.to_owned()
            })
        }
        Daemon::Restart => {
            stop(session).await?;
            start(session).await
        }
        Daemon::Status => {
            let report = session.client.call(Status {}).await?;
            session.output.warnings(&report.warnings);
            session.output.data(&report, |report: &StatusReport| report_lines(report).join("\n"))
        }
        Daemon::Logs => logs(session),
        Daemon::Run => foreground(session),
        Daemon::Install(arguments) => install::install(session, arguments).await,
        Daemon::Uninstall(arguments) => install::uninstall(session, arguments),
    }
}

async fn start(session: &Session) -> Result<()> {
    let report = session.client.start_daemon().await?;
    session.output.data(&report, |report: &StatusReport| {
        format!("argusd {} is running, pid {}", report.version, report.pid)
    })
}

/// That none is running is what was wanted.
pub(super) async fn stop(session: &Session) -> Result<Stopping> {
    match session.client.stop_daemon().await {
        Err(error) if error.code == Code::Unreachable => {
            Ok(Stopping { stopping: false, handover: false })
        }
        result => result,
    }
}

fn logs(session: &Session) -> Result<()> {
    let path = session.client.paths().log();
    let mut text = String::new();
    for path in [path.with_extension("log.old"), path.clone()] {
        match std::fs::read(&path) {
            Ok(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::new(
                    Code::Io,
                    format!("cannot read {}: {error}", path.display()),
                ));
            }
        }
    }
    if text.is_empty() {
        return Err(Error::new(Code::NotFound, format!("there is no log at {}", path.display()))
            .hint("argus daemon start"));
    }
    session.output.data(&serde_json::json!({ "path": path, "text": text }), |_| text.clone())
}

/// Becomes argusd, so that signals and the exit code are its own.
fn foreground(session: &Session) -> Result<()> {
    let executable = argus_client::daemon_executable()?;
    let mut command = Command::new(&executable);
    command.arg("--registry").arg(session.client.paths().registry());
    let error = platform::become_process(&mut command);
    Err(Error::new(Code::Io, format!("cannot run {}: {error}", executable.display())))
}
