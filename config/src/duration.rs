//! Times as they stand in the file: `500ms`, `5s`, `10m`, `2h`.

use std::time::Duration;

const UNITS: [(&str, u128); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a time; also several in a row, as in `1m 30s`.
pub fn parse(text: &str) -> Option<Duration> {
    // humantime knows more: years of 365.25 days, and units below what is printed here.
    let mut units = text.split(|c: char| c.is_ascii_digit() || c == ' ').filter(|s| !s.is_empty());
    let begins_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if !begins_with_digit || !units.all(|unit| UNITS.iter().any(|(name, _)| *name == unit)) {
        return None;
    }
    // A bare number has no unit, also where it is 0.
    text.ends_with(|c: char| c.is_ascii_alphabetic())
        .then(|| humantime::parse_duration(text).ok())
        .flatten()
}

/// Writes a time in the largest unit that fits it.
pub fn print(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let fits = |(_, unit): &&(&str, u128)| milliseconds.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((name, unit)) if milliseconds > 0 => format!("{}{name}", milliseconds / unit),
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let rows = [
            ("500ms", Some(("500ms", 500))),
            ("5s", Some(("5s", 5_000))),
            ("10m", Some(("10m", 600_000))),
            ("2h", Some(("2h", 7_200_000))),
            ("1d", Some(("1d", 86_400_000))),
            ("1m 30s", Some(("90s", 90_000))),
            ("1m30s", Some(("90s", 90_000))),
            ("60s", Some(("1m", 60_000))),
            ("0s", Some(("0s", 0))),
            ("", None),
            ("5", None),
            ("0", None),
            ("s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 years", None),
            ("5us", None),
            ("99999999999999999999s", None),
            ("5s ", None),
        ];
        for (text, expected) in rows {
            let parsed = parse(text).map(|time| (print(time), time.as_millis()));
            let expected = expected.map(|(text, time)| (text.to_owned(), time));
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
