//! `argusd`: the one process that changes an argus registry.

mod backlog;
mod batch;
mod commit;
mod daemon;
mod departed;
mod history;
mod latency;
mod lifecycle;
mod log;
mod options;
mod outbox;
mod owner;
mod pending;
mod platform;
mod pulse;
mod registries;
mod registry;
mod serve;
mod session;
mod settings;
mod snapshot;
mod sources;
mod subscription;
mod subscriptions;
mod takeover;
mod vigil;

use std::io::Write;
use std::process::ExitCode;

use argus_proto::error::Error;
use argus_store::Paths;

use crate::daemon::{Daemon, VERSION};
use crate::lifecycle::{Limits, Ownership, Plan};
use crate::options::{Options, Parsed};

/// The most threads for long listings and for asking watchers; further work waits for one.
const WORK_THREADS_MAX: usize = 8;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("argusd: {message}\nhelp: argusd --help");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit_code = report_failure(&options, &error);
            ExitCode::from(exit_code)
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    // Made absolute before the working directory is left behind.
    let registry =
        argus_store::locate_registry(options.registry.as_deref()).map_err(Error::from)?;
    let paths = Paths::new(&registry).map_err(Error::from)?;
    if options.detached {
        platform::detach()?;
    }
    let descriptors = platform::raise_descriptor_limit();
    let lent = platform::lent_socket(&paths.socket())?;
    let ownership = Ownership::take(paths.clone(), options.replace, lent)?;
    let settings = settings::start(&paths)?;
    let level = settings::level(&settings.borrow().config);
    let log = log::start(&paths.log(), !options.detached, level)?;
    let limits = Limits::for_descriptors(descriptors);
    let idle_timeout = options.idle_timeout.map(|time| time.max(lifecycle::IDLE_TIMEOUT_MIN));
    let plan = Plan { limits, settings, log, idle_timeout };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(WORK_THREADS_MAX)
        .enable_all()
        .build()?;
    let ended =
        runtime.block_on(lifecycle::run(ownership, plan, |daemon| report_ready(options, daemon)));
    if let Err(error) = &ended {
        tracing::error!("{error:#}");
    }
    // A thread that hangs on the disk must not keep the process.
    runtime.shutdown_background();
    ended
}

/// Tells whoever started this one that clients can connect.
fn report_ready(options: &Options, daemon: &Daemon) -> anyhow::Result<()> {
    if !options.detached {
        platform::tell_service_manager_ready();
        return Ok(());
    }
    let line = serde_json::json!({
        "ok": true, "pid": std::process::id(), "instance": &*daemon.instance, "version": VERSION,
    });
    // Whoever started it may have gone; that is no reason not to serve the others.
    let _ = writeln!(std::io::stdout(), "{line}");
    Ok(platform::silence_stdout()?)
}

fn report_failure(options: &Options, error: &anyhow::Error) -> u8 {
    let boundary = error.downcast_ref::<Error>();
    if options.detached {
        let code = boundary.map_or("E_IO", |error| error.code.name());
        let line = serde_json::json!({
            "ok": false, "error": { "code": code, "message": format!("{error:#}") },
        });
        let _ = writeln!(std::io::stdout(), "{line}");
    } else {
        eprintln!("argusd: {error:#}");
        if let Some(hint) = boundary.and_then(|error| error.hint.as_deref()) {
            eprintln!("help: {hint}");
        }
    }
    boundary.map_or(1, |error| error.code.exit_code())
}
