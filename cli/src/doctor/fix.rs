//! Mending what can be mended without a risk: nobody is killed, nothing that was kept is deleted, and
//! nobody's permissions are changed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use argus_client::method::Prune;
use argus_client::{Client, Code, Error, Mode, Probe, Result};
use tokio::time::sleep;

use super::diagnosis::{Cure, Finding};
use super::evidence::Evidence;

/// How long a daemon that serves may take to mend the file, which it does from its memory.
const MEND_WAIT: Duration = Duration::from_secs(5);
const MEND_PAUSE: Duration = Duration::from_millis(100);

/// Does what the findings call for. What could not be done is told with its reason.
pub(crate) async fn fix(
    client: &Client,
    evidence: &Evidence,
    findings: &[Finding],
) -> Vec<(Cure, Error)> {
    let cures: BTreeSet<Cure> = findings.iter().filter_map(|finding| finding.cure).collect();
    let mut failures = Vec::new();
    for cure in cures {
        let is_on_the_file = matches!(cure, Cure::MendFile | Cure::ClearLocks);
        let done = match cure {
            _ if is_on_the_file && client.options().mode == Mode::DaemonOnly => {
                Err(Error::new(Code::Unreachable, "only the daemon may be used"))
            }
            Cure::MendFile => mend(client, evidence).await,
            Cure::ClearLocks => client
                .collection_file()
                .and_then(|mut file| file.clear_locks(client.lock_wait()).map_err(Error::from)),
            Cure::StartDaemon => client.start_daemon().await.map(drop),
            Cure::PruneDead => prune(client).await,
        };
        failures.extend(done.err().map(|error| (cure, error)));
    }
    failures
}

/// Where a daemon serves, its memory is newer than any copy on the disk, and it mends by itself.
async fn mend(client: &Client, evidence: &Evidence) -> Result<()> {
    let mut file = client.collection_file()?;
    if !matches!(evidence.daemon, Probe::Answers(_)) {
        return Ok(file.mend(client.lock_wait()).map(drop)?);
    }
    let until = Instant::now() + MEND_WAIT;
    loop {
        match file.reload() {
            Ok(_) => return Ok(()),
            Err(_) if Instant::now() < until => sleep(MEND_PAUSE).await,
            Err(_) => return Err(Error::new(Code::Timeout, "argusd has not mended it")),
        }
    }
}

/// However long one has not been heard of: only the dead go.
async fn prune(client: &Client) -> Result<()> {
    let dead = Prune { ttl_ms: Some(u64::MAX), ..Prune::default() };
    client.prune(dead).await.map(drop)
}
