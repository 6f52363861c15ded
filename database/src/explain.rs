//! Why a record is there, stale or gone: the last change of it that is kept, and what it is now.

use argus_proto::error::{Code, Error};
use argus_proto::method::{Explanation, Found, Why};
use argus_proto::sentence::{sentence, standing};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::history::History;

/// Says it. `found` is the record as it is now, if it is there; without a history only that is told.
///
/// # Errors
/// `E_NOT_FOUND` where nothing is known of the record; and where the history cannot be read.
pub fn explain(
    history: Option<&History>,
    collection: &str,
    why: &Why,
    found: Option<&Found>,
    now_ms: u64,
) -> Result<Explanation, Error> {
    let last = history.map(|history| history.last(collection, &why.id)).transpose()?.flatten();
    match (last, found) {
        (Some(last), _) => {
            let sentence = sentence(&last, &local_time(last.at, now_ms), found);
            Ok(Explanation { sentence, change: Some(last.into()), behind: None })
        }
        (None, Some(found)) => {
            let state = found.state.map(standing).unwrap_or_default();
            let sentence = format!("there, and how it came there was not recorded{state}");
            Ok(Explanation { sentence, change: None, behind: None })
        }
        (None, None) => {
            let (kept, hint) = match history {
                Some(_) => ("", "argus history"),
                None => (", and no history is kept yet", "argus status"),
            };
            let message = format!("nothing is known of `{}` in {collection}{kept}", why.id);
            Err(Error::new(Code::NotFound, message)
                .hint(hint)
                .details(serde_json::json!({ "id": why.id, "collection": collection })))
        }
    }
}

/// The error for the past of which nothing is kept.
pub fn keeps_none() -> Error {
    Error::new(Code::NotFound, "no history is kept: `database.enabled` is false in config.yaml")
        .hint("argus config show")
}

/// A moment as people write it here: `12:04:11`, and before today with the day.
pub fn local_time(at_ms: u64, now_ms: u64) -> String {
    let zoned = |ms: u64| {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(ms).ok().map(|time| time.to_zoned(TimeZone::system()))
    };
    match (zoned(at_ms), zoned(now_ms)) {
        (Some(at), Some(now)) if at.date() == now.date() => at.strftime("%H:%M:%S").to_string(),
        (Some(at), _) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        (None, _) => format!("{at_ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_today_is_told_without_the_day() {
        let noon = 1_760_000_000_000;
        assert_eq!(local_time(noon, noon + 1).len(), "12:04:11".len());
        assert_eq!(local_time(noon, noon + 3 * 86_400_000).len(), "2026-11-20 12:04:11".len());
        assert_eq!(local_time(u64::MAX, noon), format!("{} ms", u64::MAX));
    }
}
