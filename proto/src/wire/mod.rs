//! How requests and answers travel: two encodings over one endpoint.
//!
//! The first byte of a connection chooses. `{` begins newline-delimited JSON-RPC 2.0;
//! [`PREAMBLE`] begins length-prefixed frames. Nothing here touches a socket: bytes come in
//! through a [`Splitter`], whole messages come out.

pub mod binary;
pub mod jsonrpc;
mod splitter;

pub use splitter::{Framing, Piece, Splitter};

/// What a client of the binary protocol sends first. The last byte is the version of the framing,
/// not of the protocol, which `hello` agrees on.
pub const PREAMBLE: [u8; 7] = *b"\0ARGUS\x01";

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON-RPC 2.0, a line a message.
    Lines,
    /// Frames, once the preamble is complete.
    Frames,
}

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Not enough of them yet.
    Incomplete,
    /// They choose an encoding; so many of them are used up.
    Chosen(Encoding, usize),
    /// They are no opening of ours.
    Unknown,
}

/// Reads the first bytes of a connection.
pub fn opening(bytes: &[u8]) -> Opening {
    match bytes.first() {
        None => Opening::Incomplete,
        Some(b'{') => Opening::Chosen(Encoding::Lines, 0),
        Some(_) if bytes.starts_with(&PREAMBLE) => {
            Opening::Chosen(Encoding::Frames, PREAMBLE.len())
        }
        Some(_) if PREAMBLE.starts_with(bytes) => Opening::Incomplete,
        Some(_) => Opening::Unknown,
    }
}

/// The line that somebody gets who speaks neither.
pub const UNKNOWN_OPENING: &str = "argusd: send JSON-RPC 2.0, one object a line, as in \
    {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_chooses_the_encoding() {
        let rows: [(&[u8], Opening); 8] = [
            (b"", Opening::Incomplete),
            (b"{", Opening::Chosen(Encoding::Lines, 0)),
            (b"\0", Opening::Incomplete),
            (b"\0ARGUS", Opening::Incomplete),
            (b"\0ARGUS\x01\0\0", Opening::Chosen(Encoding::Frames, 7)),
            (b"\0ARGUS\x02", Opening::Unknown),
            (b"\0argus", Opening::Unknown),
            (b"GET / HTTP/1.1", Opening::Unknown),
        ];
        for (bytes, expected) in rows {
            assert_eq!(opening(bytes), expected, "{bytes:?}");
        }
    }
}
