//! A certificate authority of nobody's but the test's, made with `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a certificate request has besides its names: nothing, so that each certificate says all about itself.
const REQUEST: &str = "[req]\nprompt = no\ndistinguished_name = names\n[names]\n";

/// An authority; its files go with it.
#[derive(Debug)]
pub(crate) struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.path("request"), REQUEST).unwrap();
        authority.openssl(
            "authority",
            &["-addext", "basicConstraints=critical,CA:TRUE", "-days", "2"],
        );
        authority
    }

    /// File with its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// A certificate of this machine's address, and its private key, both in PEM.
    pub(crate) fn issue(&self) -> (String, String) {
        let (certificate, key) = (self.certificate(), self.path("authority.key"));
        let by = [
            "-CA",
            certificate.to_str().unwrap(),
            "-CAkey",
            key.to_str().unwrap(),
        ];
        let says = [
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-days",
            "1",
        ];
        self.openssl("issued", &[&by[..], &says[..]].concat());
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap();
        (read("issued.pem"), read("issued.key"))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }

    fn openssl(&self, name: &str, more: &[&str]) {
        let subject = format!("/CN=The test's {name}");
        let done = Command::new("openssl")
            .args(["req", "-x509", "-config", "request", "-nodes"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &subject, "-keyout", &format!("{name}.key")])
            .args(["-out", &format!("{name}.pem")])
            .args(more)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}
