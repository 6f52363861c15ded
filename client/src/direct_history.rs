//! What is asked about the past without a daemon: what the last one has written is read from its database.

use argus_proto::error::{Code, Error, Result};
use argus_proto::{Answer, Request};

use crate::fallback::Fallback;

/// Answers a request about the past.
#[cfg(feature = "history")]
pub(crate) fn answer(fallback: &Fallback, request: &Request) -> Result<Answer> {
    use argus_database::{History, explain, keeps_none};
    use argus_presence::clock;
    use argus_proto::method::{Changes, Get};
    use std::time::Instant;

    let direct = fallback.direct()?;
    let collection = &direct.collection().name;
    let path = fallback.config().database.file(&fallback.paths().folder());
    let is_kept = path.is_some();
    let history = path.map(|path| History::open(&path)).transpose()?.flatten();
    match request {
        Request::Why(why) => {
            let get = Get { id: why.id.clone() }.into();
            let found = match direct.call(&get, Instant::now()) {
                Ok(Answer::Get(found)) => Some(found),
                Err(error) if error.code != Code::NotFound => return Err(error),
                _ => None,
            };
            explain(history.as_ref(), collection, why, found.as_ref(), clock::wall_ms())
                .map(Answer::Why)
        }
        Request::History(asked) => {
            let Some(history) = history else {
                return if is_kept {
                    Ok(Answer::History(Changes::default()))
                } else {
                    Err(keeps_none())
                };
            };
            let changes = history.changes(Some(collection), asked, clock::wall_ms());
            changes.map(Answer::History).map_err(Error::from)
        }
        other => Err(Error::new(Code::Protocol, format!("`{}` is not served", other.method()))),
    }
}

/// A program that is built without it asks the daemon.
#[cfg(not(feature = "history"))]
pub(crate) fn answer(_fallback: &Fallback, _request: &Request) -> Result<Answer> {
    Err(Error::new(
        Code::Unreachable,
        "no argusd is running, and this program cannot read its database",
    )
    .hint("argus daemon start"))
}
