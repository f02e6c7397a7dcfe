//! The frames of an event stream, read as they come.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// Longest frame that is read, bytes.
const MAX_FRAME: usize = 1024 * 1024;
/// A server that says nothing for so long is gone: it sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// What a stream says at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Something happened.
    Event {
        id: Option<u64>,
        name: String,
        data: Value,
    },
    /// Nothing did.
    Comment(String),
}

impl Frame {
    fn read(text: &str) -> Self {
        let (mut id, mut name, mut data, mut comment) = (None, String::new(), None, String::new());
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("id", text)) => id = text.parse().ok(),
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("data", text)) => {
                    data = Some(serde_json::from_str(text).unwrap_or_else(|_| text.into()));
                }
                Some(("", text)) => text.clone_into(&mut comment),
                _ => {}
            }
        }
        match data {
            Some(data) => Self::Event { id, name, data },
            None => Self::Comment(comment),
        }
    }
}

/// What came of a stream and was not told yet.
#[derive(Debug, Default)]
struct Pieces(Vec<u8>);

impl Pieces {
    /// The next frame, if it is whole.
    fn take(&mut self) -> Option<Frame> {
        let end = self.0.windows(2).position(|pair| pair == b"\n\n")?;
        let frame: Vec<u8> = self.0.drain(..end + 2).collect();
        Some(Frame::read(&String::from_utf8_lossy(&frame)))
    }
}

/// A stream that is read.
#[derive(Debug)]
pub(super) struct Frames {
    body: Body,
    pieces: Pieces,
}

impl Frames {
    pub(super) fn of(body: Body) -> Self {
        let pieces = Pieces::default();
        Self { body, pieces }
    }

    /// The next frame; `None`: the stream has ended, broke off, or is none.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.pieces.take() {
                return Some(frame);
            }
            if self.pieces.0.len() > MAX_FRAME {
                return None;
            }
            let piece = tokio::time::timeout(SILENCE, self.body.frame()).await;
            let piece = piece.ok()??.ok()?;
            if let Some(bytes) = piece.data_ref() {
                self.pieces.0.extend_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_wherever_the_network_cut_them() {
        let text = "retry: 2000\n: connected\n\nid: 7\nevent: DeadLettered\ndata: {\"reason\":\"öde\"}\n\nevent: resync\ndata: {}\n\nid: 8";
        let event = |id, name: &str, data| Frame::Event {
            id,
            name: name.to_owned(),
            data,
        };
        for size in [1, 2, 5, 1_000] {
            let (mut pieces, mut read) = (Pieces::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                pieces.0.extend_from_slice(piece);
                while let Some(frame) = pieces.take() {
                    read.push(frame);
                }
            }
            let expected = [
                Frame::Comment("connected".to_owned()),
                event(Some(7), "DeadLettered", serde_json::json!({ "reason": "öde" })),
                event(None, "resync", serde_json::json!({})),
            ];
            assert_eq!(read, expected, "pieces of {size}");
        }
    }
}
