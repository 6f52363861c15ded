//! What is the matter with the daemon, told apart: for who looks for what is wrong. A call needs to
//! know only whether it can be served.

use argus_proto::call::{Call, Method};
use argus_proto::error::{Code, Error};
use argus_proto::limits::REQUEST_DEADLINE;
use argus_proto::method::{Status, StatusReport};
use argus_store::{Folder, Paths, StoreError};
use tokio::time::Instant;

use crate::connection::{Connection, Unanswered};
use crate::handshake::{Absence, Failure};

/// How often a silent daemon is asked: a busy machine is no hung daemon.
const ATTEMPTS: usize = 3;

/// What there is at the socket of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Nobody, and nothing: no daemon runs.
    Absent,
    /// A socket that nobody listens at: a daemon was killed.
    Refused,
    /// It is closed to this user.
    Permission(Error),
    /// The folder or the daemon is another user's; whose, as far as the system tells.
    Foreign {
        /// What belongs to another user.
        error: Error,
        /// The other user.
        owner: Option<String>,
    },
    /// Somebody who does not answer.
    Hung(Error),
    /// A daemon with which there is no common protocol, or something that is no daemon of argus.
    Incompatible(Error),
    /// Somebody who answers that he cannot serve.
    Unusable(Error),
    /// A daemon that serves.
    Answers(Box<StatusReport>),
}

/// Looks once, and again where there was no answer. Starts nothing and changes nothing.
pub(crate) async fn probe(paths: &Paths, name: &str) -> Probe {
    let mut last = Probe::Absent;
    for _ in 0..ATTEMPTS {
        last = look(paths, name).await;
        if !matches!(last, Probe::Hung(_)) {
            break;
        }
    }
    last
}

async fn look(paths: &Paths, name: &str) -> Probe {
    match Folder::open_as_it_is(paths.folder()) {
        Ok(_) => {}
        Err(StoreError::Foreign { path, owner, own }) => {
            let error = StoreError::Foreign { path, owner: owner.clone(), own }.into();
            return Probe::Foreign { error, owner: Some(owner) };
        }
        Err(error) if error.code() == Code::Permission => return Probe::Permission(error.into()),
        Err(_) => return Probe::Absent,
    }
    let connection = match Connection::open(&paths.socket(), name).await {
        Ok(connection) => connection,
        Err(Failure::Absent(Absence::Refused)) => return Probe::Refused,
        Err(Failure::Absent(_)) => return Probe::Absent,
        Err(Failure::Unusable(error)) => return unusable(error),
    };
    let deadline = Instant::now() + REQUEST_DEADLINE;
    match connection.call(Call::new(Status {}), deadline).await {
        Ok(Ok(answer)) => match Status::result(answer) {
            Ok(report) => Probe::Answers(Box::new(report)),
            Err(error) => Probe::Incompatible(error),
        },
        Ok(Err(error)) => unusable(error),
        Err(Unanswered::Gone) => Probe::Absent,
        Err(Unanswered::Late) => Probe::Hung(Error::new(
            Code::Timeout,
            "argusd says hello, and does not answer after that",
        )),
    }
}

fn unusable(error: Error) -> Probe {
    match error.code {
        Code::Permission => {
            let details = error.details.as_ref().map(|details| details.to_value());
            match details.as_ref().and_then(|details| details.get("owner")) {
                Some(owner) => {
                    let owner = owner.as_str().map(str::to_owned);
                    Probe::Foreign { error, owner }
                }
                None => Probe::Permission(error),
            }
        }
        Code::Timeout => Probe::Hung(error),
        Code::Protocol => Probe::Incompatible(error),
        _ => Probe::Unusable(error),
    }
}
