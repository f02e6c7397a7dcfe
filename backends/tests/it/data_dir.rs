//! One process per data folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use botloom_backends::{DataDir, DataDirError};
use botloom_core::Coded as _;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn makes_a_folder_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let data = DataDir::open(&parent.path().join("deep/er/data")).unwrap();
    assert!(data.path().is_absolute());
    assert_eq!(mode(data.path()), 0o700);
}

#[test]
fn leaves_the_mode_of_a_folder_that_is_there() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
    DataDir::open(&path).unwrap();
    assert_eq!(mode(&path), 0o750);
}

#[test]
fn refuses_a_folder_in_use_however_it_is_spelled() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let held = DataDir::open(&path).unwrap();
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for spelling in [
        path.clone(),
        path.join("."),
        parent.path().join("x/../data"),
        link,
    ] {
        std::fs::create_dir_all(parent.path().join("x")).unwrap();
        let error = DataDir::open(&spelling).unwrap_err();
        assert!(matches!(error, DataDirError::InUse { .. }), "{error:?}");
        assert_eq!(error.code(), "data-dir-in-use");
    }
    let clone = held.clone();
    drop(held);
    DataDir::open(&path).expect_err("a clone still holds it");
    drop(clone);
    DataDir::open(&path).unwrap();
}

#[test]
fn a_lock_file_that_was_left_behind_means_nothing() {
    let parent = tempfile::tempdir().unwrap();
    drop(DataDir::open(parent.path()).unwrap());
    assert!(parent.path().join("lock").exists());
    DataDir::open(parent.path()).unwrap();
}

#[test]
fn says_so_when_the_path_is_no_folder() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = DataDir::open(&path).unwrap_err();
        assert_eq!(error.code(), "data-dir-unusable");
        assert!(
            !error.outside().contains("file"),
            "no paths outside: {}",
            error.outside()
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}
