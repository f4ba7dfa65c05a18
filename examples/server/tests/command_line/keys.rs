//! The key files: private, needed, and those of this database.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::place::Place;

#[test]
fn data_and_keys_are_private() {
    let place = Place::new();
    place.install();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.data()), 0o700);
    for key in place.keys() {
        assert_eq!(mode(&key), 0o600, "{}", key.display());
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let place = Place::new();
    place.install();
    for key in place.keys() {
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
            let ended = place.run(&["--listen", "127.0.0.1:0"]);
            ended.failed_with(1, key.file_name().unwrap().to_str().unwrap());
            place.run(&["audit", "verify"]).failed(1);
        }
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    }
    place.install();
}

#[test]
fn a_database_without_its_keys_is_refused() {
    let place = Place::new();
    place.install();
    let database = fs::read(place.data().join("telemed.db")).unwrap();
    for key in place.keys() {
        let aside = place.path().join("aside");
        fs::rename(&key, &aside).unwrap();
        let ended = place.run(&["--listen", "127.0.0.1:0"]);
        ended.failed_with(1, key.file_name().unwrap().to_str().unwrap());
        assert!(!key.exists(), "no new key is made for an old database");
        place.create_administrator().failed(1);
        place.run(&["audit", "verify"]).failed(1);
        assert!(!key.exists());
        fs::rename(&aside, &key).unwrap();
    }
    assert_eq!(fs::read(place.data().join("telemed.db")).unwrap(), database);
    place.install();
}

/// Gives one installation a key file of the other for a start, which must be refused.
fn exchange(name: &str, one: &Place, two: &Place) {
    let key = one.data().join(name);
    let own = fs::read(&key).unwrap();
    fs::copy(two.data().join(name), &key).unwrap();
    one.run(&["--listen", "127.0.0.1:0"]).failed_with(1, "key");
    fs::write(&key, own).unwrap();
}

#[test]
fn a_database_with_another_signing_key_is_refused() {
    let [one, two] = [Place::new(), Place::new()];
    one.install();
    two.install();
    exchange("signing.key", &one, &two);
}

#[test]
fn a_database_with_other_keys_is_refused() {
    let [one, two] = [Place::new(), Place::new()];
    one.install();
    two.install();
    exchange("master.key", &one, &two);
    // All of another installation's.
    let aside = one.path().join("aside");
    copy(&two.data(), &aside);
    let ended = one.run(&[
        "--listen",
        "127.0.0.1:0",
        "--key-dir",
        aside.to_str().unwrap(),
    ]);
    ended.failed_with(1, "key");
    // A key that is none.
    for key in one.keys() {
        let own = fs::read(&key).unwrap();
        for rubbish in ["", "nonsense\n", "\u{0}\u{1}"] {
            fs::write(&key, rubbish).unwrap();
            one.run(&["--listen", "127.0.0.1:0"]).failed_with(1, "key");
        }
        fs::write(&key, own).unwrap();
    }
    one.install();
}

/// A copy of a folder of files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
