//! Checkpoints of the audit trail in a file beside the database.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use telemed_core::journal::{Checkpoint, CheckpointSink};

use crate::files::{private, sync_folder_of};

/// How much of the end of the file is looked at first: some hundred checkpoints.
const TAIL: u64 = 64 * 1024;

/// Keeps checkpoints in a file, one a line, that is only ever added to. Move its lines to another
/// machine, and nobody who holds this one can cut the trail unseen.
///
/// A line that a crash has torn is passed over. Several processes may add to one file.
pub struct FileCheckpoints {
    path: PathBuf,
    name: Option<String>,
    /// The newest checkpoint, and how long the file was when it was found: the engine asks each
    /// second, and reading is only needed when another process has added something.
    known: Mutex<Option<(u64, Option<Checkpoint>)>>,
}

impl FileCheckpoints {
    /// The checkpoints of this file, which is made with the first of them.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            known: Mutex::new(None),
        }
    }

    /// The checkpoints that one of several servers keeps in this file; the name is its own.
    #[must_use]
    pub fn of_server(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::new(path)
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<(u64, Option<Checkpoint>)>> {
        // What is noted is whole at every step.
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = private(options.create(true)).open(&self.path)?;
                sync_folder_of(&self.path)?;
                Ok(file)
            }
            opened => opened,
        }
    }
}

impl CheckpointSink for FileCheckpoints {
    fn keep(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let mut known = self.known();
        *known = None;
        let mut file = self.open()?;
        let line = format!("{}\n", checkpoint.to_line());
        let line = if ends_in_a_torn_line(&mut file)? {
            format!("\n{line}")
        } else {
            line
        };
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }

    fn newest(&self) -> io::Result<Option<Checkpoint>> {
        let mut known = self.known();
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if let Some((then, newest)) = &*known
            && *then == length
        {
            return Ok(newest.clone());
        }
        let mut newest = newest_after(&mut file, length.saturating_sub(TAIL))?;
        if newest.is_none() && length > TAIL {
            newest = newest_after(&mut file, 0)?;
        }
        *known = Some((length, newest.clone()));
        Ok(newest)
    }

    fn all(&self) -> io::Result<Vec<Checkpoint>> {
        match File::open(&self.path) {
            Ok(mut file) => checkpoints_after(&mut file, 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

fn ends_in_a_torn_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The checkpoint of the longest trail: of two processes, one may have added its line late.
fn newest_after(file: &mut File, offset: u64) -> io::Result<Option<Checkpoint>> {
    let checkpoints = checkpoints_after(file, offset)?;
    Ok(checkpoints
        .into_iter()
        .max_by_key(|checkpoint| checkpoint.head.count))
}

fn checkpoints_after(file: &mut File, offset: u64) -> io::Result<Vec<Checkpoint>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| Checkpoint::from_line(std::str::from_utf8(line).ok()?))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use telemed_core::crypto::TenantKeyId;
    use telemed_core::journal::AuditHead;
    use telemed_core::time::Timestamp;

    use super::*;

    fn checkpoint(count: u64) -> Checkpoint {
        Checkpoint {
            head: AuditHead {
                count,
                hash: [7; 32],
            },
            at: Timestamp::from_micros(1),
            key: TenantKeyId(-5),
            signature: [9; 32],
        }
    }

    fn sink() -> (tempfile::TempDir, FileCheckpoints) {
        let folder = tempfile::tempdir().unwrap();
        let sink = FileCheckpoints::new(folder.path().join("audit-checkpoints.log"));
        (folder, sink)
    }

    #[test]
    fn what_was_kept_is_read_back_by_another() {
        let (_folder, sink) = sink();
        assert_eq!(sink.newest().unwrap(), None);
        for count in 1..=3 {
            sink.keep(&checkpoint(count)).unwrap();
            assert_eq!(sink.newest().unwrap(), Some(checkpoint(count)));
        }
        let another = FileCheckpoints::new(sink.path());
        assert_eq!(another.newest().unwrap(), Some(checkpoint(3)));
        another.keep(&checkpoint(4)).unwrap();
        assert_eq!(sink.newest().unwrap(), Some(checkpoint(4)));
        let text = std::fs::read_to_string(sink.path()).unwrap();
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn a_torn_line_is_passed_over_and_not_written_on() {
        let (_folder, sink) = sink();
        sink.keep(&checkpoint(1)).unwrap();
        let whole = std::fs::read(sink.path()).unwrap();
        sink.keep(&checkpoint(2)).unwrap();
        let both = std::fs::read(sink.path()).unwrap();
        for length in whole.len()..both.len() {
            std::fs::write(sink.path(), &both[..length]).unwrap();
            let sink = FileCheckpoints::new(sink.path());
            // The last byte is only the end of the line: the checkpoint is whole without it.
            let expected = if length == both.len() - 1 { 2 } else { 1 };
            assert_eq!(
                sink.newest().unwrap(),
                Some(checkpoint(expected)),
                "{length}"
            );
            sink.keep(&checkpoint(3)).unwrap();
            assert_eq!(sink.newest().unwrap(), Some(checkpoint(3)), "{length}");
        }
    }

    #[test]
    fn a_long_file_is_read_from_its_end_and_rubbish_does_not_hide_the_rest() {
        let (_folder, sink) = sink();
        for count in 1..=1000 {
            let mut file = sink.open().unwrap();
            writeln!(file, "{}", checkpoint(count).to_line()).unwrap();
        }
        assert_eq!(sink.newest().unwrap(), Some(checkpoint(1000)));
        let mut file = sink.open().unwrap();
        file.write_all(&vec![0xFF; 100 * 1024]).unwrap();
        assert_eq!(sink.newest().unwrap(), Some(checkpoint(1000)));
        sink.keep(&checkpoint(1001)).unwrap();
        assert_eq!(sink.newest().unwrap(), Some(checkpoint(1001)));
    }

    #[test]
    fn a_late_line_of_another_process_does_not_shorten_the_trail() {
        let (_folder, sink) = sink();
        for count in [1, 3, 2] {
            sink.keep(&checkpoint(count)).unwrap();
        }
        assert_eq!(sink.newest().unwrap(), Some(checkpoint(3)));
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_or_write_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, sink) = sink();
        sink.keep(&checkpoint(1)).unwrap();
        let mode = std::fs::metadata(sink.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
