//! Our server in a process of its own, over a database of its own, and the people who talk
//! through it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemed_core::identity::Pbkdf2Hasher;
use telemed_core::limits::{LimitProfile, RateLimits};
use telemed_facade::{Config, ServerOptions, SystemEntropy, Telemed};
use telemed_transport_http::RouterConfig;
use telemed_transport_http::limits::LimitConfig;
use tokio::net::TcpListener;

use crate::http::Child;
use crate::seed::{self, Person, Talk};

/// A database that people have registered in.
pub struct House {
    folder: PathBuf,
    pub talks: Vec<Talk>,
    pub crowd: Vec<Person>,
}

impl House {
    /// Makes one, with so many pairs that talk, and so many people who do not.
    pub async fn make(folder: PathBuf, talks: usize, crowd: usize) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder");
        let telemed = open(&folder).await;
        let engine = telemed.engine();
        let talks = seed::talks(engine, talks).await;
        let crowd = seed::crowd(engine, crowd).await;
        telemed.close().await.expect("it closes");
        Self {
            folder,
            talks,
            crowd,
        }
    }

    /// A server on it.
    pub fn serve(&self) -> Child {
        Child::start(&["serve-sockets", self.folder.to_str().expect("a path")])
    }
}

/// As the standalone server opens it, but for the cost of passwords, which nobody gives here.
async fn open(folder: &Path) -> Telemed {
    let database = folder.join("telemed.db");
    let mut config = Config::new(format!("sqlite:{}", database.display()));
    let entropy = Arc::new(SystemEntropy);
    config.hasher = Some(Arc::new(Pbkdf2Hasher::new(1, entropy)));
    Telemed::open(config).await.expect("an engine")
}

/// Serves until the process is ended: everything that the standalone server does, without limits
/// on how often.
pub async fn serve(folder: &Path) {
    let telemed = open(folder).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let options = ServerOptions {
        surfaces: RouterConfig {
            limits: LimitConfig {
                limits: RateLimits::of(LimitProfile::Off),
                limiter: telemed.limiter(),
            },
            ..RouterConfig::default()
        },
        ..ServerOptions::default()
    };
    let _ = telemed
        .serve(listener, options, std::future::pending())
        .await;
}
