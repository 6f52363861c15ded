//! A terminal in memory, with a program in it that believes a person sits before it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::wait::until;

/// What a program switches on to have the whole screen, and off again.
const OTHER_SCREEN: &str = "\x1b[?1049h";
const FIRST_SCREEN: &str = "\x1b[?1049l";
const NO_CURSOR: &str = "\x1b[?25l";
const CURSOR: &str = "\x1b[?25h";

/// A terminal and the program in it, which is killed when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    /// The side of the person: keys go in.
    keyboard: File,
    /// The side of the program.
    line: File,
    /// All that the program has written.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a program in a terminal of so many columns and lines.
    pub fn start(mut command: Command, columns: u16, lines: u16) -> Self {
        let (keyboard, line) = two_sides().expect("there are pseudo terminals");
        tcsetwinsize(&line, size(columns, lines)).expect("any size will do");
        let stdio = || line.try_clone().expect("descriptors are left");
        command.stdin(stdio()).stdout(stdio()).stderr(stdio()).env("TERM", "xterm-256color");
        #[expect(unsafe_code, reason = "both are system calls, which may be made after a fork")]
        // SAFETY: neither allocates nor takes a lock.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
            });
        }
        let child = command.spawn().expect("it can be run");
        // The command holds the line open, and the terminal would never be told that all have gone.
        drop(command);
        let written = Arc::new(Mutex::new(Vec::new()));
        let keyboard = File::from(keyboard);
        let screen = keyboard.try_clone().expect("descriptors are left");
        let into = written.clone();
        std::thread::spawn(move || read_to_the_end(screen, &into));
        Terminal { child, keyboard, line, written }
    }

    /// The program's pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&self, columns: u16, lines: u16) {
        tcsetwinsize(&self.line, size(columns, lines)).expect("any size will do");
    }

    /// Waits until the screen has this text.
    pub fn shows(&self, text: &str) {
        until(&format!("the screen shows {text}"), || self.screen().contains(text).then_some(()));
    }

    /// What the screen shows, as lines.
    pub fn screen(&self) -> String {
        screen(&self.written())
    }

    /// Waits until the program has ended.
    pub fn ends(&mut self) -> ExitStatus {
        until("the program ends", || self.child.try_wait().expect("it was started here"))
    }

    /// Whether a shell could go on here: the first screen, a cursor, and lines that are echoed.
    pub fn is_restored(&self) -> bool {
        let written = self.written();
        let ends_with = |off: &str, on: &str| written.rfind(off) >= written.rfind(on);
        let modes = tcgetattr(&self.line).expect("it is a terminal").local_modes;
        let is_cooked = modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        is_cooked && ends_with(FIRST_SCREEN, OTHER_SCREEN) && ends_with(CURSOR, NO_CURSOR)
    }

    /// Waits until it is restored: what a program wrote last may still be on its way when it has ended.
    pub fn is_given_back(&self) {
        until("the terminal is given back", || self.is_restored().then_some(()));
    }

    fn written(&self) -> String {
        let written = self.written.lock().expect("the reader does not panic");
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A terminal: the side of the person, and that of the program.
#[cfg(target_os = "linux")]
fn two_sides() -> io::Result<(OwnedFd, File)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let keyboard = openpt(flags)?;
    grantpt(&keyboard).and_then(|()| unlockpt(&keyboard))?;
    let line = File::from(rustix::pty::ioctl_tiocgptpeer(&keyboard, flags)?);
    Ok((keyboard, line))
}

/// A terminal: the side of the person, and that of the program.
#[cfg(not(target_os = "linux"))]
fn two_sides() -> io::Result<(OwnedFd, File)> {
    use rustix::fs::{Mode, OFlags};

    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&keyboard, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&keyboard).and_then(|()| unlockpt(&keyboard))?;
    let name = rustix::pty::ptsname(&keyboard, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let line = File::from(rustix::fs::open(&*name, flags, Mode::empty())?);
    Ok((keyboard, line))
}

fn size(columns: u16, lines: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 }
}

fn read_to_the_end(mut screen: File, into: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(1..) = screen.read(&mut chunk).inspect(|&bytes| {
        into.lock().expect("nobody panics with it").extend_from_slice(&chunk[..bytes]);
    }) {}
}

/// Does what a full-screen program says: moves, clears and writes. Colours are not looked at, and
/// every character is as wide as any other.
fn screen(written: &str) -> String {
    let mut lines: Vec<Vec<char>> = Vec::new();
    let (mut line, mut column) = (0, 0);
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\x1b' if rest.starts_with('[') => {
                let end =
                    rest[1..].find(|c: char| c.is_ascii_alphabetic()).map_or(1, |end| end + 1);
                let mut numbers = rest[1..end].split(';').map(|text| text.parse().unwrap_or(1));
                match &rest[end..end + 1] {
                    "H" => {
                        (line, column) =
                            (numbers.next().unwrap_or(1) - 1, numbers.next().unwrap_or(1) - 1);
                    }
                    "J" => lines.clear(),
                    _ => {}
                }
                rest = &rest[end + 1..];
            }
            '\r' => column = 0,
            '\n' => line += 1,
            _ => {
                if lines.len() <= line {
                    lines.resize(line + 1, Vec::new());
                }
                if lines[line].len() <= column {
                    lines[line].resize(column + 1, ' ');
                }
                lines[line][column] = character;
                column += 1;
            }
        }
    }
    lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned() + "\n").collect()
}
