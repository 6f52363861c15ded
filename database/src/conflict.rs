//! Which of two is right where somebody else has changed a row of `tasks`.
//!
//! Pure: each field is known by three hashes, of what both sides knew last (`base`), of what the row has
//! and of what the registry has. A field that somebody else changed differs from the base; it is a
//! conflict where it differs from the registry too.

use argus_config::OnConflict;

/// What is compared of a value.
pub(crate) type Hash = [u8; 16];

/// A field as it is on either side, and as both knew it last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    /// `None` where argus never wrote it.
    pub(crate) base: Option<Hash>,
    pub(crate) row: Hash,
    pub(crate) registry: Hash,
}

/// Whose value a field has afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Winner {
    Registry,
    Row,
}

impl Sides {
    fn is_conflict(&self) -> bool {
        self.is_changed_in_row() && self.row != self.registry
    }

    pub(crate) fn is_changed_in_row(&self) -> bool {
        self.base != Some(self.row)
    }

    fn is_changed_in_registry(&self) -> bool {
        self.base != Some(self.registry)
    }
}

/// Whose value each field has afterwards. `row_at` is when somebody else changed the row, `registry_at` when
/// the record was changed; of two equal ones, and where it is not known, the registry's is the later.
pub(crate) fn decide(
    strategy: OnConflict,
    fields: &[Sides],
    row_at: Option<u64>,
    registry_at: u64,
) -> Vec<Winner> {
    let all = |winner: Winner| vec![winner; fields.len()];
    if !fields.iter().any(Sides::is_conflict) {
        return all(Winner::Registry);
    }
    let newer = match row_at {
        Some(at) if at > registry_at => Winner::Row,
        _ => Winner::Registry,
    };
    match strategy {
        OnConflict::PreferRegistry => all(Winner::Registry),
        OnConflict::PreferDatabase => all(Winner::Row),
        OnConflict::PreferNewer => all(newer),
        OnConflict::Merge => fields
            .iter()
            .map(|field| match (field.is_changed_in_row(), field.is_changed_in_registry()) {
                (true, true) => newer,
                (true, false) => Winner::Row,
                (false, _) => Winner::Registry,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields as `base row registry`, a letter each, `-` for a base that there is none of. Expected is what
    /// the row has afterwards under each strategy, where the row is newer and where the registry is.
    #[test]
    fn every_case_of_every_strategy() {
        use OnConflict::{Merge, PreferDatabase, PreferNewer, PreferRegistry};
        let strategies = [PreferRegistry, PreferDatabase, PreferNewer, Merge];
        #[rustfmt::skip]
        let rows = [
            // fields               row newer: registry, database, newer, merge   registry newer
            (&["aaa"][..],          ["a", "a", "a", "a"],                         ["a", "a", "a", "a"]),
            // Only the registry changed it.
            (&["aab"],              ["b", "b", "b", "b"],                         ["b", "b", "b", "b"]),
            // Only somebody else changed it.
            (&["aba"],              ["a", "b", "b", "b"],                         ["a", "b", "a", "b"]),
            // Both, to the same.
            (&["abb"],              ["b", "b", "b", "b"],                         ["b", "b", "b", "b"]),
            // Both, to other values.
            (&["abc"],              ["c", "b", "b", "b"],                         ["c", "b", "c", "c"]),
            // It was there before argus wrote it: both changed it.
            (&["-bc"],              ["c", "b", "b", "b"],                         ["c", "b", "c", "c"]),
            (&["-bb"],              ["b", "b", "b", "b"],                         ["b", "b", "b", "b"]),
            // Each side changed another field.
            (&["aba", "xxy"],       ["ay", "bx", "bx", "by"],                     ["ay", "bx", "ay", "by"]),
            // One field of both, one of each.
            (&["abc", "xyx", "mmn"], ["cxn", "bym", "bym", "byn"],                ["cxn", "bym", "cxn", "cyn"]),
            // A change of somebody else's that the registry made too is no conflict.
            (&["abb", "xxy"],       ["by", "by", "by", "by"],                     ["by", "by", "by", "by"]),
        ];
        let hash = |letter: u8| [letter; 16];
        for (fields, row_newer, registry_newer) in rows {
            let sides: Vec<Sides> = fields
                .iter()
                .map(|field| field.as_bytes())
                .map(|field| Sides {
                    base: (field[0] != b'-').then(|| hash(field[0])),
                    row: hash(field[1]),
                    registry: hash(field[2]),
                })
                .collect();
            let times = [
                (Some(2), 1, row_newer),
                (Some(1), 2, registry_newer),
                (Some(1), 1, registry_newer),
                (None, 0, registry_newer),
            ];
            for (row_at, registry_at, expected) in times {
                for (strategy, expected) in strategies.into_iter().zip(expected) {
                    let after: String = decide(strategy, &sides, row_at, registry_at)
                        .into_iter()
                        .zip(&sides)
                        .map(|(winner, sides)| match winner {
                            Winner::Registry => sides.registry[0] as char,
                            Winner::Row => sides.row[0] as char,
                        })
                        .collect();
                    let case = format!("{fields:?} {strategy:?} {row_at:?} {registry_at}");
                    assert_eq!(after, expected, "{case}");
                }
            }
        }
    }
}
