-- People at an identity provider. Accounts without a password have an empty users.password_hash.

CREATE TABLE identities (
    issuer     TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    email      TEXT COLLATE "C", -- as it was told, to be shown
    created_at BIGINT           NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- Logins sent to a provider; a row can be used once.
CREATE TABLE login_attempts (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256 of the secret in the browser's cookie
    session    TEXT COLLATE "C", -- links with the account of this session
    invitation TEXT COLLATE "C", -- SHA-256 of an invitation's secret
    return_to  TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT           NOT NULL
);
CREATE INDEX login_attempts_by_expiry ON login_attempts (expires_at);
