//! The artifact folder beyond its port: paths, leftovers, what a killed writer leaves.

use std::path::Component;

use botloom_backends::DirArtifacts;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::ports::{ArtifactError, ArtifactName, Artifacts as _};
use bytes::Bytes;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_name_leads_out_of_the_folder(text in ".{0,70}|[a-z./\\-]{3,63}", content in ".*") {
        let dir = tempfile::tempdir().unwrap();
        let store = DirArtifacts::open(dir.path()).unwrap();
        let Ok(bot) = BotId::new(&text) else { return Ok(()) };
        for name in ArtifactName::ALL {
            let path = store.path(&bot, &RevHash(Sha256Hash::of(&content)), name);
            let below = path.strip_prefix(dir.path()).unwrap();
            prop_assert_eq!(below.components().count(), 4);
            prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))));
        }
    }
}

#[tokio::test]
async fn nothing_is_left_behind_by_writers_who_won_or_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirArtifacts::open(dir.path()).unwrap();
    let (bot, rev) = (BotId::new("a-bot").unwrap(), RevHash(Sha256Hash::of("rev")));
    store
        .put(&bot, &rev, ArtifactName::BotJs, Bytes::from_static(b"one"))
        .await
        .unwrap();
    store
        .put(&bot, &rev, ArtifactName::BotJs, Bytes::from_static(b"one"))
        .await
        .unwrap();
    let lost = store
        .put(&bot, &rev, ArtifactName::BotJs, Bytes::from_static(b"two"))
        .await;
    assert!(matches!(lost, Err(ArtifactError::Conflict)), "{lost:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    let files: Vec<_> = std::fs::read_dir(dir.path().join("bots/a-bot").join(rev.to_string()))
        .unwrap()
        .collect();
    assert_eq!(files.len(), 1);
}

#[test]
fn what_a_crash_left_is_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    DirArtifacts::open(dir.path()).unwrap();
    std::fs::write(dir.path().join("tmp/half"), "half").unwrap();
    DirArtifacts::open(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_went_away_is_unavailable_not_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirArtifacts::open(dir.path()).unwrap();
    let (bot, rev) = (BotId::new("a-bot").unwrap(), RevHash(Sha256Hash::of("rev")));
    std::fs::remove_dir_all(dir.path()).unwrap();
    let answer = store
        .put(&bot, &rev, ArtifactName::BotJs, Bytes::from_static(b"one"))
        .await;
    assert!(matches!(answer, Err(ArtifactError::Unavailable(_))), "{answer:?}");
}
