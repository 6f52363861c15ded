//! The same calls over bincode, over JSON-RPC and in direct mode give the same answers and the
//! same file.

use argus_client::method::{Announced, FoundDocument, Removed};
use argus_client::{Code, Error, Mode, blocking};
use argus_proto::json::JsonText;
use argus_proto::wire::binary::{ClientMessage, ServerMessage, encode_answer, encode_request};
use argus_proto::{Answer, Call, Request};
use argus_tests::TestContext;
use serde_json::{Value, json};

/// A call: its method and its parameters. `PID` stands for a living process.
fn script(pid: u32, other: u32) -> Vec<(&'static str, Value)> {
    let app = json!({
        "id": "app", "port": 3000, "pid": pid, "cwd": "/shop",
        "startedAt": 1_760_000_000_000_u64, "updatedAt": 1_760_000_000_000_u64,
        "big": 9_007_199_254_740_993_u64, "nested": { "2": 1.0, "1": [] }, "text": "ü\n\u{7f}",
    });
    let record = |id: &str, pid: u32| json!({ "id": id, "pid": pid, "startedAt": 1 });
    vec![
        ("list", json!({})),
        ("announce", json!({ "record": app })),
        ("announce", json!({ "record": app, "flush": true })),
        ("announce", json!({ "record": record("app", other) })),
        ("announce", json!({ "record": record("app", other), "unique": true })),
        ("announce", json!({ "record": record("app", other), "unique": true })),
        (
            "announce",
            json!({ "record": { "id": "far", "pid": pid, "host": "::1", "startedAt": 1 } }),
        ),
        ("announce", json!({ "record": record("far", other), "replace": true, "vouch": true })),
        ("announce", json!({ "record": { "id": "bad", "port": 70_000 } })),
        ("announce", json!({ "record": { "id": "bad", "pid": 0 } })),
        ("announce", json!({ "record": { "id": " bad" } })),
        ("announce", json!({ "record": { "id": "a\nb" } })),
        ("announce", json!({ "record": { "id": 7 } })),
        ("announce", json!({ "record": {} })),
        ("announce", json!({ "record": [] })),
        ("announce", json!({ "record": { "id": "big", "note": "x".repeat(65 * 1024) } })),
        ("get", json!({ "id": "app" })),
        ("get", json!({ "id": "nobody" })),
        ("get", json!({ "id": "" })),
        ("heartbeat", json!({ "id": "app" })),
        ("heartbeat", json!({ "id": "app", "pid": other })),
        ("heartbeat", json!({ "id": "nobody" })),
        ("list", json!({ "cwd": "/shop" })),
        ("list", json!({ "byCwd": "ho" })),
        ("list", json!({ "byCwd": "nowhere" })),
        ("resolve", json!({ "id": "app-2" })),
        ("resolve", json!({ "cwd": "/shop" })),
        ("resolve", json!({ "cwd": "/elsewhere" })),
        ("resolve", json!({ "id": "nobody" })),
        ("put", json!({ "id": "set", "value": record("set", other) })),
        ("put", json!({ "id": "set", "value": record("other", other) })),
        (
            "put",
            json!({ "id": "set", "value": { "host": "h", "port": 1, "pid": other, "startedAt": 1 } }),
        ),
        ("put", json!({ "id": "set", "value": [] })),
        ("put", json!({ "id": "set", "value": {}, "ifMatch": "0", "ifAbsent": true })),
        ("put", json!({ "id": "set", "value": {}, "ifAbsent": true })),
        ("patch", json!({ "id": "set", "patch": { "port": 2, "deep": { "a": null } } })),
        ("patch", json!({ "id": "set", "patch": { "port": null } })),
        ("patch", json!({ "id": "set", "patch": {}, "ifMatch": "0" })),
        ("patch", json!({ "id": "nobody", "patch": {} })),
        ("get", json!({ "document": true })),
        ("get", json!({ "id": "set", "document": false })),
        ("get", json!({ "id": "set", "document": true })),
        ("get", json!({ "document": false })),
        ("get", json!({ "document": 1 })),
        ("get", json!({})),
        ("patch", json!({ "document": true, "patch": { "own": { "a": 1.0, "b": null } } })),
        ("patch", json!({ "document": true, "patch": { "own": { "c": 2 } }, "flush": true })),
        ("patch", json!({ "document": true, "patch": {}, "ifMatch": "0" })),
        ("patch", json!({ "document": true, "patch": {}, "ifAbsent": true })),
        ("patch", json!({ "document": true, "patch": { "version": 2 } })),
        ("patch", json!({ "document": true, "patch": { "updatedAt": 2 } })),
        ("patch", json!({ "document": true, "patch": { "watchers": null } })),
        ("patch", json!({ "document": true, "patch": 7 })),
        ("patch", json!({ "document": true, "patch": { "x": "x".repeat(65 * 1024) } })),
        ("patch", json!({ "document": true })),
        ("patch", json!({ "id": "set", "document": true, "patch": {} })),
        ("patch", json!({ "patch": {} })),
        ("get", json!({ "document": true })),
        ("remove", json!({ "id": "set" })),
        ("remove", json!({ "id": "app-2", "pid": pid })),
        ("remove", json!({ "id": "app-2", "ifMatch": "0" })),
        ("remove", json!({ "id": "app-2", "pid": other })),
        ("remove", json!({ "id": "app-2" })),
        ("prune", json!({ "dryRun": true })),
        ("prune", json!({ "ttlMs": 0, "byCwd": "/shop" })),
        ("prune", json!({})),
        ("list", json!({ "collection": "nothing" })),
        ("list", json!({})),
    ]
}

/// Someone who carries out calls.
trait Way {
    fn call(&mut self, method: &str, params: &Value) -> Value;
}

/// One for the watchers, and one for a collection that there is not: it cannot be had.
struct Client(blocking::Client, argus_client::Result<blocking::Client>);

fn told(error: &Error) -> Value {
    let details = error.details.as_ref().map(|details| details.to_value());
    json!({ "error": {
        "code": error.code, "message": error.message, "hint": error.hint, "details": details,
    } })
}

impl Way for Client {
    fn call(&mut self, method: &str, params: &Value) -> Value {
        let request = Request::from_json(method, &params.to_string()).expect("a method");
        let request = match request {
            Ok(request) => request,
            Err(error) => return told(&error),
        };
        let client = match &self.1 {
            _ if params["collection"].is_null() => &self.0,
            Ok(client) => client,
            Err(error) => return told(error),
        };
        macro_rules! call {
            ($($variant:ident),*) => {
                match request {
                    $(Request::$variant(params) => client.call(params).map(Answer::$variant),)*
                    other => panic!("not in the script: {}", other.method()),
                }
            };
        }
        match call!(
            Announce,
            Heartbeat,
            Remove,
            Get,
            List,
            Prune,
            Resolve,
            Put,
            Patch,
            GetDocument,
            PatchDocument
        ) {
            Ok(answer) => {
                let result = answer.to_json().expect("JSON");
                json!({ "result": serde_json::from_str::<Value>(&result).expect("JSON") })
            }
            Err(error) => told(&error),
        }
    }
}

impl Way for argus_tests::Rpc {
    fn call(&mut self, method: &str, params: &Value) -> Value {
        let response = argus_tests::Rpc::call(self, method, params.clone());
        match &response["error"] {
            Value::Null => json!({ "result": response["result"] }),
            error => json!({ "error": {
                "code": error["data"]["code"], "message": error["message"],
                "hint": error["data"]["hint"], "details": error["data"]["details"],
            } }),
        }
    }
}

/// Answers and file, without what may differ: the times of now, and the cursor.
fn play(context: &TestContext, way: &mut dyn Way, pid: u32, other: u32) -> (Vec<String>, Value) {
    let answers = script(pid, other)
        .into_iter()
        .map(|(method, params)| {
            let mut answer = way.call(method, &params);
            forget_times(&mut answer);
            let shown: String = params.to_string().chars().take(100).collect();
            format!("{method} {shown}\n  {answer}")
        })
        .collect();
    // A heartbeat may be in memory only; the next change takes it along.
    let last = json!({ "record": { "id": "last", "pid": pid, "startedAt": 1 }, "flush": true });
    way.call("announce", &last);
    let mut document = context.document();
    forget_times(&mut document);
    (answers, document)
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("cursor");
            for (key, value) in object.iter_mut() {
                if key == "updatedAt" {
                    *value = Value::from("a time");
                } else {
                    forget_times(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

#[test]
fn all_three_ways_give_the_same_answers_and_the_same_file() {
    let outer = TestContext::new();
    let (one, another) = (outer.bystander(), outer.bystander());
    let played = |mode: Option<Mode>| {
        let context = TestContext::new();
        let mut way: Box<dyn Way> = match mode {
            Some(mode) => {
                if mode == Mode::DaemonOnly {
                    context.start_daemon();
                }
                let mut options = context.options(mode);
                let plain = blocking::Client::new(options.clone()).expect("a client");
                options.collection = Some("nothing".into());
                Box::new(Client(plain, blocking::Client::new(options)))
            }
            None => {
                context.start_daemon();
                Box::new(context.rpc())
            }
        };
        play(&context, &mut *way, one.pid(), another.pid())
    };
    let (binary, binary_file) = played(Some(Mode::DaemonOnly));
    let (lines, lines_file) = played(None);
    let (direct, direct_file) = played(Some(Mode::Direct));
    for ((binary, lines), direct) in binary.iter().zip(&lines).zip(&direct) {
        assert_eq!(binary, lines, "bincode and JSON-RPC");
        assert_eq!(binary, direct, "daemon and direct");
    }
    assert_eq!(binary_file, lines_file);
    assert_eq!(binary_file, direct_file);
    let ids: Vec<&String> = binary_file["watchers"].as_object().expect("a map").keys().collect();
    assert_eq!(ids, ["far", "last"], "{binary:#?}");
    assert_eq!(binary_file["own"], json!({ "a": 1.0, "c": 2 }));
}

#[test]
fn lines_see_the_effect_of_the_lines_before_them() {
    let context = TestContext::new();
    context.start_daemon();
    let mut rpc = context.rpc();
    let mut lines = String::new();
    for number in 0..200 {
        let record = json!({ "id": format!("app-{number}") });
        lines += &format!(
            "{}\n{}\n",
            json!({ "jsonrpc": "2.0", "method": "announce", "params": { "record": record } }),
            json!({ "jsonrpc": "2.0", "id": number, "method": "list" }),
        );
    }
    rpc.send(lines.as_bytes());
    for number in 0..200_usize {
        let answer = rpc.receive().expect("an answer to each");
        assert_eq!(answer["id"], number);
        let records = answer["result"]["records"].as_array().expect("a list");
        assert_eq!(records.len(), number + 1);
    }
    // No notification was answered, so this is what comes next.
    rpc.result("status", json!({}));
}

#[test]
fn hello_agrees_on_a_protocol_or_names_both_versions() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut rpc = context.rpc();
    let welcome = rpc.result("hello", json!({ "client": "test", "protocol": [1, 9] }));
    assert_eq!(welcome["protocol"], 1);
    assert_eq!(welcome["pid"], pid);
    assert_eq!(welcome["registry"], json!(context.registry()));
    let refused =
        rpc.call("hello", json!({ "client": "test", "version": "9.9", "protocol": [8, 9] }));
    let message = refused["error"]["message"].as_str().expect("a message");
    assert_eq!(refused["error"]["data"]["code"], "E_PROTOCOL");
    assert!(message.contains("9.9") && message.contains("argusd 0."), "{message}");
}

#[test]
fn the_frames_of_protocol_1_are_what_they_were() {
    // The frames of protocol 1, to the byte: changing them would cut off every older program.
    let golden = include_str!("../golden/protocol-1.txt");
    let calls = [
        Request::from_json("announce", r#"{"record":{"id":"a","port":1},"unique":true}"#),
        Request::from_json("heartbeat", r#"{"id":"a","pid":7}"#),
        Request::from_json("remove", r#"{"id":"a","ifMatch":"e"}"#),
        Request::from_json("get", r#"{"id":"a"}"#),
        Request::from_json("list", r#"{"cwd":"/x"}"#),
        Request::from_json("prune", r#"{"ttlMs":5,"dryRun":true}"#),
        Request::from_json("resolve", r#"{"id":"a"}"#),
        Request::from_json("put", r#"{"id":"a","value":{},"ifMatch":"e"}"#),
        Request::from_json("patch", r#"{"id":"a","patch":{},"ifAbsent":true}"#),
        Request::from_json("get", r#"{"document":true}"#),
        Request::from_json("patch", r#"{"document":true,"patch":{},"ifMatch":"e"}"#),
    ];
    let mut produced: Vec<String> = golden.lines().take(1).map(str::to_owned).collect();
    for request in calls {
        let request = request.expect("a method").expect("its parameters");
        let method = request.method();
        let call = Call { collection: None, deadline: Some(9), request };
        let payload = encode_request(&ClientMessage { id: 1, call }).expect("small");
        produced.push(format!("{method} {}", hex(&payload)));
    }
    let details = json!({ "path": "/x" });
    let announced =
        Announced { id: "a".into(), created: true, etag: "e".into(), cursor: Some("c:1".into()) };
    let document = FoundDocument { document: JsonText::from_canonical("{}"), etag: "e".into() };
    let answers = [
        ("announced", Ok(Answer::Announce(announced))),
        ("removed", Ok(Answer::Remove(Removed { removed: true }))),
        ("document", Ok(Answer::GetDocument(document))),
        ("error", Err(Error::new(Code::Locked, "m").hint("h").details(details))),
    ];
    for (name, result) in answers {
        let message = ServerMessage::Answer { id: Some(1), result };
        let payload = encode_answer(&message).expect("small");
        produced.push(format!("{name} {}", hex(&payload)));
    }
    assert_eq!(produced.join("\n") + "\n", golden);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
