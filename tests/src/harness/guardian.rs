//! Kills the processes that a test process left behind.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Reads `+PID` and `-PID` lines. When its input ends, because the test process ended, it kills the
/// remaining processes.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
left=" "
while read -r line; do
    pid="${line#?}"
    case "$line" in
        +*) left="$left$pid " ;;
        -*) left="${left% $pid *} ${left##* $pid }" ;;
    esac
done
for pid in $left; do kill -9 "$pid" 2>/dev/null; done
"#;

/// The guardian, which outlives the test process, and the processes that it watches.
struct Guardian {
    shell: Child,
    noted: BTreeSet<u32>,
}

fn guardian() -> &'static Mutex<Guardian> {
    static GUARDIAN: OnceLock<Mutex<Guardian>> = OnceLock::new();
    GUARDIAN.get_or_init(|| {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell is there");
        Mutex::new(Guardian { shell, noted: BTreeSet::new() })
    })
}

/// Watches a process that must not outlive this one.
pub fn watch(pid: u32) {
    tell('+', pid, BTreeSet::insert);
}

/// Removes a process that has ended and was waited for: its id may belong to another one from now
/// on.
pub fn forget(pid: u32) {
    tell('-', pid, |noted, pid| noted.remove(&pid));
}

fn tell(sign: char, pid: u32, note: fn(&mut BTreeSet<u32>, u32) -> bool) {
    let mut guardian = guardian().lock().unwrap_or_else(PoisonError::into_inner);
    if note(&mut guardian.noted, pid) {
        let input = guardian.shell.stdin.as_mut().expect("its input is a pipe");
        writeln!(input, "{sign}{pid}").expect("the guardian reads until this process ends");
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::harness::within;
    use std::time::Duration;

    #[test]
    fn the_script_kills_what_is_noted_and_only_that() {
        let sleeper = || Command::new("sleep").arg("60").spawn().unwrap();
        let (mut noted, mut other) = (sleeper(), sleeper());
        let mut shell =
            Command::new("sh").args(["-c", SCRIPT]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        let (one, two) = (noted.id(), other.id());
        write!(input, "+{two}\n+{one}\n-{two}\n").unwrap();
        drop(input);
        shell.wait().unwrap();
        within(Duration::from_secs(10), "the noted process to end", || noted.try_wait().unwrap());
        assert!(other.try_wait().unwrap().is_none(), "a process that was struck out was killed");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
