//! What tells one file from another, and from what it was.

use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_BASIC_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, FileBasicInfo,
    GetDiskFreeSpaceExW, GetFileInformationByHandle, GetFileInformationByHandleEx,
};

use crate::handle::{done, wide};

/// A file or a folder at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The volume it is on; 0 where that is not told.
    pub volume: u64,
    /// Its number there: another file has another, and a renamed one keeps it.
    pub index: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When its content changed, in 100 ns since 1601.
    pub modified: i64,
    /// When anything about it changed, its names included, in the same unit.
    pub changed: i64,
    /// Its attributes, as Windows counts them.
    pub attributes: u32,
}

impl Info {
    /// Whether it is a link of any kind.
    pub fn is_link(&self) -> bool {
        self.attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0
    }

    /// Whether it is of the same file, whatever that holds.
    pub fn is_same_file(&self, other: &Info) -> bool {
        // Wine forgets the volume of a file that is renamed while it is open.
        let is_same_volume = self.volume == other.volume || self.volume == 0 || other.volume == 0;
        is_same_volume && self.index == other.index
    }
}

/// Of an open file or folder.
///
/// # Errors
/// What Windows says.
pub fn info_of(file: &File) -> io::Result<Info> {
    let handle = file.as_raw_handle();
    let mut by_handle = BY_HANDLE_FILE_INFORMATION::default();
    let mut basic = FILE_BASIC_INFO::default();
    #[expect(unsafe_code, reason = "each call fills in the structure that it is given")]
    unsafe {
        done(GetFileInformationByHandle(handle, &mut by_handle))?;
        let bytes = size_of::<FILE_BASIC_INFO>() as u32;
        let into = (&raw mut basic).cast();
        done(GetFileInformationByHandleEx(handle, FileBasicInfo, into, bytes))?;
    }
    let joined = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Info {
        volume: by_handle.dwVolumeSerialNumber.into(),
        index: joined(by_handle.nFileIndexHigh, by_handle.nFileIndexLow),
        size: joined(by_handle.nFileSizeHigh, by_handle.nFileSizeLow),
        modified: basic.LastWriteTime,
        changed: basic.ChangeTime,
        attributes: basic.FileAttributes,
    })
}

/// Of what is at `path`; a link is followed.
///
/// # Errors
/// What Windows says.
pub fn info_at(path: &Path) -> io::Result<Info> {
    look_at(path, 0)
}

/// Of what is at `path`, also where that is a link.
///
/// # Errors
/// What Windows says.
pub fn info_at_link(path: &Path) -> io::Result<Info> {
    look_at(path, FILE_FLAG_OPEN_REPARSE_POINT)
}

/// Asks for nothing but its attributes, which no other program can forbid by having it open.
fn look_at(path: &Path, flags: u32) -> io::Result<Info> {
    let mut options = File::options();
    options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags);
    info_of(&options.open(path)?)
}

/// How many bytes this user may still write to the volume that a folder is on.
///
/// # Errors
/// What Windows says.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let (folder, mut free) = (wide(folder), 0);
    #[expect(unsafe_code, reason = "it fills in a number")]
    done(unsafe { GetDiskFreeSpaceExW(folder.as_ptr(), &mut free, null_mut(), null_mut()) })?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_renamed_file_is_the_same_and_a_changed_one_is_told() {
        let home = tempfile::tempdir().expect("a folder");
        let [one, other] = ["one", "other"].map(|name| home.path().join(name));
        fs::write(&one, "1").expect("written");
        fs::write(&other, "2").expect("written");
        let before = info_at(&one).expect("there");
        assert!(!before.is_same_file(&info_at(&other).expect("there")));
        fs::remove_file(&other).expect("removed");
        fs::rename(&one, &other).expect("renamed");
        assert!(before.is_same_file(&info_at(&other).expect("there")));
        fs::write(&other, "longer").expect("written");
        let after = info_at(&other).expect("there");
        assert!(before.is_same_file(&after) && after != before);
        assert_eq!(after, info_of(&File::open(&other).expect("opened")).expect("readable"));
        assert!(free_bytes(home.path()).expect("a volume") > 0);
    }
}
