//! Every upper bound that two processes have to agree on.

use std::time::Duration;

/// Longest request, as a JSON line or a binary frame.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Longest answer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest record, in compact JSON.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Longest id, in characters.
pub const ID_CHARS_MAX: usize = 200;
/// Longest registry file.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most records in one collection.
pub const RECORDS_MAX: usize = 100_000;
/// Deepest nesting of JSON, in a request as in a file.
pub const JSON_DEPTH_MAX: usize = 64;
/// Longest indentation that argus gives a line of a file: what nests deeper stays in its line.
pub const INDENTATION_BYTES_MAX: usize = 128;
/// Most connections at one time.
pub const CONNECTIONS_MAX: usize = 1024;
/// Most requests of one connection that are being worked on; further ones wait in the socket.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;

/// Most subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// How long a new connection may take to send its first byte.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may stay half sent, and an answer half read.
pub const HALF_FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client waits for the connection itself.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a client waits for the answer to `hello`.
pub const HELLO_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a client waits for a daemon that is being started, all in all.
pub const SPAWN_TIMEOUT: Duration = Duration::from_secs(3);
/// The deadline that each request carries.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(2);
/// The whole call of a client: daemon and fallback together.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a watcher says that it is there.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// How long a record counts as live after its last heartbeat.
pub const WATCHER_TTL: Duration = Duration::from_secs(60);
