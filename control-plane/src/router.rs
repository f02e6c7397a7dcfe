//! Every route of the API, on one page. Paths and methods stand at the handlers.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::deps::Watch;
use crate::http::outermost::{finished, outermost};
use crate::problem::Problem;
use crate::routes::{
    analytics, audit, auth, bots, chats, connection, dead_letters, deployments, events, exports, generate,
    invitations, managed, members, oidc, pages, projects, revisions, sessions, simulate, spec, staging,
    system, tasks, tokens, versions, webhooks,
};
use crate::state::App;

/// The routes that the OpenAPI document tells of.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // /auth
        .routes(routes!(auth::set_up))
        .routes(routes!(auth::log_in))
        .routes(routes!(auth::log_out))
        .routes(routes!(auth::me))
        .routes(routes!(invitations::register))
        .routes(routes!(sessions::list_sessions, sessions::end_other_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(sessions::change_password))
        .routes(routes!(oidc::list_logins))
        .routes(routes!(oidc::log_in_by_identity))
        .routes(routes!(oidc::finish_identity_login))
        .routes(routes!(oidc::join_by_identity))
        .routes(routes!(
            oidc::list_identities,
            oidc::link_identity,
            oidc::unlink_identities
        ))
        // /projects
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::rename_project, projects::delete_project))
        .routes(routes!(members::list_members))
        .routes(routes!(members::update_member, members::remove_member))
        .routes(routes!(
            invitations::list_invitations,
            invitations::create_invitation
        ))
        .routes(routes!(invitations::revoke_invitation))
        .routes(routes!(invitations::look_up_invitation))
        .routes(routes!(invitations::accept_invitation))
        // /tokens
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::revoke_token))
        // /bots
        .routes(routes!(bots::list_bots, bots::create_bot))
        .routes(routes!(bots::get_bot, bots::update_bot, bots::delete_bot))
        .routes(routes!(bots::set_token))
        .routes(routes!(
            managed::ask_for_managed_bot,
            managed::get_managed_bot,
            managed::withdraw_managed_bot
        ))
        .routes(routes!(managed::confirm_managed_bot))
        .routes(routes!(managed::replace_managed_token))
        .routes(routes!(bots::pause_bot))
        .routes(routes!(bots::resume_bot))
        .routes(routes!(staging::set_staging_of, staging::unset_staging_of))
        .routes(routes!(staging::get_promotion))
        .routes(routes!(staging::promote))
        .routes(routes!(exports::export_bot))
        .routes(routes!(connection::connect_bot))
        .routes(routes!(connection::disconnect_bot))
        .routes(routes!(chats::list_chats))
        .routes(routes!(chats::get_chat))
        .routes(routes!(chats::unblock_chat))
        .routes(routes!(chats::forget_chat))
        .routes(routes!(analytics::totals))
        .routes(routes!(analytics::ask))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::replay_dead_letters))
        .routes(routes!(dead_letters::discard_dead_letters))
        .routes(routes!(
            dead_letters::get_dead_letter,
            dead_letters::discard_dead_letter
        ))
        .routes(routes!(dead_letters::replay_dead_letter))
        // /spec
        .routes(routes!(spec::list_specs, spec::post_spec))
        .routes(routes!(spec::validate_spec))
        .routes(routes!(simulate::simulate))
        .routes(routes!(spec::latest_spec))
        .routes(routes!(spec::diff_specs))
        .routes(routes!(spec::get_spec, versions::note_version))
        .routes(routes!(versions::restore_version))
        // /generate, /tasks, /revisions
        .routes(routes!(generate::generate))
        .routes(routes!(tasks::get_task))
        .routes(routes!(revisions::list_revisions))
        .routes(routes!(revisions::get_revision))
        .routes(routes!(revisions::get_artifact))
        // /deploy, /rollback, /deployments
        .routes(routes!(deployments::deploy))
        .routes(routes!(deployments::roll_back))
        .routes(routes!(deployments::list_deployments))
        .routes(routes!(deployments::get_deployment))
        // /webhooks
        .routes(routes!(webhooks::list_webhooks))
        .routes(routes!(webhooks::webhook_progress))
        .routes(routes!(webhooks::reclaim_webhook))
        // /events
        .routes(routes!(events::watch_events))
        // /audit
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::export_audit))
        // For machines that watch, and for those who write clients.
        .routes(routes!(system::health))
        .routes(routes!(system::ready))
        .routes(routes!(system::metrics))
        .routes(routes!(system::openapi))
}

/// All routes, pages for people included, under the outermost layer.
pub(crate) fn router(app: App) -> Router {
    let (api, _) = api().split_for_parts();
    api.route("/", get(pages::landing))
        .route("/docs", get(pages::docs))
        .route("/problems/{slug}", get(pages::problem))
        .route(pages::STYLE, get(pages::style))
        .fallback(async || Problem::not_found())
        .layer(from_fn_with_state(app.clone(), outermost))
        .with_state(app)
}

/// The routes for machines that watch, for a node without this API: `/healthz`, `/readyz`, `/metrics`.
pub fn watched(watch: Watch) -> Router {
    Router::new()
        .route("/healthz", get(system::health))
        .route("/readyz", get(system::ready))
        .route("/metrics", get(system::metrics))
        .fallback(async || Problem::not_found())
        .layer(from_fn(finished))
        .with_state(watch)
}
