-- Telemetry of bots; the id makes a repeated batch harmless.

CREATE TABLE analytics_events (
    id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bot_id TEXT COLLATE "C" NOT NULL,
    chat   TEXT COLLATE "C" NOT NULL,
    rev    TEXT COLLATE "C",
    at     BIGINT           NOT NULL,
    event  TEXT COLLATE "C" NOT NULL,
    flow   TEXT COLLATE "C",
    step   TEXT COLLATE "C",
    fields TEXT COLLATE "C" NOT NULL
);
CREATE INDEX analytics_events_by_time ON analytics_events (bot_id, at);
