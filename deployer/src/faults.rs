//! Named points of a deployment where tests end the process. A list, so that a test that kills at every point does.

use botloom_core::model::Stage;

/// Before the compare-and-set of the active revision.
pub(crate) const BEFORE_ACTIVATE: &str = "deploy-before-activate";
/// After it, before the lanes know.
pub(crate) const AFTER_ACTIVATE: &str = "deploy-after-activate";
/// After the lanes know, before the row does.
pub(crate) const AFTER_SET_REVISION: &str = "deploy-after-set-revision";

/// All points, in the order in which a deployment passes them.
pub const FAULT_POINTS: [&str; 15] = [
    saved(Stage::Preflight),
    done(Stage::Preflight),
    saved(Stage::Stage),
    done(Stage::Stage),
    saved(Stage::Prewarm),
    done(Stage::Prewarm),
    saved(Stage::Health),
    done(Stage::Health),
    saved(Stage::Flip),
    BEFORE_ACTIVATE,
    AFTER_ACTIVATE,
    AFTER_SET_REVISION,
    done(Stage::Flip),
    saved(Stage::Invalidate),
    done(Stage::Invalidate),
];

/// After the row entered a stage.
pub(crate) const fn saved(stage: Stage) -> &'static str {
    match stage {
        Stage::Preflight => "deploy-saved-preflight",
        Stage::Stage => "deploy-saved-stage",
        Stage::Prewarm => "deploy-saved-prewarm",
        Stage::Health => "deploy-saved-health",
        Stage::Flip => "deploy-saved-flip",
        Stage::Invalidate => "deploy-saved-invalidate",
    }
}

/// After the step of a stage, before the row knows.
pub(crate) const fn done(stage: Stage) -> &'static str {
    match stage {
        Stage::Preflight => "deploy-done-preflight",
        Stage::Stage => "deploy-done-stage",
        Stage::Prewarm => "deploy-done-prewarm",
        Stage::Health => "deploy-done-health",
        Stage::Flip => "deploy-done-flip",
        Stage::Invalidate => "deploy-done-invalidate",
    }
}
