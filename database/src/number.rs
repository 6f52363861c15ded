//! Numbers as SQLite keeps them: 64 bits with a sign.

/// Of a number beyond what SQLite can hold the largest that it can.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Of a number below zero, that only somebody else can have written, zero.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
