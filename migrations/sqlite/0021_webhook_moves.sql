-- Moves to another public URL that hold themselves, and what is read and written often in an order that pages have.

-- Rows stand in the order of the bots, in which they are checked: those that are written together share pages.
CREATE TABLE webhook_checks_in_order (
    bot_id           TEXT NOT NULL PRIMARY KEY REFERENCES bots (id),
    next_at          BIGINT NOT NULL, -- due from then on; of a claim: the end of its lease
    claimed_until    BIGINT NOT NULL, -- 0: nobody checks it
    fence            BIGINT NOT NULL, -- grows with every claim
    status           TEXT NOT NULL,
    codes            TEXT NOT NULL, -- of the findings, separated by spaces
    findings         TEXT NOT NULL, -- with what is particular about them, as JSON
    since            BIGINT NOT NULL, -- of the status
    told             BIGINT NOT NULL, -- 1: the status stands in the event log
    checked_at       BIGINT,          -- when Telegram last answered
    unanswered_since BIGINT,
    pending          BIGINT,          -- updates that waited at Telegram
    growth           BIGINT NOT NULL, -- checks in a row at which that was more than before
    error_at         BIGINT,          -- Telegram's date of the last failed delivery, Unix seconds
    registered       TEXT,         -- the address that Telegram last confirmed to have of ours
    registering      TEXT,         -- one that it may have too
    secret           TEXT,         -- SHA-256 of the secret that it confirmed
    tried            TEXT,         -- SHA-256 of what the last answered setWebhook asked for
    tried_at         BIGINT,
    moved_at         BIGINT,       -- when a check moved it to another address
    moved_error_at   BIGINT,       -- error_at then
    moved_well       BIGINT        -- 1: it was well until then
) WITHOUT ROWID;
INSERT INTO webhook_checks_in_order
    SELECT bot_id, next_at, claimed_until, fence, status, codes, findings, since, told, checked_at, unanswered_since, pending,
           growth, error_at, registered, registering, secret, tried, tried_at, NULL, NULL, NULL
    FROM webhook_checks ORDER BY bot_id;
DROP TABLE webhook_checks;
ALTER TABLE webhook_checks_in_order RENAME TO webhook_checks;
CREATE INDEX webhook_checks_by_due ON webhook_checks (next_at, bot_id);

ALTER TABLE webhook_changes ADD COLUMN moves_held_since BIGINT; -- NULL: they are not held

-- Whether any bot has changed is told by this alone.
CREATE INDEX bots_by_mark ON bots (version, epoch);
