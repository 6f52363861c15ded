//! What a program prints, line by line, and not for ever.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use crate::wait::DEADLINE;

/// The lines that a program prints.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    /// Those that come out of a pipe.
    pub fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        // It ends with the program, or with the test.
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Lines(lines)
    }
}

impl Iterator for Lines {
    type Item = String;

    /// The next one; `None` at the end.
    fn next(&mut self) -> Option<String> {
        match self.0.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {DEADLINE:?}"),
        }
    }
}
