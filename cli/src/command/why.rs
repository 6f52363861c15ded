//! `argus why`: why a record is there, stale or gone.

use argus_client::Result;
use argus_client::method::Explanation;

use super::Session;
use crate::args;
use crate::output::printable;

pub(crate) async fn run(session: &Session, arguments: args::Why) -> Result<()> {
    let explanation = session.told(true, session.client.why(&arguments.id).await)?;
    if let Some(behind) = &explanation.behind {
        session.output.warning(&format!("this may not be the last of it: {behind}"));
    }
    session.output.data(&explanation, |Explanation { sentence, .. }| printable(sentence))
}
