-- Lanes, outboxes and dead letters of one process. Leases, ready order and wake-ups are memory and not here.

-- What this file is: counts its openings ('run'), so that numbers given in two of them never meet.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Short numbers for bots. A bot that is purged loses its number at once and for ever; its rows are swept later.
CREATE TABLE bots (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE gone (
    n INTEGER PRIMARY KEY
) STRICT;

-- Updates that wait, in the order of their lane.
CREATE TABLE inq (
    bot INTEGER NOT NULL,
    chat TEXT NOT NULL,
    seq INTEGER NOT NULL,
    uid ANY NOT NULL,
    accepted_at INTEGER NOT NULL,
    env BLOB NOT NULL,
    PRIMARY KEY (bot, chat, seq)
) STRICT, WITHOUT ROWID;

-- Tries of the first update of a lane; no row is none.
CREATE TABLE att (
    bot INTEGER NOT NULL,
    chat TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;

-- Update ids that came. Expired rows count as absent until they are swept.
CREATE TABLE seen (
    bot INTEGER NOT NULL,
    uid ANY NOT NULL,
    exp INTEGER NOT NULL,
    PRIMARY KEY (bot, uid)
) STRICT, WITHOUT ROWID;

-- Documents of chats. Expired rows count as absent until they are swept.
CREATE TABLE state (
    bot INTEGER NOT NULL,
    chat TEXT NOT NULL,
    exp INTEGER,
    v BLOB NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;

-- Messages that wait: urgent ones (rank 0) first, then as they came.
CREATE TABLE outq (
    bot INTEGER NOT NULL,
    chat TEXT NOT NULL,
    rank INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    class INTEGER NOT NULL,
    ambiguous INTEGER NOT NULL,
    not_after INTEGER,
    attempts INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    maybe_sent INTEGER NOT NULL,
    method TEXT NOT NULL,
    cause TEXT NOT NULL,
    params BLOB NOT NULL,
    PRIMARY KEY (bot, chat, rank, seq)
) STRICT, WITHOUT ROWID;

-- Outboxes that must not be sent from before a moment.
CREATE TABLE out_delays (
    bot INTEGER NOT NULL,
    chat TEXT NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;

-- Bots that send nothing before a moment.
CREATE TABLE parks (
    bot INTEGER PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;

-- The revision on which updates of a bot start.
CREATE TABLE revs (
    bot INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    rev BLOB NOT NULL
) STRICT;

-- Dead letters: updates (dir 0) and messages (dir 1, with the columns of a message).
CREATE TABLE dlq (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    bot INTEGER NOT NULL,
    dir INTEGER NOT NULL,
    chat TEXT,
    at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    class INTEGER,
    ambiguous INTEGER,
    not_after INTEGER,
    method TEXT,
    cause TEXT,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX dlq_of_bot ON dlq (bot, dir);
