//! Calls that carry files: `multipart/form-data` (RFC 7578).

use bytes::{Bytes, BytesMut};

/// A call with files. Everything is held in memory: Telegram takes at most 50 MB.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// Parameters that are not files, as text; objects and arrays as JSON text.
    pub fields: Vec<(String, String)>,
    /// Files. A parameter refers to one by `attach://<name>`, or `name` is the parameter itself.
    pub parts: Vec<Part>,
}

/// One file of an [`Upload`].
#[derive(Debug, Clone)]
pub struct Part {
    /// Name of the form's part.
    pub name: String,
    /// File name that people see.
    pub file_name: String,
    /// MIME type, like `image/png`.
    pub content_type: String,
    /// The content.
    pub bytes: Bytes,
}

impl Upload {
    /// The body, with `boundary` between the parts.
    pub(crate) fn encode(&self, boundary: &str) -> Bytes {
        let mut body = BytesMut::new();
        for (name, value) in &self.fields {
            put(
                &mut body,
                &format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n",
                    quoted(name)
                ),
            );
            put(&mut body, value);
            put(&mut body, "\r\n");
        }
        for part in &self.parts {
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                quoted(&part.name),
                quoted(&part.file_name),
                part.content_type.replace(['\r', '\n'], " "),
            );
            put(&mut body, &head);
            body.extend_from_slice(&part.bytes);
            put(&mut body, "\r\n");
        }
        put(&mut body, &format!("--{boundary}--\r\n"));
        body.freeze()
    }

    /// A boundary that no field and no file contains.
    pub(crate) fn boundary(&self) -> String {
        let mut n = 0_u64;
        loop {
            let boundary = format!("botloom-boundary-{n:016x}");
            let inside = |bytes: &[u8]| bytes.windows(boundary.len()).any(|w| w == boundary.as_bytes());
            let taken = self.fields.iter().any(|(_, value)| inside(value.as_bytes()))
                || self.parts.iter().any(|part| inside(&part.bytes));
            if !taken {
                return boundary;
            }
            n += 1;
        }
    }
}

fn put(body: &mut BytesMut, text: &str) {
    body.extend_from_slice(text.as_bytes());
}

/// Browsers' way of writing a name between quotes (WHATWG HTML, multipart/form-data encoding algorithm).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let upload = Upload {
            fields: vec![("chat\"\r\nX: y".into(), "1".into())],
            parts: vec![Part {
                name: "photo".into(),
                file_name: "Ж\"\r\n.png".into(),
                content_type: "image/png\r\nX: y".into(),
                bytes: Bytes::from_static(b"botloom-boundary-0000000000000000"),
            }],
        };
        let boundary = upload.boundary();
        assert_eq!(
            boundary, "botloom-boundary-0000000000000001",
            "the first one stands in the file"
        );
        let body = upload.encode(&boundary);
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains("name=\"chat%22%0D%0AX: y\"\r\n"));
        assert!(text.contains("filename=\"Ж%22%0D%0A.png\"\r\nContent-Type: image/png  X: y\r\n"));
    }
}
