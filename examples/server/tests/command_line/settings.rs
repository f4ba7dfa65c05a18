//! Options, variables of the environment, keys of the file, and their order.

use std::fs;

use super::place::{Place, Server, end};

#[test]
fn the_file_of_settings_has_no_unknown_keys() {
    let place = Place::new();
    for (text, word) in [
        ("listn = \"127.0.0.1:0\"", "listn"),
        ("[calls]\nrings = 60", "rings"),
        ("[calls]\nring_seconds = 0", "ring_seconds"),
        ("[uploads]\nmax_bytes = 1", "uploads"),
        ("[tokens]\nacces_seconds = 60", "acces_seconds"),
        ("[cors]\norigin = []", "origin"),
        ("listen = 5000", "line 1"),
        ("listen = \"127.0.0.1:0", "line 1"),
        ("\n\n[tokens]\naccess_seconds = 0", "access_seconds"),
    ] {
        let file = place.write("telemed.toml", text);
        let ended = place.run(&[
            "--config",
            file.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ]);
        ended.failed_with(2, word);
        let ended = place.run(&["migrate", "--config", file.to_str().unwrap()]);
        ended.failed_with(2, word);
    }
}

#[test]
fn flags_win_over_environment_over_file() {
    let place = Place::new();
    let file = place.write(
        "telemed.toml",
        "listen = \"127.0.0.4:0\"\ndata_dir = \"of-the-file\"\n",
    );
    let file = file.to_str().unwrap();
    let host = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command(words);
        command.envs(variables.iter().copied());
        let server = Server::start(command).unwrap();
        let host = server.address().split(':').next().unwrap().to_owned();
        server.stop();
        host
    };
    let variable = [("TELEMED_LISTEN", "127.0.0.3:0")];
    assert_eq!(host(&["--config", file], &[]), "127.0.0.4");
    assert!(place.path().join("of-the-file/telemed.db").is_file());
    assert_eq!(host(&["--config", file], &variable), "127.0.0.3");
    let words = ["serve", "--config", file, "--listen", "127.0.0.2:0"];
    assert_eq!(host(&words, &variable), "127.0.0.2");
    // The file itself may be named by the environment.
    assert_eq!(host(&[], &[("TELEMED_CONFIG", file)]), "127.0.0.4");

    let variables = [("TELEMED_DATA_DIR", "of-the-environment"), variable[0]];
    host(&["--config", file], &variables);
    assert!(place.path().join("of-the-environment/telemed.db").is_file());
    host(&["--config", file, "--data-dir", "of-the-flag"], &variables);
    assert!(place.path().join("of-the-flag/telemed.db").is_file());
    assert!(!place.data().exists(), "the default was never used");
}

#[test]
fn every_option_is_a_variable_too() {
    let place = Place::new();
    let variables = [
        ("TELEMED_LISTEN", "127.0.0.1:0"),
        ("TELEMED_DATABASE", "sqlite:elsewhere.db"),
        ("TELEMED_KEY_DIR", "keys"),
        (
            "TELEMED_ALLOW_ORIGIN",
            "https://a.example,https://b.example",
        ),
        ("TELEMED_ALLOW_QUERY_TOKEN", "true"),
    ];
    let mut command = place.command(&[]);
    command.envs(variables);
    let server = Server::start(command).unwrap();
    // A relative path is relative to the working folder.
    assert!(place.path().join("elsewhere.db").is_file());
    let keys = fs::read_dir(place.path().join("keys")).unwrap().count();
    assert!(keys > 0);
    server.stop();
    let mut command = place.command(&[]);
    command.env("TELEMED_LISTEN", "nonsense");
    end(command, "").failed(2);
}
