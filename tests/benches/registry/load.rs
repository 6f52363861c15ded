//! Workers that start together, and what they measured.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::samples::Samples;
use crate::work::Work;
use crate::worker;

/// Runs a process for each piece of work, all at the same time.
pub(crate) fn measure(works: impl Iterator<Item = Work>) -> Samples {
    let mut workers: Vec<Worker> = works.map(|work| Worker::start(&work)).collect();
    for worker in &mut workers {
        assert_eq!(worker.line(), worker::READY, "a worker prepares");
    }
    for worker in &mut workers {
        worker.stdin.write_all(b"\n").expect("a worker waits for its start");
    }
    let mut samples = Samples::default();
    for worker in &mut workers {
        samples.join(Samples::from_line(&worker.line()));
        worker.process.wait().expect("it was started here");
    }
    samples
}

struct Worker {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start(work: &Work) -> Self {
        let executable = std::env::current_exe().expect("a program knows its own path");
        let mut process = Command::new(executable)
            .args([worker::ROLE, &work.to_argument()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run again");
        let stdin = process.stdin.take().expect("piped");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Worker { process, stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a worker reports in text");
        line.trim_end().to_owned()
    }
}
