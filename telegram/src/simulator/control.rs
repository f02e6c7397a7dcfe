//! The people's side over HTTP, under `/sim`. The folder's README lists the routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::faults::Fault;
use super::handle::Handle;
use super::journal::{Entry, Filter};
use super::options::NewBot;
use super::people::{Content, Done, NewPlace, Seen, SimError, WebhookChaos};
use super::world::{Access, Person, Place, Renamed, Shared};

/// Longest wait of a request.
const MAX_WAIT: Duration = Duration::from_mins(1);

impl IntoResponse for SimError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TimedOut(_) => StatusCode::REQUEST_TIMEOUT,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

type Answer<T> = Result<Json<T>, SimError>;
type Sim = State<Arc<Shared>>;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/bots", get(bots).post(add_bot))
        .route("/bots/{bot}", get(bot))
        .route("/bots/{bot}/profile", get(profile))
        .route("/bots/{bot}/manages", put(manages))
        .route("/bots/{bot}/send", post(send))
        .route("/bots/{bot}/press", post(press))
        .route("/bots/{bot}/tap", post(tap))
        .route("/bots/{bot}/block", post(block))
        .route("/bots/{bot}/unblock", post(unblock))
        .route("/bots/{bot}/updates", post(inject))
        .route("/bots/{bot}/webhook", put(chaos))
        .route("/bots/{bot}/chats/{chat}/messages", get(messages))
        .route("/bots/{bot}/chats/{chat}/wait", get(wait))
        .route("/bots/{bot}/chats/{chat}/access", put(access))
        .route("/people", post(add_person))
        .route("/people/{person}/new-bot", post(new_bot))
        .route("/chats", post(add_place))
        .route("/chats/{chat}", get(place))
        .route("/chats/{chat}/migrate", post(migrate))
        .route("/journal", get(journal))
        .route("/counters", get(counters))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/reset", post(reset))
}

async fn bots(State(shared): Sim) -> impl IntoResponse {
    Json(Handle::borrow(&shared).bots())
}

async fn add_bot(State(shared): Sim, Json(new): Json<NewBot>) -> Answer<super::BotState> {
    let sim = Handle::borrow(&shared);
    let bot = sim.add_bot(&new)?;
    sim.bot_state(bot).map(Json)
}

async fn bot(State(shared): Sim, Path(bot): Path<i64>) -> Answer<super::BotState> {
    Handle::borrow(&shared).bot_state(bot).map(Json)
}

async fn profile(State(shared): Sim, Path(bot): Path<i64>) -> Answer<super::BotProfile> {
    Handle::borrow(&shared).profile(bot).map(Json)
}

#[derive(Deserialize)]
struct Manages {
    manages: bool,
}

async fn manages(State(shared): Sim, Path(bot): Path<i64>, Json(wish): Json<Manages>) -> Answer<Value> {
    Handle::borrow(&shared).set_manages(bot, wish.manages)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct OpenLink {
    link: String,
    #[serde(flatten)]
    renamed: Renamed,
}

async fn new_bot(
    State(shared): Sim,
    Path(person): Path<i64>,
    Json(wish): Json<OpenLink>,
) -> Answer<super::BotState> {
    let sim = Handle::borrow(&shared);
    let bot = sim.make_managed(person, &wish.link, wish.renamed)?;
    sim.bot_state(bot).map(Json)
}

#[derive(Deserialize)]
struct Send {
    person: i64,
    chat: Option<i64>,
    #[serde(flatten)]
    content: Content,
}

async fn send(State(shared): Sim, Path(bot): Path<i64>, Json(wish): Json<Send>) -> Answer<Done> {
    let chat = wish.chat.unwrap_or(wish.person);
    Handle::borrow(&shared)
        .send(bot, chat, wish.person, wish.content)
        .map(Json)
}

#[derive(Deserialize)]
struct Press {
    person: i64,
    chat: Option<i64>,
    message_id: i64,
    button: String,
}

async fn press(State(shared): Sim, Path(bot): Path<i64>, Json(wish): Json<Press>) -> Answer<Done> {
    let chat = wish.chat.unwrap_or(wish.person);
    Handle::borrow(&shared)
        .press(bot, chat, wish.person, wish.message_id, &wish.button)
        .map(Json)
}

#[derive(Deserialize)]
struct Tap {
    person: i64,
    chat: Option<i64>,
    label: String,
}

async fn tap(State(shared): Sim, Path(bot): Path<i64>, Json(wish): Json<Tap>) -> Answer<Done> {
    let chat = wish.chat.unwrap_or(wish.person);
    Handle::borrow(&shared)
        .tap(bot, chat, wish.person, &wish.label)
        .map(Json)
}

#[derive(Deserialize)]
struct Who {
    person: i64,
}

async fn block(State(shared): Sim, Path(bot): Path<i64>, Json(who): Json<Who>) -> Answer<Done> {
    Handle::borrow(&shared).block(bot, who.person).map(Json)
}

async fn unblock(State(shared): Sim, Path(bot): Path<i64>, Json(who): Json<Who>) -> Answer<Done> {
    Handle::borrow(&shared).unblock(bot, who.person).map(Json)
}

async fn inject(
    State(shared): Sim,
    Path(bot): Path<i64>,
    Json(update): Json<Map<String, Value>>,
) -> Answer<Value> {
    let update_id = Handle::borrow(&shared).inject(bot, update)?;
    Ok(Json(json!({ "update_id": update_id })))
}

async fn chaos(State(shared): Sim, Path(bot): Path<i64>, Json(chaos): Json<WebhookChaos>) -> Answer<Value> {
    Handle::borrow(&shared).set_chaos(bot, chaos)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(default)]
struct Page {
    after: u64,
    limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: 0, limit: 100 }
    }
}

async fn messages(
    State(shared): Sim,
    Path((bot, chat)): Path<(i64, i64)>,
    Query(page): Query<Page>,
) -> Json<View> {
    let sim = Handle::borrow(&shared);
    let messages = sim.messages(bot, chat, page.after, page.limit);
    Json(View {
        keyboard: sim.keyboard(bot, chat),
        messages,
    })
}

/// What a person has on the screen.
#[derive(Serialize)]
struct View {
    /// The reply keyboard.
    keyboard: Option<Value>,
    messages: Vec<Seen>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Wait {
    after: u64,
    n: usize,
    timeout_ms: u64,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            after: 0,
            n: 1,
            timeout_ms: 10_000,
        }
    }
}

async fn wait(
    State(shared): Sim,
    Path((bot, chat)): Path<(i64, i64)>,
    Query(wait): Query<Wait>,
) -> Answer<Vec<Seen>> {
    let timeout = Duration::from_millis(wait.timeout_ms).min(MAX_WAIT);
    Handle::borrow(&shared)
        .wait_messages(bot, chat, wait.after, wait.n, timeout)
        .await
        .map(Json)
}

#[derive(Deserialize)]
struct SetAccess {
    access: Access,
}

async fn access(
    State(shared): Sim,
    Path((bot, chat)): Path<(i64, i64)>,
    Json(wish): Json<SetAccess>,
) -> Answer<Place> {
    let sim = Handle::borrow(&shared);
    sim.set_access(chat, bot, wish.access)?;
    sim.place(chat).map(Json)
}

#[derive(Deserialize)]
struct NewPerson {
    id: Option<i64>,
    first_name: String,
    last_name: Option<String>,
    username: Option<String>,
    language_code: Option<String>,
    #[serde(default)]
    deactivated: bool,
}

async fn add_person(State(shared): Sim, Json(new): Json<NewPerson>) -> Answer<Person> {
    let mut world = shared.world();
    let id = new.id.unwrap_or_else(|| world.fresh_person_id());
    if id <= 0 {
        return Err(SimError::Invalid("a person's number is above zero".into()));
    }
    let person = Person {
        id,
        first_name: new.first_name,
        last_name: new.last_name,
        username: new.username,
        language_code: new.language_code,
        deactivated: new.deactivated,
    };
    world.add_person(person.clone());
    Ok(Json(person))
}

async fn add_place(State(shared): Sim, Json(new): Json<NewPlace>) -> Answer<Place> {
    let sim = Handle::borrow(&shared);
    let id = sim.add_place(new)?;
    sim.place(id).map(Json)
}

async fn place(State(shared): Sim, Path(chat): Path<i64>) -> Answer<Place> {
    Handle::borrow(&shared).place(chat).map(Json)
}

async fn migrate(State(shared): Sim, Path(chat): Path<i64>) -> Answer<Place> {
    let sim = Handle::borrow(&shared);
    let new = sim.migrate(chat)?;
    sim.place(new).map(Json)
}

async fn journal(State(shared): Sim, Query(filter): Query<Filter>) -> Json<Vec<Entry>> {
    Json(Handle::borrow(&shared).journal(&filter))
}

async fn counters(State(shared): Sim) -> impl IntoResponse {
    Json(Handle::borrow(&shared).counters())
}

async fn faults(State(shared): Sim) -> Json<Vec<Fault>> {
    Json(Handle::borrow(&shared).faults())
}

async fn add_fault(State(shared): Sim, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    let sim = Handle::borrow(&shared);
    sim.add_fault(fault);
    Json(sim.faults())
}

async fn clear_faults(State(shared): Sim) -> Json<Vec<Fault>> {
    let sim = Handle::borrow(&shared);
    sim.clear_faults();
    Json(sim.faults())
}

async fn reset(State(shared): Sim) -> Json<Value> {
    Handle::borrow(&shared).reset();
    Json(json!({}))
}
