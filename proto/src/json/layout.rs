//! Lays valid JSON out anew: white space and string escapes change, values do not.

use crate::limits::{INDENTATION_BYTES_MAX, JSON_DEPTH_MAX};

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout<'a> {
    /// No white space: as sent and as kept in memory.
    Compact,
    /// One line with a space behind each comma and colon, as Python's `json.dumps` writes it.
    Spaced,
    /// As `JSON.stringify(value, null, indent)` writes a value that is nested `depth` levels down.
    Pretty {
        /// One level of indentation.
        indent: &'a str,
        /// How many levels the value itself stands inside others.
        depth: usize,
    },
}

/// Appends `text`, which must be valid JSON, to `out`.
pub fn lay_out(text: &str, layout: Layout<'_>, out: &mut String) {
    let bytes = text.as_bytes();
    let mut depth = match layout {
        Layout::Compact | Layout::Spaced => 0,
        Layout::Pretty { depth, .. } => depth,
    };
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                push_string(&text[at..end], out);
                at = end;
                continue;
            }
            open @ (b'{' | b'[') => {
                out.push(open as char);
                let next = skip_space(bytes, at + 1);
                if matches!(bytes.get(next), Some(b'}' | b']')) {
                    out.push(bytes[next] as char);
                    at = next + 1;
                    continue;
                }
                depth += 1;
                new_line(layout, depth, out);
            }
            close @ (b'}' | b']') => {
                depth = depth.saturating_sub(1);
                new_line(layout, depth, out);
                out.push(close as char);
            }
            b',' => {
                out.push_str(if layout == Layout::Spaced { ", " } else { "," });
                new_line(layout, depth, out);
            }
            b':' => out.push_str(if layout == Layout::Compact { ":" } else { ": " }),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            other => out.push(other as char),
        }
        at += 1;
    }
}

/// How deep `text`, which must be valid JSON, is nested; a scalar has depth 0.
pub(super) fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

fn new_line(layout: Layout<'_>, depth: usize, out: &mut String) {
    // Deeper than anything argus writes itself the indentation alone could grow without bound:
    // 20 kB of brackets would become 200 MB.
    if let Layout::Pretty { indent, .. } = layout
        && depth <= JSON_DEPTH_MAX
        && depth * indent.len() <= INDENTATION_BYTES_MAX
    {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The index behind the closing quote of the string that opens at `start`.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Appends a quoted string with its escapes as `JSON.stringify` chooses them.
fn push_string(quoted: &str, out: &mut String) {
    let mut rest = quoted;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = push_escape(&rest[at..], out);
    }
    out.push_str(rest);
}

/// Appends the escape that `text` begins with, and returns what follows it.
fn push_escape<'a>(text: &'a str, out: &mut String) -> &'a str {
    match text.as_bytes().get(1) {
        Some(b'/') => {
            out.push('/');
            &text[2..]
        }
        Some(b'u') => {
            let Some(unit) = code_unit(text) else {
                out.push_str(text);
                return "";
            };
            let rest = &text[6..];
            if (0xd800..0xdc00).contains(&unit)
                && let Some(low) = code_unit(rest)
                && (0xdc00..0xe000).contains(&low)
            {
                let point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                out.extend(char::from_u32(point));
                return &rest[6..];
            }
            push_code_unit(unit, out);
            rest
        }
        Some(_) => {
            out.push_str(&text[..2]);
            &text[2..]
        }
        None => {
            out.push_str(text);
            ""
        }
    }
}

/// The number in a leading `\uXXXX`.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

fn push_code_unit(unit: u32, out: &mut String) {
    match unit {
        0x08 => out.push_str("\\b"),
        0x09 => out.push_str("\\t"),
        0x0a => out.push_str("\\n"),
        0x0c => out.push_str("\\f"),
        0x0d => out.push_str("\\r"),
        0x22 => out.push_str("\\\""),
        0x5c => out.push_str("\\\\"),
        _ => match char::from_u32(unit) {
            Some(character) if unit >= 0x20 => out.push(character),
            // A control character, or half a surrogate pair: only an escape can carry it.
            _ => out.push_str(&format!("\\u{unit:04x}")),
        },
    }
}
