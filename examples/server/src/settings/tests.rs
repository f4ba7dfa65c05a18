#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::Parser;
use telemed_facade::core::limits::LimitName;

use super::*;
use crate::arguments::Arguments;

fn arguments(line: &[&str]) -> ServeArguments {
    let line = std::iter::once("telemed-server").chain(line.iter().copied());
    Arguments::try_parse_from(line).unwrap().serve
}

fn merged(line: &[&str], file: &str) -> Result<ServeSettings, String> {
    let file = File::parse(file)?;
    ServeSettings::merge(arguments(line), &file).map_err(|failure| match failure {
        Failure::Usage(line) => line,
        Failure::Failed(line) => panic!("not a usage error: {line}"),
    })
}

fn listen(settings: &ServeSettings) -> String {
    settings.listen[0].to_string()
}

#[test]
fn defaults() {
    let settings = merged(&[], "").unwrap();
    assert_eq!(listen(&settings), "127.0.0.1:5000");
    assert!(!settings.demo && !settings.behind_proxy && !settings.allow_query_token);
    assert!(settings.tls.is_none() && settings.cors == Cors::default());
    assert!(!settings.cross_site_cookie && settings.limits_guessing);
    assert_eq!(settings.limits, RateLimits::of(LimitProfile::Chat));
    let config = settings.storage.config();
    assert_eq!(config.database, "sqlite:data/telemed.db");
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("data")));
    assert_eq!(config.key_dir, None);
    assert_eq!(
        config.settings.access_lifetime,
        Duration::from_secs(7 * 24 * 3600)
    );
    let config = merged(&["--data-dir", "/srv/t"], "").unwrap().storage;
    assert_eq!(config.config().database, "sqlite:/srv/t/telemed.db");
}

const FULL: &str = r#"
    listen = "127.0.0.1:6000"
    database = "sqlite:file.db"
    key_dir = "file-keys"
    data_dir = "file-data"
    tls_cert = "file.pem"
    tls_key = "file.key"
    behind_proxy = true
    allow_query_token = true
    [tokens]
    access_seconds = 900
    refresh_seconds = 86400
    [cors]
    origins = ["https://file.example.org"]
    cross_site_cookie = true
    [clinic]
    time_zone = "Africa/Khartoum"
    [rate_limits]
    profile = "strict"
    messages = "5/30"
    [reminders]
    hours = [48, 2]
"#;

#[test]
fn the_file_wins_over_the_defaults() {
    let settings = merged(&[], FULL).unwrap();
    assert_eq!(listen(&settings), "127.0.0.1:6000");
    assert!(!settings.demo && settings.behind_proxy && settings.allow_query_token);
    assert!(merged(&[], "demo = true").unwrap().demo);
    assert!(settings.cors.allows("https://file.example.org"));
    assert_eq!(settings.tls, Some(("file.pem".into(), "file.key".into())));
    let config = settings.storage.config();
    assert_eq!(config.database, "sqlite:file.db");
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("file-data")));
    assert_eq!(config.key_dir.as_deref(), Some(Path::new("file-keys")));
    assert_eq!(config.settings.access_lifetime, Duration::from_secs(900));
    assert_eq!(config.settings.refresh_lifetime, Duration::from_secs(86400));
    assert_eq!(config.settings.first_clinic_zone.name(), "Africa/Khartoum");
    assert!(settings.cross_site_cookie && settings.limits_guessing);
    let strict = RateLimits::of(LimitProfile::Strict);
    let messages = Limit::per_minute(5, 30);
    assert_eq!(settings.limits, strict.with(LimitName::Messages, messages));
    let hours: Vec<_> = config.settings.reminders.spans().collect();
    assert_eq!(
        hours,
        [48, 2].map(|hours| Duration::from_secs(hours * 3600))
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let line = [
        "--listen",
        "127.0.0.1:7000",
        "--database",
        "memory:",
        "--key-dir",
        "line-keys",
        "--data-dir",
        "line-data",
        "--demo=false",
        "--behind-proxy=false",
        "--allow-query-token=false",
        "--rate-limits",
        "off",
        "--tls-cert",
        "line.pem",
        "--tls-key",
        "line.key",
        "--allow-origin",
        "https://one.example.org",
        "--allow-origin",
        "https://two.example.org",
    ];
    let file = format!("demo = true\n{FULL}");
    let settings = merged(&line, &file).unwrap();
    assert_eq!(listen(&settings), "127.0.0.1:7000");
    assert!(!settings.demo && !settings.behind_proxy && !settings.allow_query_token);
    assert_eq!(settings.tls, Some(("line.pem".into(), "line.key".into())));
    assert!(settings.cors.allows("https://one.example.org"));
    assert!(settings.cors.allows("https://two.example.org"));
    assert!(!settings.cors.allows("https://file.example.org"));
    let config = settings.storage.config();
    assert_eq!(config.database, "memory:");
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("line-data")));
    assert_eq!(config.key_dir.as_deref(), Some(Path::new("line-keys")));
    // No limits but the one that the file names, and guessing is free too.
    assert_eq!(settings.limits.get(LimitName::Writes), None);
    assert!(settings.limits.get(LimitName::Messages).is_some());
    let guessing = settings.config().settings.guessing;
    assert_eq!((guessing.per_account, guessing.per_network), (0, 0));
}

#[test]
fn every_option_has_its_variable() {
    use clap::CommandFactory;
    let command = Arguments::command();
    let options: Vec<_> = command
        .get_arguments()
        .filter(|option| !matches!(option.get_id().as_str(), "help" | "version"))
        .collect();
    assert_eq!(options.len(), 14);
    for option in options {
        let expected = option.get_id().as_str().to_uppercase();
        let found = option.get_env().and_then(|name| name.to_str());
        assert_eq!(found, Some(format!("TELEMED_{expected}").as_str()));
    }
}

#[test]
fn what_does_not_exist_yet_is_refused() {
    for key in [
        "[uploads]\nmax_bytes = 1",
        "[calls]\nrings = 60",
        "[ice]\nserver = []",
        "[rate_limits]\nreads = \"1/1\"",
        "[clinic]\nname = \"A\"",
    ] {
        let line = merged(&[], key).unwrap_err();
        assert!(
            line.contains("unknown field") && !line.contains('\n'),
            "{line}"
        );
    }
    for option in ["--ice-servers=a", "--lisen=x"] {
        let error = Arguments::try_parse_from(["telemed-server", option]).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{option}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    for (file, part) in [
        ("listen = 5", "line 1"),
        ("\n\n[tokens", "line 3"),
        ("[tokens]\naccess_seconds = 0", "access_seconds"),
        ("[tokens]\naccess_seconds = 99999999999", "access_seconds"),
        ("[tokens]\naccess_seconds = -1", "line 2"),
        ("[tokens]\nrefresh_seconds = 0", "refresh_seconds"),
        ("[clinic]\ntime_zone = \"Mars\"", "`Mars`"),
        ("[rate_limits]\nprofile = \"none\"", "strict chat off"),
        ("[rate_limits]\nmessages = \"many\"", "messages"),
        ("rate_limits = \"strict\"", "line 1"),
        ("[reminders]\nhours = [0]", "hours"),
        ("[cors]\norigins = [\"*\"]", "origin `*`"),
        ("allow_origin = []\n[cors]\norigins = []", "keep one"),
        ("listen = \"nowhere\"", "`nowhere`"),
        ("listen = \"127.0.0.1:99999\"", "127.0.0.1:5000"),
        ("[calls]\nring_seconds = 0", "ring_seconds"),
        ("[calls]\nconnect_seconds = 86401", "connect_seconds"),
        ("[calls]\ngrace_seconds = -1", "line 2"),
        ("[calls]\nmax_seconds = 1.5", "line 2"),
        ("[ice]\nturn_ttl_seconds = 0", "turn_ttl_seconds"),
        ("[ice]\nservers = [\"http://a\"]", "--ice-server"),
        ("ice_server = [\"stun:\"]", "--ice-server"),
        ("ice_server = [\"turn:a\"]", "--turn-secret-file"),
        ("ice_server = []\n[ice]\nservers = []", "keep one"),
        (
            "turn_secret_file = \"a\"\n[ice]\nturn_secret_file = \"a\"",
            "keep one",
        ),
        (
            "turn_secret_file = \"/nowhere/turn.secret\"",
            "/nowhere/turn.secret",
        ),
        ("tls_cert = \"a\"", "--tls-key"),
        ("tls_key = \"a\"", "--tls-cert"),
    ] {
        let line = merged(&[], file).unwrap_err();
        assert!(
            line.contains(part) && !line.contains('\n'),
            "{file}: {line}"
        );
    }
}

#[test]
fn other_machines_are_not_served_in_clear_and_never_the_demo() {
    for address in ["0.0.0.0:0", "[::]:0", "192.168.1.5:80", "203.0.113.5:80"] {
        let public = |more: &[&str]| merged(&[&["--listen", address], more].concat(), "");
        assert!(public(&[]).unwrap_err().contains("--tls-cert"), "{address}");
        assert!(public(&["--behind-proxy"]).is_ok(), "{address}");
        assert!(
            public(&["--tls-cert", "a", "--tls-key", "b"]).is_ok(),
            "{address}"
        );
        for more in [&["--demo"][..], &["--demo", "--behind-proxy"]] {
            assert!(public(more).unwrap_err().contains("--demo"), "{address}");
        }
    }
    for address in [
        "127.0.0.1:0",
        "127.9.9.9:0",
        "[::1]:0",
        "[::ffff:127.0.0.1]:0",
    ] {
        assert!(
            merged(&["--listen", address, "--demo"], "").is_ok(),
            "{address}"
        );
        // A proxy in front offers it to others.
        let proxied = merged(&["--listen", address, "--demo", "--behind-proxy"], "");
        assert!(proxied.unwrap_err().contains("--behind-proxy"), "{address}");
    }
}

#[test]
fn a_command_needs_something_to_work_on() {
    let storage = |database: &str| merged(&["--database", database], "").unwrap().storage;
    assert!(storage("memory:").command_config().is_err());
    assert!(!storage("sqlite:a.db").command_config().unwrap().background);
}

#[test]
fn calls_take_as_long_as_the_file_says() {
    let usual = merged(&[], "").unwrap().config().settings;
    assert_eq!(usual.calls, CallSettings::default());
    let text =
        "[calls]\nring_seconds = 20\nconnect_seconds = 10\ngrace_seconds = 5\nmax_seconds = 7200";
    let calls = merged(&[], text).unwrap().config().settings.calls;
    let seconds = [
        calls.ring_for,
        calls.connect_within,
        calls.grace,
        calls.maximum,
    ];
    assert_eq!(seconds, [20, 10, 5, 7200].map(Duration::from_secs));
}

#[cfg(unix)]
#[test]
fn servers_for_ice_come_with_the_secret_of_the_relays() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("turn.secret");
    std::fs::write(&path, "a secret\n").unwrap();
    let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o600);
    let shown = |settings: ServeSettings| format!("{:?}", settings.config().settings.ice);
    let secret = path.to_str().unwrap();
    let file = format!(
        "[ice]\nservers = [\"stun:file.example\"]\nturn_secret_file = \"{secret}\"\nturn_ttl_seconds = 60"
    );
    let of_file = shown(merged(&[], &file).unwrap());
    assert!(
        of_file.contains("stun:file.example") && !of_file.contains("a secret"),
        "{of_file}"
    );
    let line = [
        "--ice-server",
        "stun:a.example,turn:b.example:3478",
        "--ice-server=turns:c.example",
    ];
    let of_line = shown(merged(&line, &file).unwrap());
    for url in ["stun:a.example", "turn:b.example:3478", "turns:c.example"] {
        assert!(of_line.contains(url), "{of_line}");
    }
    assert!(!of_line.contains("file.example"), "{of_line}");
    let error = merged(&line, "").unwrap_err();
    assert!(error.contains("--turn-secret-file"), "{error}");
    assert!(merged(&[&line[..], &["--turn-secret-file", secret]].concat(), "").is_ok());
    mode(0o640);
    let error = merged(&line, &file).unwrap_err();
    assert!(
        error.contains("chmod 600") && !error.contains('\n'),
        "{error}"
    );
}
