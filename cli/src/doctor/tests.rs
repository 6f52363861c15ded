//! Tables of what is diagnosed, and of what people are shown of it. Nothing here touches a disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_client::{Code, Error, Probe, State, method};
use argus_proto::Record;
use argus_proto::collection::WATCHERS;
use argus_proto::method::StatusReport;
use argus_proto::method::hello::{Hello, negotiate};
use argus_store::Source;
use argus_store::quarantine::Quarantine;
use argus_store::survey::Obstacle;

use super::diagnosis::{Cure, Finding, Severity, diagnose};
use super::evidence::{Evidence, File, Lock, LockState, Seen, Settings, Silent};
use super::report::text;
use crate::platform::advice;

/// A registry with a daemon, and nothing wrong.
fn sound() -> Evidence {
    Evidence {
        settings: Settings { path: "/home/me/.argus/config.yaml".into(), problem: None },
        too_open: Vec::new(),
        registry: "/home/me/.argus/registry.json".into(),
        argus: "argus".into(),
        version: "0.2.0".into(),
        is_direct: false,
        now: 1_000_000,
        socket: "/home/me/.argus/registry.json.d/argusd.sock".into(),
        daemon: serving_version("0.2.0"),
        silent: None,
        spawn_rest: None,
        obstacles: Vec::new(),
        lock: None,
        quarantine_folder: "/home/me/.argus/registry.json.d/quarantine".into(),
        quarantine: Quarantine::default(),
        file: File::Sound,
        records: Vec::new(),
        duplicates: Vec::new(),
        registry_bytes: 1024,
        free_bytes: Some(1 << 40),
    }
}

fn serving_version(version: &str) -> Probe {
    Probe::Answers(Box::new(StatusReport {
        version: version.to_owned(),
        pid: 4711,
        ..StatusReport::default()
    }))
}

fn seen(id: &str, host: &str, port: u16, state: State) -> Seen {
    let text = match state {
        State::Invalid => "{}".to_owned(),
        _ => format!(
            r#"{{"id":"{id}","host":"{host}","port":{port},"pid":7,"startedAt":1,"updatedAt":700000}}"#
        ),
    };
    let record = Arc::new(Record::read(id, &text, &WATCHERS));
    Seen { id: id.into(), record, state: Some(state) }
}

fn error(code: Code) -> Error {
    Error::new(code, "it is so")
}

fn refused_by(version: &str) -> Probe {
    let hello = Hello { client: "argus".into(), version: "0.2.0".into(), protocol: [2, 2] };
    Probe::Incompatible(negotiate(&hello, version, [9, 9]).expect_err("no common protocol"))
}

fn locked(state: LockState) -> Option<Lock> {
    Some(Lock { path: "/home/me/.argus/registry.json.lock".into(), state })
}

fn held(pid: Option<u32>, is_stopped: bool) -> Option<Lock> {
    locked(LockState::Held { pid, is_stopped, held_for: Some(Duration::from_secs(45)) })
}

/// What makes a sound registry into the one that is examined.
type Harm = Box<dyn Fn(&mut Evidence)>;

fn harm(change: impl Fn(&mut Evidence) + 'static) -> Harm {
    Box::new(change)
}

fn daemon(probe: Probe) -> Harm {
    harm(move |it| it.daemon = probe.clone())
}

fn obstacle(obstacle: Obstacle) -> Harm {
    harm(move |it| it.obstacles = vec![("/home/me/.argus".into(), obstacle.clone())])
}

fn lock_is(lock: Option<Lock>) -> Harm {
    harm(move |it| it.lock = lock.clone())
}

fn file_is(file: File) -> Harm {
    harm(move |it| it.file = file.clone())
}

fn silent(is_stopped: bool) -> Harm {
    harm(move |it| {
        it.daemon = Probe::Hung(error(Code::Timeout));
        it.silent = Some(Silent { pid: 7, is_stopped });
    })
}

#[test]
fn each_thing_that_is_wrong_has_a_code_a_severity_and_a_cure() {
    use Cure::*;
    use Severity::{Error as Bad, Note, Warning as Odd};
    let cannot_write = method::Warning { code: Code::Io, message: "the last write failed".into() };
    let was_mended = method::Warning { code: Code::Corrupt, message: "it was damaged".into() };
    let warned = |warning: method::Warning| {
        daemon(Probe::Answers(Box::new(StatusReport {
            version: "0.2.0".into(),
            warnings: vec![warning],
            ..StatusReport::default()
        })))
    };
    let foreign = |owner: Option<&str>| Probe::Foreign {
        error: error(Code::Permission),
        owner: owner.map(str::to_owned),
    };
    let damaged = |instead| File::Damaged { problem: "no JSON".into(), instead };
    let stale =
        LockState::Stale { holder: "process 7".into(), held_for: Some(Duration::from_secs(3)) };
    let mended = advice::mend_socket("/home/me/.argus/registry.json.d/argusd.sock");
    // How it is harmed, what is found, how bad that is, the beginning of the help, the cure.
    let rows: Vec<(Harm, &str, Severity, &str, Option<Cure>)> = vec![
        (daemon(Probe::Absent), "daemon-absent", Note, "argus daemon start", Some(StartDaemon)),
        (daemon(Probe::Refused), "daemon-refused", Odd, "argus daemon start", Some(StartDaemon)),
        (
            daemon(Probe::Permission(error(Code::Permission))),
            "daemon-permission",
            Bad,
            &mended,
            None,
        ),
        (daemon(foreign(Some("7"))), "other-user", Bad, "use a registry", None),
        (daemon(foreign(None)), "other-user", Bad, "use a registry", None),
        (silent(true), "daemon-hung", Bad, "kill -CONT 7", None),
        (silent(false), "daemon-hung", Bad, "kill 7", None),
        (
            daemon(Probe::Hung(error(Code::Timeout))),
            "daemon-hung",
            Bad,
            "see who listens, and end it: lsof /",
            None,
        ),
        (
            daemon(Probe::Incompatible(error(Code::Protocol))),
            "daemon-incompatible",
            Bad,
            "see who listens",
            None,
        ),
        (
            daemon(refused_by("0.1.0")),
            "daemon-incompatible",
            Bad,
            "argus daemon restart",
            Some(StartDaemon),
        ),
        (daemon(refused_by("9.0.0")), "daemon-incompatible", Bad, "install argus 9.0.0", None),
        (
            daemon(Probe::Unusable(error(Code::Busy))),
            "daemon-unusable",
            Bad,
            "argus daemon logs",
            None,
        ),
        (
            daemon(serving_version("0.1.9")),
            "daemon-older",
            Odd,
            "argus daemon restart",
            Some(StartDaemon),
        ),
        (daemon(serving_version("0.10.0")), "daemon-newer", Note, "install argus 0.10.0", None),
        (warned(cannot_write), "daemon-cannot-write", Odd, "argus daemon logs", None),
        (lock_is(locked(stale)), "lock-stale", Odd, "argus doctor --fix", Some(ClearLocks)),
        (lock_is(held(Some(7), false)), "lock-held", Odd, "wait for it, or end", None),
        (lock_is(held(Some(7), true)), "lock-held", Odd, "kill -CONT 7", None),
        (lock_is(held(None, false)), "lock-held", Odd, "wait: it soon", None),
        (
            lock_is(locked(LockState::Unreadable(error(Code::Io)))),
            "lock-unreadable",
            Bad,
            "remove what stands",
            None,
        ),
        (
            file_is(damaged(Source::LastGood)),
            "registry-damaged",
            Bad,
            "argus doctor --fix",
            Some(MendFile),
        ),
        (
            file_is(File::Newer("its version is 2".into())),
            "registry-newer",
            Bad,
            "install the newer",
            None,
        ),
        (
            file_is(File::Unreadable(error(Code::Io))),
            "registry-unreadable",
            Bad,
            "ls -l /home/",
            None,
        ),
        (
            obstacle(Obstacle::Foreign("7".into())),
            "other-user",
            Bad,
            "use a registry of your own",
            None,
        ),
        (obstacle(Obstacle::NoFolder), "folder-unusable", Bad, "mv /home/me/.argus ", None),
        (obstacle(Obstacle::ReadOnly), "folder-unusable", Bad, "see which", None),
        (
            obstacle(Obstacle::Closed { own: true }),
            "folder-unusable",
            Bad,
            "chmod u+rwx /home/me/.argus",
            None,
        ),
        (obstacle(Obstacle::Closed { own: false }), "folder-unusable", Bad, "use a registry", None),
        (obstacle(Obstacle::Other("so".into())), "folder-unusable", Bad, "ls -ld /", None),
        (
            harm(|it| it.free_bytes = Some(1024 * 1024 + 3 * 1024 - 1)),
            "disk-nearly-full",
            Odd,
            "make room: df -h /home/me/.argus",
            None,
        ),
        (
            harm(|it| it.records = vec![seen("a", "h", 1, State::Dead)]),
            "record-dead",
            Odd,
            "argus prune",
            Some(PruneDead),
        ),
        (
            harm(|it| it.records = vec![seen("a b", "h", 1, State::Invalid)]),
            "record-invalid",
            Odd,
            "mend it in the file, or: argus rm 'a b'",
            None,
        ),
        (
            harm(|it| it.records = vec![seen("a", "h", 1, State::Stale)]),
            "record-stale",
            Note,
            "argus prune",
            None,
        ),
        (
            harm(|it| it.duplicates = vec!["a".into()]),
            "key-duplicate",
            Odd,
            "keep one of them in /home/",
            None,
        ),
        (
            harm(|it| {
                it.quarantine = Quarantine { files: 2, newest: Some(PathBuf::from("/q/b")) };
            }),
            "quarantine-not-empty",
            Note,
            "only you may delete them: ls -l /home/",
            None,
        ),
    ];
    for (harm, code, severity, help, cure) in rows {
        let mut evidence = sound();
        harm(&mut evidence);
        let found = diagnose(&evidence);
        let [finding] = &found[..] else { panic!("{code}: {found:?}") };
        assert_eq!((finding.code, finding.severity), (code, severity), "{finding:?}");
        assert!(finding.help.starts_with(help), "{finding:?}");
        assert_eq!(finding.cure, cure, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.fixed, "{finding:?}");
        let documented = include_str!("../../../docs/doctor.md");
        let name = format!("{severity:?}").to_lowercase();
        assert!(documented.contains(&format!("| `{code}` | {name} |")), "{code} {name}");
    }

    let nothing_wrong: Vec<Harm> = vec![
        harm(|_| ()),
        harm(|it| it.free_bytes = Some(1024 * 1024 + 3 * 1024)),
        harm(|it| it.free_bytes = None),
        harm(|it| it.spawn_rest = Some(Duration::from_secs(9))),
        harm(|it| (it.is_direct, it.daemon) = (true, Probe::Absent)),
        harm(|it| it.records = vec![seen("a", "h", 1, State::Live)]),
        warned(was_mended),
    ];
    for harm in nothing_wrong {
        let mut evidence = sound();
        harm(&mut evidence);
        assert_eq!(diagnose(&evidence), []);
    }
}

#[test]
fn in_direct_mode_no_daemon_is_called_for() {
    for probe in [Probe::Refused, serving_version("0.1.0"), refused_by("0.1.0")] {
        let evidence = Evidence { is_direct: true, daemon: probe, ..sound() };
        let found = diagnose(&evidence);
        assert!(found.len() == 1 && found[0].cure.is_none(), "{found:?}");
    }
}

#[test]
fn a_damaged_file_is_left_to_a_daemon_that_may_still_answer() {
    let file = File::Damaged { problem: "no JSON".into(), instead: Source::LastGood };
    let hung = Probe::Hung(error(Code::Timeout));
    for (daemon, cure) in [(hung, None), (Probe::Absent, Some(Cure::MendFile))] {
        let found = diagnose(&Evidence { file: file.clone(), daemon, ..sound() });
        let damaged = found.iter().find(|found| found.code == "registry-damaged");
        assert_eq!(damaged.expect("it was found").cure, cure);
    }
}

#[test]
fn what_follows_from_a_closed_folder_is_not_told_as_well() {
    let denied = || error(Code::Permission);
    for (file, probe) in [
        (File::Unreadable(denied()), Probe::Permission(denied())),
        (File::Sound, Probe::Foreign { error: denied(), owner: Some("7".into()) }),
    ] {
        let closed = Obstacle::Closed { own: true };
        let obstacles = vec![("/home/me/.argus".into(), closed)];
        let lock = locked(LockState::Unreadable(denied()));
        let evidence = Evidence { obstacles, file, daemon: probe, lock, ..sound() };
        let codes: Vec<&str> = diagnose(&evidence).iter().map(|found| found.code).collect();
        assert_eq!(codes, ["folder-unusable"]);
    }
}

#[test]
fn live_records_at_one_address_are_told_however_it_is_spelled() {
    use State::*;
    type Claim<'a> = (&'a str, u16, State);
    let rows: [(&[Claim<'_>], &[&str]); 7] = [
        (&[("127.0.0.1", 1, Live), ("127.0.0.1", 1, Live)], &["127.0.0.1:1"]),
        (&[("localhost", 1, Live), ("127.0.0.1", 1, Live)], &["127.0.0.1:1"]),
        (&[("Shop.local", 1, Live), ("shop.LOCAL", 1, Live)], &["shop.local:1"]),
        (&[("::1", 1, Live), ("::1", 1, Live)], &["[::1]:1"]),
        (&[("127.0.0.1", 1, Live), ("::1", 1, Live), ("127.0.0.1", 2, Live)], &[]),
        (&[("127.0.0.1", 0, Live), ("127.0.0.1", 0, Live)], &[]),
        (&[("127.0.0.1", 1, Live), ("127.0.0.1", 1, Stale)], &[]),
    ];
    for (records, expected) in rows {
        let seen = |(at, (host, port, state)): (usize, &Claim<'_>)| {
            seen(&format!("r{at}"), host, *port, *state)
        };
        let records: Vec<Seen> = records.iter().enumerate().map(seen).collect();
        let mut found = diagnose(&Evidence { records, ..sound() });
        found.retain(|found| found.code == "port-shared");
        let addresses: Vec<&str> = found.iter().map(|found| found.subject.as_str()).collect();
        assert_eq!(addresses, expected);
    }
}

fn shown(evidence: &Evidence, findings: &[Finding], width: Option<usize>) -> String {
    anstream::adapter::strip_str(&text(evidence, findings, width)).to_string()
}

#[test]
fn a_registry_with_several_things_wrong_fits_a_terminal() {
    let mut evidence = sound();
    evidence.daemon = Probe::Hung(error(Code::Timeout));
    evidence.silent = Some(Silent { pid: 4711, is_stopped: true });
    evidence.file = File::Damaged {
        problem: "not valid JSON: expected `,` or `}` at line 212 column 9".into(),
        instead: Source::LastGood,
    };
    let lock =
        LockState::Stale { holder: "process 815".into(), held_for: Some(Duration::from_secs(720)) };
    evidence.lock = Some(Lock { path: "/home/me/.argus/registry.json.lock".into(), state: lock });
    evidence.records = vec![
        seen("shop", "127.0.0.1", 3000, State::Live),
        seen("api", "localhost", 3000, State::Live),
        seen("bro\u{1b}ken", "h", 1, State::Invalid),
        seen("quiet", "h", 2, State::Stale),
    ];
    evidence.records.extend((1..=8).map(|at| seen(&format!("old-{at}"), "h", at, State::Dead)));
    evidence.quarantine = Quarantine { files: 2, newest: Some("/q/registry-0f3a.json".into()) };
    let mut findings = diagnose(&evidence);
    insta::assert_snapshot!("several", shown(&evidence, &findings, Some(80)));

    let (mended, left): (Vec<_>, Vec<_>) =
        findings.drain(..).partition(|finding| finding.cure.is_some());
    let mended = mended.into_iter().map(|finding| Finding { fixed: true, ..finding });
    let findings: Vec<Finding> = left.into_iter().chain(mended).collect();
    insta::assert_snapshot!("several_fixed", shown(&evidence, &findings, Some(80)));
}

#[test]
fn a_sound_one_is_one_line_and_a_pipe_gets_long_lines_whole() {
    let mut evidence = sound();
    evidence.records = vec![seen("shop", "127.0.0.1", 3000, State::Live)];
    let expected =
        "no problems; looked at 1 record, argusd 0.2.0 (pid 4711), locks, folders and disk";
    assert_eq!(shown(&evidence, &[], Some(80)), expected);

    evidence.daemon = serving_version("0.1.0");
    let findings = diagnose(&evidence);
    assert_eq!(shown(&evidence, &findings, None).lines().count(), 4);
    assert_eq!(shown(&evidence, &findings, Some(40)).lines().count(), 5);
}
