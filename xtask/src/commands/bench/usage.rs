//! What another process has used, as Linux shows it in /proc: CPU time and memory.
//!
//! CPU time is read for each thread in nanoseconds. `/proc/PID/stat` counts in ticks of 10 ms, and a round with a
//! hundred workers takes less than one; it is the check for what threads used that have ended in between.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A tick of `/proc/PID/stat`: Linux shows times to programs in hundredths of a second on every architecture we run on.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time that a process has used up to a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cpu {
    /// User and system time of all threads, also of those that have ended.
    coarse: Duration,
    /// The time of each living thread.
    threads: BTreeMap<u32, Duration>,
}

impl Cpu {
    pub(super) fn of(pid: u32) -> Result<Self> {
        let coarse = stat(&read(pid, "stat")?).context("failed to understand /proc/PID/stat")?;
        let mut threads = BTreeMap::new();
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .with_context(|| format!("failed to read the threads of process {pid}"))?;
        for task in tasks.flatten() {
            // A thread that ends meanwhile has no file any more.
            let id = task.file_name().to_str().and_then(|name| name.parse().ok());
            let text = fs::read_to_string(task.path().join("schedstat")).ok();
            if let (Some(id), Some(time)) = (id, text.as_deref().and_then(schedstat)) {
                threads.insert(id, time);
            }
        }
        Ok(Self { coarse, threads })
    }

    /// What was used since an earlier reading.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        let fine: Duration = self
            .threads
            .iter()
            .map(|(id, time)| time.saturating_sub(earlier.threads.get(id).copied().unwrap_or_default()))
            .sum();
        let coarse = self.coarse.saturating_sub(earlier.coarse);
        // Two numbers in ticks, each rounded down, twice: what differs by more has ended with its thread.
        if coarse > fine + 3 * TICK { coarse } else { fine }
    }
}

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Memory {
    /// What is resident now.
    pub(super) resident: u64,
    /// The most that ever was.
    pub(super) peak: u64,
}

impl Memory {
    pub(super) fn of(pid: u32) -> Result<Self> {
        status(&read(pid, "status")?).context("failed to understand /proc/PID/status")
    }
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))
}

/// User and system time in `/proc/PID/stat`. The name of the program comes before and may hold anything but `)`s
/// that are the last one.
fn stat(text: &str) -> Option<Duration> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some((ticks()? + ticks()?) * TICK)
}

/// The first number of `/proc/PID/task/TID/schedstat`: nanoseconds on a CPU.
fn schedstat(text: &str) -> Option<Duration> {
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

fn status(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim_end_matches("kB").trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some(Memory {
        resident: bytes("VmRSS:")?,
        peak: bytes("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_times_of_a_process_are_found_behind_any_name() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(stat(text), expected.map(|ms| ms * MS), "{text}");
        };
        let fields = "S 1 2 3 0 -1 4194560 5 6 7 8 123 45 0 0 20 0 4 0 99 1 2";
        check(&format!("77 (metrics) {fields}"), Some(1680));
        check(&format!("77 (a) b) ((c) {fields}"), Some(1680));
        check("77 (metrics) S 1 2", None);
        check("", None);
    }

    #[test]
    fn the_time_of_a_thread_is_in_nanoseconds() {
        assert_eq!(
            schedstat("114882 6348999 2\n"),
            Some(Duration::from_nanos(114_882))
        );
        assert_eq!(schedstat("\n"), None);
    }

    #[test]
    fn memory_is_resident_and_peak() {
        let text =
            "Name:\tmetrics\nVmPeak:\t  900 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
        let expected = Memory {
            resident: 1 << 20,
            peak: 2 << 20,
        };
        assert_eq!(status(text), Some(expected));
        assert_eq!(status("Name:\tkthreadd\n"), None, "a process without memory");
    }

    #[test]
    fn threads_are_added_up_and_those_that_ended_are_not_forgotten() {
        let cpu = |coarse: u32, threads: &[(u32, u32)]| Cpu {
            coarse: coarse * MS,
            threads: threads.iter().map(|(id, ms)| (*id, *ms * MS)).collect(),
        };
        let check = |later: Cpu, expected: u32| {
            let earlier = cpu(100, &[(1, 60), (2, 40)]);
            assert_eq!(later.since(&earlier), expected * MS, "{later:?}");
        };
        check(cpu(110, &[(1, 63), (2, 44)]), 7);
        check(cpu(110, &[(1, 63), (3, 5)]), 8);
        check(cpu(400, &[(1, 63)]), 300);
    }

    #[test]
    fn a_process_can_be_read() {
        let pid = std::process::id();
        let before = Cpu::of(pid).unwrap();
        assert!(Cpu::of(pid).unwrap().since(&before) < Duration::from_secs(60));
        let memory = Memory::of(pid).unwrap();
        assert!(memory.resident > 0 && memory.peak > 0, "{memory:?}");
    }
}
