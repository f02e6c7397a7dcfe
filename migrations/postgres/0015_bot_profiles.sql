-- What was published at Telegram of a bot outside of its chats: commands and descriptions.

CREATE TABLE bot_profiles (
    telegram_id  BIGINT           NOT NULL PRIMARY KEY,
    published    TEXT             NOT NULL, -- JSON, digest by item; empty: unknown
    settled      TEXT COLLATE "C", -- revision that needs nothing more
    published_at BIGINT,
    failure      TEXT,
    attempts     BIGINT           NOT NULL,
    due_at       BIGINT           NOT NULL, -- a pause, or the claim of a node
    version      BIGINT           NOT NULL
);
