//! No call of a bot reaches an address that is not public, however it is spelled or arrived at.
//!
//! The test runs itself again in a network namespace of its own, without privileges, in which every address there is belongs
//! to the loopback interface: whoever connects to one, wherever it is, is counted, by the address it meant. Names are
//! answered by a name server of the test, through the system's own resolver.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex};

use botloom_runtime::{DevHosts, SystemResolver};
use tokio::net::{TcpListener, UdpSocket};

use crate::outside::Calls;
use crate::support::{Canary, Setup};

const TEST: &str = "ssrf::not_one_connection_reaches_an_address_inside";
const MARK: &str = "BOTLOOM_TEST_NAMESPACE";
/// The ports that a call could mean; the first is that of every call.
const PORTS: [u16; 3] = [443, 80, 6379];
const PUBLIC: &str = "1.1.1.1";

const PREPARE: &str = r#"
set -eu
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$CONF"
mount --bind "$CONF" /etc/resolv.conf
exec "$@"
"#;

/// Hosts of URLs. Each leads inside by itself, or to the allowed name, which the name server sends inside.
const SPELLINGS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0251.0376.0251.0376",
    "2852039166",
    "0xA9FEA9FE",
    "169.254.169.254",
    "169.254.169.254.",
    "①②⑦.0.0.1",
    "１２７.0.0.1",
    "[::]",
    "[::1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25lo]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[5f00::1]",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "localhost",
    "LOCALHOST.",
    "foo.localhost",
    "metadata.google.internal",
    "kubernetes.default.svc",
    "nodots",
    "api.shop.example",
    "API.SHOP.EXAMPLE",
    "api.shop.example.",
    "api.shop.example@127.0.0.1",
    "api.shop.example:x@127.0.0.1",
    "api.shop.example%00.evil.example",
    "api.shop.example#@127.0.0.1",
    "api.shop.example\\@127.0.0.1",
    "127.0.0.1\\@api.shop.example",
    "api.shop.example\t@127.0.0.1",
    "api.shop.example\r\nHost: 127.0.0.1",
    "api.shop.example.evil.example",
    "evilapi.shop.example",
    "аpi.shop.example",
    "xn--pi-7kc.shop.example",
    "api.shop.example:0",
    "api.shop.example:65536",
    "api.shop.example:6379",
    "api.shop.example:80",
    "127.0.0.1:6379",
];

/// Addresses of names, with one of each range that is not public.
const INSIDE: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

#[test]
fn not_one_connection_reaches_an_address_inside() {
    if std::env::var_os(MARK).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.unwrap().block_on(Box::pin(in_a_world_of_its_own()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "--",
            "sh",
            "-c",
            PREPARE,
            "sh",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env("CONF", folder.path().join("resolv.conf"))
        .env(MARK, "1")
        .output()
        .expect("unshare (util-linux)");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(
        ran.status.success() && told.contains("1 passed"),
        "needs `ip` (iproute2) and user namespaces, which the kernel may refuse:\n{told}"
    );
}

/// Where connections went.
type Met = Arc<Mutex<Vec<SocketAddr>>>;

async fn listen() -> Met {
    let met = Met::default();
    for port in PORTS {
        // Both families at all addresses.
        let listener = TcpListener::bind(("::", port)).await.unwrap();
        let met = Arc::clone(&met);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let meant = stream.local_addr().unwrap();
                met.lock()
                    .unwrap()
                    .push(SocketAddr::new(meant.ip().to_canonical(), port));
            }
        });
    }
    met
}

/// What the name server says.
#[derive(Debug, Default)]
struct Script {
    /// For one look-up after the other, the last one again and again.
    turns: Vec<Vec<IpAddr>>,
    asked: usize,
    /// Through two other names.
    chain: bool,
}

impl Script {
    fn answers(&mut self, v6: bool) -> Vec<IpAddr> {
        // A look-up asks for both families, IPv4 first.
        self.asked += usize::from(!v6);
        let turn = self
            .asked
            .saturating_sub(1)
            .min(self.turns.len().saturating_sub(1));
        let all = self.turns.get(turn).cloned().unwrap_or_default();
        all.into_iter()
            .filter(|address| address.is_ipv6() == v6)
            .collect()
    }
}

/// A name in the form of a message (RFC 1035, 3.1).
fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend_from_slice(&kind.to_be_bytes());
    // IN, and nothing to be kept.
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
    bytes.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn reply(query: &[u8], script: &mut Script) -> Option<Vec<u8>> {
    let end = 12 + query.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(12..end + 4)?;
    let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    let asked = &question[..question.len() - 4];
    let known = asked.eq_ignore_ascii_case(&name("api.shop.example"));
    let answers = match kind {
        1 | 28 if known => script.answers(kind == 28),
        _ => Vec::new(),
    };
    let mut records = Vec::new();
    let mut owner = asked.to_vec();
    if script.chain && known {
        for next in ["one.chain.example", "two.chain.example"] {
            records.push(record(&owner, 5, &name(next)));
            owner = name(next);
        }
    }
    for address in answers {
        let data = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        records.push(record(&owner, kind, &data));
    }
    let mut bytes = query[..2].to_vec();
    // A final answer; no error, or no such name.
    bytes.extend_from_slice(&[0x85, if known { 0x80 } else { 0x83 }, 0, 1]);
    bytes.extend_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(question);
    bytes.extend(records.concat());
    Some(bytes)
}

async fn serve_names(script: Arc<Mutex<Script>>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).await.unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut query).await {
            let answer = reply(&query[..length], &mut script.lock().unwrap());
            if let Some(answer) = answer {
                socket.send_to(&answer, peer).await.unwrap();
            }
        }
    });
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn in_a_world_of_its_own() {
    let script = Arc::new(Mutex::new(Script::default()));
    serve_names(Arc::clone(&script)).await;
    let met = listen().await;
    let calls = Calls::with(Setup {
        resolver: Arc::new(SystemResolver),
        ..Setup::default()
    })
    .await;
    let names = |turns: &[&[&str]], chain: bool| {
        let turns = turns
            .iter()
            .map(|turn| turn.iter().map(|text| address(text)).collect());
        *script.lock().unwrap() = Script {
            turns: turns.collect(),
            asked: 0,
            chain,
        };
    };
    let denied = r#"[false,null,null,"denied"]"#;
    let call = |url: &str, retries: u32| {
        serde_json::json!({ "url": url, "retries": retries, "timeoutMs": 2_000 }).to_string()
    };
    let allowed = call("https://api.shop.example/", 0);

    // The listeners would see it: a public address is dialled.
    names(&[&[PUBLIC]], false);
    assert_eq!(calls.call(&allowed).await, r#"[false,null,null,"connect"]"#);
    assert_eq!(
        met.lock().unwrap().drain(..).collect::<Vec<_>>(),
        [SocketAddr::new(address(PUBLIC), 443)]
    );

    // As a literal.
    names(&[&["127.0.0.1"]], false);
    for host in SPELLINGS {
        for scheme in ["https", "http"] {
            let told = calls.call(&call(&format!("{scheme}://{host}/"), 0)).await;
            assert_eq!(told, denied, "{scheme}://{host}/");
        }
    }
    for url in [
        "file:///etc/passwd",
        "gopher://api.shop.example/",
        "ftp://api.shop.example/",
        "data:application/json,1",
        "unix:/run/redis.sock",
        "//10.0.0.1/",
        "/only/a/path",
        "https:127.0.0.1",
        "https:///127.0.0.1/",
        "HTTPS://127.0.0.1/",
        "https://10.0.0.1/\r\n\r\n",
        "",
    ] {
        assert_eq!(calls.call(&call(url, 0)).await, denied, "{url:?}");
    }

    // As the answer of a name server, directly and through other names.
    for inside in INSIDE {
        for chain in [false, true] {
            names(&[&[inside]], chain);
            assert_eq!(calls.call(&allowed).await, denied, "{inside}, chain: {chain}");
        }
        // One public address beside it changes nothing.
        for set in [[PUBLIC, inside], [inside, PUBLIC]] {
            names(&[&set], false);
            assert_eq!(calls.call(&allowed).await, denied, "{set:?}");
        }
    }
    assert_eq!(*met.lock().unwrap(), [], "connections to addresses inside");

    // As the second answer: the address that was checked is the one that is dialled, and each try checks anew.
    for inside in INSIDE {
        names(&[&[PUBLIC], &[inside]], false);
        let told = calls.call(&call("https://api.shop.example/", 1)).await;
        assert_eq!(told, denied, "{inside} at the second look");
    }
    let dialled: Vec<_> = met.lock().unwrap().drain(..).collect();
    assert!(
        dialled
            .iter()
            .all(|to| *to == SocketAddr::new(address(PUBLIC), 443)),
        "{dialled:?}"
    );
    assert_eq!(dialled.len(), INSIDE.len());

    // As where a server sends its callers on.
    let places = [
        "https://10.0.0.1/",
        "//10.0.0.1/",
        "http://169.254.169.254/latest",
        "https://[::1]/",
        "https://2130706433/",
    ];
    let statuses = [
        "301 Moved",
        "302 Found",
        "303 Other",
        "307 Temporary",
        "308 Permanent",
    ];
    let answers = places.iter().flat_map(|place| {
        statuses.iter().map(move |status| {
            format!("HTTP/1.1 {status}\r\nLocation: {place}\r\nAlt-Svc: h2=\"10.0.0.1:443\"\r\nContent-Length: 0\r\n\r\n").into_bytes()
        })
    });
    let server = Canary::answering(answers.collect()).await;
    let mut setup = Setup::default();
    let hosts = format!("api.shop.example=http://{}", server.address);
    setup.options.dev_hosts = DevHosts::parse(&hosts).unwrap();
    let calls = Calls::with(setup).await;
    for _ in 0..places.len() * statuses.len() {
        let call = r#"{"method":"POST","url":"https://api.shop.example/","body":{"secret":1},"headers":{"X-Forwarded-Host":"169.254.169.254"}}"#;
        let told = calls.call(call).await;
        assert!(told.ends_with(r#","status"]"#), "{told}");
    }
    assert_eq!(server.connections(), places.len() * statuses.len());
    assert_eq!(
        *met.lock().unwrap(),
        [],
        "connections to where a server sent its callers"
    );
}
