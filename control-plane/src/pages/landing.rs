//! The first page: how to begin.

use super::html::{Html, page};

/// Renders the page. `origin` is where the reader is; `owned`: somebody has set the installation up; `provider`: where people
/// log in, by name.
pub(crate) fn landing(origin: &str, owned: bool, provider: Option<&str>) -> String {
    let origin = Html::text(origin);
    let login = provider.map_or_else(Html::default, |name| {
        let name = Html::text(name);
        Html::trusted(&format!(
            "<p><a class=\"more\" href=\"/auth/oidc/login\">Log in with {name}</a></p>\n"
        ))
    });
    let first = if owned {
        format!(
            "<h2>1. Log in</h2>\n<p>There is an owner. Log in and keep the cookie and the <code>csrfToken</code> of the answer:</p>\n\
             <pre><code>curl -c cookies -H 'Content-Type: application/json' {origin}/auth/login \\\n  \
             -d '{{\"email\": \"you@example.org\", \"password\": \"…\"}}'</code></pre>\n"
        )
    } else {
        format!(
            "<h2>1. Make yourself the owner</h2>\n<p>Nobody owns this installation yet. Keep the cookie and the <code>csrfToken</code> of the answer:</p>\n\
             <pre><code>curl -c cookies -H 'Content-Type: application/json' {origin}/auth/setup \\\n  \
             -d '{{\"email\": \"you@example.org\", \"password\": \"at least 8 characters\"}}'</code></pre>\n"
        )
    };
    let body = format!(
        "<h1>A bot is a document.</h1>\n\
         <p class=\"lead\">Say what it does in a BotSpec. Botloom builds it, puts it live without a gap, and answers on Telegram.</p>\n\
         {login}{first}\
         <h2>2. Make a bot</h2>\n<p>Every request that changes something carries the token:</p>\n\
         <pre><code>curl -b cookies -H \"X-CSRF-Token: $CSRF\" -H 'Content-Type: application/json' {origin}/bots \\\n  \
         -d '{{\"botId\": \"pizza-demo\", \"name\": \"Pizza\"}}'</code></pre>\n\
         <h2>3. From a spec to an answer</h2>\n\
         <ol class=\"way\">\n\
         <li><code>POST /spec</code> a BotSpec: it becomes a version</li>\n\
         <li><code>POST /generate</code> the version: it becomes a revision</li>\n\
         <li><code>POST /deploy</code> the revision: it goes live</li>\n\
         <li><code>PUT /bots/pizza-demo/token</code>, then <code>POST /bots/pizza-demo/connect</code>: it answers</li>\n\
         </ol>\n\
         <p>Or all of it with one command: <code>botloom apply bot.json --deploy --wait</code>.</p>\n\
         <p><a class=\"more\" href=\"/docs\">Every route of the API</a></p>\n"
    );
    page("Begin", &Html::trusted(&body))
}
