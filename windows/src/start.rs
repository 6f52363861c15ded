//! Starting a program that outlives its starter and has nothing of it but what it is given.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, IntoRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, HANDLE};
use windows_sys::Win32::System::Console::{STD_OUTPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT,
    CreateProcessW, DETACHED_PROCESS, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_CREATION_FLAGS, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, STARTUPINFOW, UpdateProcThreadAttribute,
};

use crate::handle::{done, owned, pass_on, wide};

/// Starts a program without console, in a folder, and gives what it will write to its standard
/// output. Whatever this process has inherited stays with this process: a caller that waits for
/// the end of its pipe does not wait for the program.
///
/// Where this process belongs to a job that ends with it, as many terminals and editors make one,
/// the program leaves that job if it is allowed to.
///
/// # Errors
/// What Windows says, `NotFound` for a program that is not there.
pub fn start_detached(
    program: &Path,
    arguments: &[OsString],
    variables: &[(OsString, OsString)],
    folder: &Path,
) -> io::Result<PipeReader> {
    let (report, output) = io::pipe()?;
    let nowhere = File::options().read(true).write(true).open("NUL")?;
    pass_on(&output, true)?;
    pass_on(&nowhere, true)?;
    let line = command_line(program.as_os_str(), arguments);
    let environment = environment(variables);
    let started = Start {
        program: wide(program),
        line,
        environment,
        folder: wide(folder),
        output: output.as_raw_handle(),
        nowhere: nowhere.as_raw_handle(),
    };
    match started.run(CREATE_BREAKAWAY_FROM_JOB) {
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32) => started.run(0)?,
        done => done?,
    };
    Ok(report)
}

/// Points this process's standard output to nowhere, and closes what it was: whoever reads it has
/// read its end.
///
/// # Errors
/// What Windows says.
pub fn silence_stdout() -> io::Result<()> {
    let nowhere = File::options().write(true).open("NUL")?;
    let before = io::stdout().as_raw_handle();
    #[expect(unsafe_code, reason = "nobody else uses the handle that it was, which is closed once")]
    unsafe {
        done(SetStdHandle(STD_OUTPUT_HANDLE, nowhere.into_raw_handle()))?;
        drop(owned(before));
    }
    Ok(())
}

struct Start {
    program: Vec<u16>,
    line: Vec<u16>,
    environment: Vec<u16>,
    folder: Vec<u16>,
    output: HANDLE,
    nowhere: HANDLE,
}

impl Start {
    fn run(&self, more: PROCESS_CREATION_FLAGS) -> io::Result<OwnedHandle> {
        let passed = [self.output, self.nowhere];
        let list = Passed::only(&passed)?;
        let startup = STARTUPINFOEXW {
            StartupInfo: STARTUPINFOW {
                cb: size_of::<STARTUPINFOEXW>() as u32,
                dwFlags: STARTF_USESTDHANDLES,
                hStdInput: self.nowhere,
                hStdOutput: self.output,
                hStdError: self.nowhere,
                ..STARTUPINFOW::default()
            },
            lpAttributeList: list.pointer(),
        };
        let flags = DETACHED_PROCESS
            | CREATE_NEW_PROCESS_GROUP
            | CREATE_UNICODE_ENVIRONMENT
            | EXTENDED_STARTUPINFO_PRESENT
            | more;
        // It is written into.
        let mut line = self.line.clone();
        let mut told = PROCESS_INFORMATION::default();
        #[expect(unsafe_code, reason = "all that it points to lives longer than the call")]
        done(unsafe {
            CreateProcessW(
                self.program.as_ptr(),
                line.as_mut_ptr(),
                null(),
                null(),
                1,
                flags,
                self.environment.as_ptr().cast(),
                self.folder.as_ptr(),
                &startup.StartupInfo,
                &mut told,
            )
        })?;
        drop(owned(told.hThread)?);
        owned(told.hProcess)
    }
}

/// The handles that a new process gets, and no others.
struct Passed<'h> {
    list: Vec<usize>,
    _handles: &'h [HANDLE],
}

impl<'h> Passed<'h> {
    fn only(handles: &'h [HANDLE]) -> io::Result<Self> {
        let mut bytes = 0;
        #[expect(unsafe_code, reason = "asks how much room is needed, which is no failure")]
        unsafe {
            InitializeProcThreadAttributeList(null_mut(), 1, 0, &mut bytes);
        }
        let list = vec![0; bytes.div_ceil(size_of::<usize>())];
        let passed = Passed { list, _handles: handles };
        let what = PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize;
        #[expect(
            unsafe_code,
            reason = "there is as much room as was asked for, and the handles stay"
        )]
        unsafe {
            done(InitializeProcThreadAttributeList(passed.pointer(), 1, 0, &mut bytes))?;
            done(UpdateProcThreadAttribute(
                passed.pointer(),
                0,
                what,
                handles.as_ptr().cast(),
                size_of_val(handles),
                null_mut(),
                null(),
            ))?;
        }
        Ok(passed)
    }

    fn pointer(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_ptr().cast_mut().cast()
    }
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "it was initialised, and is deleted once")]
        unsafe {
            DeleteProcThreadAttributeList(self.pointer());
        }
    }
}

/// This process's environment with other values for some variables, as Windows takes it.
fn environment(variables: &[(OsString, OsString)]) -> Vec<u16> {
    let is_replaced =
        |name: &OsStr| variables.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let kept = env::vars_os().filter(|(name, _)| !is_replaced(name));
    let mut block = Vec::new();
    for (name, value) in kept.chain(variables.iter().cloned()) {
        block.extend(name.encode_wide().chain([b'='.into()]).chain(value.encode_wide()).chain([0]));
    }
    block.extend([0, 0]);
    block
}

/// The command line from which a program reads these arguments.
fn command_line(program: &OsStr, arguments: &[OsString]) -> Vec<u16> {
    let mut line = Vec::new();
    for argument in [program].into_iter().chain(arguments.iter().map(OsString::as_os_str)) {
        if !line.is_empty() {
            line.push(b' '.into());
        }
        quote(argument, &mut line);
    }
    line.push(0);
    line
}

/// As it is where that can be read; else in quotes, in which a quote has a backslash before it, and
/// so do the backslashes before a quote.
fn quote(argument: &OsStr, line: &mut Vec<u16>) {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    let needs_none = |unit: u16| ![QUOTE, b' '.into(), b'\t'.into()].contains(&unit);
    if !argument.is_empty() && argument.encode_wide().all(needs_none) {
        line.extend(argument.encode_wide());
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in argument.encode_wide() {
        if unit == QUOTE {
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH { backslashes + 1 } else { 0 };
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::windows::ffi::OsStringExt;

    use super::*;

    #[test]
    fn arguments_are_quoted_as_programs_read_them() {
        let rows = [
            ("plain", "plain"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            (r#"a"b"#, r#""a\"b""#),
            (r"C:\a b\", r#""C:\a b\\""#),
            (r#"a\"b"#, r#""a\\\"b""#),
            (r"a\b\", r"a\b\"),
        ];
        for (argument, expected) in rows {
            let mut line = Vec::new();
            quote(OsStr::new(argument), &mut line);
            assert_eq!(OsString::from_wide(&line), OsString::from(expected), "{argument}");
        }
    }

    #[test]
    fn a_started_program_reports_over_its_output_and_sees_what_it_is_given() {
        let program = env::var_os("ComSpec").expect("Windows names its shell");
        let arguments = ["/d", "/c", "echo", "%ARGUS_TEST%"].map(OsString::from);
        let variables = [("ARGUS_TEST".into(), "héllo wörld".into())];
        let folder = env::temp_dir();
        let mut report =
            start_detached(program.as_ref(), &arguments, &variables, &folder).expect("started");
        let mut told = Vec::new();
        // It ends when the program does: nobody else has the other end.
        report.read_to_end(&mut told).expect("read");
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains("llo w") && !told.contains('%'), "{told}");
        let missing = folder.join("no such program.exe");
        let error = start_detached(&missing, &[], &[], &folder).expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
