//! The runtime as the deployer sees it.

use botloom_core::Coded;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ports::SandboxError;

use crate::support::{ECHO, World};

#[tokio::test]
async fn a_sound_revision_is_staged_loaded_and_probed() {
    let world = World::new().await;
    let bot = world.bare_bot("candidate").await;
    let sandboxes = world.node.sandboxes();
    let rev = world.store(&bot.id, ECHO).await;
    assert_eq!(sandboxes.live_nodes().await, 1);
    sandboxes.stage(&bot.id, &rev).await.unwrap();
    sandboxes.prewarm(&bot.id, &rev, 2).await.unwrap();
    let report = sandboxes.probe(&bot.id, &rev).await.unwrap();
    assert_eq!(report.messages, 1);
    assert!(report.wall_us > 0);
    assert!(
        world.simulator.counters().calls.is_empty(),
        "a probe sends nothing"
    );
    assert_eq!(world.state(&bot.id, 1).await, None, "a probe stores nothing");
}

#[tokio::test]
async fn what_is_unsound_says_how() {
    let world = World::new().await;
    let bot = world.bare_bot("rejects").await;
    let sandboxes = world.node.sandboxes();
    let outcome = async |code: &str| {
        let rev = world.store(&bot.id, code).await;
        match sandboxes.probe(&bot.id, &rev).await {
            Err(SandboxError::Outcome { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        outcome("export function handle() { throw new Error('no'); }").await,
        "script_error"
    );
    assert_eq!(outcome("export function handle( {").await, "load_failed");
    assert_eq!(
        outcome("export const handle = () => ({ actions: [{ method: 'logOut', params: {} }] });").await,
        "bad_result"
    );
    assert_eq!(outcome("export const handle = () => 5;").await, "bad_result");
    let unloadable = world.store(&bot.id, "const handle = 1;").await;
    assert!(matches!(
        sandboxes.prewarm(&bot.id, &unloadable, 1).await,
        Err(SandboxError::Outcome { .. })
    ));
    let unknown = RevHash(Sha256Hash::of("nothing"));
    for error in [
        sandboxes.stage(&bot.id, &unknown).await.unwrap_err(),
        sandboxes.prewarm(&bot.id, &unknown, 1).await.unwrap_err(),
        sandboxes.probe(&bot.id, &unknown).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), "artifact-missing");
    }
}

/// An `apiCall` of a probed bot goes nowhere and its patterns are really matched.
#[tokio::test]
async fn a_probe_has_no_network() {
    let code = "export function handle({ resume }) {
      if (resume === undefined) return { effect: { type: 'match', cont: null, tests: [
        { pattern: '^a+$', text: 'aaa' }, { schema: { type: 'integer', minimum: 18 }, text: '18' }, { schema: { type: 'integer' }, text: 'x' }] } };
      if (resume.type === 'match') {
        if (resume.results.join() !== 'true,true,false') throw new Error(resume.results.join());
        return { effect: { type: 'apiCall', cont: null, method: 'GET', url: 'https://api.shop.example/', timeoutMs: 1000, retries: 0 } };
      }
      return { actions: [{ method: 'sendMessage', params: { text: resume.error } }] };
    }";
    let world = World::new().await;
    let bot = world.bare_bot("isolated").await;
    let rev = world.store(&bot.id, code).await;
    assert_eq!(
        world
            .node
            .sandboxes()
            .probe(&bot.id, &rev)
            .await
            .unwrap()
            .messages,
        1
    );
}
