//! What becomes of a call that was understood, with a registry in memory.

use std::sync::LazyLock;

use argus_proto::call::Kind;
use argus_proto::collection::{Catalog, WATCHERS};
use argus_proto::document::Document;
use argus_proto::engine::{self, Context};
use argus_proto::json::JsonText;
use argus_proto::limits::RECORD_BYTES_MAX;
use argus_proto::process::Verdict;
use argus_proto::{Answer, Call, Request, Result};

use crate::machine::Says;
use crate::{answers, registry};

/// A registry with records of each kind: sound, of a process, damaged, with odd keys.
const REGISTRY: &str = r#"{"version":1,"updatedAt":10,"owner":"x","watchers":{
    "app":{"id":"app","host":"h","port":80,"pid":7,"cwd":"/shop","startedAt":1,"updatedAt":10},
    "a":{"id":"a","host":"h","port":0,"pid":8,"startedAt":1,"updatedAt":10,
         "process":{"bootId":"this","startTime":8,"pidNamespace":1}},
    "\ud800":{"id":"\ud800","host":"h","port":0,"pid":7,"startedAt":1,"updatedAt":10},
    "broken":null}}"#;

/// A process that asks.
const CALLER: u32 = 7;

/// Whatever `call` asks, it is answered; and what it changes stays a registry.
pub(crate) fn check(call: &Call, request: &[u8]) {
    for verdict in [Verdict::Alive, Verdict::Dead, Verdict::Unknown] {
        match serve(call, verdict) {
            Ok(Some(answer)) => answers::answer_is_told(&answer),
            Ok(None) => {}
            Err(error) => {
                let null = JsonText::from_canonical("null");
                answers::error_is_told(&null, &error.into(), request);
            }
        }
    }
}

/// `None` where the answer is the daemon's own.
fn serve(call: &Call, verdict: Verdict) -> Result<Option<Answer>> {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);
    let collection = CATALOG.named(call.collection.as_deref())?;
    if collection.name != WATCHERS.name {
        // The document is one of watchers.
        return Ok(None);
    }
    static DOCUMENT: LazyLock<Document> =
        LazyLock::new(|| Document::parse(REGISTRY.as_bytes(), &WATCHERS).expect("a registry"));
    let document = &*DOCUMENT;
    let context = Context { collection, now: 60_011, machine: &Says(verdict), caller: CALLER };
    let answer = match &call.request {
        request if matches!(request.kind(), Kind::Change | Kind::Heartbeat) => {
            Some(change(document, request, context)?)
        }
        Request::Get(get) => Some(Answer::Get(get.answer(document, context)?)),
        Request::GetDocument(get) => Some(Answer::GetDocument(get.answer(document))),
        Request::List(list) => Some(Answer::List(list.answer(document, context))),
        Request::Resolve(resolve) => {
            resolve.start(document, context)?;
            None
        }
        _ => None,
    };
    Ok(answer)
}

fn change(document: &Document, request: &Request, context: Context<'_>) -> Result<Answer> {
    let outcome = engine::apply(document, request, context)?;
    registry::stays_one(&outcome.document);
    for change in &outcome.changes {
        let now = outcome.document.records.get(&change.id);
        assert_eq!(now, change.after.as_ref(), "{} is not what it was told to be", change.id);
        let bytes = change.after.as_ref().map_or(0, |record| record.text().len());
        assert!(bytes <= RECORD_BYTES_MAX, "a record of {bytes} bytes was taken");
    }
    for (id, record) in document.records.iter() {
        let is_told = outcome.changes.iter().any(|change| change.id == *id);
        let now = outcome.document.records.get(id).map(|record| record.etag());
        assert!(is_told || now == Some(record.etag()), "{id} changed and nobody is told");
    }
    // A retry after a lost answer changes nothing more.
    if let Ok(again) = engine::apply(&outcome.document, request, context) {
        let (once, twice) = (&outcome.document, &again.document);
        assert_eq!(twice.render(), once.render(), "{request:?}");
    }
    Ok(outcome.answer)
}
