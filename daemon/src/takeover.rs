//! Taking over from an older daemon: its owner lock and its socket, without a moment in which
//! one is free or the other gone.
//!
//! The older one first answers everyone and writes everything. Who connects meanwhile waits in
//! the socket's queue, and is served here.

use std::fs::File;
use std::io;
use std::time::Duration;

use argus_proto::call::Call;
use argus_proto::error::{Code, Error, Result};
use argus_proto::json::JsonText;
use argus_proto::method::hello::{PROTOCOLS, is_newer, refusing_version};
use argus_proto::method::{Hello, Shutdown, Stopping, Welcome};
use argus_proto::wire::jsonrpc;
use argus_store::Paths;

use crate::daemon::VERSION;
use crate::platform::{Predecessor, Socket};

/// How long the daemon before may take for each answer, and for its ending.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer answers are not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks the daemon that serves to end in favour of this one. `None` where it has nothing to hand
/// over: it is gone, or does not know how to. Without the lock where that cannot be passed on: it is
/// free by then.
///
/// # Errors
/// `E_BUSY` where it is not older than this one.
pub(crate) fn take_over(paths: &Paths) -> Result<Option<(Option<File>, Socket)>> {
    let socket = paths.socket();
    let failed = |error: io::Error| {
        let shown = socket.display();
        Error::new(Code::Unreachable, format!("cannot take over from argusd at {shown}: {error}"))
    };
    let Some(mut predecessor) = Predecessor::connect(&socket, PATIENCE).map_err(failed)? else {
        return Ok(None);
    };
    let ask = |predecessor: &mut Predecessor, call: Call| -> Result<JsonText> {
        let line = jsonrpc::write_request(0, &call)?;
        let answer = predecessor.ask(&line, ANSWER_BYTES_MAX).map_err(failed)?;
        jsonrpc::read_response(&answer)?.1
    };

    let hello =
        Hello { client: "argusd".to_owned(), version: VERSION.to_owned(), protocol: PROTOCOLS };
    let welcome = ask(&mut predecessor, Call::new(hello));
    let version = match welcome.and_then(|text| jsonrpc::read_result(&text)) {
        Ok(Welcome { version, .. }) => version,
        // It speaks no protocol of ours; to end it needs none.
        Err(error) => refusing_version(&error).ok_or(error)?,
    };
    if !is_newer(VERSION, &version) {
        return Err(Error::new(
            Code::Busy,
            format!("argusd {version} serves already; {VERSION} is not newer"),
        ));
    }
    predecessor.prepare().map_err(failed)?;
    let stopping = ask(&mut predecessor, Call::new(Shutdown { handover: true }))?;
    let Stopping { handover, .. } = jsonrpc::read_result(&stopping)?;
    if handover { predecessor.inherit().map_err(failed) } else { Ok(None) }
}
