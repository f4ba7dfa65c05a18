//! `serve`: opens the engine and serves it until it is told to stop.

use telemed_facade::http::RouterConfig;
use telemed_facade::http::auth::cookie::CookieConfig;
use telemed_facade::http::booking::BookingConfig;
use telemed_facade::http::limits::LimitConfig;
use telemed_facade::http::server::{ServeOptions, tls_config};
use telemed_facade::{ServerOptions, Telemed};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::answer;
use crate::arguments::ServeArguments;
use crate::demo;
use crate::failure::Failure;
use crate::settings::ServeSettings;

pub async fn serve(arguments: ServeArguments) -> Result<(), Failure> {
    let settings = ServeSettings::load(arguments)?;
    let mut stop = StopSignals::listen()?;
    let started = tokio::select! {
        started = start(&settings) => started?,
        () = stop.next() => return Ok(()),
    };
    let Started {
        telemed,
        listener,
        options,
        address,
        shows_logins,
    } = started;
    if shows_logins {
        demo::show_logins();
    }
    answer(&format!("listening on {address}"))?;

    let (stop_serving, stopping) = oneshot::channel::<()>();
    let stopping = async {
        let _ = stopping.await;
    };
    {
        let mut serving = std::pin::pin!(telemed.serve(listener, options, stopping));
        tokio::select! {
            _ = &mut serving => {}
            () = stop.next() => {
                tracing::info!("stopping; a second signal stops at once");
                drop(stop_serving);
                tokio::select! {
                    stopped = &mut serving => {
                        tracing::info!(cut_off = stopped.cut_off, "every connection is closed");
                    }
                    () = stop.next() => tracing::warn!("stopping at once"),
                }
            }
        }
    }
    Ok(telemed.close().await?)
}

/// A server that is ready to accept.
struct Started {
    telemed: Telemed,
    listener: TcpListener,
    options: ServerOptions,
    address: String,
    /// Whether the demo's logins are to be written to stderr.
    shows_logins: bool,
}

async fn start(settings: &ServeSettings) -> Result<Started, Failure> {
    let mut connections = ServeOptions {
        behind_proxy: settings.behind_proxy,
        ..ServeOptions::default()
    };
    if let Some((certificate, key)) = &settings.tls {
        connections.tls = Some(tls_config(certificate, key).map_err(|error| {
            Failure::failed(format!("{error}; check --tls-cert and --tls-key"))
        })?);
    }
    // The address first: a port that is taken is told before anything is made.
    let listener = TcpListener::bind(&settings.listen[..]).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| {
        Failure::failed(format!(
            "cannot listen on the address: {error}; choose another with --listen"
        ))
    })?;
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };

    let telemed = Telemed::open(settings.config()).await?;
    if settings.demo {
        demo::prepare(&telemed).await?;
    }
    let shows_logins = demo::made(&telemed).await?;
    if shows_logins {
        // Its accounts are there whether or not the demo is asked for again.
        settings.check_demo_exposure().map_err(|reason| {
            Failure::failed(format!(
                "the database was made by --demo, which {reason}, or name another database"
            ))
        })?;
    }
    let surfaces = RouterConfig {
        cors: settings.cors.clone(),
        booking: BookingConfig {
            allow_query_token: settings.allow_query_token,
        },
        cookies: CookieConfig {
            cross_site: settings.cross_site_cookie,
            ..CookieConfig::default()
        },
        limits: LimitConfig {
            limits: settings.limits.clone(),
            limiter: telemed.limiter(),
        },
        ..RouterConfig::default()
    };
    Ok(Started {
        telemed,
        listener,
        options: ServerOptions {
            surfaces,
            connections,
        },
        address: format!("{scheme}://{address}"),
        shows_logins,
    })
}

/// The signals by which a server is asked to stop.
#[cfg(unix)]
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::failed(format!("signals cannot be had: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests;
