//! A registry with its daemon, and everything that is measured at it.

use std::time::{Duration, Instant};

use argus_tests::TestContext;

use crate::connection::{self, Connection, FrameBytes};
use crate::echo::Echo;
use crate::plan::Plan;
use crate::samples::Samples;
use crate::turns::Turns;
use crate::work::{Call, Kind, Work};
use crate::{disk, load, seed};

/// A daemon that answers within this time has nothing else to do.
const QUIET: Duration = Duration::from_millis(5);
/// How long is waited for that. It is no failure if it never comes.
const SETTLING_MAX: Duration = Duration::from_secs(5);

/// Something that takes time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    /// A call, from all clients at once.
    Call(Call),
    /// The socket alone, from as many clients, with frames as large as the call's.
    RoundTrip,
    /// The disk alone, from one process as in the daemon: one append as large as the call's frame.
    Append,
    /// The disk alone: one whole file as large as the registry's.
    WholeWrite,
}

/// A registry and its daemon.
pub(crate) struct Home {
    /// How many records it has.
    pub(crate) records: usize,
    /// How many processes call at once.
    pub(crate) clients: usize,
    /// The daemon's pid.
    pub(crate) daemon: u32,
    file_bytes: usize,
    // Before the context, which removes the folder that its socket is in.
    echo: Echo,
    context: TestContext,
}

impl Subject {
    /// As it stands in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Call(call) => call.name(),
            Subject::RoundTrip => "round trip",
            Subject::Append => "append",
            Subject::WholeWrite => "whole write",
        }
    }
}

impl Home {
    /// Starts a daemon on a new registry.
    pub(crate) fn new(records: usize, clients: usize) -> Self {
        let context = TestContext::new();
        let file_bytes = seed::write(&context, records);
        let daemon = context.start_daemon();
        let echo = Echo::start(&context);
        Home { records, clients, daemon, file_bytes, echo, context }
    }

    /// Measures calls and what stands beside them, for the time that the plan has for each.
    pub(crate) fn measure(&self, calls: &[Call], floors: &[Subject], plan: &Plan) -> Vec<Turns> {
        // Calls that share a floor have the same frames.
        let frame_bytes = self.frame_bytes(calls[0]);
        let calls = calls.iter().map(|call| Subject::Call(*call));
        let subjects: Vec<Subject> = calls.chain(floors.iter().copied()).collect();
        let mut measured: Vec<Turns> = subjects.iter().map(|_| Turns::default()).collect();
        let start = Instant::now();
        // What takes longer than its slice gets fewer of them.
        while start.elapsed() < plan.cell * subjects.len() as u32 {
            for (turns, subject) in measured.iter_mut().zip(&subjects) {
                self.settle();
                turns.push(self.measure_once(*subject, frame_bytes, plan.slice));
            }
        }
        measured
    }

    fn measure_once(
        &self,
        subject: Subject,
        frame_bytes: FrameBytes,
        duration: Duration,
    ) -> Samples {
        match subject {
            Subject::Call(call) => self.load(duration, |client| Kind::Call {
                call,
                registry: self.context.registry(),
                // With fewer records than clients some share one.
                record: client * self.records.div_ceil(self.clients) % self.records,
                pid: std::process::id(),
            }),
            Subject::RoundTrip => {
                let socket = self.echo.socket().to_owned();
                self.load(duration, |_| Kind::RoundTrip { socket: socket.clone(), frame_bytes })
            }
            Subject::Append => disk::append(&self.context, frame_bytes.request, duration),
            Subject::WholeWrite => disk::replace(&self.context, self.file_bytes, duration),
        }
    }

    fn load(&self, duration: Duration, kind: impl Fn(usize) -> Kind) -> Samples {
        let works = (0..self.clients).map(|client| Work { duration, kind: kind(client) });
        load::measure(works)
    }

    /// Waits for a daemon that is still at work on what nobody waits for any more, as it is after
    /// calls that took too long: it would be in the way of what is measured next.
    fn settle(&self) {
        let deadline = Instant::now() + SETTLING_MAX;
        let mut connection = Connection::open(&self.context.paths().socket());
        while Instant::now() < deadline {
            let request = connection::request(Call::Get.request(0, std::process::id()));
            let asked = Instant::now();
            if connection.exchange(&request).is_ok() && asked.elapsed() < QUIET {
                return;
            }
            std::thread::sleep(QUIET);
        }
    }

    fn frame_bytes(&self, call: Call) -> FrameBytes {
        let request = connection::request(call.request(0, std::process::id()));
        let mut connection = Connection::open(&self.context.paths().socket());
        connection.exchange(&request).expect("the daemon answers")
    }
}
