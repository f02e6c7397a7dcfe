//! From an update to the argument of `handle`.

use botloom_core::bot_js::{Bot, Chat, Context, Event, Message, User};
use botloom_core::time::TimestampMs;
use botloom_telegram::update::Routed;
use jiff::tz::TimeZone;

/// `event` of an update. A command's target has been judged before.
pub(crate) fn event<'a>(update: &'a Routed<'a>) -> Event<'a> {
    let command = update.command();
    Event {
        update_id: update.update_id,
        kind: update.kind.as_str(),
        text: update.text(),
        command: command.map(|command| command.name.to_ascii_lowercase()),
        args: command.map_or("", |command| command.args),
    }
}

/// `context` of an update that was accepted `at`.
pub(crate) fn context<'a>(
    update: &'a Routed<'a>,
    at: TimestampMs,
    zone: &TimeZone,
    username: Option<&'a str>,
) -> Context<'a> {
    Context {
        user: update.from.as_ref().map(|user| User {
            id: user.id,
            first_name: &user.first_name,
            last_name: user.last_name.as_deref(),
            username: user.username.as_deref(),
            language_code: user.language_code.as_deref(),
        }),
        chat: update.chat.as_ref().map(|chat| Chat {
            id: chat.id,
            kind: &chat.kind,
            title: chat.title.as_deref(),
        }),
        message: update.message.as_ref().map(|message| Message {
            id: message.message_id,
            date: message.date,
        }),
        now: local_time(at, zone),
        bot: Bot { username },
    }
}

/// RFC 3339 with milliseconds and the zone's offset at that moment.
pub(crate) fn local_time(at: TimestampMs, zone: &TimeZone) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let offset = zone.to_offset(moment);
    if offset.seconds() == 0 {
        return format!("{moment:.3}");
    }
    let local = offset.to_datetime(moment);
    let (sign, minutes) = if offset.is_negative() {
        ('-', -offset.seconds() / 60)
    } else {
        ('+', offset.seconds() / 60)
    };
    format!("{local:.3}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_the_offset_of_the_zone() {
        let zone = |name: &str| TimeZone::get(name).unwrap();
        let summer = TimestampMs(1_782_907_200_000);
        assert_eq!(local_time(summer, &TimeZone::UTC), "2026-07-01T12:00:00.000Z");
        assert_eq!(
            local_time(summer, &zone("Europe/Berlin")),
            "2026-07-01T14:00:00.000+02:00"
        );
        assert_eq!(
            local_time(summer.plus(7), &zone("America/St_Johns")),
            "2026-07-01T09:30:00.007-02:30"
        );
        assert_eq!(
            local_time(TimestampMs(0), &zone("Asia/Kolkata")),
            "1970-01-01T05:30:00.000+05:30"
        );
    }

    #[test]
    fn an_update_as_bot_code_sees_it() {
        let update = Routed::parse(
            r#"{"update_id":7,"message":{"message_id":3,"date":1782907200,"text":"/Order@My_Bot  two ",
                "from":{"id":5,"is_bot":false,"first_name":"Ada","language_code":"en"},
                "chat":{"id":-100,"type":"supergroup","title":"Lab"}}}"#,
        )
        .unwrap();
        let (event, context) = (
            event(&update),
            context(&update, TimestampMs(0), &TimeZone::UTC, Some("my_bot")),
        );
        assert_eq!(
            serde_json::to_value((event, context)).unwrap(),
            serde_json::json!([
                {"updateId": 7, "type": "message", "text": "/Order@My_Bot  two ", "command": "order", "args": "two"},
                {
                    "user": {"id": 5, "firstName": "Ada", "lastName": null, "username": null, "languageCode": "en"},
                    "chat": {"id": -100, "type": "supergroup", "title": "Lab"},
                    "message": {"id": 3, "date": 1_782_907_200},
                    "now": "1970-01-01T00:00:00.000Z",
                    "bot": {"username": "my_bot"}
                }
            ])
        );
    }
}
