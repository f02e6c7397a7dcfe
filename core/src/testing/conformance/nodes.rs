//! Suite of the nodes. Each case gets an installation in which nobody has said yet that it lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

use super::CaseResult;
use super::cases::cases;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, Epoch};
use crate::model::{Ask, AskAnswer, NodeBeat};
use crate::ports::{ActiveRevision, Bus, NODE_LIFE, Nodes, Notice, OpenAsk, StoreResult};

/// One process of the installation.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its view of the nodes.
    pub nodes: Arc<dyn Nodes>,
    /// Where it hears of asks and answers.
    pub bus: Arc<dyn Bus>,
}

/// What the suite is run against: all processes of one installation, at least one.
pub type Subject = Vec<Member>;

cases!(($) nodes_conformance, nodes, Subject, [
    whoever_beats_is_live_for_everyone,
    a_later_beat_replaces_an_earlier_one,
    whoever_leaves_is_gone_at_once,
    whoever_falls_silent_is_gone,
    asks_are_open_for_everyone_oldest_first,
    the_same_ask_again_changes_nothing,
    everyone_answers_for_itself,
    an_ask_that_ran_out_is_gone_with_its_answers,
    an_answer_to_nothing_is_dropped,
    asking_and_answering_are_told,
]);

/// Longer than any case takes.
const LONG: Duration = Duration::from_mins(1);
/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn beat(member: &Member, free_turns: u32) -> NodeBeat {
    NodeBeat {
        node: member.nodes.me(),
        runs_bots: true,
        generates: false,
        free_turns,
        turns: 8,
        version: "1.2.3".to_owned(),
    }
}

fn rev() -> RevHash {
    RevHash(Sha256Hash::of("rev"))
}

fn bot() -> BotId {
    BotId::new("a-bot").expect("a valid id")
}

fn asks() -> [Ask; 4] {
    let (bot, rev) = (bot(), rev());
    [
        Ask::Stage {
            bot: bot.clone(),
            rev,
        },
        Ask::Prewarm {
            bot: bot.clone(),
            rev,
            min: 2,
        },
        Ask::Probe {
            bot: bot.clone(),
            rev,
        },
        Ask::Raise {
            bot,
            revision: ActiveRevision { epoch: Epoch(7), rev },
        },
    ]
}

/// Waits until a look says yes.
async fn eventually<F>(mut look: impl FnMut() -> F) -> CaseResult
where
    F: Future<Output = StoreResult<bool>>,
{
    let start = tokio::time::Instant::now();
    while !look().await? {
        assert!(start.elapsed() < PATIENCE, "it never happened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn whoever_beats_is_live_for_everyone(members: Subject) -> CaseResult {
    for member in &members {
        assert_eq!(member.nodes.live().await?, []);
    }
    let mut beats = Vec::new();
    for (member, free) in members.iter().zip(0..) {
        beats.push(beat(member, free));
        member.nodes.beat(&beats[beats.len() - 1]).await?;
    }
    beats.sort_by_key(|beat| beat.node);
    for member in &members {
        assert_eq!(member.nodes.live().await?, beats);
    }
    Ok(())
}

async fn a_later_beat_replaces_an_earlier_one(members: Subject) -> CaseResult {
    let member = &members[0];
    for free in [8, 3, 3] {
        member.nodes.beat(&beat(member, free)).await?;
    }
    for other in &members {
        assert_eq!(other.nodes.live().await?, [beat(member, 3)]);
    }
    Ok(())
}

async fn whoever_leaves_is_gone_at_once(members: Subject) -> CaseResult {
    for member in &members {
        member.nodes.beat(&beat(member, 1)).await?;
    }
    let leaver = &members[0];
    leaver.nodes.leave().await?;
    leaver.nodes.leave().await?;
    for member in &members {
        let live = member.nodes.live().await?;
        assert_eq!(live.len(), members.len() - 1);
        assert!(live.iter().all(|beat| beat.node != leaver.nodes.me()));
    }
    leaver.nodes.beat(&beat(leaver, 1)).await?;
    assert_eq!(
        leaver.nodes.live().await?.len(),
        members.len(),
        "it may come back"
    );
    Ok(())
}

async fn whoever_falls_silent_is_gone(members: Subject) -> CaseResult {
    let silent = &members[0];
    let others = &members[1..];
    let since = tokio::time::Instant::now();
    silent.nodes.beat(&beat(silent, 1)).await?;
    eventually(|| async {
        for other in others {
            other.nodes.beat(&beat(other, 1)).await?;
        }
        Ok(silent.nodes.live().await?.len() == others.len())
    })
    .await?;
    assert!(
        since.elapsed() + Duration::from_millis(100) >= NODE_LIFE,
        "not before its time"
    );
    Ok(())
}

async fn asks_are_open_for_everyone_oldest_first(members: Subject) -> CaseResult {
    let mut expected = Vec::new();
    let lives = [4, 3, 2, 1].map(Duration::from_mins);
    // Those asked first run out last: the order is not that of the ends.
    for (number, (ask, life)) in asks().into_iter().zip(lives).enumerate() {
        let id = Uuid::new_v4();
        members[number % members.len()].nodes.ask(id, &ask, life).await?;
        expected.push(OpenAsk { id, ask });
    }
    for member in &members {
        assert_eq!(member.nodes.open_asks().await?, expected);
    }
    Ok(())
}

async fn the_same_ask_again_changes_nothing(members: Subject) -> CaseResult {
    let [first, other, ..] = asks();
    let id = Uuid::new_v4();
    members[0].nodes.ask(id, &first, LONG).await?;
    members[0].nodes.answer(id, &AskAnswer::Done).await?;
    for member in &members {
        member.nodes.ask(id, &other, Duration::from_millis(1)).await?;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(
        members[0].nodes.open_asks().await?,
        [OpenAsk { id, ask: first }],
        "neither what is asked nor for how long"
    );
    assert_eq!(members[0].nodes.answers(id).await?.len(), 1);
    Ok(())
}

async fn everyone_answers_for_itself(members: Subject) -> CaseResult {
    let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
    let [ask, ..] = asks();
    members[0].nodes.ask(id, &ask, LONG).await?;
    members[0].nodes.ask(other, &ask, LONG).await?;
    assert_eq!(members[0].nodes.answers(id).await?, []);
    let answers = [
        AskAnswer::Probed {
            messages: 1,
            wall_us: 1_500,
        },
        AskAnswer::Outcome {
            outcome: "script_error".to_owned(),
            detail: "In words: \"why\" 🍕".to_owned(),
        },
        AskAnswer::Artifact {
            code: "artifact-missing".to_owned(),
            detail: "In words.".to_owned(),
        },
        AskAnswer::Away,
    ];
    let mut expected = Vec::new();
    for (member, answer) in members.iter().zip(answers.iter().cycle()) {
        member.nodes.answer(id, &AskAnswer::Done).await?;
        member.nodes.answer(id, answer).await?;
        expected.push((member.nodes.me(), answer.clone()));
    }
    expected.sort_by_key(|(node, _)| *node);
    for member in &members {
        assert_eq!(member.nodes.answers(id).await?, expected);
        assert_eq!(member.nodes.answers(other).await?, []);
    }
    Ok(())
}

async fn an_ask_that_ran_out_is_gone_with_its_answers(members: Subject) -> CaseResult {
    let (short, long) = (Uuid::new_v4(), Uuid::new_v4());
    let [ask, ..] = asks();
    let member = &members[0];
    member.nodes.ask(short, &ask, Duration::from_secs(1)).await?;
    member.nodes.ask(long, &ask, LONG).await?;
    for id in [short, long] {
        member.nodes.answer(id, &AskAnswer::Done).await?;
    }
    eventually(|| async { Ok(member.nodes.open_asks().await?.len() == 1) }).await?;
    for other in &members {
        other.nodes.answer(short, &AskAnswer::Done).await?;
        assert_eq!(other.nodes.answers(short).await?, []);
        assert_eq!(other.nodes.answers(long).await?.len(), 1);
    }
    member.nodes.ask(short, &ask, LONG).await?;
    assert_eq!(
        member.nodes.open_asks().await?.len(),
        2,
        "the id may be used again"
    );
    assert_eq!(member.nodes.answers(short).await?, []);
    Ok(())
}

async fn an_answer_to_nothing_is_dropped(members: Subject) -> CaseResult {
    let id = Uuid::new_v4();
    members[0].nodes.answer(id, &AskAnswer::Done).await?;
    assert_eq!(members[0].nodes.answers(id).await?, []);
    let [ask, ..] = asks();
    members[0].nodes.ask(id, &ask, LONG).await?;
    assert_eq!(members[0].nodes.answers(id).await?, []);
    Ok(())
}

async fn hears(listener: &mut Receiver<Notice>, wanted: &Notice) -> CaseResult {
    let hearing = async {
        while listener.recv().await? != *wanted {}
        Ok(())
    };
    tokio::time::timeout(PATIENCE, hearing).await?
}

async fn asking_and_answering_are_told(members: Subject) -> CaseResult {
    let mut listeners: Vec<_> = members.iter().map(|member| member.bus.subscribe()).collect();
    let id = Uuid::new_v4();
    let [ask, ..] = asks();
    members[0].nodes.ask(id, &ask, LONG).await?;
    for listener in &mut listeners {
        hears(listener, &Notice::Asked).await?;
    }
    members[members.len() - 1]
        .nodes
        .answer(id, &AskAnswer::Done)
        .await?;
    for listener in &mut listeners {
        hears(listener, &Notice::Answered { ask: id }).await?;
    }
    assert_eq!(
        members[0].nodes.answers(id).await?.len(),
        1,
        "there when it is told"
    );
    Ok(())
}
