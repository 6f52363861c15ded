//! `argus daemon install` and `uninstall`: argusd as a service of the user.

use std::io;
use std::process::Command;

use argus_client::{Code, Error, Result};
use argus_store::atomic;
use serde::Serialize;

use super::{Session, daemon};
use crate::args::Install;
use crate::platform;
use crate::service::{File, Service, service};

const WITHOUT: &str = "argus needs no service: whoever needs a daemon starts one";

/// What was done, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done<'a> {
    files: &'a [File],
    commands: Vec<&'a [String]>,
    dry_run: bool,
}

pub(crate) async fn install(session: &Session, arguments: Install) -> Result<()> {
    let service = service_of(session)?;
    if !arguments.dry_run {
        for file in &service.files {
            if let Some(folder) = file.path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| failed("make", folder, &error))?;
            }
            atomic::replace_volatile(&file.path, file.text.as_bytes())?;
        }
        if let Err(error) = start(session, &service).await {
            // Nobody reads them.
            for file in &service.files {
                let _ = std::fs::remove_file(&file.path);
            }
            return Err(error);
        }
    }
    let commands =
        service.read.iter().chain(&service.install).map(|command| &command[..]).collect();
    let done = Done { files: &service.files, commands, dry_run: arguments.dry_run };
    session.output.data(&done, |done| text(done, "wrote"))
}

async fn start(session: &Session, service: &Service) -> Result<()> {
    run_all(&service.read)?;
    // One that nobody lends a socket would keep its own.
    daemon::stop(session).await?;
    run_all(&service.install)
}

pub(crate) fn uninstall(session: &Session, arguments: Install) -> Result<()> {
    let mut service = service_of(session)?;
    service.files.retain(|file| file.path.exists());
    let commands: Vec<&[String]> = match service.files.is_empty() {
        true => Vec::new(),
        false => {
            service.before_removal.iter().chain(&service.after_removal).map(|c| &c[..]).collect()
        }
    };
    if !arguments.dry_run && !service.files.is_empty() {
        if let Err(error) = run_all(&service.before_removal) {
            session.output.warning(&error.message);
        }
        for File { path, .. } in &service.files {
            std::fs::remove_file(path).map_err(|error| failed("remove", path, &error))?;
        }
        run_all(&service.after_removal)?;
    }
    let done = Done { files: &service.files, commands, dry_run: arguments.dry_run };
    session.output.data(&done, |done| match done.files.is_empty() {
        true => "no service was installed".to_owned(),
        false => text(done, "removed"),
    })
}

fn service_of(session: &Session) -> Result<Service> {
    let Some(manager) = platform::service_manager() else {
        return Err(Error::new(Code::Usage, "argus knows no service manager of this system")
            .hint("argus daemon start"));
    };
    let executable = argus_client::daemon_executable()?;
    let executable =
        std::path::absolute(&executable).map_err(|error| failed("find", &executable, &error))?;
    service(manager, session.client.paths(), &executable)
}

fn run_all(commands: &[Vec<String>]) -> Result<()> {
    for command in commands {
        let [program, arguments @ ..] = &command[..] else { continue };
        let shown = command.join(" ");
        let output = Command::new(program).args(arguments).output().map_err(|error| {
            Error::new(Code::Io, format!("cannot run `{shown}`: {error}")).hint(
                "argus works without a service: argus daemon uninstall --dry-run names the files",
            )
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let message = format!("`{shown}` failed: {}", said.trim());
            return Err(Error::new(Code::Io, message).hint(WITHOUT));
        }
    }
    Ok(())
}

fn failed(what: &str, path: &std::path::Path, error: &io::Error) -> Error {
    Error::new(Code::Io, format!("cannot {what} {}: {error}", path.display()))
}

fn text(done: &Done<'_>, verb: &str) -> String {
    let mut lines = Vec::new();
    for File { path, text } in done.files {
        match done.dry_run {
            true => lines.extend([format!("# {}", path.display()), text.clone()]),
            false => lines.push(format!("{verb} {}", path.display())),
        }
    }
    let ran = if done.dry_run { "$" } else { "ran" };
    lines.extend(done.commands.iter().map(|command| format!("{ran} {}", command.join(" "))));
    lines.join("\n")
}
