//! The lockfile, of which any program may have written any part.

use std::time::Duration;

use argus_proto::process::Verdict;
use argus_store::holder::{Content, Found, StaleAfter};
use serde_json::Value;

use crate::machine::Says;

const VERDICTS: [Verdict; 3] = [Verdict::Alive, Verdict::Dead, Verdict::Unknown];
/// Ages in seconds, on both sides of every bound; `None` for one from the future.
const AGES: [Option<u64>; 6] = [None, Some(0), Some(11), Some(31), Some(1000), Some(1002)];
const SINCE_BOOT: Duration = Duration::from_secs(1000);

/// What holds for any bytes.
pub fn check(bytes: &[u8]) {
    let content = Content::parse(bytes);
    assert_eq!(Content::parse(&content.render()), content);
    who_is_named_counts(bytes, &content);
    half_of_it_names_nobody(bytes, &content);
    doubt_means_held(&content);
}

/// Whoever is named by an object is the holder, whatever else the object says.
fn who_is_named_counts(bytes: &[u8], content: &Content) {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(object)) => {
            let pid = object.get("pid").and_then(Value::as_u64).map(u32::try_from);
            assert_eq!(content.pid, pid.and_then(Result::ok), "who is named");
            let by = object.get("by").and_then(Value::as_str);
            assert_eq!(content.by.as_deref(), by, "who has signed");
        }
        Ok(_) => assert_eq!(*content, Content::default(), "what is no object names nobody"),
        // Nested deeper than this parser goes, or half a surrogate: the other one may know better.
        Err(_) => {}
    }
}

/// A program writes its lockfile in place, so that any beginning of it may be found.
fn half_of_it_names_nobody(bytes: &[u8], content: &Content) {
    if *content == Content::default() {
        // A broken text may well begin with a whole one.
        return;
    }
    let end = bytes.trim_ascii_end().len();
    for cut in [end.saturating_sub(1), end / 2, end / 3, 0] {
        if cut < end {
            let half = Content::parse(&bytes[..cut]);
            assert_eq!(half, Content::default(), "cut after {cut} bytes");
        }
    }
    // Blanks behind it are what is left of a longer one.
    let mut covered = bytes.to_vec();
    covered.resize(bytes.len() + 7, b' ');
    assert_eq!(Content::parse(&covered), *content);
}

fn doubt_means_held(content: &Content) {
    let stale_after = StaleAfter::default();
    for verdict in VERDICTS {
        let mut was_stale = false;
        for (age, watched) in AGES.into_iter().flat_map(|age| [0, 11, 31].map(|w| (age, w))) {
            let found = Found {
                content: content.clone(),
                age: age.map(Duration::from_secs),
                watched: Duration::from_secs(watched),
                since_boot: Some(SINCE_BOOT),
                this_boot: Some("this"),
            };
            let is_stale = found.is_stale(stale_after, &Says(verdict));
            let is_argus = content.by.as_deref() == Some("argus");
            let is_proven_gone = content.pid.is_some() && verdict == Verdict::Dead;
            let seen = age.unwrap_or(watched);
            let bound = if content.pid.is_some() { 30 } else { 10 };
            assert_eq!(is_stale, is_argus || is_proven_gone || seen > bound, "{found:?}");
            if age.is_some() {
                assert!(is_stale >= was_stale, "older and held again: {found:?}");
                was_stale = is_stale;
            }
            assert!(!found.holder().is_empty());
        }
    }
}
