//! `openapi`: prints the description of the HTTP surfaces.

use super::answer;
use crate::failure::Failure;

pub fn openapi() -> Result<(), Failure> {
    let document = telemed_facade::http::openapi();
    let text = document.to_pretty_json().map_err(Failure::failed)?;
    answer(&text)
}
