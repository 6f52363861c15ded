//! Processes that end with the one that answers for them.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::null;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use crate::handle::{done, owned};

/// This process, and all that it starts from here on: the others end when this one does, also where it is
/// killed. What is started to leave a job, as a daemon is, may leave it. Dropping it is such an end too.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl Job {
    /// Makes one, and lets this process join it: so nothing that it starts is outside for a moment.
    ///
    /// # Errors
    /// What Windows says, as where this process is in a job that allows no further one.
    pub fn join() -> io::Result<Job> {
        #[expect(unsafe_code, reason = "makes a job without a name, which nobody else can open")]
        let job = Job(owned(unsafe { CreateJobObjectW(null(), null()) })?);
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK)?;
        #[expect(
            unsafe_code,
            reason = "both handles are valid: one is open, and one is no real one"
        )]
        done(unsafe { AssignProcessToJobObject(job.0.as_raw_handle(), GetCurrentProcess()) })?;
        Ok(job)
    }

    /// Lets what is still running in it live on.
    ///
    /// # Errors
    /// What Windows says.
    pub fn release(self) -> io::Result<()> {
        self.limit(JOB_OBJECT_LIMIT_BREAKAWAY_OK)
    }

    fn limit(&self, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        let bytes = size_of_val(&limits) as u32;
        let (job, what) = (self.0.as_raw_handle(), JobObjectExtendedLimitInformation);
        #[expect(unsafe_code, reason = "it reads the structure that it is given")]
        done(unsafe { SetInformationJobObject(job, what, (&raw const limits).cast(), bytes) })
    }
}
