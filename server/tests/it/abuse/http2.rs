//! Floods that only HTTP/2 makes possible, frame by frame.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{PATIENCE, Target};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
/// `POST http://a/` in HPACK: three entries of the static table and a literal host.
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 0x01, b'a'];
/// The same with GET.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Sends a flood and reads all frames until the server closes; answers each frame's type and payload. A connection that
/// stays open is closed after the frame for which `enough` holds.
async fn flood(target: &Target, bytes: Vec<u8>, enough: impl Fn(u8) -> bool) -> Vec<(u8, Vec<u8>)> {
    let stream = target.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        // Refused in the middle, which is the point.
        writer.write_all(PREFACE).await.ok();
        writer.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok();
        writer.write_all(&bytes).await.ok();
        writer
    });
    let mut frames = Vec::new();
    let reading = async {
        let mut head = [0; 9];
        while reader.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if reader.read_exact(&mut payload).await.is_err() {
                break;
            }
            frames.push((head[3], payload));
            if enough(head[3]) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the server says nothing");
    drop(reader);
    writing.abort();
    frames
}

fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_end_the_connection_and_cost_no_memory() {
    let target = Target::start(&[]).await;
    target.serves().await;
    let before = target.server.resident_mib();

    let resets: Vec<u8> = streams(10_000)
        .flat_map(|id| {
            let open = frame(HEADERS, END_HEADERS | END_STREAM, id, GET);
            [open, frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    let frames = flood(&target, resets, |kind| kind == GOAWAY).await;
    assert!(
        frames.iter().any(|(kind, _)| *kind == GOAWAY),
        "a flood of resets goes on"
    );

    let mut empty = frame(HEADERS, END_HEADERS, 1, POST);
    for _ in 0..50_000 {
        empty.extend(frame(DATA, 0, 1, &[]));
    }
    flood(&target, empty, |kind| {
        matches!(kind, GOAWAY | HEADERS | RST_STREAM)
    })
    .await;

    let many: Vec<u8> = streams(1_000)
        .flat_map(|id| frame(HEADERS, END_HEADERS, id, POST))
        .collect();
    let frames = flood(&target, many, |kind| matches!(kind, GOAWAY | RST_STREAM)).await;
    let settings = &frames.iter().find(|(kind, _)| *kind == SETTINGS).unwrap().1;
    // SETTINGS_MAX_CONCURRENT_STREAMS
    assert!(
        settings.chunks(6).any(|s| s == [0, 3, 0, 0, 0, 100]),
        "{settings:?}"
    );
    assert!(
        frames
            .iter()
            .any(|(kind, _)| matches!(*kind, GOAWAY | RST_STREAM))
    );

    target.serves().await;
    let grown = target.server.resident_mib().saturating_sub(before);
    assert!(grown <= 20, "{grown} MiB for nothing");
}
