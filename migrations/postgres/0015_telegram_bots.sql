-- Bots at Telegram beyond their tokens.

-- What was published at Telegram of a bot outside of its chats: commands and descriptions.

CREATE TABLE bot_profiles (
    telegram_id  BIGINT           NOT NULL PRIMARY KEY,
    published    TEXT COLLATE "C" NOT NULL, -- JSON, digest by item; empty: unknown
    settled      TEXT COLLATE "C", -- revision that needs nothing more
    published_at BIGINT,
    failure      TEXT COLLATE "C",
    attempts     BIGINT           NOT NULL,
    due_at       BIGINT           NOT NULL, -- a pause, or the claim of a node
    version      BIGINT           NOT NULL
);

-- Wishes for Telegram bots that the manager bot has people make.
CREATE TABLE managed_requests (
    bot_id           TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bots (id),
    user_id          TEXT COLLATE "C" NOT NULL, -- who asked
    request_id       TEXT COLLATE "C" NOT NULL, -- with which they asked
    username         TEXT COLLATE "C" NOT NULL UNIQUE, -- suggested to Telegram, in lower case
    link             TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT           NOT NULL,
    expires_at       BIGINT           NOT NULL,
    telegram_id      BIGINT,          -- the bot that was made; NULL: none yet
    creator_id       BIGINT,          -- the Telegram account that made it
    creator_name     TEXT COLLATE "C",
    creator_username TEXT COLLATE "C",
    attached_at      BIGINT,          -- since then the bot has the token
    failure          TEXT COLLATE "C"
);
CREATE INDEX managed_requests_by_expiry ON managed_requests (expires_at);

-- Telegram accounts that people have said are theirs.
CREATE TABLE telegram_accounts (
    user_id          TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    telegram_id      BIGINT           NOT NULL,
    created_at       BIGINT           NOT NULL,
    PRIMARY KEY (user_id, telegram_id)
);

-- Work that one node at a time does.
CREATE TABLE leases (
    name             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder           TEXT COLLATE "C" NOT NULL,
    expires_at       BIGINT           NOT NULL
);
