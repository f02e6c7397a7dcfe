//! Suite of the artifact store. Each case gets an empty store and a way to damage what is in it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::CaseResult;
use super::cases::{cases, race};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::BotId;
use crate::ports::{ArtifactError, ArtifactName, Artifacts};

/// What the suite is run against: a store with a back door.
#[async_trait]
pub trait DamageableArtifacts: Debug + Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Artifacts>;

    /// Puts other bytes in the place of a stored file, past all rules.
    async fn overwrite(&self, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]);

    /// Leaves behind what a writer leaves that is killed half-way through this file, and opens the store anew.
    async fn crash_while_writing(&self, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]);
}

/// What the suite is run against.
pub type Subject = Arc<dyn DamageableArtifacts>;

cases!(($) artifacts_conformance, artifacts, Subject, [
    files_are_read_as_they_were_stored,
    what_was_not_stored_is_missing,
    the_same_bytes_again_are_no_error,
    other_bytes_change_nothing,
    of_concurrent_writers_exactly_one_wins,
    concurrent_writers_of_the_same_bytes_all_succeed,
    readers_never_see_half_a_file,
    files_stand_apart,
    every_flipped_byte_is_noticed,
    cut_and_grown_files_are_noticed,
    a_half_written_file_does_not_exist,
    a_file_is_found_without_its_digest,
]);

fn bot() -> BotId {
    BotId::new("a-bot").expect("a valid id")
}

fn rev(text: &str) -> RevHash {
    RevHash(Sha256Hash::of(text))
}

async fn read(
    store: &Arc<dyn Artifacts>,
    name: ArtifactName,
    expected: &[u8],
) -> Result<Bytes, ArtifactError> {
    store
        .get(&bot(), &rev("one"), name, &Sha256Hash::of(expected))
        .await
}

async fn write(store: &Arc<dyn Artifacts>, name: ArtifactName, bytes: &[u8]) -> Result<(), ArtifactError> {
    store
        .put(&bot(), &rev("one"), name, Bytes::copy_from_slice(bytes))
        .await
}

async fn files_are_read_as_they_were_stored(subject: Subject) -> CaseResult {
    let store = subject.store();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = every_byte.repeat(4_096);
    for (name, bytes) in ArtifactName::ALL.into_iter().zip([&b""[..], &every_byte, &large]) {
        write(&store, name, bytes).await?;
        assert_eq!(read(&store, name, bytes).await?, bytes);
    }
    Ok(())
}

async fn what_was_not_stored_is_missing(subject: Subject) -> CaseResult {
    let store = subject.store();
    for name in ArtifactName::ALL {
        let answer = read(&store, name, b"").await;
        assert!(matches!(answer, Err(ArtifactError::Missing)), "{answer:?}");
    }
    Ok(())
}

async fn the_same_bytes_again_are_no_error(subject: Subject) -> CaseResult {
    let store = subject.store();
    for _ in 0..3 {
        write(&store, ArtifactName::BotJs, b"export {}").await?;
    }
    assert_eq!(
        read(&store, ArtifactName::BotJs, b"export {}").await?,
        &b"export {}"[..]
    );
    Ok(())
}

async fn other_bytes_change_nothing(subject: Subject) -> CaseResult {
    let store = subject.store();
    write(&store, ArtifactName::BotJs, b"first").await?;
    for other in [&b"other"[..], b"", b"firs", b"first!"] {
        let answer = write(&store, ArtifactName::BotJs, other).await;
        assert!(matches!(answer, Err(ArtifactError::Conflict)), "{answer:?}");
    }
    assert_eq!(read(&store, ArtifactName::BotJs, b"first").await?, &b"first"[..]);
    Ok(())
}

async fn of_concurrent_writers_exactly_one_wins(subject: Subject) -> CaseResult {
    let store = subject.store();
    for round in 0..20 {
        let revision = rev(&round.to_string());
        let answers = race(16, |writer| {
            let store = Arc::clone(&store);
            let bytes = Bytes::from(format!("{writer}").repeat(10_000));
            async move {
                (
                    bytes.clone(),
                    store.put(&bot(), &revision, ArtifactName::BotJs, bytes).await,
                )
            }
        })
        .await;
        let mut winners = Vec::new();
        for (bytes, answer) in answers {
            match answer {
                Ok(()) => winners.push(bytes),
                Err(ArtifactError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        let [winner] = &winners[..] else {
            panic!("round {round}: {} winners", winners.len());
        };
        let stored = store
            .get(&bot(), &revision, ArtifactName::BotJs, &Sha256Hash::of(winner))
            .await?;
        assert_eq!(stored, winner);
    }
    Ok(())
}

async fn concurrent_writers_of_the_same_bytes_all_succeed(subject: Subject) -> CaseResult {
    let store = subject.store();
    let answers = race(16, |_| {
        let store = Arc::clone(&store);
        async move { write(&store, ArtifactName::BotJs, b"export {}").await }
    });
    for answer in answers.await {
        answer?;
    }
    assert_eq!(
        read(&store, ArtifactName::BotJs, b"export {}").await?,
        &b"export {}"[..]
    );
    Ok(())
}

async fn readers_never_see_half_a_file(subject: Subject) -> CaseResult {
    let store = subject.store();
    let bytes = vec![b'x'; 100_000];
    let answers = race(9, |caller| {
        let (store, bytes) = (Arc::clone(&store), bytes.clone());
        async move {
            if caller == 0 {
                return write(&store, ArtifactName::BotJs, &bytes).await;
            }
            for _ in 0..20 {
                match read(&store, ArtifactName::BotJs, &bytes).await {
                    Ok(_) | Err(ArtifactError::Missing) => {}
                    Err(other) => return Err(other),
                }
            }
            Ok(())
        }
    });
    for answer in answers.await {
        answer?;
    }
    Ok(())
}

async fn files_stand_apart(subject: Subject) -> CaseResult {
    let store = subject.store();
    let places = [("a-bot", "one"), ("a-bot", "two"), ("b-bot", "one")];
    let content =
        |bot: &str, revision: &str, name: ArtifactName| Bytes::from(format!("{bot} {revision} {name}"));
    for (bot, revision) in places {
        for name in ArtifactName::ALL {
            store
                .put(
                    &BotId::new(bot)?,
                    &rev(revision),
                    name,
                    content(bot, revision, name),
                )
                .await?;
        }
    }
    for (bot, revision) in places {
        for name in ArtifactName::ALL {
            let bytes = content(bot, revision, name);
            let expected = Sha256Hash::of(&bytes);
            assert_eq!(
                store
                    .get(&BotId::new(bot)?, &rev(revision), name, &expected)
                    .await?,
                bytes
            );
        }
    }
    Ok(())
}

async fn every_flipped_byte_is_noticed(subject: Subject) -> CaseResult {
    let store = subject.store();
    let good: Vec<u8> = (0..=255).collect();
    write(&store, ArtifactName::BotJs, &good).await?;
    for offset in 0..good.len() {
        let mut bad = good.clone();
        bad[offset] ^= 1 << (offset % 8);
        subject
            .overwrite(&bot(), &rev("one"), ArtifactName::BotJs, &bad)
            .await;
        let answer = read(&store, ArtifactName::BotJs, &good).await;
        assert!(
            matches!(answer, Err(ArtifactError::Corrupt)),
            "byte {offset}: {answer:?}"
        );
    }
    subject
        .overwrite(&bot(), &rev("one"), ArtifactName::BotJs, &good)
        .await;
    assert_eq!(read(&store, ArtifactName::BotJs, &good).await?, good);
    Ok(())
}

async fn cut_and_grown_files_are_noticed(subject: Subject) -> CaseResult {
    let store = subject.store();
    write(&store, ArtifactName::SpecJson, b"{\"a\":1}").await?;
    for bad in [&b""[..], b"{\"a\":1", b"{\"a\":1}\n"] {
        subject
            .overwrite(&bot(), &rev("one"), ArtifactName::SpecJson, bad)
            .await;
        let answer = read(&store, ArtifactName::SpecJson, b"{\"a\":1}").await;
        assert!(
            matches!(answer, Err(ArtifactError::Corrupt)),
            "{bad:?}: {answer:?}"
        );
    }
    Ok(())
}

async fn a_half_written_file_does_not_exist(subject: Subject) -> CaseResult {
    let name = ArtifactName::BotJs;
    subject
        .crash_while_writing(&bot(), &rev("one"), name, b"export")
        .await;
    let store = subject.store();
    let answer = read(&store, name, b"export").await;
    assert!(matches!(answer, Err(ArtifactError::Missing)), "{answer:?}");
    write(&store, name, b"export {}").await?;
    assert_eq!(read(&store, name, b"export {}").await?, &b"export {}"[..]);
    Ok(())
}

async fn a_file_is_found_without_its_digest(subject: Subject) -> CaseResult {
    let store = subject.store();
    let (bot, rev) = (bot(), rev("one"));
    let find = |name| store.get_unchecked(&bot, &rev, name);
    assert!(matches!(
        find(ArtifactName::RevJson).await,
        Err(ArtifactError::Missing)
    ));
    write(&store, ArtifactName::RevJson, b"passport").await?;
    assert_eq!(find(ArtifactName::RevJson).await?, &b"passport"[..]);
    assert!(matches!(
        find(ArtifactName::BotJs).await,
        Err(ArtifactError::Missing)
    ));
    Ok(())
}
