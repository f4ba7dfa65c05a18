//! The rules of the house that no compiler checks: who may import whom, how large the core is,
//! and under which licences and from where the dependencies come.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        // Packages of other platforms, which no build has needed, are fetched for their licences.
        .arg("--locked")
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// The names of the crates that a package is built with, itself left out.
fn tree(package: &str, features: &[&str]) -> BTreeSet<String> {
    let mut arguments = vec![
        "tree", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}",
    ];
    arguments.extend_from_slice(features);
    cargo(&arguments)
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty() && *name != package)
        .map(str::to_owned)
        .collect()
}

fn first_party(names: &BTreeSet<String>) -> Vec<&str> {
    names
        .iter()
        .filter(|name| name.starts_with("telemed-"))
        .map(String::as_str)
        .collect()
}

#[test]
fn the_core_imports_nothing_that_does_io() {
    let names = tree("telemed-core", &[]);
    let banned = [
        "axum",
        "hyper",
        "mio",
        "reqwest",
        "rusqlite",
        "socket2",
        "sqlx",
        "getrandom",
        "rand",
        "argon2",
        "jsonwebtoken",
        "fluent-bundle",
        "tokio-tungstenite",
    ];
    for name in banned {
        assert!(!names.contains(name), "telemed-core is built with {name}");
    }
    assert!(first_party(&names).is_empty());
    // With itself.
    assert!(names.len() < 55, "{} crates", names.len() + 1);
}

#[test]
fn adapters_import_the_core_and_never_each_other() {
    for adapter in ["telemed-storage-sqlite", "telemed-transport-http"] {
        assert_eq!(
            first_party(&tree(adapter, &[])),
            ["telemed-core"],
            "{adapter}"
        );
    }
    let transport = tree("telemed-transport-http", &[]);
    for name in ["rusqlite", "sqlx", "libsqlite3-sys"] {
        assert!(!transport.contains(name), "the transport sees SQL: {name}");
    }
}

#[test]
fn the_facade_takes_its_adapters_by_feature() {
    let bare = tree("telemed-facade", &["--no-default-features"]);
    assert_eq!(first_party(&bare), ["telemed-core"]);
    let server = tree(
        "telemed-facade",
        &["--no-default-features", "--features", "server"],
    );
    assert_eq!(
        first_party(&server),
        ["telemed-core", "telemed-transport-http"]
    );
}

#[test]
fn examples_use_public_crates_only() {
    for example in ["examples/server", "examples/embed-rust"] {
        let manifest = std::fs::read_to_string(root().join(example).join("Cargo.toml"))
            .expect("an example has a manifest");
        for line in manifest.lines().filter(|line| line.starts_with("telemed-")) {
            assert!(line.starts_with("telemed-facade"), "{example}: {line}");
        }
    }
}

#[test]
fn the_core_has_no_clock_no_randomness_and_no_files_of_its_own() {
    let banned = [
        "SystemTime",
        "Instant::now",
        "std::fs",
        "std::env::var",
        "std::thread",
        "std::net::Tcp",
        "std::net::Udp",
        "tokio::spawn",
        "tokio::time",
        "tokio::fs",
        "tokio::net",
        "now_v7",
        "new_v4",
        "thread_rng",
        "getrandom",
    ];
    let mut files = Vec::new();
    sources(&root().join("core/src"), &mut files);
    assert!(
        files.len() > 40,
        "the sources of the core are where this test looks"
    );
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in banned {
                assert!(
                    !line.contains(word),
                    "{}:{}: {word}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn first_party_code_has_no_unsafe_block() {
    for crate_folder in [
        "core",
        "storage-sqlite",
        "storage-postgres",
        "transport-http",
        "bindings",
        "examples",
    ] {
        let mut files = Vec::new();
        sources(&root().join(crate_folder), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source can be read");
            assert!(
                !text.contains(concat!("unsafe", " {")),
                "{}",
                file.display()
            );
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("a folder can be listed")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The packages that the build of this machine's platform uses.
fn used_packages() -> Vec<Value> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).expect("JSON");
    let used: BTreeSet<String> = cargo(&[
        "tree",
        "--workspace",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "-e",
        "normal,build",
    ])
    .lines()
    .filter_map(|line| line.split(' ').next())
    .map(str::to_owned)
    .collect();
    let packages = metadata["packages"].as_array().expect("packages").clone();
    packages
        .into_iter()
        .filter(|package| used.contains(package["name"].as_str().unwrap_or_default()))
        .collect()
}

/// The lines of a list in `deny.toml`, so that it says the same as this test.
fn listed(section: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let from = text.find(section).expect("the list is in deny.toml");
    let rest = &text[from..];
    let end = rest.find("\n]").expect("the list ends");
    rest[..end]
        .lines()
        .skip(1)
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dependencies_have_allowed_licences_and_come_from_the_registry() {
    let allowed: BTreeSet<String> = listed("allow = [").into_iter().collect();
    let banned = listed("deny = [");
    assert!(allowed.contains("MIT") && !banned.is_empty());
    let mut wrong = BTreeMap::new();
    let packages = used_packages();
    assert!(
        packages.len() > 100,
        "the packages of the workspace are where this test looks"
    );
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        assert!(
            !banned.iter().any(|banned| banned == name),
            "{name} is banned in deny.toml"
        );
        let licence = package["license"].as_str().unwrap_or("none");
        if !satisfied(licence, &allowed) {
            wrong.insert(name.to_owned(), licence.to_owned());
        }
        match package["source"].as_str() {
            None => assert!(name.starts_with("telemed-"), "{name} comes from a path"),
            Some(source) => assert!(source.starts_with("registry+"), "{name} is from {source}"),
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Whether a licence expression (SPDX, with `OR`, `AND` and parentheses) can be met.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut depth = 0usize;
    let mut parts = vec![String::new()];
    let mut operators = Vec::new();
    for word in expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .split_whitespace()
    {
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "AND" | "OR" if depth == 0 => {
                operators.push(word.to_owned());
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        let part = parts.last_mut().expect("there is a part");
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(word);
    }
    let one = |part: &str| match part
        .strip_prefix("( ")
        .and_then(|part| part.strip_suffix(" )"))
    {
        Some(inner) => satisfied(inner, allowed),
        None => allowed.contains(part),
    };
    // AND binds closer than OR: the expression is met when all parts of one OR branch are.
    let mut branch = one(&parts[0]);
    for (operator, part) in operators.iter().zip(&parts[1..]) {
        if operator == "OR" {
            if branch {
                return true;
            }
            branch = one(part);
        } else {
            branch = branch && one(part);
        }
    }
    branch
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0", "Unicode-3.0"]
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "MIT/Apache-2.0",
    ] {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(GPL-2.0 OR GPL-3.0) AND MIT",
        "none",
    ] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
