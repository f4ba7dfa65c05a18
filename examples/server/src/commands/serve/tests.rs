#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use clap::Parser;

use super::*;
use crate::arguments::Arguments;

async fn started(folder: &Path, more: &[&str]) -> Result<Started, Failure> {
    let folder = folder.to_str().unwrap();
    let line = ["telemed-server", "--data-dir", folder];
    let line = line.iter().chain(more).copied();
    let arguments = Arguments::try_parse_from(line).unwrap().serve;
    start(&ServeSettings::load(arguments)?).await
}

#[tokio::test]
async fn what_the_demo_made_stays_on_this_machine_without_demo_too() {
    let base = tempfile::tempdir().unwrap();
    let local = ["--listen", "127.0.0.1:0"];
    let made = started(base.path(), &[&local[..], &["--demo"]].concat()).await;
    assert!(made.unwrap().shows_logins);
    let again = started(base.path(), &local).await;
    assert!(again.unwrap().shows_logins);

    let public = ["--listen", "0.0.0.0:0", "--behind-proxy"];
    let proxied = ["--listen", "127.0.0.1:0", "--behind-proxy"];
    for (more, part) in [
        (public, "listen on 127.0.0.1"),
        (proxied, "leave out --behind-proxy"),
    ] {
        match started(base.path(), &more).await {
            Err(Failure::Failed(line)) => {
                assert!(line.contains(part) && line.contains("--demo"), "{line}");
            }
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{more:?} starts"),
        }
        // Another database may be offered so.
        let other = tempfile::tempdir().unwrap();
        assert!(!started(other.path(), &more).await.unwrap().shows_logins);
    }
}
