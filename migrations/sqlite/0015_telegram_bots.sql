-- Bots at Telegram beyond their tokens.

-- What was published at Telegram of a bot outside of its chats: commands and descriptions.

CREATE TABLE bot_profiles (
    telegram_id  BIGINT NOT NULL PRIMARY KEY,
    published    TEXT   NOT NULL, -- JSON, digest by item; empty: unknown
    settled      TEXT,  -- revision that needs nothing more
    published_at BIGINT,
    failure      TEXT,
    attempts     BIGINT NOT NULL,
    due_at       BIGINT NOT NULL, -- a pause, or the claim of a node
    version      BIGINT NOT NULL
);

-- Wishes for Telegram bots that the manager bot has people make.
CREATE TABLE managed_requests (
    bot_id           TEXT   NOT NULL PRIMARY KEY REFERENCES bots (id),
    user_id          TEXT   NOT NULL, -- who asked
    request_id       TEXT   NOT NULL, -- with which they asked
    username         TEXT   NOT NULL UNIQUE, -- suggested to Telegram, in lower case
    link             TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    telegram_id      BIGINT, -- the bot that was made; NULL: none yet
    creator_id       BIGINT, -- the Telegram account that made it
    creator_name     TEXT,
    creator_username TEXT,
    attached_at      BIGINT, -- since then the bot has the token
    failure          TEXT
);
CREATE INDEX managed_requests_by_expiry ON managed_requests (expires_at);

-- Telegram accounts that people have said are theirs.
CREATE TABLE telegram_accounts (
    user_id          TEXT   NOT NULL REFERENCES users (id),
    telegram_id      BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (user_id, telegram_id)
);

-- Work that one node at a time does.
CREATE TABLE leases (
    name             TEXT   NOT NULL PRIMARY KEY,
    holder           TEXT   NOT NULL,
    expires_at       BIGINT NOT NULL
);
