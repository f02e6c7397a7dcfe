//! Rebuilds the crate when a migration is added: the files are embedded at compile time.

#[expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
