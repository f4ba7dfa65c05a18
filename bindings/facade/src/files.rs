//! Files and folders that only their owner may read, and that are on the disk when they are said
//! to be.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use telemed_core::env::Entropy;
use zeroize::Zeroizing;

/// How long an empty file is taken for one that another process is about to fill.
const BEING_MADE: Duration = Duration::from_secs(1);
const LOOKS: u32 = 50;

/// Files made with these options can be read and written by their owner only.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes a folder and those above it that are missing, for their owner only. A folder that is
/// there stays as it is: it may be somebody else's too.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        // What is inside is private by itself, unless others may put something in its place.
        if let Some(mode) = mode_for_others(path)?.filter(|mode| mode & 0o022 != 0) {
            tracing::warn!(
                folder = %path.display(),
                "others may write to this folder (mode {mode:04o}): run `chmod 700` on it"
            );
        }
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    sync_folder_of(path)
}

/// The mode of a file or folder on which group or others have any right.
#[cfg(unix)]
pub(crate) fn mode_for_others(path: &Path) -> io::Result<Option<u32>> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path)?.permissions());
    Ok((mode & 0o077 != 0).then_some(mode & 0o7777))
}

#[cfg(not(unix))]
pub(crate) fn mode_for_others(path: &Path) -> io::Result<Option<u32>> {
    std::fs::metadata(path).map(|_| None)
}

/// Makes a private file of this content unless there is one; either all of the content is there
/// under the name, or nothing. Returns whether this call made it.
pub(crate) fn make_private_file(
    path: &Path,
    content: &[u8],
    entropy: &dyn Entropy,
) -> io::Result<bool> {
    let draft = draft_beside(path, entropy);
    let made = write_draft(&draft, content).and_then(|()| {
        let linked = std::fs::hard_link(&draft, path);
        publish(&draft, path, linked)
    });
    // A draft that stays behind would be a second copy of a key.
    let removed = match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let made = made?;
    removed?;
    sync_folder_of(path)?;
    Ok(made)
}

/// The text of a file that [`make_private_file`] makes, here or in another process.
pub(crate) fn read_made_file(path: &Path) -> io::Result<Zeroizing<String>> {
    for _ in 0..LOOKS {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        if !text.is_empty() {
            return Ok(text);
        }
        std::thread::sleep(BEING_MADE / LOOKS);
    }
    Ok(Zeroizing::default())
}

fn write_draft(draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = private(options.write(true).create_new(true)).open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the draft its name, unless the name is taken. A rename would take it from another.
fn publish(draft: &Path, path: &Path, linked: io::Result<()>) -> io::Result<bool> {
    match linked {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // Some file systems have no second names. There the name is taken first, empty, and only
        // whoever has taken it puts something in its place.
        Err(_) => {}
    }
    let mut options = OpenOptions::new();
    match private(options.write(true).create_new(true)).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    std::fs::rename(draft, path)
        .map(|()| true)
        .inspect_err(|_| {
            // Nothing was kept under the name yet.
            let _ = std::fs::remove_file(path);
        })
}

fn draft_beside(path: &Path, entropy: &dyn Entropy) -> PathBuf {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", u64::from_be_bytes(random)));
    path.with_file_name(name)
}

/// Waits until the entry of a file in its folder is on the disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_of_many_makers_wins_with_and_without_links() {
        for has_links in [true, false] {
            let base = tempfile::tempdir().unwrap();
            let path = base.path().join("file");
            let made: Vec<bool> = std::thread::scope(|scope| {
                let makers: Vec<_> = (0..16)
                    .map(|number| {
                        let path = &path;
                        scope.spawn(move || {
                            let draft = path.with_file_name(format!("draft{number}"));
                            write_draft(&draft, format!("{number}").as_bytes()).unwrap();
                            let linked = if has_links {
                                std::fs::hard_link(&draft, path)
                            } else {
                                Err(io::ErrorKind::Unsupported.into())
                            };
                            publish(&draft, path, linked).unwrap()
                        })
                    })
                    .collect();
                makers.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let winners: Vec<_> = (0..made.len()).filter(|number| made[*number]).collect();
            assert_eq!(winners.len(), 1, "{has_links}");
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, winners[0].to_string(), "{has_links}");
        }
    }
}
