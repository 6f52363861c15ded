//! How a stream arrives must not matter: the same messages, wherever it is cut.

use argus_proto::limits::REQUEST_BYTES_MAX;
use argus_proto::wire::{Framing, Piece, Splitter};

/// So low a bound that short inputs meet it.
const SMALL: usize = 24;
/// Byte by byte only where that is quick.
const BYTEWISE_MAX: usize = 8 * 1024;

/// Checks every way of cutting, and returns the messages.
pub(crate) fn check(framing: Framing, stream: &[u8]) -> Vec<Piece> {
    for bytes_max in [SMALL, REQUEST_BYTES_MAX] {
        let (expected, is_mid_message) = told_apart(framing, stream, bytes_max);
        let mut cuts = vec![vec![stream.len()], uneven_sizes(stream)];
        if stream.len() <= BYTEWISE_MAX {
            cuts.push(vec![1]);
        }
        for sizes in cuts {
            for is_lazy in [false, true] {
                let (pieces, is_mid) = arrive(framing, stream, bytes_max, &sizes, is_lazy);
                assert_eq!(pieces, expected, "at most {bytes_max}, in {sizes:?}, lazy: {is_lazy}");
                assert_eq!(is_mid, is_mid_message, "at most {bytes_max}, in {sizes:?}");
            }
        }
    }
    told_apart(framing, stream, REQUEST_BYTES_MAX).0
}

/// What a stream consists of, told as simply as it can be said; and whether its end is missing.
fn told_apart(framing: Framing, stream: &[u8], bytes_max: usize) -> (Vec<Piece>, bool) {
    let piece = |message: &[u8]| match message.len() > bytes_max {
        true => Piece::TooLarge,
        false => Piece::Message(message.to_vec()),
    };
    match framing {
        Framing::Lines => {
            let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
            let last = lines.pop().unwrap_or_default();
            let mut pieces: Vec<Piece> = lines.into_iter().map(piece).collect();
            pieces.extend((!last.is_empty()).then(|| piece(last)));
            // A line that is passed over has no end but its line feed.
            (pieces, last.len() > bytes_max)
        }
        Framing::Lengths => {
            let (mut pieces, mut rest) = (Vec::new(), stream);
            while let Some((header, behind)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*header) as usize;
                if length > bytes_max {
                    pieces.push(Piece::TooLarge);
                    if behind.len() < length {
                        return (pieces, true);
                    }
                } else if behind.len() < length {
                    return (pieces, true);
                } else {
                    pieces.push(Piece::Message(behind[..length].to_vec()));
                }
                rest = &behind[length..];
            }
            (pieces, !rest.is_empty())
        }
    }
}

/// What a splitter makes of a stream that arrives in parts of these sizes, over and over. A lazy
/// reader asks for messages only when everything has arrived.
fn arrive(
    framing: Framing,
    stream: &[u8],
    bytes_max: usize,
    sizes: &[usize],
    is_lazy: bool,
) -> (Vec<Piece>, bool) {
    let mut splitter = Splitter::new(framing, bytes_max);
    let (mut pieces, mut rest) = (Vec::new(), stream);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at((*size).clamp(1, rest.len()));
        splitter.push(part);
        rest = behind;
        if !is_lazy {
            pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        }
    }
    pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
    splitter.end();
    pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
    (pieces, splitter.is_mid_message())
}

/// Some sizes, the same ones for the same stream, so that a failure can be played again.
fn uneven_sizes(stream: &[u8]) -> Vec<usize> {
    let mut state = stream
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let longest = (stream.len() / 4).clamp(1, 64 * 1024) as u32;
    let size = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + ((state >> 8) % longest) as usize
    };
    std::iter::repeat_with(size).take(7).collect()
}
