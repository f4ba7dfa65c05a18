//! The key files of an installation: `master.key` and `signing.key`.
//!
//! `master.key` holds the tenant keys, one a line, 64 hexadecimal digits each. The first line is
//! the key of today; older ones stay below it as long as anything is sealed under them.
//! `signing.key` holds the keys that sign access tokens, one a line: its id, `HS256` and 64
//! hexadecimal digits. The first signs; the others read tokens that are still out. Empty lines
//! and lines that begin with `#` are passed over.
//!
//! Both are made at the first start of an installation and never again: a database that was made
//! with keys is not opened without them, nor with those of another. A new signing key has to be
//! there beside a known one for one start before the known one may go.

use std::io;
use std::path::{Path, PathBuf};

use telemed_core::crypto::{TenantKey, TenantKeys};
use telemed_core::env::Entropy;
use zeroize::Zeroizing;

use crate::files::{make_private_file, make_private_folder, mode_for_others, read_made_file};
use crate::tokens::{JwtSigner, SigningKey};

const MASTER: &str = "master.key";
const SIGNING: &str = "signing.key";

/// Why the key files cannot be used. Each says what to do, and shows nothing of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The database was made with keys, and the file is not there.
    #[error(
        "{} is missing, but the database was made with one: put it back from your backup, \
         or name the folder that holds it as the key folder", .0.display()
    )]
    Missing(PathBuf),
    /// Group or others have rights on the file.
    #[error("others may read {} (mode {mode:04o}): run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is not what the file is to hold.
    #[error(
        "line {line} of {} is not {expected}: put the file back from your backup", path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// The file holds no key.
    #[error("{} holds no key: put it back from your backup", .0.display())]
    Empty(PathBuf),
    /// The file of a secret holds none.
    #[error("{} holds no secret: write it there, in one line", .0.display())]
    NoSecret(PathBuf),
    /// The file cannot be read or made.
    #[error("{} cannot be read or made: {error}; check who owns it and its folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder of the key files.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    /// The folder at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tenant keys of `master.key`. If the file is missing it is made, unless `must_exist`.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn tenant_keys(
        &self,
        must_exist: bool,
        entropy: &dyn Entropy,
    ) -> Result<TenantKeys, KeyFileError> {
        let expected = "a key of 64 hexadecimal digits";
        let fresh = || {
            let secret = random_key(entropy);
            Zeroizing::new(format!("{}\n", hex(&secret).as_str()))
        };
        let (current, older) = self.keys(MASTER, must_exist, entropy, fresh, expected, |line| {
            unhex(line).map(|secret| TenantKey::new(*secret))
        })?;
        Ok(TenantKeys::new(current, older))
    }

    /// The signer of access tokens with the keys of `signing.key`. If the file is missing it is
    /// made, unless `must_exist`.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn signer(
        &self,
        must_exist: bool,
        entropy: &dyn Entropy,
    ) -> Result<JwtSigner, KeyFileError> {
        let expected = "an id, `HS256` and a key of 64 hexadecimal digits";
        let fresh = || {
            let key = SigningKey::random(entropy);
            Zeroizing::new(format!(
                "{} HS256 {}\n",
                key.id(),
                hex(key.secret()).as_str()
            ))
        };
        let (current, older) =
            self.keys(SIGNING, must_exist, entropy, fresh, expected, |line| {
                let mut words = line.split_ascii_whitespace();
                let (id, algorithm, secret) = (words.next()?, words.next()?, words.next()?);
                if algorithm != "HS256" || words.next().is_some() {
                    return None;
                }
                SigningKey::new(id, *unhex(secret)?)
            })?;
        Ok(JwtSigner::new(&current, &older))
    }

    /// The first key of a file and the ones below it.
    fn keys<K>(
        &self,
        name: &str,
        must_exist: bool,
        entropy: &dyn Entropy,
        fresh: impl FnOnce() -> Zeroizing<String>,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<K>,
    ) -> Result<(K, Vec<K>), KeyFileError> {
        let path = self.path.join(name);
        let failed = |error| KeyFileError::File {
            path: path.clone(),
            error,
        };
        let text = match read_private(&path)? {
            Some(text) => text,
            None if must_exist => return Err(KeyFileError::Missing(path)),
            None => {
                make_private_folder(&self.path).map_err(failed)?;
                let content = fresh();
                if make_private_file(&path, content.as_bytes(), entropy).map_err(failed)? {
                    tracing::info!(file = %path.display(), "made a key: keep a copy of this file");
                }
                // Another server may have made it first: what is there counts.
                read_private(&path)?.ok_or_else(|| KeyFileError::Missing(path.clone()))?
            }
        };
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || KeyFileError::Malformed {
                path: path.clone(),
                line: at + 1,
                expected,
            };
            keys.push(parse(line).ok_or_else(malformed)?);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyFileError::Empty(path))?;
        Ok((first, keys.collect()))
    }
}

/// A tenant key that is kept nowhere, for an installation that keeps nothing.
pub(crate) fn passing_tenant_keys(entropy: &dyn Entropy) -> TenantKeys {
    TenantKeys::new(TenantKey::new(*random_key(entropy)), Vec::new())
}

/// A signer whose key is kept nowhere.
pub(crate) fn passing_signer(entropy: &dyn Entropy) -> JwtSigner {
    JwtSigner::new(&SigningKey::random(entropy), &[])
}

fn random_key(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(secret.as_mut_slice());
    secret
}

/// Reads a secret that a file holds in one line, such as the one that TURN servers share.
///
/// # Errors
/// When the file is not there, others may read it, or there is no secret in it.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let text = read_private(path)?.ok_or_else(|| KeyFileError::File {
        path: path.to_owned(),
        error: io::ErrorKind::NotFound.into(),
    })?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains(char::is_control) {
        return Err(KeyFileError::NoSecret(path.to_owned()));
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

/// The text of a file that only its owner may read; `None` if it is not there.
fn read_private(path: &Path) -> Result<Option<Zeroizing<String>>, KeyFileError> {
    let failed = |error| KeyFileError::File {
        path: path.to_owned(),
        error,
    };
    match mode_for_others(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(Some(mode)) => {
            return Err(KeyFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        Ok(None) => {}
    }
    read_made_file(path).map(Some).map_err(failed)
}

fn hex(bytes: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use telemed_core::env::SeededEntropy;

    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        #[cfg(unix)]
        chmod(path, 0o600);
    }

    #[cfg(unix)]
    fn chmod(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn line(byte: u8) -> String {
        format!("{}\n", hex(&[byte; 32]).as_str())
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_one_line_that_nobody_else_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("turn.secret");
        let missing = read_secret_file(&path).unwrap_err().to_string();
        assert!(missing.contains("turn.secret"), "{missing}");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            read_secret_file(&path)
        };
        assert_eq!(write("a secret\n", 0o600).unwrap().as_str(), "a secret");
        assert_eq!(write("a secret", 0o400).unwrap().as_str(), "a secret");
        for mode in [0o640, 0o604, 0o644] {
            let error = write("a secret", mode).unwrap_err();
            assert!(matches!(error, KeyFileError::Exposed { .. }), "{mode:o}");
            assert!(!error.to_string().contains("a secret"));
        }
        for text in [" \n", "one\ntwo\n"] {
            let error = write(text, 0o600).unwrap_err();
            assert!(matches!(error, KeyFileError::NoSecret(_)), "{text:?}");
        }
    }

    #[test]
    fn the_first_start_makes_keys_and_the_next_finds_them() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path().join("a/keys"));
        let made = folder.tenant_keys(false, &SeededEntropy::new(1)).unwrap();
        let found = folder.tenant_keys(true, &SeededEntropy::new(2)).unwrap();
        assert_eq!(made.current().id(), found.current().id());
        assert_eq!(made.check_value(), found.check_value());
        folder.signer(false, &SeededEntropy::new(3)).unwrap();
        folder.signer(true, &SeededEntropy::new(4)).unwrap();
        #[cfg(unix)]
        {
            assert_eq!(mode(folder.path()), 0o700);
            assert_eq!(mode(&folder.path().join(MASTER)), 0o600);
            assert_eq!(mode(&folder.path().join(SIGNING)), 0o600);
        }
        // No draft is left behind.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn two_first_starts_at_once_end_with_one_key() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let checks: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|seed| {
                    let folder = folder.clone();
                    scope.spawn(move || {
                        let entropy = SeededEntropy::new(seed);
                        folder.tenant_keys(false, &entropy).unwrap().check_value()
                    })
                })
                .collect();
            starts.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(checks.iter().all(|check| *check == checks[0]));
    }

    #[test]
    fn missing_keys_of_a_known_database_are_never_made_anew() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let entropy = SeededEntropy::new(1);
        assert!(matches!(
            folder.tenant_keys(true, &entropy),
            Err(KeyFileError::Missing(_))
        ));
        assert!(matches!(
            folder.signer(true, &entropy).err(),
            Some(KeyFileError::Missing(_))
        ));
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_first_line_is_the_key_of_today_and_the_last_is_the_oldest() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let path = base.path().join(MASTER);
        let entropy = SeededEntropy::new(1);
        write(&path, &line(1));
        let before = folder.tenant_keys(true, &entropy).unwrap();
        write(&path, &format!("# rotated\n{}\n{}", line(2), line(1)));
        let after = folder.tenant_keys(true, &entropy).unwrap();
        assert_eq!(after.current().id(), TenantKey::new([2; 32]).id());
        assert!(after.find(before.current().id()).is_some());
        assert_eq!(after.check_value(), before.check_value());
    }

    #[test]
    fn a_signing_key_is_rotated_by_a_line_above_it() {
        use telemed_core::actor::Role;
        use telemed_core::id::{SessionId, UserId};
        use telemed_core::identity::{Claims, TokenSigner};
        use telemed_core::time::Timestamp;

        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let path = base.path().join(SIGNING);
        let entropy = SeededEntropy::new(1);
        let before = folder.signer(false, &entropy).unwrap();
        let now = Timestamp::from_micros(0);
        let token = before
            .sign(&Claims {
                user: UserId::from_row(1),
                role: Role::Patient,
                session: SessionId::new(uuid::Uuid::nil()),
                token: uuid::Uuid::nil(),
                issued_at: now,
                expires_at: Timestamp::from_micros(60_000_000),
            })
            .unwrap();
        let old = std::fs::read_to_string(&path).unwrap();
        write(&path, &format!("next HS256 {}{old}", line(9)));
        let after = folder.signer(true, &entropy).unwrap();
        assert!(after.read(&token, now).is_ok());
        write(&path, &format!("next HS256 {}", line(9)));
        let retired = folder.signer(true, &entropy).unwrap();
        assert!(retired.read(&token, now).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let path = base.path().join(MASTER);
        write(&path, &line(1));
        for shown in [0o640, 0o604, 0o620, 0o644] {
            chmod(&path, shown);
            let error = folder
                .tenant_keys(true, &SeededEntropy::new(1))
                .unwrap_err();
            assert!(matches!(&error, KeyFileError::Exposed { mode, .. } if *mode == shown));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        chmod(&path, 0o400);
        assert!(folder.tenant_keys(true, &SeededEntropy::new(1)).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_line_and_without_its_text() {
        let base = tempfile::tempdir().unwrap();
        let folder = KeyFolder::new(base.path());
        let entropy = SeededEntropy::new(1);
        let master = base.path().join(MASTER);
        for text in ["", "\n", "# only a remark\n"] {
            write(&master, text);
            let error = folder.tenant_keys(true, &entropy).unwrap_err();
            assert!(matches!(error, KeyFileError::Empty(_)), "{text:?}");
        }
        for secret in [
            "secretsecret".to_owned(),
            line(1)[..63].to_owned(),
            "é".repeat(32),
        ] {
            write(&master, &format!("{}{secret}\n", line(1)));
            let error = folder.tenant_keys(false, &entropy).unwrap_err();
            assert!(matches!(&error, KeyFileError::Malformed { line: 2, .. }));
            assert!(!error.to_string().contains(&secret), "{error}");
        }
        let signing = base.path().join(SIGNING);
        for text in ["k1 HS256", "k1 none 00", "k.1 HS256 00", "k1 EdDSA 00 00"] {
            write(
                &signing,
                &text.replace(" 00", &format!(" {}", line(1).trim())),
            );
            let error = folder.signer(true, &entropy).err().unwrap();
            assert!(matches!(error, KeyFileError::Malformed { .. }), "{text}");
        }
    }
}
