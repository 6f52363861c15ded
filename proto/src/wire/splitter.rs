//! Cuts a stream of bytes into messages, within a bound.

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By a line feed behind each.
    Lines,
    /// By a length before each: four bytes, big-endian.
    Lengths,
}

/// What was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole message, without its line feed or length.
    Message(Vec<u8>),
    /// A message over the bound, which is being passed over. Framing is not lost.
    TooLarge,
}

/// The bytes of a connection that are not a whole message yet: never more than the bound, and
/// what was pushed at once.
#[derive(Debug)]
pub struct Splitter {
    framing: Framing,
    bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// How far behind `start` no line feed was found.
    searched: usize,
    skip: Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    No,
    Bytes(usize),
    ToLineFeed,
}

impl Splitter {
    /// An empty one, for messages of up to `bytes_max` bytes.
    pub fn new(framing: Framing, bytes_max: usize) -> Self {
        Splitter { framing, bytes_max, buffer: Vec::new(), start: 0, searched: 0, skip: Skip::No }
    }

    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Nothing more will come: a last line needs no line feed.
    pub fn end(&mut self) {
        if self.framing == Framing::Lines && self.skip == Skip::No && self.is_mid_message() {
            self.buffer.push(b'\n');
        }
    }

    /// The next message, if one is complete.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if !self.finish_skip() {
            return None;
        }
        let piece = match self.framing {
            Framing::Lines => self.next_line(),
            Framing::Lengths => self.next_frame(),
        };
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
            // One large message must not hold its memory for as long as the connection lives.
            self.buffer.shrink_to(64 * 1024);
        }
        piece
    }

    /// Whether a part of a message has arrived, and the rest is missing.
    pub fn is_mid_message(&self) -> bool {
        self.skip != Skip::No || self.start < self.buffer.len()
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn next_line(&mut self) -> Option<Piece> {
        let searched = self.searched;
        let Some(at) = self.unread()[searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.unread().len();
            if self.searched <= self.bytes_max {
                return None;
            }
            self.searched = 0;
            self.start = self.buffer.len();
            self.skip = Skip::ToLineFeed;
            return Some(Piece::TooLarge);
        };
        let length = searched + at;
        let line = self.unread()[..length].to_vec();
        self.start += length + 1;
        self.searched = 0;
        Some(if line.len() > self.bytes_max { Piece::TooLarge } else { Piece::Message(line) })
    }

    fn next_frame(&mut self) -> Option<Piece> {
        let header = self.unread().first_chunk::<4>()?;
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.bytes_max {
            self.start += 4;
            self.skip = Skip::Bytes(length);
            self.finish_skip();
            return Some(Piece::TooLarge);
        }
        let message = self.unread().get(4..4 + length)?.to_vec();
        self.start += 4 + length;
        Some(Piece::Message(message))
    }

    /// Passes over what is left of a message that was too large; tells whether it has ended.
    fn finish_skip(&mut self) -> bool {
        match self.skip {
            Skip::No => return true,
            Skip::Bytes(left) => {
                let skipped = left.min(self.unread().len());
                self.start += skipped;
                if skipped < left {
                    self.skip = Skip::Bytes(left - skipped);
                    return false;
                }
            }
            Skip::ToLineFeed => {
                let Some(at) = self.unread().iter().position(|byte| *byte == b'\n') else {
                    self.start = self.buffer.len();
                    return false;
                };
                self.start += at + 1;
            }
        }
        self.skip = Skip::No;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to cut the stream into pushes must give the same pieces.
    fn check(framing: Framing, stream: &[u8], expected: &[Piece]) {
        for size in 1..=stream.len() {
            let mut splitter = Splitter::new(framing, 8);
            let mut pieces = Vec::new();
            for chunk in stream.chunks(size) {
                splitter.push(chunk);
                while let Some(piece) = splitter.next_piece() {
                    pieces.push(piece);
                }
            }
            assert_eq!(pieces, expected, "in chunks of {size}");
            assert!(!splitter.is_mid_message(), "in chunks of {size}");
        }
    }

    fn message(text: &str) -> Piece {
        Piece::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_cut_and_long_ones_passed_over() {
        check(
            Framing::Lines,
            b"one\n\n12345678\n123456789 and more\ntwo\n",
            &[message("one"), message(""), message("12345678"), Piece::TooLarge, message("two")],
        );
    }

    #[test]
    fn frames_are_cut_and_long_ones_passed_over() {
        let mut stream = Vec::new();
        for text in ["one", "", "12345678", "123456789 and more", "two"] {
            stream.extend((text.len() as u32).to_be_bytes());
            stream.extend(text.as_bytes());
        }
        check(
            Framing::Lengths,
            &stream,
            &[message("one"), message(""), message("12345678"), Piece::TooLarge, message("two")],
        );
    }

    #[test]
    fn a_last_line_needs_no_line_feed_but_a_frame_needs_all_of_it() {
        let mut lines = Splitter::new(Framing::Lines, 8);
        lines.push(b"one\ntwo");
        lines.end();
        assert_eq!(lines.next_piece(), Some(message("one")));
        assert_eq!(lines.next_piece(), Some(message("two")));
        lines.end();
        assert_eq!(lines.next_piece(), None);

        let mut frames = Splitter::new(Framing::Lengths, 8);
        frames.push(&[0, 0, 0, 2, 1]);
        frames.end();
        assert_eq!(frames.next_piece(), None);
    }

    #[test]
    fn half_a_message_is_told() {
        let mut splitter = Splitter::new(Framing::Lengths, 8);
        assert!(!splitter.is_mid_message());
        splitter.push(&[0, 0]);
        assert_eq!(splitter.next_piece(), None);
        assert!(splitter.is_mid_message());
    }
}
