//! Looking at everything, once. Starts nothing, waits for no lock and writes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use argus_client::{Client, Code, Mode, Probe, Result};
use argus_config::Config;
use argus_presence::{ThisMachine, clock, is_stopped};
use argus_proto::collection::{Catalog, Collection};
use argus_proto::presence::state;
use argus_proto::process::Machine;
use argus_store::kernel_lock::{self, WRITE_LOCK};
use argus_store::lockfile::StaleAfter;
use argus_store::wait::LOCK_WAIT;
use argus_store::{Endpoint, Paths, Reading, RegistryFile, Source, lockfile, quarantine, survey};

use super::evidence::{Evidence, File, Lock, LockState, Seen, Settings, Silent};
use crate::typed::argus;

/// How often it is looked whether a lock is still held.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Gathers the evidence.
///
/// # Errors
/// `E_USAGE` where the settings know no such collection.
pub(crate) async fn examine(client: &Client) -> Result<Evidence> {
    let (paths, options) = (client.paths(), client.options());
    let collection_file = client.collection_file()?;
    let file_paths = collection_file.paths();
    let description = client.description();
    let daemon = client.probe().await;
    let now = clock::wall_ms();
    let (file, reading) = read(&collection_file, &daemon);
    // Behind a damaged file a daemon serves what is in its memory, which is not to be seen from here.
    let is_hidden = matches!((&file, &daemon), (File::Damaged { .. }, Probe::Answers(_)));
    let shown = reading.as_ref().filter(|_| !is_hidden);
    let records = shown.iter().flat_map(|reading| reading.document.records.iter());
    let whole = reading.as_ref().filter(|reading| reading.problem.is_none());
    let seen = |(id, record): (&std::sync::Arc<str>, &std::sync::Arc<argus_proto::Record>)| Seen {
        id: id.clone(),
        record: record.clone(),
        state: state(record, description.ttl, now, &ThisMachine),
    };
    let (settings, config) = settings(paths);
    Ok(Evidence {
        too_open: too_open(paths, &config.collections),
        settings,
        registry: file_paths.registry().to_owned(),
        argus: argus(paths),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        is_direct: options.mode == Mode::Direct,
        now,
        socket: paths.socket(),
        silent: silent(paths).filter(|_| matches!(daemon, Probe::Hung(_))),
        daemon,
        spawn_rest: client.spawn_rest(),
        obstacles: survey::obstacles(file_paths),
        lock: lock(file_paths, client.stale_after()),
        quarantine_folder: quarantine::folder(file_paths),
        // One that cannot be looked into is among the obstacles.
        quarantine: quarantine::inspect(file_paths).unwrap_or_default(),
        file,
        records: records.map(seen).collect(),
        duplicates: whole.map_or_else(Vec::new, |it| it.document.duplicates().to_vec()),
        registry_bytes: survey::registry_bytes(file_paths),
        free_bytes: survey::free_bytes(file_paths),
    })
}

fn too_open(paths: &Paths, collections: &Catalog) -> Vec<(PathBuf, u32, u32)> {
    let too_open = |collection: &Arc<Collection>| {
        let paths = paths.beside_registry(collection.file.as_deref()).ok()?;
        let (mode, most) = survey::too_open(&paths, collection.mode)?;
        Some((paths.registry().to_owned(), mode, most))
    };
    collections.iter().filter_map(too_open).collect()
}

fn settings(paths: &Paths) -> (Settings, Config) {
    let path = argus_config::locate(paths.registry());
    let read = Config::read(&path, paths.registry());
    let (config, problem) = match read {
        Ok(config) => (config, None),
        Err(error) => (Config::default(), Some(error)),
    };
    (Settings { path, problem }, config)
}

fn read(file: &RegistryFile, daemon: &Probe) -> (File, Option<Reading>) {
    let reading = match file.read() {
        Ok(reading) => reading,
        Err(error) => return (File::Unreadable(error.into()), None),
    };
    let file = match &reading.problem {
        None => File::Sound,
        Some((problem, _)) if problem.code() == Code::UnsupportedVersion => {
            File::Newer(problem.to_string())
        }
        Some((problem, instead)) => {
            // Readers are served by the daemon, which has kept what it read before.
            let is_served = matches!(daemon, Probe::Answers(_));
            let instead = if is_served { Source::Memory } else { *instead };
            File::Damaged { problem: problem.to_string(), instead }
        }
    };
    (file, Some(reading))
}

/// The process that says that it is the daemon, if it is still that one.
fn silent(paths: &Paths) -> Option<Silent> {
    let endpoint = Endpoint::read(paths)?;
    let process = ThisMachine.identify(endpoint.pid)?;
    let is_it = endpoint.start_time == Some(process.start_time);
    is_it.then(|| Silent { pid: endpoint.pid, is_stopped: is_stopped(endpoint.pid) })
}

/// The lock that writers wait for, where that takes longer than a write.
fn lock(paths: &Paths, stale_after: StaleAfter) -> Option<Lock> {
    let path = paths.lockfile();
    let inspected = match lockfile::inspect(&path) {
        Ok(Some(inspected)) => inspected,
        Ok(None) => return write_lock(paths),
        Err(error) => return Some(Lock { path, state: LockState::Unreadable(error.into()) }),
    };
    let (found, held_for) = (inspected.found, inspected.held_for);
    let state = if found.seems_stale(stale_after, &ThisMachine) {
        LockState::Stale { holder: found.holder(), held_for }
    } else if held_for.is_none_or(|held_for| held_for > LOCK_WAIT) {
        let pid = found.content.pid;
        LockState::Held { pid, is_stopped: pid.is_some_and(is_stopped), held_for }
    } else {
        return None;
    };
    Some(Lock { path, state })
}

/// The kernel lock, where one process has it for longer than anybody waits for it, and is not
/// writing: else there would be a lockfile.
fn write_lock(paths: &Paths) -> Option<Lock> {
    let pid = kernel_lock::holder(paths, WRITE_LOCK)?;
    let since = Instant::now();
    while !is_stopped(pid) && since.elapsed() < LOCK_WAIT {
        sleep(LOOK_EVERY);
        let is_writing = lockfile::inspect(&paths.lockfile()).is_ok_and(|found| found.is_some());
        if is_writing || kernel_lock::holder(paths, WRITE_LOCK) != Some(pid) {
            return None;
        }
    }
    let held_for = Some(since.elapsed()).filter(|held_for| *held_for >= LOCK_WAIT);
    let state = LockState::Held { pid: Some(pid), is_stopped: is_stopped(pid), held_for };
    Some(Lock { path: paths.folder().join(WRITE_LOCK), state })
}
