//! Who may use what: everything of argus belongs to one user.
//!
//! Beside the user, the system and the administrators may use it, as they may use all of a user's
//! profile: they can take it anyway. Nobody else is let in.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_SUCCESS, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetNamedSecurityInfoW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT,
    SE_OBJECT_TYPE, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce,
    GetSecurityDescriptorControl, GetSecurityDescriptorDacl, GetTokenInformation, INHERIT_ONLY_ACE,
    IsWellKnownSid, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SE_DACL_PROTECTED, SECURITY_ATTRIBUTES, SetFileSecurityW,
    TOKEN_QUERY, TOKEN_USER, TokenUser, UNPROTECTED_DACL_SECURITY_INFORMATION,
    WinBuiltinAdministratorsSid, WinCreatorOwnerSid, WinLocalSystemSid,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::SystemServices::ACCESS_ALLOWED_ACE_TYPE;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::handle::{done, owned, wide};

/// Room for a user in a token: the longest security identifier has 68 bytes.
const USER_BYTES_MAX: usize = 256;

/// The security identifier of the user whom this process runs as, as `S-1-5-21-…`.
///
/// # Errors
/// What Windows says; it never does for a process that looks at itself.
pub fn user() -> io::Result<&'static str> {
    static USER: OnceLock<String> = OnceLock::new();
    match USER.get() {
        Some(user) => Ok(user),
        None => {
            let user = ask_user()?;
            Ok(USER.get_or_init(|| user))
        }
    }
}

fn ask_user() -> io::Result<String> {
    let mut token = null_mut();
    // Aligned as the structure is that comes first in it.
    let mut room = [0_u64; USER_BYTES_MAX / 8];
    let mut used = 0;
    #[expect(unsafe_code, reason = "the token is closed when it is dropped, and the room is ours")]
    unsafe {
        done(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token))?;
        let token = owned(token)?;
        let into = room.as_mut_ptr().cast();
        let bytes = USER_BYTES_MAX as u32;
        done(GetTokenInformation(token.as_raw_handle(), TokenUser, into, bytes, &mut used))?;
        text_of((*room.as_ptr().cast::<TOKEN_USER>()).User.Sid)
    }
}

#[expect(unsafe_code, reason = "whoever calls it has a valid identifier")]
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = null_mut();
    unsafe {
        done(ConvertSidToStringSidW(sid, &mut text))?;
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let read = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(read)
    }
}

/// The rules for what only this user may use, in Windows' own notation (SDDL).
///
/// # Errors
/// As [`user`].
pub fn private_rules() -> io::Result<String> {
    let user = user()?;
    Ok(format!("O:{user}D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"))
}

/// The rules for a pipe, which only this user may open: what runs as somebody else has no business
/// with his daemon.
///
/// # Errors
/// As [`user`].
pub fn pipe_rules() -> io::Result<String> {
    let user = user()?;
    Ok(format!("O:{user}D:P(A;;GA;;;{user})"))
}

/// Rules in memory that Windows has allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn private() -> io::Result<Self> {
        Descriptor::parse(&private_rules()?)
    }

    fn parse(rules: &str) -> io::Result<Self> {
        let mut descriptor = null_mut();
        let rules = wide(rules);
        #[expect(unsafe_code, reason = "what it allocates is freed when it is dropped")]
        done(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                rules.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                null_mut(),
            )
        })?;
        Ok(Descriptor(descriptor))
    }

    fn access_of(path: &Path) -> io::Result<Self> {
        let mut descriptor = null_mut();
        let path = wide(path);
        #[expect(unsafe_code, reason = "what it allocates is freed when it is dropped")]
        told(unsafe {
            GetNamedSecurityInfoW(
                path.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                null_mut(),
                null_mut(),
                null_mut(),
                null_mut(),
                &mut descriptor,
            )
        })?;
        Ok(Descriptor(descriptor))
    }

    /// The list of who may do what; a null pointer where everyone may do everything.
    fn access(&self) -> io::Result<*mut ACL> {
        let (mut is_there, mut list, mut is_default) = (0, null_mut(), 0);
        #[expect(unsafe_code, reason = "the descriptor is valid; the list lies inside of it")]
        done(unsafe {
            GetSecurityDescriptorDacl(self.0, &mut is_there, &mut list, &mut is_default)
        })?;
        Ok(if is_there == 0 { null_mut() } else { list })
    }

    /// Whether the folder above has no say in it.
    fn is_protected(&self) -> io::Result<bool> {
        let (mut control, mut revision) = (0, 0);
        #[expect(unsafe_code, reason = "the descriptor is valid")]
        done(unsafe { GetSecurityDescriptorControl(self.0, &mut control, &mut revision) })?;
        Ok(control & SE_DACL_PROTECTED != 0)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "Windows has allocated it so, and it is dropped once")]
        unsafe {
            LocalFree(self.0);
        }
    }
}

/// The result of a call that gives an error's number.
fn told(error: u32) -> io::Result<()> {
    match error {
        ERROR_SUCCESS => Ok(()),
        error => Err(io::Error::from_raw_os_error(error as i32)),
    }
}

/// The owner of an open file or folder.
///
/// # Errors
/// What Windows says.
pub fn owner_of_file(file: &impl AsHandle) -> io::Result<String> {
    owner(file, SE_FILE_OBJECT)
}

/// The owner of a pipe to which this is an end: whoever made its first instance.
///
/// # Errors
/// What Windows says.
pub fn owner_of_pipe(pipe: &impl AsHandle) -> io::Result<String> {
    owner(pipe, SE_KERNEL_OBJECT)
}

fn owner(object: &impl AsHandle, kind: SE_OBJECT_TYPE) -> io::Result<String> {
    let (mut sid, mut descriptor) = (null_mut(), null_mut());
    let handle = object.as_handle().as_raw_handle();
    #[expect(unsafe_code, reason = "the identifier lies in the descriptor, which outlives its use")]
    unsafe {
        told(GetSecurityInfo(
            handle,
            kind,
            OWNER_SECURITY_INFORMATION,
            &mut sid,
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        ))?;
        let descriptor = Descriptor(descriptor);
        let owner = text_of(sid);
        drop(descriptor);
        owner
    }
}

/// The administrators' group: what a member makes while he is one may be told to be the group's.
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// Whether an owner is this user, or could do all that he can anyway.
///
/// # Errors
/// As [`user`].
pub fn is_own(owner: &str) -> io::Result<bool> {
    Ok(owner == user()? || owner == ADMINISTRATORS)
}

/// Makes one folder that only this user may use, and all that is made in it.
///
/// # Errors
/// `AlreadyExists`, `NotFound` where the folder above is missing, and what else Windows says.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let attributes = Attributes::of(&private_rules()?)?;
    let path = wide(path);
    #[expect(unsafe_code, reason = "all that it points to lives longer than the call")]
    done(unsafe { CreateDirectoryW(path.as_ptr(), attributes.pointer()) })
}

/// Who may use what is being made.
pub(crate) struct Attributes {
    attributes: SECURITY_ATTRIBUTES,
    _descriptor: Descriptor,
}

impl Attributes {
    /// Those whom the rules name.
    pub(crate) fn of(rules: &str) -> io::Result<Self> {
        let descriptor = Descriptor::parse(rules)?;
        let attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        Ok(Attributes { attributes, _descriptor: descriptor })
    }

    pub(crate) fn pointer(&self) -> *const SECURITY_ATTRIBUTES {
        &self.attributes
    }
}

/// Makes a folder that only this user may use, and those above it that are missing. One that is
/// there is left as it is.
///
/// # Errors
/// What Windows says.
pub fn create_private_folders(path: &Path) -> io::Result<()> {
    match create_private_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent() else { return Err(error) };
            create_private_folders(parent)?;
            created(create_private_folder(path), path)
        }
        done => created(done, path),
    }
}

fn created(result: io::Result<()>, path: &Path) -> io::Result<()> {
    match result {
        // The root of a disk is refused instead of told to be there.
        Err(error) if path.is_dir() => {
            let _ = error;
            Ok(())
        }
        result => result,
    }
}

/// Takes what is at `path` from all but this user. Nothing is done on a file system that knows no
/// users.
///
/// # Errors
/// What Windows says.
pub fn restrict(path: &Path) -> io::Result<()> {
    set_access(path, &Descriptor::private()?)
}

/// Lets those use what is at `to` who may use what is at `from`.
///
/// # Errors
/// What Windows says.
pub fn copy_access(from: &Path, to: &Path) -> io::Result<()> {
    match Descriptor::access_of(from) {
        Ok(descriptor) => set_access(to, &descriptor),
        Err(error) if knows_no_users(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn set_access(path: &Path, descriptor: &Descriptor) -> io::Result<()> {
    let is_folder = path.is_dir();
    let path = wide(path);
    let protection = match descriptor.is_protected()? {
        true => PROTECTED_DACL_SECURITY_INFORMATION,
        false => UNPROTECTED_DACL_SECURITY_INFORMATION,
    };
    let what = DACL_SECURITY_INFORMATION | protection;
    let list = descriptor.access()?;
    if is_folder {
        // What is in it already gets it as well.
        #[expect(unsafe_code, reason = "the list lies in the descriptor, which outlives the call")]
        let set = told(unsafe {
            let (nobody, nothing) = (null_mut(), null());
            let kind = SE_FILE_OBJECT;
            SetNamedSecurityInfoW(path.as_ptr(), kind, what, nobody, nobody, list, nothing)
        });
        allowed(set)?;
    }
    // Exactly so: Wine's other call adds what the folder above allows.
    #[expect(unsafe_code, reason = "the descriptor outlives the call")]
    allowed(done(unsafe { SetFileSecurityW(path.as_ptr(), what, descriptor.0) }))
}

/// The result of asking for access rules of a file system that may not know any.
fn allowed(set: io::Result<()>) -> io::Result<()> {
    match set {
        Err(error) if knows_no_users(&error) => Ok(()),
        set => set,
    }
}

fn knows_no_users(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(|code| code as u32);
    matches!(code, Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED))
}

/// Whether somebody else may use what is at `path`, beside the system and the administrators.
///
/// # Errors
/// What Windows says.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    let descriptor = match Descriptor::access_of(path) {
        Err(error) if knows_no_users(&error) => return Ok(false),
        descriptor => descriptor?,
    };
    let list = descriptor.access()?;
    if list.is_null() {
        return Ok(true);
    }
    #[expect(unsafe_code, reason = "the list lies in the descriptor, which outlives its use")]
    let rules = u32::from(unsafe { (*list).AceCount });
    for at in 0..rules {
        let mut rule = null_mut();
        #[expect(unsafe_code, reason = "the list lies in the descriptor, which outlives its use")]
        let is_another = unsafe {
            done(GetAce(list, at, &mut rule))?;
            let header = &*rule.cast::<ACE_HEADER>();
            let is_for_this = u32::from(header.AceFlags) & INHERIT_ONLY_ACE == 0;
            is_for_this
                && u32::from(header.AceType) == ACCESS_ALLOWED_ACE_TYPE
                && is_stranger((&raw mut (*rule.cast::<ACCESS_ALLOWED_ACE>()).SidStart).cast())?
        };
        if is_another {
            return Ok(true);
        }
    }
    Ok(false)
}

#[expect(unsafe_code, reason = "whoever calls it has a valid identifier")]
unsafe fn is_stranger(sid: PSID) -> io::Result<bool> {
    let known = [WinLocalSystemSid, WinBuiltinAdministratorsSid, WinCreatorOwnerSid];
    unsafe {
        let is_known = known.into_iter().any(|known| IsWellKnownSid(sid, known) != 0);
        Ok(!is_known && text_of(sid)? != user()?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::windows::fs::OpenOptionsExt;

    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_BACKUP_SEMANTICS;

    use super::*;

    #[test]
    fn what_is_made_private_is_this_users_and_no_strangers() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("a/b");
        create_private_folders(&folder).expect("made");
        create_private_folders(&folder).expect("there");
        assert!(!is_open_to_others(&folder).expect("readable"));
        let mut options = File::options();
        let open = options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(&folder);
        let owner = owner_of_file(&open.expect("opened")).expect("readable");
        assert!(is_own(&owner).expect("known"), "{owner}");
        assert!(!is_own("S-1-1-0").expect("known"));
    }

    #[test]
    fn a_file_is_closed_to_others_and_its_access_can_be_copied() {
        let home = tempfile::tempdir().expect("a folder");
        let [open, closed] = ["open", "closed"].map(|name| home.path().join(name));
        for path in [&open, &closed] {
            fs::write(path, "").expect("written");
            set_access(path, &Descriptor::parse("D:P(A;;FA;;;WD)").expect("rules")).expect("set");
            assert!(is_open_to_others(path).expect("readable"));
        }
        restrict(&closed).expect("own file");
        assert!(!is_open_to_others(&closed).expect("readable"));
        copy_access(&closed, &open).expect("own files");
        assert!(!is_open_to_others(&open).expect("readable"));
    }
}
