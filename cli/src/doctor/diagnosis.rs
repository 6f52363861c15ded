//! From what was found to what is wrong, and what to do about it. Pure.
//!
//! 1. One cause is one finding: what only follows from another is not told.
//! 2. Each has one line that says what to do; where that can be typed, it can be typed as it is.
//! 3. Codes are stable; `docs/doctor.md` has them all.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use argus_client::{Error, Probe, State};
use argus_proto::method::StatusReport;
use argus_proto::method::hello::{is_newer, refusing_version};
use argus_proto::record::Watcher;
use argus_proto::{Code, Record};
use argus_store::survey::Obstacle;
use serde::Serialize;

use super::evidence::{Evidence, File, Lock, LockState, Seen, Settings};
use super::followed::followed;
use crate::platform::advice;
use crate::table::{age, ago};
use crate::typed::quoted;

/// Below this, and three times the registry's size, a change may find no room.
const ROOM_BYTES_MIN: u64 = 1024 * 1024;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Something does not work.
    Error,
    /// Something is not as it should be, or will not work for long.
    Warning,
    /// Worth knowing.
    Note,
}

/// Something that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Which kind, for programs.
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    /// What it is about: a path, an id, an address.
    pub(crate) subject: String,
    /// What is wrong, in one line.
    pub(crate) message: String,
    /// What to do, in one line.
    pub(crate) help: String,
    /// Whether it was there, and is not any more.
    pub(crate) fixed: bool,
    /// How it can be mended without a risk, if it can.
    #[serde(skip)]
    pub(crate) cure: Option<Cure>,
}

/// What `--fix` does, in the order in which it does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cure {
    /// Write a damaged file anew, as every change would.
    MendFile,
    /// Take the locks and let them go, as every change would.
    ClearLocks,
    /// Start a daemon, or put a newer one in the place of an older.
    StartDaemon,
    /// Remove the records of the dead.
    PruneDead,
}

impl Finding {
    /// Whether it is a problem that is still there.
    pub(crate) fn is_left(&self) -> bool {
        !self.fixed && self.severity != Severity::Note
    }

    /// Whether it is about the same as another.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.code, &self.subject) == (other.code, &other.subject)
    }

    pub(super) fn new(severity: Severity, code: &'static str, subject: impl ToString) -> Self {
        Finding {
            code,
            severity,
            subject: subject.to_string(),
            message: String::new(),
            help: String::new(),
            fixed: false,
            cure: None,
        }
    }

    pub(super) fn says(self, message: impl Into<String>) -> Self {
        Finding { message: message.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Finding { help: help.into(), ..self }
    }

    fn cure(self, cure: Cure) -> Self {
        Finding { cure: Some(cure), ..self }
    }
}

/// What is wrong, the worst first.
pub(crate) fn diagnose(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(evidence.obstacles.iter().map(|(path, obstacle)| surroundings(path, obstacle)));
    findings.extend(room(evidence));
    findings.extend(settings(evidence));
    findings.extend(file(evidence));
    findings.extend(too_open(evidence));
    findings.extend(evidence.lock.as_ref().and_then(|found| lock(found, evidence)));
    findings.extend(daemon(evidence));
    findings.extend(spawning(evidence));
    findings.extend(evidence.records.iter().filter_map(|seen| record(seen, evidence)));
    findings.extend(duplicates(evidence));
    findings.extend(shared_ports(&evidence.records, evidence));
    findings.extend(quarantine(evidence));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn surroundings(path: &Path, obstacle: &Obstacle) -> Finding {
    let (shown, typed) = (&path.display(), &quoted(&path.to_string_lossy()));
    let unusable = Finding::new(Severity::Error, "folder-unusable", shown);
    match obstacle {
        Obstacle::Foreign(owner) => Finding::new(Severity::Error, "other-user", shown)
            .says(format!("{shown} belongs to user {owner}, not to you"))
            .help(format!(
                "use a registry of your own: argus --registry FILE; or if this one is: \
                 {}",
                advice::take_over(typed)
            )),
        Obstacle::NoFolder => unusable
            .says(format!("{shown} is a link or no folder, which argus does not use"))
            .help(advice::rename(typed, &quoted(&format!("{shown}.old")))),
        Obstacle::ReadOnly => unusable
            .says(format!("{shown} is on a read-only file system: nothing can be changed"))
            .help(format!("see which, and mount it for writing: {}", advice::see_mount(typed))),
        Obstacle::Closed { own: true } => unusable
            .says(format!("{shown} is closed: changes can neither be made nor seen"))
            .help(advice::open_to_owner(typed)),
        Obstacle::Closed { own: false } => unusable
            .says(format!("{shown} is closed to you: nothing can be changed"))
            .help("use a registry in a folder of your own: argus --registry FILE"),
        Obstacle::Other(problem) => {
            unusable.says(format!("{shown} cannot be used: {problem}")).help(advice::look_at(typed))
        }
    }
}

fn room(evidence: &Evidence) -> Option<Finding> {
    let needed = evidence.registry_bytes.saturating_mul(3).saturating_add(ROOM_BYTES_MIN);
    let free = evidence.free_bytes.filter(|free| *free < needed)?;
    let folder = evidence.registry.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let finding = Finding::new(Severity::Warning, "disk-nearly-full", &folder)
        .says(format!("the disk is nearly full: {} KiB are left", free / 1024))
        .help(format!("make room: {}", advice::see_room(&quoted(&folder))));
    Some(finding)
}

fn settings(evidence: &Evidence) -> Vec<Finding> {
    let Settings { path, problem } = &evidence.settings;
    let check = format!("{} config check", evidence.argus);
    let problem = problem.iter().filter(|problem| !is_told(problem.code, evidence));
    let wrong = problem.map(|problem| {
        Finding::new(Severity::Warning, "config-wrong", path.display())
            .says(format!("{}; nothing of the file is used", problem.brief()))
            .help(check.clone())
    });
    wrong.collect()
}

fn too_open(evidence: &Evidence) -> impl Iterator<Item = Finding> {
    evidence.too_open.iter().map(|(path, mode, most)| {
        Finding::new(Severity::Warning, "file-too-open", path.display())
            .says(format!(
                "{} has mode {mode:04o}, and {most:04o} is the most that is allowed; \
                 the next change closes it",
                file_name(path)
            ))
            .help(format!("chmod {most:04o} {}", quoted(&path.to_string_lossy())))
    })
}

fn file(evidence: &Evidence) -> Option<Finding> {
    let name = file_name(&evidence.registry);
    let error = |code| Finding::new(Severity::Error, code, evidence.registry.display());
    match &evidence.file {
        File::Sound => None,
        File::Damaged { problem, instead } => {
            let damaged = error("registry-damaged")
                .says(format!("{name} is damaged: {problem}; {} is shown instead", instead.name()));
            Some(match &evidence.daemon {
                // What the file had is in its memory, and the copy on the disk is older.
                Probe::Hung(_) => damaged.help("let argusd answer first: it mends from its memory"),
                _ => damaged.help(format!("{} doctor --fix", evidence.argus)).cure(Cure::MendFile),
            })
        }
        File::Newer(problem) => Some(
            error("registry-newer")
                .says(format!("{name} is of a newer argus: {problem}"))
                .help("install the newer argus that wrote it"),
        ),
        File::Unreadable(problem) if is_told(problem.code, evidence) => None,
        File::Unreadable(problem) => {
            let typed = quoted(&evidence.registry.to_string_lossy());
            Some(
                error("registry-unreadable")
                    .says(problem.message.clone())
                    .help(advice::list(&typed)),
            )
        }
    }
}

/// A folder that is closed has been told, and with it all that is in it.
fn is_told(problem: Code, evidence: &Evidence) -> bool {
    problem == Code::Permission && !evidence.obstacles.is_empty()
}

fn lock(lock: &Lock, evidence: &Evidence) -> Option<Finding> {
    let name = file_name(&lock.path);
    let warning = |code| Finding::new(Severity::Warning, code, lock.path.display());
    let finding = match &lock.state {
        LockState::Unreadable(problem) if is_told(problem.code, evidence) => return None,
        LockState::Stale { holder, held_for } => warning("lock-stale")
            .says(format!("{name} was left behind by {holder}{}", before(*held_for)))
            .help(format!("{} doctor --fix", evidence.argus))
            .cure(Cure::ClearLocks),
        LockState::Held { pid: Some(pid), is_stopped: true, held_for } => warning("lock-held")
            .says(format!("{name} is held by process {pid}, which is stopped{}", since(*held_for)))
            .help(advice::resume_process(*pid)),
        LockState::Held { pid: Some(pid), held_for, .. } => warning("lock-held")
            .says(format!("{name} has been held by process {pid}{}", since(*held_for)))
            .help(format!("wait for it, or end it: {}", advice::end_process(*pid))),
        LockState::Held { pid: None, held_for, .. } => warning("lock-held")
            .says(format!("{name} has been held by nobody knows whom{}", since(*held_for)))
            .help("wait: it soon counts as left behind"),
        LockState::Unreadable(problem) => {
            let typed = quoted(&lock.path.to_string_lossy());
            Finding::new(Severity::Error, "lock-unreadable", lock.path.display())
                .says(problem.message.clone())
                .help(format!(
                    "remove what stands in its place, if nobody uses it: {}",
                    advice::look_at(&typed)
                ))
        }
    };
    Some(finding)
}

fn daemon(evidence: &Evidence) -> Vec<Finding> {
    let finding = |severity, code| Finding::new(severity, code, evidence.socket.display());
    let typed = quoted(&evidence.socket.to_string_lossy());
    let found = match &evidence.daemon {
        Probe::Absent if evidence.is_direct => return Vec::new(),
        Probe::Absent => start(finding(Severity::Note, "daemon-absent"), evidence)
            .says("no argusd is running; calls work on the file"),
        Probe::Refused if evidence.is_direct => finding(Severity::Note, "daemon-refused")
            .says("an argusd was killed, and left its socket behind")
            .help("nothing to do: in direct mode none is needed"),
        Probe::Refused => start(finding(Severity::Warning, "daemon-refused"), evidence)
            .says("argusd was killed: its socket is there, and nobody listens"),
        // A folder that cannot be used has been told.
        Probe::Permission(_) | Probe::Foreign { .. } if !evidence.obstacles.is_empty() => {
            return Vec::new();
        }
        Probe::Permission(problem) => finding(Severity::Error, "daemon-permission")
            .says(problem.message.clone())
            .help(advice::mend_socket(&typed)),
        Probe::Foreign { error, .. } => finding(Severity::Error, "other-user")
            .says(error.message.clone())
            .help("use a registry of your own: argus --registry FILE"),
        Probe::Hung(_) => hung(finding(Severity::Error, "daemon-hung"), evidence),
        Probe::Incompatible(problem) => {
            incompatible(finding(Severity::Error, "daemon-incompatible"), problem, evidence)
        }
        Probe::Unusable(problem) => finding(Severity::Error, "daemon-unusable")
            .says(problem.message.clone())
            .help(format!("{} daemon logs", evidence.argus)),
        Probe::Answers(report) => return serving(report, evidence),
    };
    vec![found]
}

/// What is mended by starting a daemon, where one is wanted.
fn start(finding: Finding, evidence: &Evidence) -> Finding {
    finding.help(format!("{} daemon start", evidence.argus)).cure(Cure::StartDaemon)
}

fn hung(finding: Finding, evidence: &Evidence) -> Finding {
    match evidence.silent {
        Some(silent) if silent.is_stopped => finding
            .says(format!("argusd (process {}) is stopped and answers nobody", silent.pid))
            .help(advice::resume_process(silent.pid)),
        Some(silent) => finding
            .says(format!("argusd (process {}) does not answer", silent.pid))
            .help(advice::end_process(silent.pid)),
        None => {
            let typed = quoted(&evidence.socket.to_string_lossy());
            finding
                .says("argusd does not answer, and it does not say which process it is")
                .help(format!("see who listens, and end it: {}", advice::see_listener(&typed)))
        }
    }
}

fn incompatible(finding: Finding, problem: &Error, evidence: &Evidence) -> Finding {
    let finding = finding.says(problem.message.clone());
    match refusing_version(problem) {
        Some(version) if is_newer(&evidence.version, &version) => {
            replaced_by_restart(finding, evidence)
        }
        Some(version) => finding.help(format!("install argus {version}")),
        None => {
            let typed = quoted(&evidence.socket.to_string_lossy());
            finding.help(format!("see who listens, and end it: {}", advice::see_listener(&typed)))
        }
    }
}

fn replaced_by_restart(finding: Finding, evidence: &Evidence) -> Finding {
    let finding = finding.help(format!("{} daemon restart", evidence.argus));
    if evidence.is_direct { finding } else { finding.cure(Cure::StartDaemon) }
}

fn serving(report: &StatusReport, evidence: &Evidence) -> Vec<Finding> {
    let finding = |severity, code| Finding::new(severity, code, evidence.socket.display());
    let (theirs, own) = (&report.version, &evidence.version);
    let mut findings = Vec::new();
    if is_newer(own, theirs) {
        let older = finding(Severity::Warning, "daemon-older")
            .says(format!("argusd {theirs} is older than this argus, {own}"));
        findings.push(replaced_by_restart(older, evidence));
    } else if is_newer(theirs, own) {
        findings.push(
            finding(Severity::Note, "daemon-newer")
                .says(format!("argusd {theirs} is newer than this argus, {own}"))
                .help(format!("install argus {theirs}")),
        );
    }
    // What is wrong with the file has been seen there; what was, is told by what it left.
    let of_the_file = [Code::Corrupt, Code::UnsupportedVersion];
    let of_settings = evidence.settings.path.to_string_lossy();
    let of_database = report.database.as_ref().and_then(|database| database.problem.clone());
    let is_told = |message: &str| {
        message.starts_with(&*of_settings)
            || of_database.as_ref().is_some_and(|problem| message.starts_with(problem))
    };
    let others = report
        .warnings
        .iter()
        .filter(|warning| !of_the_file.contains(&warning.code) && !is_told(&warning.message));
    for warning in others {
        findings.push(
            finding(Severity::Warning, "daemon-cannot-write")
                .says(format!("argusd: {}", warning.message))
                .help(format!("{} daemon logs", evidence.argus)),
        );
    }
    findings.extend(followed(report, evidence));
    findings
}

fn spawning(evidence: &Evidence) -> Option<Finding> {
    let rest = evidence.spawn_rest.filter(|_| !matches!(evidence.daemon, Probe::Answers(_)))?;
    let seconds = rest.as_secs().max(1);
    let finding = Finding::new(Severity::Warning, "daemon-start-fails", evidence.socket.display())
        .says(format!("argusd could not be started three times; none is for {seconds} s"))
        .help(format!("see why: {} daemon run", evidence.argus));
    Some(finding)
}

fn record(seen: &Seen, evidence: &Evidence) -> Option<Finding> {
    let finding = |severity, code| Finding::new(severity, code, &seen.id);
    let (id, argus) = (&seen.id, &evidence.argus);
    let pid = seen.record.watcher().map_or(0, |watcher| watcher.pid);
    match seen.state? {
        State::Live => None,
        State::Dead => Some(
            finding(Severity::Warning, "record-dead")
                .says(format!("`{id}` is dead: process {pid} has ended"))
                .help(format!("{argus} prune"))
                .cure(Cure::PruneDead),
        ),
        State::Stale => {
            let silence = ago(evidence.now, seen.record.updated_at().unwrap_or_default());
            Some(
                finding(Severity::Note, "record-stale")
                    .says(format!("`{id}` was not heard of for {silence}"))
                    .help(format!("{argus} prune")),
            )
        }
        State::Invalid => {
            let problem = seen.record.damage().map(ToString::to_string).unwrap_or_default();
            Some(
                finding(Severity::Warning, "record-invalid")
                    .says(format!("`{id}` cannot be used: {problem}"))
                    .help(format!("mend it in the file, or: {argus} rm {}", quoted(id))),
            )
        }
    }
}

fn duplicates(evidence: &Evidence) -> impl Iterator<Item = Finding> + '_ {
    let name = file_name(&evidence.registry);
    evidence.duplicates.iter().map(move |key| {
        Finding::new(Severity::Warning, "key-duplicate", key)
            .says(format!("`{key}` stands in {name} more than once; the last one counts"))
            .help(format!("keep one of them in {}", evidence.registry.display()))
    })
}

/// Live records that say that they listen at the same port of the same host.
fn shared_ports(records: &[Seen], evidence: &Evidence) -> Vec<Finding> {
    let mut claims: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for seen in records.iter().filter(|seen| seen.state == Some(State::Live)) {
        if let Some(address) = address(&seen.record) {
            claims.entry(address).or_default().push(&seen.id);
        }
    }
    let shared = claims.into_iter().filter(|(_, ids)| ids.len() > 1);
    shared
        .map(|(address, ids)| {
            let last = quoted(ids[ids.len() - 1]);
            let (both, argus) = (if ids.len() == 2 { "both" } else { "all" }, &evidence.argus);
            let ids = ids.join("` and `");
            Finding::new(Severity::Warning, "port-shared", &address)
                .says(format!("`{ids}` {both} claim {address}"))
                .help(format!("remove what is not there, as in: {argus} rm {last}"))
        })
        .collect()
}

/// Where a record listens, the same however it is spelled.
fn address(record: &Record) -> Option<String> {
    let watcher = record.watcher().filter(|watcher| watcher.port != 0)?;
    let host = watcher.host.to_ascii_lowercase();
    let host = if host == "localhost" { "127.0.0.1".into() } else { host.into() };
    Some(Watcher { host, ..watcher.clone() }.endpoint())
}

fn quarantine(evidence: &Evidence) -> Option<Finding> {
    let kept = &evidence.quarantine;
    let newest = kept.newest.as_deref().map(file_name)?;
    let folder = evidence.quarantine_folder.display();
    let message = match kept.files {
        1 => format!("a damaged file is kept in quarantine: {newest}"),
        files => format!("{files} damaged files are kept in quarantine, the last is {newest}"),
    };
    let finding =
        Finding::new(Severity::Note, "quarantine-not-empty", folder).says(message).help(format!(
            "only you may delete them: {}",
            advice::list(&quoted(&evidence.quarantine_folder.to_string_lossy()))
        ));
    Some(finding)
}

fn before(held_for: Option<Duration>) -> String {
    held_for.map_or_else(String::new, |time| format!(", {} ago", age(milliseconds(time))))
}

fn since(held_for: Option<Duration>) -> String {
    held_for.map_or_else(String::new, |time| format!(" for {}", age(milliseconds(time))))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
