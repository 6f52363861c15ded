//! `argus prune`.

use argus_client::Result;
use argus_client::method::{Prune, Pruned};

use super::Session;
use crate::args;
use crate::output::printable;

pub(crate) async fn run(session: &Session, arguments: args::Prune) -> Result<()> {
    let prune = Prune {
        ttl_ms: arguments.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
        by_cwd: arguments.by_cwd,
        dry_run: arguments.dry_run,
    };
    let pruned = session.told(false, session.client.prune(prune).await)?;
    if !session.output.json {
        let verb = if pruned.dry_run { "would remove" } else { "removed" };
        anstream::eprintln!("{verb} {}, kept {}", pruned.removed_ids.len(), pruned.kept_ids.len());
    }
    session.output.change(&pruned, |pruned: &Pruned| {
        let ids: Vec<String> = pruned.removed_ids.iter().map(|id| printable(id)).collect();
        ids.join("\n")
    })
}
