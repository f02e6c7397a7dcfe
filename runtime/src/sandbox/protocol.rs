//! Frames between the node and a worker: `u32` length of what follows, `u8` kind, body. Numbers are little-endian.
//!
//! Every request but `Unload` gets exactly one answer, in order; a `Done` that says its runtime is being freed is
//! followed by one `Freed`, so that the node does not charge the next call for the freeing.

use super::limits::{Limits, MAX_INPUT_BYTES, MAX_MESSAGE_BYTES, MAX_SOURCE_BYTES};

/// Both sides are the same binary, but a worker may outlive an upgrade of the file it was started from.
pub(super) const VERSION: u32 = 2;
/// Name of the module that a revision is, in its errors. Part of its bytecode.
pub(super) const MODULE: &str = "bot.js";
/// Longest bytecode of a revision. That of a usual one has less than twice the length of its source.
pub(super) const MAX_BYTECODE: usize = 2 * 1024 * 1024;
/// Longest frame a worker reads.
pub(super) const MAX_REQUEST: usize = MAX_BYTECODE + 64;
const _: () = assert!(MAX_SOURCE_BYTES <= MAX_BYTECODE && MAX_INPUT_BYTES <= MAX_BYTECODE);
/// Longest answer text: what `bot.js` may return, state included.
pub(super) const MAX_ANSWER_TEXT: usize =
    botloom_core::bot_js::MAX_STATE_BYTES + botloom_core::bot_js::MAX_OUTPUT_BYTES;
/// Longest frame the node reads.
pub(super) const MAX_ANSWER: usize = MAX_ANSWER_TEXT + MAX_MESSAGE_BYTES + 256;

/// Bytes of a frame before its body: length and kind.
pub(super) const HEADER: usize = 5;

/// What the other side sent cannot be a frame. The connection is of no use any more.
#[derive(Debug, thiserror::Error)]
#[error("malformed frame: {0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Node to worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Request<'a> {
    /// First frame of a connection.
    Start(Limits),
    /// Compile and evaluate a revision and keep it under `handle`.
    Load {
        handle: u64,
        budget_ms: u32,
        source: &'a str,
    },
    /// Call a loaded revision.
    Call {
        handle: u64,
        budget_ms: u32,
        seed: u64,
        now_ms: i64,
        discard: bool,
        input: &'a str,
    },
    /// Forget a loaded revision.
    Unload { handle: u64 },
    /// Say that you are there.
    Ping,
    /// As `Load`, from what a `Compile` of the same program answered.
    LoadBytecode {
        handle: u64,
        budget_ms: u32,
        bytecode: &'a [u8],
    },
    /// Compile a revision without running anything of it. The worker ends after its answer.
    Compile { source: &'a str },
}

/// Worker to node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer<'a> {
    /// First frame: ready, with these protections.
    Hello { version: u32, protections: u8 },
    /// The revision is loaded.
    Loaded { heap_bytes: u32 },
    /// It could not be.
    LoadFailed(Failure<'a>),
    /// A call ended. `text` is the JSON of an `ok`.
    Done {
        tag: Tag,
        flags: u8,
        failure: Failure<'a>,
        text: &'a str,
    },
    /// No revision is loaded under that handle (any more).
    NotLoaded,
    /// The runtime that `Done` announced is gone.
    Freed,
    /// To `Ping`.
    Pong,
    /// To `Compile`.
    Compiled { bytecode: &'a [u8] },
}

/// `Done`: the runtime is destroyed; `Freed` follows.
pub(super) const DROPPED: u8 = 1;
/// `Done`: the worker ends itself after this answer, because its heap is not to be trusted.
pub(super) const RETIRING: u8 = 2;

/// How a call ended, as a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Ok,
    ScriptError,
    CpuLimit,
    MemoryLimit,
    StackLimit,
    OutputLimit,
    JobLimit,
    BadResult,
}

impl Tag {
    fn read(byte: u8) -> Option<Self> {
        use Tag::{BadResult, CpuLimit, JobLimit, MemoryLimit, Ok, OutputLimit, ScriptError, StackLimit};
        [
            Ok,
            ScriptError,
            CpuLimit,
            MemoryLimit,
            StackLimit,
            OutputLimit,
            JobLimit,
            BadResult,
        ]
        .into_iter()
        .find(|tag| *tag as u8 == byte)
    }
}

/// Why and where, for the bot's author. Line 0 means that the place is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Failure<'a> {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: &'a str,
}

/// Reads fields off the front of a body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed("too short"))?;
        self.0 = rest;
        Ok(*head)
    }
    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }
    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }
    fn text(&mut self, len: usize) -> Result<&'a str, Malformed> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Malformed("too short"))?;
        self.0 = rest;
        std::str::from_utf8(head).map_err(|_| Malformed("not UTF-8"))
    }
    fn bytes(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
    fn rest(&mut self) -> Result<&'a str, Malformed> {
        self.text(self.0.len())
    }
    fn failure(&mut self) -> Result<Failure<'a>, Malformed> {
        let (line, column, len) = (self.u32()?, self.u32()?, self.u32()? as usize);
        if len > MAX_MESSAGE_BYTES {
            return Err(Malformed("message too long"));
        }
        Ok(Failure {
            line,
            column,
            message: self.text(len)?,
        })
    }
    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed("too long"))
        }
    }
}

/// Kind and body of a frame, and the length of all of it.
pub(super) type Frame<'a> = (u8, &'a [u8], usize);

/// The first frame in `bytes`; `None` until it is complete.
pub(super) fn split(bytes: &[u8], max: usize) -> Result<Option<Frame<'_>>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > max {
        return Err(Malformed("length out of bounds"));
    }
    Ok(rest
        .get(..length)
        .map(|frame| (frame[0], &frame[1..], 4 + length)))
}

fn frame(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    body(out);
    let length = u32::try_from(out.len() - start - 4).expect("bodies are capped far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

impl Request<'_> {
    /// Appends the frame to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Start(limits) => frame(out, 0, |out| {
                out.extend(VERSION.to_le_bytes());
                out.extend(limits.heap_bytes.to_le_bytes());
                out.extend(limits.stack_bytes.to_le_bytes());
                out.extend(limits.address_space_bytes.to_le_bytes());
            }),
            Self::Load {
                handle,
                budget_ms,
                source,
            } => frame(out, 1, |out| {
                out.extend(handle.to_le_bytes());
                out.extend(budget_ms.to_le_bytes());
                out.extend_from_slice(source.as_bytes());
            }),
            Self::Call {
                handle,
                budget_ms,
                seed,
                now_ms,
                discard,
                input,
            } => frame(out, 2, |out| {
                out.extend(handle.to_le_bytes());
                out.extend(budget_ms.to_le_bytes());
                out.extend(seed.to_le_bytes());
                out.extend(now_ms.to_le_bytes());
                out.push(u8::from(discard));
                out.extend_from_slice(input.as_bytes());
            }),
            Self::Unload { handle } => frame(out, 3, |out| out.extend(handle.to_le_bytes())),
            Self::Ping => frame(out, 4, |_| ()),
            Self::LoadBytecode {
                handle,
                budget_ms,
                bytecode,
            } => frame(out, 5, |out| {
                out.extend(handle.to_le_bytes());
                out.extend(budget_ms.to_le_bytes());
                out.extend_from_slice(bytecode);
            }),
            Self::Compile { source } => frame(out, 6, |out| out.extend_from_slice(source.as_bytes())),
        }
    }
}

impl<'a> Request<'a> {
    /// Reads a body of `kind`.
    pub(super) fn read(kind: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let request = match kind {
            0 => {
                if body.u32()? != VERSION {
                    return Err(Malformed("another version of the protocol"));
                }
                Self::Start(Limits {
                    heap_bytes: body.u32()?,
                    stack_bytes: body.u32()?,
                    address_space_bytes: body.u64()?,
                })
            }
            1 => Self::Load {
                handle: body.u64()?,
                budget_ms: body.u32()?,
                source: body.rest()?,
            },
            2 => Self::Call {
                handle: body.u64()?,
                budget_ms: body.u32()?,
                seed: body.u64()?,
                now_ms: i64::from_le_bytes(body.array()?),
                discard: body.u8()? != 0,
                input: body.rest()?,
            },
            3 => Self::Unload { handle: body.u64()? },
            4 => Self::Ping,
            5 => Self::LoadBytecode {
                handle: body.u64()?,
                budget_ms: body.u32()?,
                bytecode: body.bytes(),
            },
            6 => Self::Compile { source: body.rest()? },
            _ => return Err(Malformed("unknown kind")),
        };
        body.end()?;
        Ok(request)
    }
}

fn write_failure(out: &mut Vec<u8>, failure: Failure<'_>) {
    let mut message = failure.message;
    while message.len() > MAX_MESSAGE_BYTES {
        message = &message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)];
    }
    out.extend(failure.line.to_le_bytes());
    out.extend(failure.column.to_le_bytes());
    out.extend(u32::try_from(message.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(message.as_bytes());
}

impl Answer<'_> {
    /// Appends the frame to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Hello { version, protections } => frame(out, 0, |out| {
                out.extend(version.to_le_bytes());
                out.push(protections);
            }),
            Self::Loaded { heap_bytes } => frame(out, 1, |out| out.extend(heap_bytes.to_le_bytes())),
            Self::LoadFailed(failure) => frame(out, 2, |out| write_failure(out, failure)),
            Self::Done {
                tag,
                flags,
                failure,
                text,
            } => frame(out, 3, |out| {
                out.extend_from_slice(&[tag as u8, flags]);
                write_failure(out, failure);
                out.extend_from_slice(text.as_bytes());
            }),
            Self::NotLoaded => frame(out, 4, |_| ()),
            Self::Freed => frame(out, 5, |_| ()),
            Self::Pong => frame(out, 6, |_| ()),
            Self::Compiled { bytecode } => frame(out, 7, |out| out.extend_from_slice(bytecode)),
        }
    }
}

impl<'a> Answer<'a> {
    /// Reads a body of `kind`.
    pub(super) fn read(kind: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let answer = match kind {
            0 => Self::Hello {
                version: body.u32()?,
                protections: body.u8()?,
            },
            1 => Self::Loaded {
                heap_bytes: body.u32()?,
            },
            2 => Self::LoadFailed(body.failure()?),
            3 => Self::Done {
                tag: Tag::read(body.u8()?).ok_or(Malformed("unknown outcome"))?,
                flags: body.u8()?,
                failure: body.failure()?,
                text: body.rest()?,
            },
            4 => Self::NotLoaded,
            5 => Self::Freed,
            6 => Self::Pong,
            7 => Self::Compiled {
                bytecode: body.bytes(),
            },
            _ => return Err(Malformed("unknown kind")),
        };
        body.end()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let requests = [
            Request::Start(Limits::default()),
            Request::Load {
                handle: 7,
                budget_ms: 250,
                source: "export function handle() {}",
            },
            Request::Call {
                handle: 7,
                budget_ms: 50,
                seed: u64::MAX,
                now_ms: -1,
                discard: true,
                input: "{\"ä\":1}",
            },
            Request::Unload { handle: 9 },
            Request::Ping,
            Request::LoadBytecode {
                handle: 8,
                budget_ms: 250,
                bytecode: &[0xff, 0],
            },
            Request::Compile { source: "1" },
        ];
        let mut bytes = Vec::new();
        for request in &requests {
            request.write(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for request in requests {
            let (kind, body, used) = split(rest, MAX_REQUEST).unwrap().unwrap();
            assert_eq!(Request::read(kind, body).unwrap(), request);
            rest = &rest[used..];
        }

        let failure = Failure {
            line: 3,
            column: 4,
            message: "no_such: thing",
        };
        let answers = [
            Answer::Hello {
                version: VERSION,
                protections: 3,
            },
            Answer::Loaded { heap_bytes: 1 },
            Answer::LoadFailed(failure),
            Answer::Done {
                tag: Tag::ScriptError,
                flags: DROPPED,
                failure,
                text: "",
            },
            Answer::Done {
                tag: Tag::Ok,
                flags: 0,
                failure: Failure::default(),
                text: "{}",
            },
            Answer::NotLoaded,
            Answer::Freed,
            Answer::Pong,
            Answer::Compiled { bytecode: &[0xfe] },
        ];
        for answer in answers {
            let mut bytes = Vec::new();
            answer.write(&mut bytes);
            let (kind, body, used) = split(&bytes, MAX_ANSWER).unwrap().unwrap();
            assert_eq!((Answer::read(kind, body).unwrap(), used), (answer, bytes.len()));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((kind, body, used))) = split(&bytes, 32) {
                prop_assert!(used <= bytes.len() && body.len() <= 32);
                let _ = Answer::read(kind, body);
                let _ = Request::read(kind, body);
            }
        }
    }
}
