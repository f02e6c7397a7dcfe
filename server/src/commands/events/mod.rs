//! `botloom events`: what happened to a bot, and what happens.

mod frames;

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use frames::{Frame, Frames};

use super::listing::segment;
use crate::api_client::Api;
use crate::cli::releases::EventsArgs;
use crate::error::{CommandError, CommandResult};
use crate::terminal::{go_on, note};

/// Pause before a server that was away is asked again, as its streams ask for.
const AGAIN: Duration = Duration::from_secs(2);
/// Events of a project that a server has at least, if there were so many: where one that is older does not say what it has.
const KEPT: u64 = 1_000;
/// An id that no event has: the server tells the latest one, and goes on from there.
const NO_ID: &str = "none";

/// Tells what happened, and goes on if that is wanted. An interruption (Ctrl-C) is a way to end it.
pub(crate) async fn events(args: &EventsArgs) -> CommandResult {
    let api = Api::login(&args.login).await?;
    tokio::select! {
        ended = watch(&api, args) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| CommandError::Other(error.to_string()))
        }
    }
}

/// Where the reader is.
struct Reader<'a> {
    api: &'a Api,
    args: &'a EventsArgs,
    /// The last event that was told, or that nobody wants to be told of.
    last: u64,
}

async fn watch(api: &Api, args: &EventsArgs) -> CommandResult {
    let (mut frames, Told { latest, oldest }) = from_now(api, &args.bot).await?;
    let last = match args.after {
        None if args.follow => latest,
        None | Some(0) => oldest.map_or(latest.saturating_sub(KEPT), |oldest| oldest.saturating_sub(1)),
        Some(after) => after,
    };
    let mut reader = Reader { api, args, last };
    if !args.follow && last == latest {
        return Ok(());
    }
    if last != latest {
        frames = open(api, &args.bot, &last.to_string()).await?;
    }
    loop {
        match frames.next().await {
            Some(Frame::Event { id, name, data }) => {
                if !reader.tell(id, &name, &data) {
                    return Ok(());
                }
                if !args.follow && reader.last >= latest {
                    return Ok(());
                }
            }
            // It comes when everything before it was told.
            Some(Frame::Comment(comment)) if comment == "heartbeat" && !args.follow => return Ok(()),
            Some(Frame::Comment(_)) => {}
            None if args.follow => frames = reader.come_back().await?,
            None => return Err(broke_off()),
        }
    }
}

/// What a server has of a project's events.
struct Told {
    /// The latest one; 0 if there never was one.
    latest: u64,
    /// The oldest one that is kept, where the server says so.
    oldest: Option<u64>,
}

/// A stream from now on, and what there was before it.
async fn from_now(api: &Api, bot: &str) -> Result<(Frames, Told), CommandError> {
    let mut frames = open(api, bot, NO_ID).await?;
    while let Some(frame) = frames.next().await {
        if let Frame::Event {
            id: Some(latest),
            data,
            ..
        } = frame
        {
            let oldest = data["oldest"].as_u64();
            return Ok((frames, Told { latest, oldest }));
        }
    }
    Err(broke_off())
}

async fn open(api: &Api, bot: &str, after: &str) -> Result<Frames, CommandError> {
    match api.stream(&path(bot, after)).await? {
        Ok(body) => Ok(Frames::of(body)),
        Err(refused) => refused.ok().and(Err(broke_off())),
    }
}

fn path(bot: &str, after: &str) -> String {
    format!("/events?botId={}&lastEventId={after}", segment(bot))
}

fn broke_off() -> CommandError {
    CommandError::Api("the stream of events broke off".to_owned())
}

impl Reader<'_> {
    /// Tells an event; whether somebody still reads.
    fn tell(&mut self, id: Option<u64>, name: &str, data: &Value) -> bool {
        let is_gap = name == "resync";
        let Some(id) = id else {
            // We were too slow, and come back for what was not told.
            return true;
        };
        self.last = id;
        if is_gap && !self.args.json {
            note("the server does not have all of these events any more: look at everything anew");
            return true;
        }
        let line = if self.args.json {
            json!({ "id": id, "event": name, "data": data }).to_string()
        } else {
            words(id, name, data)
        };
        go_on(line)
    }

    /// The stream after what was told, as soon as the server is there.
    async fn come_back(&self) -> Result<Frames, CommandError> {
        note("the stream of events broke off; coming back");
        let path = path(&self.args.bot, &self.last.to_string());
        loop {
            tokio::time::sleep(AGAIN).await;
            match self.api.stream(&path).await {
                Ok(Ok(body)) => return Ok(Frames::of(body)),
                // A server that starts or ends, or stands in for one.
                Ok(Err(refused)) if is_passing(refused.status) => {}
                Ok(Err(refused)) => return refused.ok().and(Err(broke_off())),
                Err(_) => {}
            }
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// An event as a line for people.
fn words(id: u64, name: &str, data: &Value) -> String {
    let at = data["at"].as_str().unwrap_or_default();
    let mut line = format!("{id:>6}  {at}  {name:<17}");
    for (field, value) in data.as_object().into_iter().flatten() {
        match (field.as_str(), value) {
            ("at" | "botId", _) => {}
            (field, Value::String(text)) if !text.contains(char::is_whitespace) => {
                let _ = write!(line, "  {field}={text}");
            }
            (field, value) => {
                let _ = write!(line, "  {field}={value}");
            }
        }
    }
    line.trim_end().to_owned()
}
