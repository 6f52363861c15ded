//! What differs between operating systems, behind functions that promise the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    Stamp, check_folder_access, create_new, create_private_folders, exchange, free_bytes,
    has_no_links, is_out_of_descriptors, is_own, is_read_only, is_same_file, link_new, lock_holder,
    mode, open_in, open_no_follow, open_private_folder, open_to_read, process_name, set_mode,
    socket_path, sync_file_system, sync_folder, sync_later,
};
