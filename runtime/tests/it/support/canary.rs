//! A listener that must not be reached, or that answers and counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Counts connections; answers each request with the next of its answers, the last one again and again.
pub(crate) struct Canary {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Canary {
    pub(crate) async fn at(address: &str, answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(std::sync::Mutex::default()),
        );
        let canary = Self {
            address,
            connections: Arc::clone(&connections),
            requests: Arc::clone(&requests),
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let answer = answers.get(number).or(answers.last()).cloned();
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    let mut part = [0; 4096];
                    while !is_whole(&text) {
                        match stream.read(&mut part).await {
                            Ok(0) | Err(_) => break,
                            Ok(count) => text.extend_from_slice(&part[..count]),
                        }
                    }
                    requests
                        .lock()
                        .unwrap()
                        .push(String::from_utf8_lossy(&text).into_owned());
                    match answer {
                        // The caller may give up in the middle.
                        Some(answer) => drop(stream.write_all(&answer).await),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        canary
    }

    pub(crate) async fn answering(answers: Vec<Vec<u8>>) -> Self {
        Self::at("127.0.0.1:0", answers).await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn is_whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
