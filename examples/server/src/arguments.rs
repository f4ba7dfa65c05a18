//! The command line. Every option is also a variable of the environment.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};

/// The Telemed server.
///
/// Options win over variables of the environment, and those over the keys of the file.
#[derive(Debug, Parser)]
#[command(
    name = "telemed-server",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    #[command(flatten)]
    pub serve: ServeArguments,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve. This is what happens without a command too.
    Serve(ServeArguments),
    /// Accounts of administrators.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Bring the database's schema up to date.
    Migrate(StorageArguments),
    /// The audit trail.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an administrator and print the new id.
    Create(AdminArguments),
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the whole audit trail, offline or beside a server.
    Verify(StorageArguments),
    /// Sign the trail as it stands, after its checkpoints were lost or an older backup was put
    /// back. What was changed before is not found afterwards.
    Accept(StorageArguments),
}

#[derive(Clone, Debug, Default, Args)]
pub struct StorageArguments {
    /// sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE for any number of servers, or memory:
    /// to keep nothing [default: telemed.db in the data folder]
    #[arg(
        long,
        env = "TELEMED_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database: Option<String>,
    /// The folder of the keys; all servers of one database use the same keys [default: the data
    /// folder]
    #[arg(long, env = "TELEMED_KEY_DIR", value_name = "DIR")]
    pub key_dir: Option<PathBuf>,
    /// The folder of the data: the database, unless it is elsewhere, and this server's
    /// checkpoints of the audit trail [default: data]
    #[arg(long, env = "TELEMED_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A TOML file of settings
    #[arg(long, env = "TELEMED_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    pub storage: StorageArguments,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:5000]
    #[arg(long, env = "TELEMED_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Fill an empty database with a clinic to try things on
    #[arg(long, env = "TELEMED_DEMO", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub demo: Option<bool>,
    /// How often something may be done: strict, chat or off [default: chat]
    #[arg(long, env = "TELEMED_RATE_LIMITS", value_name = "PROFILE")]
    pub rate_limits: Option<String>,
    /// An origin whose pages may call; give it once for each
    #[arg(
        long,
        env = "TELEMED_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub allow_origin: Option<Vec<String>>,
    /// A server by which two devices find to each other: stun:HOST:PORT, or turn:HOST:PORT for one
    /// that relays; give it once for each
    #[arg(
        long,
        env = "TELEMED_ICE_SERVER",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub ice_server: Option<Vec<String>>,
    /// The file of the secret that the TURN servers share with this one; nobody else may read it
    #[arg(long, env = "TELEMED_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,
    /// The TLS certificate chain (PEM)
    #[arg(long, env = "TELEMED_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The TLS key (PEM)
    #[arg(long, env = "TELEMED_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// A proxy stands in front: believe its X-Forwarded headers
    #[arg(long, env = "TELEMED_BEHIND_PROXY", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub behind_proxy: Option<bool>,
    /// Take the token of GET /api/v1/auth/profile from ?token= too
    #[arg(long, env = "TELEMED_ALLOW_QUERY_TOKEN", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub allow_query_token: Option<bool>,
}

#[derive(Debug, Args)]
pub struct AdminArguments {
    #[command(flatten)]
    pub storage: StorageArguments,
    /// The e-mail address to sign in with
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
    /// The name
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Read the password from the first line of stdin; it has 8 to 128 characters
    #[arg(long, required = true)]
    pub password_stdin: bool,
}
