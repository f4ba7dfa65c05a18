#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod appointments;
mod directory;
mod document;
mod hostile;
mod hosts;
mod slots;
mod slow_bodies;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::router::RouterConfig;
use crate::testing::*;
