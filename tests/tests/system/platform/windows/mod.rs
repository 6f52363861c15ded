//! What only Windows has.

mod held_files;
