//! Processes as `ps` shows them, where there is no `/proc`.

use std::process::Command;

/// The letter for the state of a process; `None` where there is no such process.
pub(super) fn state(pid: u32) -> Option<char> {
    shown(&["-o", "state=", "-p", &pid.to_string()]).trim_start().chars().next()
}

/// All processes, with the program that they run and all their arguments.
pub(super) fn all() -> Vec<(u32, String, String)> {
    let programs = shown(&["-axo", "pid=,comm="]);
    let program_of = |pid: &str| {
        let mut lines = programs.lines().filter_map(|line| line.trim_start().split_once(' '));
        lines.find(|(of, _)| *of == pid).map(|(_, program)| program.trim().to_owned())
    };
    shown(&["-axwwo", "pid=,command="])
        .lines()
        .filter_map(|line| {
            let (pid, arguments) = line.trim_start().split_once(' ')?;
            Some((pid.parse().ok()?, program_of(pid)?, arguments.to_owned()))
        })
        .collect()
}

fn shown(arguments: &[&str]) -> String {
    let output = Command::new("ps").args(arguments).output().expect("every Unix has it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
