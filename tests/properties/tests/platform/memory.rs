//! What a peer or a file can make argus hold in memory. One test, in a process of its own, since
//! the kernel counts by process.
//!
//! Seen to fail with a splitter that keeps what it passes over, and with binary messages that are
//! read without a limit.
#![cfg(target_os = "linux")]

use std::fs;
use std::hint::black_box;

use argus_proto::collection::WATCHERS;
use argus_proto::document::Document;
use argus_proto::limits::{FILE_BYTES_MAX, REQUEST_BYTES_MAX};
use argus_proto::wire::{Framing, Splitter, binary, jsonrpc};

const MIB: usize = 1024 * 1024;
/// As a session reads from its socket.
const READ_BYTES: usize = 8 * 1024;

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a known key");
    let kilobytes = line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<usize>();
    kilobytes.expect("a number") * 1024
}

/// What `work` takes at its peak, beyond what was there before.
fn peak(work: impl FnOnce()) -> usize {
    fs::write("/proc/self/clear_refs", "5").expect("Linux forgets the peak");
    let before = status("VmRSS");
    work();
    status("VmHWM").saturating_sub(before)
}

fn pour(framing: Framing, opening: &[u8], filling: &[u8], bytes: usize) {
    let mut splitter = Splitter::new(framing, REQUEST_BYTES_MAX);
    splitter.push(opening);
    for _ in 0..bytes / filling.len() {
        splitter.push(filling);
        while let Some(piece) = splitter.next_piece() {
            black_box(piece);
        }
    }
}

#[test]
fn hostile_bytes_take_no_more_memory_than_the_limits_allow() {
    let filling = [b'x'; READ_BYTES];
    let deep = "[".repeat(REQUEST_BYTES_MAX);
    let keys: Vec<String> = (0..90_000).map(|n| format!("\"{n}\":{n}")).collect();
    let keys = format!(r#"{{"version":1,"updatedAt":1,"watchers":{{{}}}}}"#, keys.join(","));
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"announce","params":{{"record":{{"id":"{}"}}}}}}"#,
        "\\u0001".repeat(REQUEST_BYTES_MAX / 6 - 20)
    );
    let too_large = vec![b' '; FILE_BYTES_MAX + 1];
    // An id, and a listing, each longer than there is memory.
    let lie = |head: &[u8]| [head, b"\xfd", &(u64::MAX / 2).to_le_bytes()].concat();
    let (request, answer) = (lie(&[1, 0, 0, 4]), lie(&[0, 1, 1, 0, 5]));

    type Row<'a> = (&'a str, usize, &'a dyn Fn());
    let rows: [Row<'_>; 7] = [
        ("a line without an end", 4 * MIB, &|| pour(Framing::Lines, b"", &filling, 32 * MIB)),
        ("a frame of 4 GiB", 4 * MIB, &|| {
            pour(Framing::Lengths, &[0xff; 4], &filling, 32 * MIB);
        }),
        ("empty lines", 4 * MIB, &|| pour(Framing::Lines, b"", &[b'\n'; READ_BYTES], 4 * MIB)),
        ("frames that lie about their lengths", 4 * MIB, &|| {
            assert!(binary::decode_request(&request).is_err());
            assert!(binary::decode_answer(&answer).is_err());
        }),
        ("a line of brackets, and one of escapes", 16 * MIB, &|| {
            assert!(jsonrpc::read_request(deep.as_bytes()).call.is_err());
            assert!(jsonrpc::read_request(call.as_bytes()).call.is_ok());
        }),
        ("a file over the limit", MIB, &|| {
            assert!(Document::parse(&too_large, &WATCHERS).is_err());
        }),
        ("a file of many small records", 128 * MIB, &|| {
            let document = Document::parse(keys.as_bytes(), &WATCHERS).expect("a registry");
            assert_eq!(document.records.len(), 90_000);
        }),
    ];
    for (what, bytes_max, work) in rows {
        let bytes = peak(work);
        assert!(bytes <= bytes_max, "{what}: {bytes} bytes, at most {bytes_max} are expected");
        eprintln!("{what}: {} KiB", bytes / 1024);
    }
}
