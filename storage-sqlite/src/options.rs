//! What a host may choose about its SQLite database.

use std::time::Duration;

/// What a host may choose about its SQLite database; [`Default`] is right for a server and for a
/// phone.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Commit without waiting for the disk (`synchronous=NORMAL`). A crash of the program loses
    /// nothing; a crash of the machine may lose the newest commits, though never in part. Off by
    /// default: what was acknowledged is on the disk (`synchronous=FULL`).
    pub relaxed_durability: bool,
    /// Overwrite deleted content with zeros (`secure_delete`). Costs writes; off by default,
    /// since free text about patients is sealed before it gets here.
    pub secure_delete: bool,
    /// How many connections read at the same time; at least one. Four by default.
    pub readers: usize,
    /// How many commands, and how many reads, may wait before a caller has to wait for a place.
    /// 1,024 by default.
    pub queue: usize,
    /// How long a lock that another process holds is waited for. Five seconds by default.
    pub busy_timeout: Duration,
    /// After how many pages the write-ahead log is copied into the database: a page that was
    /// written many times is copied once. 4,000 by default (16 MiB).
    pub checkpoint_pages: u32,
    /// The most pages (of 4,096 bytes) that the database may grow to; a write beyond it answers
    /// "storage full". No limit by default.
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            relaxed_durability: false,
            secure_delete: false,
            readers: 4,
            queue: 1024,
            busy_timeout: Duration::from_secs(5),
            checkpoint_pages: 4000,
            max_pages: None,
        }
    }
}
