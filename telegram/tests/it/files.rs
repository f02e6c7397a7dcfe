//! Files: sent in every form, described, fetched again.

use std::time::Duration;

use botloom_telegram::simulator::{Content, SentFile};
use botloom_telegram::{CallError, Part, Upload};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{BOT, Scene, TOKEN, refusal};

fn part(name: &str, bytes: &'static [u8]) -> Part {
    Part {
        name: name.into(),
        file_name: "Фото 1.png".into(),
        content_type: "image/png".into(),
        bytes: Bytes::from_static(bytes),
    }
}

async fn upload(
    s: &Scene,
    method: &str,
    fields: &[(&str, String)],
    parts: Vec<Part>,
) -> Result<Value, CallError> {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let result = s
        .client
        .upload(&s.token, method, &Upload { fields, parts })
        .await?;
    Ok(serde_json::from_str(result.get()).unwrap())
}

#[tokio::test]
async fn up_and_down_again() {
    let s = Scene::new().await;
    let chat = ("chat_id", s.ann.id.to_string());
    let caption = ("caption", "Schön".to_owned());
    let sent = upload(
        &s,
        "sendDocument",
        &[chat.clone(), caption],
        vec![part("document", b"\x89PNG\r\n--x\0")],
    )
    .await;
    let sent = sent.unwrap();
    assert_eq!(
        (&sent["caption"], &sent["document"]["file_name"]),
        (&json!("Schön"), &json!("Фото 1.png"))
    );
    assert_eq!(sent["document"]["mime_type"], "image/png");
    let path = s
        .client
        .get_file_path(&s.token, sent["document"]["file_id"].as_str().unwrap())
        .await
        .unwrap();
    let bytes = s.client.download(&s.token, &path, 100).await.unwrap();
    assert_eq!(&bytes[..], b"\x89PNG\r\n--x\0");
    let error = s.client.download(&s.token, &path, 5).await.unwrap_err();
    assert!(
        matches!(error, CallError::BadAnswer { .. }),
        "more than wanted: {error:?}"
    );
    assert!(matches!(
        s.client.download(&s.token, "a/../b", 9).await,
        Err(CallError::BadCall { .. })
    ));
    assert_eq!(
        refusal(s.client.download(&s.token, "documents/none.png", 9).await).0,
        404
    );

    let attached = ("photo", "attach://p1".to_owned());
    let sent = upload(&s, "sendPhoto", &[chat.clone(), attached], vec![part("p1", b"x")])
        .await
        .unwrap();
    assert_eq!(sent["photo"][0]["file_size"], 1);
    let empty = upload(
        &s,
        "sendPhoto",
        std::slice::from_ref(&chat),
        vec![part("photo", b"")],
    )
    .await;
    assert_eq!(
        refusal(empty),
        (400, "Bad Request: file must be non-empty".into())
    );
    let lost = upload(
        &s,
        "sendPhoto",
        &[chat, ("photo", "attach://other".into())],
        vec![part("p1", b"x")],
    )
    .await;
    assert_eq!(refusal(lost).0, 400);
}

#[tokio::test]
async fn by_address_and_by_id() {
    let s = Scene::new().await;
    for (method, field) in [
        ("sendPhoto", "photo"),
        ("sendVideo", "video"),
        ("sendDocument", "document"),
        ("sendAudio", "audio"),
        ("sendVoice", "voice"),
        ("sendAnimation", "animation"),
    ] {
        let params = json!({ "chat_id": s.ann.id, field: "https://files.example/a/b.dat", "caption": "c" });
        let sent = s.call(method, params).await.unwrap();
        let file = if field == "photo" {
            &sent[field][0]
        } else {
            &sent[field]
        };
        assert_eq!(sent["caption"], "c", "{method}");
        let params = json!({ "chat_id": s.ann.id, field: file["file_id"] });
        let again = s.call(method, params).await.unwrap();
        let again = if field == "photo" {
            &again[field][0]
        } else {
            &again[field]
        };
        assert_eq!(again["file_unique_id"], file["file_unique_id"], "{method}");
    }
}

#[tokio::test]
async fn albums() {
    let s = Scene::new().await;
    let item = |kind: &str, media: &str| json!({ "type": kind, "media": media, "caption": kind });
    let send = |media: Vec<Value>, parts: Vec<Part>| {
        let fields = [
            ("chat_id", s.ann.id.to_string()),
            ("media", Value::Array(media).to_string()),
        ];
        let s = &s;
        async move { upload(s, "sendMediaGroup", &fields, parts).await }
    };
    let album = send(
        vec![
            item("photo", "attach://a"),
            item("video", "https://x.example/v.mp4"),
        ],
        vec![part("a", b"1")],
    );
    let album = album.await.unwrap();
    assert_eq!(album.as_array().unwrap().len(), 2);
    assert_eq!(album[0]["media_group_id"], album[1]["media_group_id"]);
    assert_eq!(
        (&album[0]["caption"], &album[1]["caption"]),
        (&json!("photo"), &json!("video"))
    );
    assert!(album[0]["message_id"].as_i64() < album[1]["message_id"].as_i64());
    let url = "https://x.example/1";
    assert_eq!(refusal(send(vec![item("photo", url)], vec![]).await).0, 400);
    assert_eq!(
        refusal(send(vec![item("photo", url), item("document", url)], vec![]).await).0,
        400
    );
    assert_eq!(
        refusal(send(vec![item("voice", url), item("voice", url)], vec![]).await).0,
        400
    );
}

#[tokio::test]
async fn what_people_send() {
    let s = Scene::new().await;
    let send = |content: &str, size: Option<u64>| {
        let file = SentFile {
            kind: "voice".into(),
            content: content.into(),
            size,
            name: None,
            caption: None,
        };
        s.sim.send(BOT, s.ann.id, s.ann.id, Content::File(file)).unwrap();
    };
    send("hear", None);
    send("x", Some(21 * 1024 * 1024));
    let updates = s.call("getUpdates", json!({})).await.unwrap();
    let id = |n: usize| {
        updates[n]["message"]["voice"]["file_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let path = s.client.get_file_path(&s.token, &id(1)).await.unwrap();
    assert_eq!(
        &s.client.download(&s.token, &path, 10).await.unwrap()[..],
        b"hear"
    );
    let big = s.client.get_file_path(&s.token, &id(2)).await;
    assert_eq!(refusal(big), (400, "Bad Request: file is too big".into()));
}

/// Real clients send uploads in chunks; the last one may come after the form's own end.
#[tokio::test]
async fn a_late_end_of_an_upload_costs_no_connection() {
    let s = Scene::new().await;
    let mut stream = TcpStream::connect(s.sim.addr()).await.unwrap();
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{}\r\n--b\r\nContent-Disposition: \
         form-data; name=\"photo\"; filename=a.png\r\n\r\nx\r\n--b--\r\n",
        s.ann.id
    );
    let head = format!(
        "POST /bot{TOKEN}/sendPhoto HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: \
         multipart/form-data; boundary=b\r\n\r\n{:x}\r\n{form}\r\n",
        form.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let rest = format!("0\r\n\r\nGET /bot{TOKEN}/getMe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert!(answers.contains("file_unique_id") && answers.contains("can_join_groups"));
}
