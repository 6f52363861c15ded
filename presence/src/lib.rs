//! What this machine can prove about other processes: who runs, since when, and who answers.
//!
//! It only looks. It sends no signal but 0, starts nothing and keeps nothing.

pub mod clock;
mod platform;
pub mod reachable;

use argus_proto::process::{Machine, Process, Verdict};

use platform::Observed;
pub use platform::{ProcessEnd, boot_id, command_of, is_stopped};

/// The machine that this program runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn identify(&self, pid: u32) -> Option<Process> {
        let Observed::Runs { started: Some(started) } = platform::observe(pid) else { return None };
        Some(Process {
            boot_id: platform::boot_id()?.to_owned(),
            start_time: started,
            pid_namespace: platform::pid_namespace(),
            vouched: None,
        })
    }

    fn verdict(&self, pid: u32, process: Option<&Process>) -> Verdict {
        if let Some(process) = process {
            // The pid counts only where, and only as long as, it was given.
            let comparable = Some(process.boot_id.as_str()) == platform::boot_id()
                && process.pid_namespace == platform::pid_namespace();
            if !comparable {
                return Verdict::Unknown;
            }
        }
        match (platform::observe(pid), process) {
            (Observed::Gone, _) => Verdict::Dead,
            (Observed::Runs { started: Some(started) }, Some(process))
                if process.start_time != started =>
            {
                Verdict::Dead
            }
            (Observed::Runs { .. }, _) => Verdict::Alive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Tells a process of a test that it is one.
    const IS_OTHER: &str = "ARGUS_TEST_IS_OTHER";

    /// Not a test by itself: a process that lives until its standard input is closed.
    #[test]
    fn as_another_process() {
        if std::env::var_os(IS_OTHER).is_some() {
            let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            assert_eq!(read.expect("a pipe"), 0);
        }
    }

    #[test]
    fn this_process_is_alive_and_another_with_its_pid_is_not() {
        let own = std::process::id();
        let process = ThisMachine.identify(own).expect("this process runs");
        assert_eq!(ThisMachine.verdict(own, None), Verdict::Alive);
        assert_eq!(ThisMachine.verdict(own, Some(&process)), Verdict::Alive);

        let earlier = Process { start_time: process.start_time - 1, ..process.clone() };
        assert_eq!(ThisMachine.verdict(own, Some(&earlier)), Verdict::Dead);
        let elsewhere = Process { pid_namespace: Some(1), ..process.clone() };
        assert_eq!(ThisMachine.verdict(own, Some(&elsewhere)), Verdict::Unknown);
        let another_boot = Process { boot_id: "another".into(), ..process };
        assert_eq!(ThisMachine.verdict(own, Some(&another_boot)), Verdict::Unknown);
    }

    #[test]
    fn a_process_is_dead_from_its_end_on_even_while_nobody_has_waited_for_it() {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its own path"))
            .args(["--exact", "tests::as_another_process"])
            .env(IS_OTHER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it can be started");
        let pid = child.id();
        let process = ThisMachine.identify(pid).expect("it runs");
        drop(child.stdin.take());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while ThisMachine.verdict(pid, Some(&process)) != Verdict::Dead {
            assert!(std::time::Instant::now() < deadline, "it did not end");
            std::thread::yield_now();
        }
        assert_eq!(ThisMachine.identify(pid), None);
        child.wait().expect("it was started here");
        assert_eq!(ThisMachine.verdict(pid, Some(&process)), Verdict::Dead);
    }
}
