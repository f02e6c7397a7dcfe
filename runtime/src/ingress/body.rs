//! Reading a request's body within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// Largest update. Telegram's are below 100 KiB.
const MAX: usize = 1024 * 1024;
/// What is kept of a larger one.
const HEAD: usize = 64 * 1024;
/// A larger one is read to this point and thrown away, because an answer before the end of a request breaks the
/// connection under many clients.
const DRAINED: usize = 8 * 1024 * 1024;
/// Time for all of it.
const WITHIN: Duration = Duration::from_secs(15);

/// What came.
#[derive(Debug)]
pub(super) enum Body {
    /// All of it.
    Whole(Bytes),
    /// More than [`MAX`].
    TooLarge {
        /// Its first [`HEAD`] bytes.
        head: Bytes,
    },
    /// It did not come to its end.
    Broken,
}

pub(super) async fn read(body: axum::body::Body) -> Body {
    tokio::time::timeout(WITHIN, read_all(body))
        .await
        .unwrap_or(Body::Broken)
}

async fn read_all(mut body: axum::body::Body) -> Body {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Body::Broken };
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > DRAINED {
            break;
        }
        // Nearly every update comes in one frame: no copy then.
        match first.take() {
            None if all.is_empty() => first = Some(data),
            held => {
                let room = MAX + 1 - all.len().min(MAX + 1);
                let held = held.unwrap_or_default();
                all.extend_from_slice(&held[..held.len().min(room)]);
                let room = MAX + 1 - all.len();
                all.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
    }
    let mut bytes = first.unwrap_or_else(|| all.freeze());
    if seen <= MAX {
        return Body::Whole(bytes);
    }
    bytes.truncate(HEAD);
    Body::TooLarge { head: bytes }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;
    use futures_util::stream;

    use super::*;

    async fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<_> = sizes
            .iter()
            .map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size])))
            .collect();
        read(AxumBody::from_stream(stream::iter(pieces))).await
    }

    #[tokio::test]
    async fn whole_or_its_head() {
        for sizes in [&[][..], &[5], &[MAX], &[MAX - 1, 1], &[3, 0, 4, MAX - 7]] {
            let Body::Whole(bytes) = pieces(sizes).await else {
                panic!("{sizes:?}")
            };
            assert_eq!(bytes.len(), sizes.iter().sum::<usize>());
        }
        for sizes in [&[MAX + 1][..], &[MAX, 1], &[1, MAX, MAX], &[2 * MAX; 6]] {
            let Body::TooLarge { head } = pieces(sizes).await else {
                panic!("{sizes:?}")
            };
            assert_eq!(head.len(), HEAD);
        }
    }

    #[tokio::test]
    async fn a_broken_body_is_no_update() {
        let error = Err::<Bytes, _>(std::io::Error::other("reset"));
        let body = AxumBody::from_stream(stream::iter([Ok(Bytes::from_static(b"{")), error]));
        assert!(matches!(read(body).await, Body::Broken));
    }
}
