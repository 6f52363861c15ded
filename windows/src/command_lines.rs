//! Which processes run a program, and what they were called with: for tests that look for theirs.

use std::io;
use std::mem::{offset_of, zeroed};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::null_mut;

use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    PEB, PROCESS_QUERY_INFORMATION, PROCESS_VM_READ, RTL_USER_PROCESS_PARAMETERS,
};

use crate::handle::{done, owned};
use crate::process;

/// The pids of all that run a program of this file name, with their command lines. Those that this
/// user may not look into, or that end meanwhile, are left out.
pub fn of_programs(name: &str) -> Vec<(u32, String)> {
    let pids = pids_of(name).unwrap_or_default().into_iter();
    pids.filter_map(|pid| Some((pid, command_line(pid).ok()?))).collect()
}

fn pids_of(name: &str) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    #[expect(unsafe_code, reason = "each call fills in an entry that is told its own size")]
    unsafe {
        let all = owned(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0))?;
        let mut entry: PROCESSENTRY32W = zeroed();
        entry.dwSize = size_of::<PROCESSENTRY32W>() as u32;
        let mut is_there = Process32FirstW(all.as_raw_handle(), &mut entry) != 0;
        while is_there {
            let end = entry.szExeFile.iter().position(|unit| *unit == 0);
            let file = String::from_utf16_lossy(&entry.szExeFile[..end.unwrap_or(0)]);
            if file.eq_ignore_ascii_case(name) {
                pids.push(entry.th32ProcessID);
            }
            is_there = Process32NextW(all.as_raw_handle(), &mut entry) != 0;
        }
    }
    Ok(pids)
}

fn command_line(pid: u32) -> io::Result<String> {
    let process = process::open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ)?;
    // Its own memory says so: the process environment block leads to its parameters.
    let block = process::basic(process.as_raw_handle())?.PebBaseAddress as usize;
    let parameters: usize = read(&process, block + offset_of!(PEB, ProcessParameters))?;
    let text = parameters + offset_of!(RTL_USER_PROCESS_PARAMETERS, CommandLine);
    let bytes: u16 = read(&process, text)?;
    // Length and capacity are before the pointer, which is aligned as one.
    let at: usize = read(&process, text + size_of::<usize>())?;
    let mut units = vec![0_u16; usize::from(bytes) / 2];
    read_into(&process, at, &mut units)?;
    Ok(String::from_utf16_lossy(&units))
}

fn read<T: Copy + Default>(process: &OwnedHandle, at: usize) -> io::Result<T> {
    let mut one = [T::default()];
    read_into(process, at, &mut one)?;
    Ok(one[0])
}

/// Only numbers are read so.
fn read_into<T: Copy + Default>(
    process: &OwnedHandle,
    at: usize,
    into: &mut [T],
) -> io::Result<()> {
    let (handle, bytes) = (process.as_raw_handle(), size_of_val(into));
    let into = into.as_mut_ptr().cast();
    #[expect(unsafe_code, reason = "it is told how much room there is, and numbers take any bytes")]
    done(unsafe { ReadProcessMemory(handle, at as *const _, into, bytes, null_mut()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_its_name_with_its_command_line() {
        let own = std::env::current_exe().expect("a test knows its own path");
        let name = own.file_name().expect("a file").to_string_lossy().into_owned();
        let found = of_programs(&name);
        let line = found.iter().find(|(pid, _)| *pid == std::process::id());
        assert!(
            line.is_some_and(|(_, line)| line.contains(name.trim_end_matches(".exe"))),
            "{found:?}"
        );
        assert!(of_programs("nobody-is-called-so.exe").is_empty());
    }
}
