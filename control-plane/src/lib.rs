//! The HTTP API: routes, rules, auth, problems, events.
