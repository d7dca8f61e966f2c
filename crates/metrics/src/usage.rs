//! What this process uses of the machine, read as client libraries of Prometheus do, from `/proc`.

use std::fs;
use std::sync::OnceLock;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use crate::export::Usage;

/// What the process uses now; `None` where the system does not say.
pub(crate) fn read() -> Option<Usage> {
    let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let ticks = clock_ticks_per_second() as f64;
    Some(Usage {
        cpu_seconds: stat.cpu_ticks as f64 / ticks,
        resident_bytes: stat.resident_pages * page_size() as u64,
        virtual_bytes: stat.virtual_bytes,
        threads: stat.threads,
        started: boot_time()? as f64 + stat.start_ticks as f64 / ticks,
        // One of them is open only to read this.
        open_files: (fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1),
        max_open_files: getrlimit(Resource::Nofile).current,
    })
}

/// When the machine started, in Unix time. The system computes it from a clock that may be set, so it is read once.
fn boot_time() -> Option<u64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        line.trim().parse().ok()
    })
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name of the program comes second, in parentheses, and may have spaces and parentheses itself.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // proc(5) counts fields from 1, and the third is the first here.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let text = "7 (a) b) (c) S 1 7 7 0 -1 4194560 9 0 0 0 25 17 0 0 20 0 5 0 4242 1048576 300 18446744073709551615";
        let expected = Stat {
            cpu_ticks: 42,
            threads: 5,
            start_ticks: 4242,
            virtual_bytes: 1_048_576,
            resident_pages: 300,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_is_as_large_and_as_old_as_it_is() {
        let before = read().expect("a Linux system");
        let _file = fs::File::open("/proc/self/stat").expect("it is there");
        let after = read().expect("a Linux system");
        assert!(after.open_files >= 4 && after.max_open_files.is_none_or(|most| most >= after.open_files));
        assert!(after.resident_bytes > 1 << 20 && after.virtual_bytes >= after.resident_bytes);
        assert!(after.threads >= 2 && after.cpu_seconds >= before.cpu_seconds);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let age = now.as_secs_f64() - after.started;
        assert!((-2.0..3600.0).contains(&age), "{age}");
    }
}
