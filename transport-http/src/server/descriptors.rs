//! How many files the system lets this process have open.

/// Descriptors that are left to the database, to files and to what the host itself opens.
const RESERVED: usize = 128;

/// The most connections that the limit on open files has room for; `None` where the system tells
/// no limit.
pub(super) fn room_for_connections() -> Option<usize> {
    // Other systems have no such file.
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    Some(open_files(&text)?.saturating_sub(RESERVED).max(1))
}

/// The soft limit on open files in the text of `/proc/self/limits`.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max open files            {soft}                 524288               files     \n"
            )
        };
        assert_eq!(open_files(&limits("1024")), Some(1024));
        assert_eq!(open_files(&limits("unlimited")), None);
        assert_eq!(open_files(""), None);
        assert_eq!(open_files("Max open files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_tells_its_limit() {
        assert!(room_for_connections().is_some_and(|room| room > 0));
    }
}
