//! Whether a watcher answers `GET /status` with JSON, which is what *reachable* means.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use argus_proto::Record;

/// How long a watcher may take to answer, when one among several is looked for.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_millis(1500);

/// The most watchers that are asked at the same time.
const PROBES_MAX: usize = 128;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Those of the records whose watcher answers, in their order. Asks all of them at once and
/// returns after `timeout`, unless the system takes longer to look a host name up.
pub fn reachable(records: &[Arc<Record>], timeout: Duration) -> Vec<Arc<Record>> {
    let deadline = Instant::now() + timeout;
    let next = AtomicUsize::new(0);
    let mut answering: Vec<usize> = std::thread::scope(|scope| {
        let ask = || {
            let mut answering = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(record) = records.get(at) else { return answering };
                let answers = record
                    .watcher()
                    .is_some_and(|watcher| answers(&watcher.host, watcher.port, deadline));
                if answers {
                    answering.push(at);
                }
            }
        };
        let probes: Vec<_> = (0..records.len().min(PROBES_MAX)).map(|_| scope.spawn(ask)).collect();
        probes.into_iter().flat_map(|probe| probe.join().unwrap_or_default()).collect()
    });
    answering.sort_unstable();
    answering.into_iter().map(|at| records[at].clone()).collect()
}

/// Whether somebody at this address answers `GET /status` with JSON before the deadline.
pub fn answers(host: &str, port: u16, deadline: Instant) -> bool {
    port != 0 && ask(host, port, deadline).is_some_and(|answer| is_json_answer(&answer))
}

fn ask(host: &str, port: u16, deadline: Instant) -> Option<Vec<u8>> {
    // `localhost` is two addresses, and a server listens at one of them only.
    let mut stream = (host, port)
        .to_socket_addrs()
        .ok()?
        .find_map(|address| TcpStream::connect_timeout(&address, left(deadline)?).ok())?;
    stream.set_write_timeout(Some(left(deadline)?)).ok()?;
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request = format!(
        "GET /status HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;

    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        stream.set_read_timeout(Some(left(deadline)?)).ok()?;
        let read = stream.read(&mut chunk).ok()?;
        answer.extend_from_slice(&chunk[..read]);
        if read == 0 || is_complete(&answer) {
            return Some(answer);
        }
        if answer.len() as u64 > ANSWER_BYTES_MAX {
            return None;
        }
    }
}

fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn head_and_body(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]))
}

/// A server that keeps the connection open all the same says how long its answer is.
fn is_complete(answer: &[u8]) -> bool {
    let Some((head, body)) = head_and_body(answer) else { return false };
    head.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("content-length")
                && value.trim().parse().is_ok_and(|length: usize| body.len() >= length)
        })
    })
}

fn is_json_answer(answer: &[u8]) -> bool {
    let Some((head, body)) = head_and_body(answer) else { return false };
    let mut words = head.split_ascii_whitespace();
    words.next().is_some_and(|word| word.starts_with("HTTP/1."))
        && words.next().is_some_and(|status| status.len() == 3 && status.starts_with('2'))
        && serde_json::from_slice::<serde_json::Value>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_a_json_answer_counts() {
        let rows: [(&[u8], bool); 6] = [
            (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"ok\":true}", true),
            (b"HTTP/1.0 204 X\r\n\r\n", false),
            (b"HTTP/1.1 404 Not Found\r\n\r\n{}", false),
            (b"HTTP/1.1 200 OK\r\n\r\n<html>", false),
            (b"SSH-2.0-OpenSSH\r\n\r\n{}", false),
            (b"HTTP/1.1 200 OK", false),
        ];
        for (answer, expected) in rows {
            assert_eq!(is_json_answer(answer), expected, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn a_server_that_keeps_the_connection_open_is_heard_and_a_silent_one_given_up() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = server.local_addr().expect("bound").port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("a client");
            let mut request = [0; 1024];
            let read = stream.read(&mut request).expect("a request");
            assert!(request[..read].starts_with(b"GET /status HTTP/1.0\r\n"));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").expect("a client");
            stream
        });
        assert!(answers("127.0.0.1", port, Instant::now() + Duration::from_secs(10)));
        drop(answering.join());

        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = silent.local_addr().expect("bound").port();
        assert!(!answers("127.0.0.1", port, Instant::now() + Duration::from_millis(50)));
        assert!(!answers("127.0.0.1", 0, Instant::now() + Duration::from_secs(10)));
    }
}
