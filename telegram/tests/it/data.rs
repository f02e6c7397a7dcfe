//! The committed data and the code say the same.

use botloom_telegram::simulator::schema;
use botloom_telegram::update::Known;

#[test]
fn the_whole_bot_api() {
    let schema = schema();
    assert_eq!(
        (
            schema.version.as_str(),
            schema.methods.len(),
            schema.updates.len()
        ),
        ("10.3", 185, 27)
    );
    let send = &schema.methods["sendMessage"];
    assert_eq!(send.required().collect::<Vec<_>>(), ["chat_id", "text"]);
    assert!(send.has("reply_markup") && send.has("text") && !send.has("photo"));
}

#[test]
fn update_kinds_queues_and_lifetimes() {
    let schema = schema();
    assert_eq!(Known::ALL.len(), schema.updates.len());
    for kind in Known::ALL {
        let data = &schema.updates[kind.as_str()];
        assert_eq!(kind.is_default(), data.default, "{kind:?}");
        if let Some(ttl) = data.ttl_s {
            assert_eq!(kind.ttl().as_secs(), ttl, "{kind:?}");
        }
        if let Some(queue) = &data.queue {
            assert_eq!(kind.queue().0, queue, "{kind:?}");
        }
        assert_eq!(Known::from_name(kind.as_str()), Some(*kind));
    }
}
