//! The tree as a stranger finds it.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![root()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "data") {
                    stack.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn long_files_say_why() {
    let mut sizes = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        sizes.push(lines);
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let said = header.contains("Longer than most files: ");
        assert!(
            lines <= 500 || said,
            "{} has {lines} lines and no «Longer than most files: …» in its header",
            path.display()
        );
    }
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!(median <= 150, "the median file has {median} lines");
}

#[test]
fn every_top_level_folder_has_a_readme_of_a_screen() {
    for entry in std::fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !path.is_dir() || name.starts_with('.') || matches!(name.as_str(), "target" | "data" | "scripts") {
            continue;
        }
        let readme = std::fs::read_to_string(path.join("README.md"));
        let lines = readme
            .unwrap_or_else(|_| panic!("{name} has no README.md"))
            .lines()
            .count();
        assert!(lines <= 60, "{name}/README.md has {lines} lines");
    }
}
