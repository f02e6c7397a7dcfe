//! Parts of a path. What cannot be a name of the kind names nothing: 404.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::problem::Problem;

/// The only parameter of a path.
#[derive(Debug)]
pub(crate) struct One<T>(pub(crate) T);

/// The two parameters of a path, in order.
#[derive(Debug)]
pub(crate) struct Two<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for One<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        Ok(Self(parse(&params, 0)?))
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Two<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        Ok(Self(parse(&params, 0)?, parse(&params, 1)?))
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| Problem::not_found())
}

fn parse<T: FromStr>(params: &RawPathParams, index: usize) -> Result<T, Problem> {
    let text = params.iter().nth(index).map(|(_, text)| text);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(Problem::not_found)
}

/// A version's number as it is printed: no sign, no zeros in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) u32);

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number: u32 = text.parse().map_err(|_| ())?;
        if number > 0 && number.to_string() == text {
            Ok(Self(number))
        } else {
            Err(())
        }
    }
}

/// An id that the store made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpaqueId(pub(crate) String);

impl FromStr for OpaqueId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if plain { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}
