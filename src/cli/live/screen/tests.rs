//! The terminal is given back, also in a panic: seen from the other end of a pseudo-terminal.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use super::Screen;

/// Tells the other process, which is this test again, to take the terminal and panic there.
const ON_TERMINAL: &str = "BEDLOAD_TEST_ON_TERMINAL";

/// What a terminal is told to bring back what was on it, and its cursor.
const BROUGHT_BACK: &str = "\x1b[?1049l\x1b[?25h";

/// A pseudo-terminal's two ends.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&master).expect("ours");
    unlockpt(&master).expect("ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let slave = open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it opens");
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&slave, size).expect("any size");
    (File::from(master), slave)
}

fn modes(terminal: &OwnedFd) -> Termios {
    tcgetattr(terminal).expect("a terminal has modes")
}

/// Runs the test `name` on a terminal; what it wrote there, and the modes before and after.
fn on_terminal(name: &str) -> (String, Termios, Termios) {
    let (mut master, slave) = terminal();
    let before = modes(&slave);
    let end = || Stdio::from(slave.try_clone().expect("one more"));
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ON_TERMINAL, "1")
        .stdin(end())
        .stdout(Stdio::null())
        .stderr(end())
        .spawn()
        .expect("this program starts");
    let ended = child.wait().expect("a child of ours");
    let after = modes(&slave);
    drop(slave);
    // What was written stays in the terminal until it is read; then its other end is gone.
    let mut written = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = master.read(&mut piece) {
        written.extend_from_slice(&piece[..read]);
    }
    let written = String::from_utf8_lossy(&written).into_owned();
    assert_eq!(ended.success(), name.ends_with("twice"), "{written}");
    (written, before, after)
}

fn is_child() -> bool {
    env::var_os(ON_TERMINAL).is_some()
}

fn assert_given_back(written: &str, before: &Termios, after: &Termios) {
    assert!(
        before
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    );
    assert_eq!(before.local_modes, after.local_modes);
    assert_eq!(before.input_modes, after.input_modes);
    assert_eq!(before.output_modes, after.output_modes);
    assert_eq!(written.matches("\x1b[?1049h").count(), 1, "{written:?}");
    assert_eq!(written.matches(BROUGHT_BACK).count(), 1, "{written:?}");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    if is_child() {
        let _screen = Screen::enter().expect("there is a terminal");
        panic!("in the middle of a run");
    }
    let name = "cli::live::screen::tests::a_panic_gives_the_terminal_back_before_it_speaks";
    let (written, before, after) = on_terminal(name);
    assert_given_back(&written, &before, &after);
    let back = written.find(BROUGHT_BACK).expect("seen above");
    let message = written
        .find("in the middle of a run")
        .expect("a panic says why");
    assert!(back < message, "{written:?}");
}

#[test]
fn a_panic_while_drawing_does_not_wait_for_itself() {
    if is_child() {
        let screen = Screen::enter().expect("there is a terminal");
        let _drawn = screen.draw(|_| panic!("in the middle of a picture"));
    }
    let name = "cli::live::screen::tests::a_panic_while_drawing_does_not_wait_for_itself";
    let (written, before, after) = on_terminal(name);
    assert_given_back(&written, &before, &after);
    assert!(
        written.contains("in the middle of a picture"),
        "{written:?}"
    );
}

#[test]
fn it_is_given_back_once_and_nothing_is_drawn_afterwards_though_asked_twice() {
    if is_child() {
        let screen = Screen::enter().expect("there is a terminal");
        screen
            .draw(|frame| frame.render_widget("first", frame.area()))
            .expect("drawn");
        screen.leave();
        screen.leave();
        screen
            .draw(|frame| frame.render_widget("second", frame.area()))
            .expect("not drawn");
        return;
    }
    let name = "cli::live::screen::tests::\
                it_is_given_back_once_and_nothing_is_drawn_afterwards_though_asked_twice";
    let (written, before, after) = on_terminal(name);
    assert_given_back(&written, &before, &after);
    assert!(
        written.contains("first") && !written.contains("second"),
        "{written:?}"
    );
}
