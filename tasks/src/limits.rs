//! Every upper bound of this crate that has to do with the size of what is on the disk.

/// Longest `metadata.json`.
pub(crate) const METADATA_BYTES_MAX: u64 = 256 * 1024;
/// Longest `main.js`.
pub(crate) const SCRIPT_BYTES_MAX: u64 = 1024 * 1024;
/// Longest schema.
pub(crate) const SCHEMA_BYTES_MAX: u64 = 1024 * 1024;
/// Longest of a task's other files.
pub(crate) const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most bytes of a task's files together.
pub(crate) const TASK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files of one task.
pub(crate) const TASK_FILES_MAX: usize = 2_000;
/// Most folders within each other, counted from the source's.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most entries of one folder.
pub(crate) const FOLDER_ENTRIES_MAX: usize = 200_000;
/// Most folders of one source.
pub(crate) const FOLDERS_MAX: usize = 200_000;
/// Most folders that links lend to one task.
pub(crate) const LENT_FOLDERS_MAX: usize = 500;
/// Most tasks of one source: there is no room for more records in a collection.
pub(crate) const TASKS_MAX: usize = argus_proto::limits::RECORDS_MAX;
/// Most places of a source of which is kept what is wrong with them.
pub(crate) const PROBLEMS_MAX: usize = 1_000;
