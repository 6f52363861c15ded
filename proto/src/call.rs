//! The table of methods: every request and every answer, in both encodings.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Code, Error, Result};
use crate::json::{JsonText, Object};
use crate::method::*;

/// A request with what all requests carry.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Call {
    /// The collection; `None` for the watchers.
    pub collection: Option<String>,
    /// Past this nothing may be applied: milliseconds on the machine's monotonic clock.
    pub deadline: Option<u64>,
    /// What is asked.
    pub request: Request,
}

/// The parameters of one method, and with them the method.
pub trait Method: Into<Request> {
    /// What it answers.
    type Result;

    /// The answer to this method. Another method's answer breaks the protocol.
    fn result(answer: Answer) -> Result<Self::Result>;
}

/// What a request needs of whoever serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes a collection durably.
    Change,
    /// Refreshes a record, in memory first.
    Heartbeat,
    /// Reads a collection.
    Read,
    /// Is about the daemon or the connection itself.
    Control,
    /// Is about what is told over the connection from then on.
    Subscription,
    /// Reads what is kept of a collection's past.
    History,
    /// Is about the folders of tasks.
    Sources,
}

/// What can be asked. Order is part of the binary encoding: add at the end only.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
#[expect(missing_docs, reason = "each variant is documented where its parameters are")]
pub enum Request {
    Hello(Hello),
    Announce(Announce),
    Heartbeat(Heartbeat),
    Remove(Remove),
    Get(Get),
    List(List),
    Prune(Prune),
    Resolve(Resolve),
    Status(Status),
    Shutdown(Shutdown),
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
    Put(Put),
    Patch(Patch),
    GetDocument(GetDocument),
    PatchDocument(PatchDocument),
    History(History),
    Why(Why),
    ListSources(ListSources),
    AddSource(AddSource),
    RemoveSource(RemoveSource),
    PauseSource(PauseSource),
    ResumeSource(ResumeSource),
    SyncSources(SyncSources),
}

/// What can be answered. Order is part of the binary encoding: add at the end only.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
#[expect(missing_docs, reason = "each variant is documented where its result is")]
pub enum Answer {
    Hello(Welcome),
    Announce(Announced),
    Heartbeat(Refreshed),
    Remove(Removed),
    Get(Found),
    List(Listing),
    Prune(Pruned),
    Resolve(Resolved),
    Status(StatusReport),
    Shutdown(Stopping),
    Subscribe(Subscribed),
    Unsubscribe(Unsubscribed),
    Put(Written),
    Patch(Written),
    GetDocument(FoundDocument),
    PatchDocument(Written),
    History(Changes),
    Why(Explanation),
    ListSources(Sources),
    AddSource(Sources),
    RemoveSource(Sources),
    PauseSource(Sources),
    ResumeSource(Sources),
    SyncSources(Sources),
}

impl Request {
    /// Whether the collection's file has to show the change before it is answered.
    pub fn wants_flush(&self) -> bool {
        match self {
            Request::Announce(announce) => announce.flush,
            Request::Remove(remove) => remove.flush,
            Request::Put(put) => put.flush,
            Request::Patch(patch) => patch.flush,
            Request::PatchDocument(patch) => patch.flush,
            // Only people prune.
            Request::Prune(_) => true,
            _ => false,
        }
    }
}

/// Several requests may share a method's name: those below `@document` are asked for by
/// `document: true` among the parameters.
macro_rules! methods {
    (
        $($variant:ident $name:literal $kind:ident $result:ident;)*
        @document
        $($of_document:ident $of_name:literal $of_kind:ident $of_result:ident;)*
    ) => {
        impl Request {
            /// The names of all methods.
            pub const METHODS: &[&str] = &[$($name),*];

            /// The name of the method.
            pub fn method(&self) -> &'static str {
                match self {
                    $(Request::$variant(_) => $name,)*
                    $(Request::$of_document(_) => $of_name,)*
                }
            }

            /// What it needs of whoever serves it.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Request::$variant(_) => Kind::$kind,)*
                    $(Request::$of_document(_) => Kind::$of_kind,)*
                }
            }

            /// Reads the parameters of a method; `None` where there is no such method.
            pub fn from_json(method: &str, params: &str) -> Option<Result<Self>> {
                let of_document = match method {
                    $($of_name)|* => is_about_document(method, params),
                    _ => Ok(false),
                };
                let of_document = match of_document {
                    Ok(of_document) => of_document,
                    Err(error) => return Some(Err(error)),
                };
                Some(match method {
                    $($of_name if of_document => {
                        parse_params(method, params).map(Request::$of_document)
                    })*
                    $($name => parse_params(method, params).map(Request::$variant),)*
                    _ => return None,
                })
            }

            /// The parameters as JSON.
            pub fn to_json(&self) -> Result<String> {
                match self {
                    $(Request::$variant(params) => to_json(params),)*
                    $(Request::$of_document(params) => about_document(&to_json(params)?),)*
                }
            }
        }

        impl Answer {
            /// The result as JSON.
            pub fn to_json(&self) -> Result<String> {
                match self {
                    $(Answer::$variant(result) => to_json(result),)*
                    $(Answer::$of_document(result) => to_json(result),)*
                }
            }
        }

        $(method!($variant $name $result);)*
        $(method!($of_document $of_name $of_result);)*
    };
}

macro_rules! method {
    ($variant:ident $name:literal $result:ident) => {
        impl From<$variant> for Request {
            fn from(params: $variant) -> Self {
                Request::$variant(params)
            }
        }

        impl Method for $variant {
            type Result = $result;

            fn result(answer: Answer) -> Result<$result> {
                match answer {
                    Answer::$variant(result) => Ok(result),
                    _ => Err(Error::new(
                        Code::Protocol,
                        concat!("the daemon's answer does not belong to `", $name, "`"),
                    )),
                }
            }
        }
    };
}

methods! {
    Hello "hello" Control Welcome;
    Announce "announce" Change Announced;
    Heartbeat "heartbeat" Heartbeat Refreshed;
    Remove "remove" Change Removed;
    Get "get" Read Found;
    List "list" Read Listing;
    Prune "prune" Change Pruned;
    Resolve "resolve" Read Resolved;
    Status "status" Control StatusReport;
    Shutdown "shutdown" Control Stopping;
    Subscribe "subscribe" Subscription Subscribed;
    Unsubscribe "unsubscribe" Subscription Unsubscribed;
    Put "put" Change Written;
    Patch "patch" Change Written;
    History "history" History Changes;
    Why "why" History Explanation;
    ListSources "sources.list" Sources Sources;
    AddSource "sources.add" Sources Sources;
    RemoveSource "sources.remove" Sources Sources;
    PauseSource "sources.pause" Sources Sources;
    ResumeSource "sources.resume" Sources Sources;
    SyncSources "sources.sync" Sources Sources;
    @document
    GetDocument "get" Read FoundDocument;
    PatchDocument "patch" Change Written;
}

impl Call {
    /// A request about the watchers, without deadline.
    pub fn new(request: impl Into<Request>) -> Self {
        Call { collection: None, deadline: None, request: request.into() }
    }

    /// Reads a method and its parameters, `None` where there is no such method.
    pub fn from_json(method: &str, params: Option<&JsonText>) -> Option<Result<Self>> {
        #[derive(Deserialize)]
        struct Common {
            #[serde(default)]
            collection: Option<String>,
            #[serde(default)]
            deadline: Option<f64>,
        }

        let params = params.map_or("{}", JsonText::as_str);
        let request = Request::from_json(method, params)?;
        Some(request.and_then(|request| {
            let common: Common = parse_params(method, params)?;
            Ok(Call {
                collection: common.collection,
                // Clocks of other languages tell fractions of a millisecond.
                deadline: common.deadline.map(|deadline| deadline.max(0.0) as u64),
                request,
            })
        }))
    }

    /// The parameters as JSON, with what all requests carry.
    pub fn params_to_json(&self) -> Result<String> {
        let mut object = params_object(&self.request.to_json()?)?;
        if let Some(collection) = &self.collection {
            object.set_string("collection", collection);
        }
        if let Some(deadline) = self.deadline {
            object.set("deadline", deadline.to_string());
        }
        Ok(object.to_text())
    }
}

/// Whether a call is about the document, and not about one of its records.
fn is_about_document(method: &str, params: &str) -> Result<bool> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Subject {
        id: Option<IgnoredAny>,
        #[serde(default)]
        document: bool,
        #[serde(default)]
        if_absent: bool,
    }

    let subject: Subject = parse_params(method, params)?;
    let message = match (subject.id.is_some(), subject.document) {
        (true, false) => return Ok(false),
        (false, true) if !subject.if_absent => return Ok(true),
        (false, true) => "cannot be asked for with `ifAbsent`: the document is always there",
        (true, true) => "takes an `id` or `document: true`, not both",
        (false, false) => "takes an `id`, or `document: true`",
    };
    Err(Error::new(Code::Usage, format!("`{method}` {message}"))
        .hint(format!("argus {method} --help")))
}

fn about_document(params: &str) -> Result<String> {
    let mut object = params_object(params)?;
    object.set("document", "true");
    Ok(object.to_text())
}

fn params_object(params: &str) -> Result<Object> {
    Object::parse(params).map_err(|error| Error::new(Code::Protocol, error.to_string()))
}

fn parse_params<'a, T: Deserialize<'a>>(method: &str, params: &'a str) -> Result<T> {
    if !params.starts_with('{') {
        return Err(Error::new(Code::Usage, format!("the params of `{method}` must be an object")));
    }
    serde_json::from_str(params)
        .map_err(|error| Error::new(Code::Usage, format!("`{method}`: {}", without_place(&error))))
}

/// A parameter's place inside a line of JSON tells nobody anything.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message,
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Code::Protocol, format!("cannot be sent as JSON: {error}")))
}
