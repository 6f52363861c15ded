//! `argus heartbeat`.

use argus_client::Result;
use argus_client::method::{Heartbeat, Refreshed};

use super::Session;
use crate::args;

pub(crate) async fn run(session: &Session, arguments: args::Heartbeat) -> Result<()> {
    let heartbeat = Heartbeat { id: arguments.id, pid: arguments.pid };
    let refreshed = session.told(false, session.client.heartbeat(heartbeat).await)?;
    session.output.change(&refreshed, |refreshed: &Refreshed| refreshed.id.clone())
}
