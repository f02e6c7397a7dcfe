-- Live events with replay; numbered 1, 2, 3 … per project.

CREATE TABLE events (
    project_id TEXT COLLATE "C" NOT NULL,
    seq        BIGINT           NOT NULL,
    bot_id     TEXT COLLATE "C" NOT NULL,
    at         BIGINT           NOT NULL,
    event      TEXT,
    PRIMARY KEY (project_id, seq)
);
