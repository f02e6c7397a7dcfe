-- Whether Telegram delivers: one check for every connected bot, and what all nodes share about changing webhooks.

CREATE TABLE webhook_checks (
    bot_id           TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bots (id),
    next_at          BIGINT NOT NULL, -- due from then on; of a claim: the end of its lease
    claimed_until    BIGINT NOT NULL, -- 0: nobody checks it
    fence            BIGINT NOT NULL, -- grows with every claim
    status           TEXT COLLATE "C" NOT NULL,
    codes            TEXT COLLATE "C" NOT NULL, -- of the findings, separated by spaces
    findings         TEXT COLLATE "C" NOT NULL, -- with what is particular about them, as JSON
    since            BIGINT NOT NULL, -- of the status
    told             BIGINT NOT NULL, -- 1: the status stands in the event log
    checked_at       BIGINT,          -- when Telegram last answered
    unanswered_since BIGINT,
    pending          BIGINT,          -- updates that waited at Telegram
    growth           BIGINT NOT NULL, -- checks in a row at which that was more than before
    error_at         BIGINT,          -- Telegram's date of the last failed delivery, Unix seconds
    registered       TEXT COLLATE "C",         -- the address that Telegram last confirmed to have of ours
    registering      TEXT COLLATE "C",         -- one that it may have too
    secret           TEXT COLLATE "C",         -- SHA-256 of the secret that it confirmed
    tried            TEXT COLLATE "C",         -- SHA-256 of what the last answered setWebhook asked for
    tried_at         BIGINT
);
CREATE INDEX webhook_checks_by_due ON webhook_checks (next_at, bot_id);
CREATE INDEX webhook_checks_by_status ON webhook_checks (status, bot_id);

-- Every setWebhook that was allowed within the last hour, numbered without gaps.
CREATE TABLE webhook_grants (
    seq    BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL, -- never less than that of the number before
    bot_id TEXT COLLATE "C" NOT NULL
);
CREATE INDEX webhook_grants_by_bot ON webhook_grants (bot_id, at);
CREATE INDEX webhook_grants_by_time ON webhook_grants (at);

-- One row.
CREATE TABLE webhook_changes (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    public_url TEXT COLLATE "C",        -- announced by the node that started last
    held_until BIGINT NOT NULL -- no setWebhook before
);
