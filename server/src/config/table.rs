//! Every setting in one table: the parser, `botloom config`, and `docs/settings.md` are made from it.

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Name of the environment variable, and of the key in `botloom.toml`.
    pub key: &'static str,
    /// Value when nothing is set; empty where there is none.
    pub default: &'static str,
    /// Never printed.
    pub secret: bool,
    /// What it means, with unit and limits.
    pub doc: &'static str,
}

const fn setting(key: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting {
        key,
        default,
        secret: false,
        doc,
    }
}

const fn secret(key: &'static str, doc: &'static str) -> Setting {
    Setting {
        key,
        default: "",
        secret: true,
        doc,
    }
}

/// All settings, in the order in which they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "BOTLOOM_LISTEN",
        "127.0.0.1:8080",
        "Address and port of the HTTP server.",
    ),
    setting(
        "BOTLOOM_DATA_DIR",
        "./data",
        "Folder of the embedded storage, and of what a node keeps for itself (caches, spools). One process at a time.",
    ),
    setting(
        "BOTLOOM_PUBLIC_URL",
        "",
        "Where Telegram and browsers reach this server, e.g. `https://bots.example.com`. Needed for webhooks; without it bots can poll.",
    ),
    setting(
        "BOTLOOM_CONSOLE_ORIGIN",
        "",
        "Origin of a console that is served from elsewhere.",
    ),
    setting(
        "BOTLOOM_TRUSTED_PROXIES",
        "",
        "Addresses and networks (`10.0.0.5,10.1.0.0/16`) of the proxies in front of this server: callers behind them count by what `X-Forwarded-For` tells. From anybody else the header is ignored.",
    ),
    setting(
        "BOTLOOM_ROLES",
        "control-plane,generator,deployer,runtime",
        "What this node does. Fewer than all roles need `DATABASE_URL`, `REDIS_URL`, `S3_BUCKET` and `CLICKHOUSE_URL`.",
    ),
    secret(
        "DATABASE_URL",
        "PostgreSQL 15 or newer (`postgres://user:password@host/database`) instead of the embedded database.",
    ),
    secret(
        "REDIS_URL",
        "Redis 6.2 or newer, or Valkey, instead of the embedded queues: `redis://`, `rediss://` (TLS), `redis+cluster://host:port,host:port` or `rediss+cluster://`.",
    ),
    setting(
        "BOTLOOM_REDIS_ALLOW_VOLATILE",
        "false",
        "`true`: start although Redis does not write every change to disk (`appendonly`, `maxmemory-policy`). What was acknowledged can then be lost.",
    ),
    setting(
        "BOTLOOM_REDIS_DEDUPE",
        "keys",
        "How update ids are remembered in Redis: `keys` (one each) or `bitmap` (a fraction of the memory above 200 updates/s). Fixed at the first start.",
    ),
    setting(
        "S3_BUCKET",
        "",
        "Bucket of an S3-compatible store for files of revisions, instead of the data folder. Needs the keys below.",
    ),
    setting(
        "AWS_ENDPOINT_URL_S3",
        "",
        "Address of the S3-compatible store; without it Amazon's, by region.",
    ),
    setting(
        "AWS_ENDPOINT_URL",
        "",
        "The same, if `AWS_ENDPOINT_URL_S3` is not set.",
    ),
    setting("AWS_REGION", "us-east-1", "Region of the bucket."),
    setting("AWS_ACCESS_KEY_ID", "", "Key to the bucket."),
    secret("AWS_SECRET_ACCESS_KEY", "Secret of the key."),
    secret("AWS_SESSION_TOKEN", "Session of the key, if it is temporary."),
    setting(
        "BOTLOOM_ARTIFACT_CACHE_MB",
        "1024",
        "Files of revisions that this node keeps on its disk, MiB; only with `S3_BUCKET`.",
    ),
    secret(
        "CLICKHOUSE_URL",
        "ClickHouse (`http://user:password@host:8123/database`) instead of the embedded telemetry.",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "OpenTelemetry collector that takes traces by OTLP over HTTP, e.g. `http://127.0.0.1:4318`. The other standard `OTEL_*` variables hold too.",
    ),
    secret(
        "BOTLOOM_MASTER_KEY",
        "Base64 of 32 bytes that seal secrets at rest. Without it one is made in the data folder (`master.key`, mode 0600).",
    ),
    secret(
        "BOTLOOM_MASTER_KEY_SECOND",
        "A second master key that opens what was sealed under it, while one replaces the other (`botloom rotate-master-key`). Nothing is sealed under it.",
    ),
    setting(
        "BOTLOOM_TELEGRAM_API_ROOT",
        "https://api.telegram.org",
        "Bot API server: Telegram's, your own, or the simulator.",
    ),
    secret(
        "BOTLOOM_MANAGER_BOT_TOKEN",
        "Token of a bot that may manage bots (turned on in BotFather's Mini App): people then have Telegram bots made by a link (`botloom new-bot`), without copying tokens. Used for nothing else.",
    ),
    setting(
        "BOTLOOM_OWNER_EMAIL",
        "",
        "With `BOTLOOM_OWNER_PASSWORD`: creates the first owner at start. Ignored once an owner exists.",
    ),
    secret(
        "BOTLOOM_OWNER_PASSWORD",
        "Password of the first owner, at least 8 characters.",
    ),
    setting(
        "BOTLOOM_OIDC_ISSUER",
        "",
        "OpenID provider at which people log in, exactly as it names itself, e.g. `https://login.example.com/realms/main`. Needs `BOTLOOM_PUBLIC_URL`; the redirect URI is `<public URL>/auth/oidc/callback`.",
    ),
    setting(
        "BOTLOOM_OIDC_CLIENT_ID",
        "",
        "How the OpenID provider knows this installation.",
    ),
    secret("BOTLOOM_OIDC_CLIENT_SECRET", "Secret of the client id."),
    setting(
        "BOTLOOM_OIDC_CA_FILE",
        "",
        "PEM file with certificates of authorities that may vouch for the OpenID provider, beside the public ones. Read at start.",
    ),
    setting(
        "BOTLOOM_OIDC_SCOPES",
        "openid email profile",
        "What is asked of the OpenID provider, separated by spaces; `openid` among it.",
    ),
    setting(
        "BOTLOOM_OIDC_NAME",
        "Single sign-on",
        "What people call the OpenID provider, at most 64 characters.",
    ),
    setting(
        "BOTLOOM_OIDC_ALLOWED_DOMAINS",
        "",
        "Domains of verified e-mail addresses whose people get an account by their first login, separated by commas. Empty: only by invitation.",
    ),
    setting(
        "BOTLOOM_OIDC_JOIN_PROJECT",
        "",
        "The project that such people join: its id, which stays whatever it is called (`botloom projects list` shows it), or its name. Empty: they wait for an invitation.",
    ),
    setting(
        "BOTLOOM_OIDC_JOIN_ROLE",
        "viewer",
        "Their role in it: `viewer` or `editor`.",
    ),
    setting(
        "BOTLOOM_PASSWORD_LOGIN",
        "on",
        "`off`: people log in at the OpenID provider only. Refused without one.",
    ),
    setting(
        "BOTLOOM_DEV_HOSTS",
        "",
        "Development only: `host=http://127.0.0.1:9000,…`. Calls of bots to `https://host/…` go to that base instead. Refused when the public URL is https.",
    ),
    setting(
        "BOTLOOM_SEND_BOT_PER_S",
        "30",
        "Messages per second and bot; a starting point for replies. 0: no limit.",
    ),
    setting(
        "BOTLOOM_SEND_BULK_PER_S",
        "25",
        "Bulk messages per second and bot. 0: no limit.",
    ),
    setting(
        "BOTLOOM_SEND_CHAT_PER_S",
        "1",
        "Messages per second and private chat. 0: no limit.",
    ),
    setting(
        "BOTLOOM_SEND_CHAT_BURST",
        "3",
        "Messages a private chat may get at once.",
    ),
    setting(
        "BOTLOOM_SEND_GROUP_PER_MIN",
        "20",
        "Messages per minute and group. 0: no limit.",
    ),
    setting(
        "BOTLOOM_SEND_GROUP_BURST",
        "5",
        "Messages a group may get at once.",
    ),
    setting(
        "BOTLOOM_SANDBOX_WORKERS",
        "0",
        "Sandbox processes. 0: one per core.",
    ),
    setting(
        "BOTLOOM_SANDBOX_BUDGET_MS",
        "50",
        "Wall time of one call of bot code, 10 to 1000 ms.",
    ),
    setting(
        "BOTLOOM_SANDBOX_CACHE",
        "256",
        "Revisions kept loaded on this node, 1 to 10000.",
    ),
    setting(
        "BOTLOOM_SANDBOX_IDLE_MIN",
        "15",
        "Minutes after which a revision that nobody used is unloaded.",
    ),
    setting(
        "BOTLOOM_DRAIN_S",
        "10",
        "Seconds that work under way gets to end after SIGTERM.",
    ),
    setting(
        "BOTLOOM_AUTO_ROLLBACK",
        "true",
        "`true`: a deployment goes back by itself if too many updates fail in the first minute after its flip. `false`: never.",
    ),
    setting(
        "BOTLOOM_LOG",
        "info",
        "Log filter, e.g. `info,botloom_runtime=debug`.",
    ),
    setting(
        "BOTLOOM_LOG_FORMAT",
        "auto",
        "`json`, `text`, or `auto`: text on a terminal, JSON elsewhere.",
    ),
    setting(
        "BOTLOOM_SERVER",
        "http://127.0.0.1:8080",
        "Server that the client commands (`setup`, `apply`, `bots` …) talk to. They read this and the settings below from `botloom.toml` as well.",
    ),
    setting("BOTLOOM_EMAIL", "", "Login of the client commands."),
    secret(
        "BOTLOOM_PASSWORD",
        "Password of the client commands; asked for on a terminal where it is empty.",
    ),
    secret(
        "BOTLOOM_TOKEN",
        "API token of the client commands, instead of e-mail and password; where both are given, arguments count before the environment, and that before the file.",
    ),
    setting(
        "BOTLOOM_TOKEN_FILE",
        "",
        "File with the API token of the client commands, readable for its owner alone.",
    ),
    setting(
        "BOTLOOM_PROJECT",
        "",
        "Project that the client commands mean, by name or id; your only one where it is empty.",
    ),
    secret(
        "BOTLOOM_BOT_TOKEN",
        "Token from @BotFather for the bot that `connect` or `apply` of one spec is about.",
    ),
    secret("BOTLOOM_NEW_PASSWORD", "New password of `botloom password`."),
    secret(
        "BOTLOOM_INVITATION",
        "Link of the invitation of `botloom members join`.",
    ),
];

/// The setting with this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// `docs/settings.md`.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\nEnvironment variables, or the same keys in `botloom.toml` (in the working folder, or named by `--config`);\nthe environment wins, and arguments of commands win over it. `botloom config` prints what is in force. An unknown key is an error. This page is generated.\n\n| setting | default | meaning |\n| --- | --- | --- |\n",
    );
    for setting in SETTINGS {
        let default = if setting.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", setting.default)
        };
        let doc = setting.doc.replace('|', "\\|");
        page.extend(["| `", setting.key, "` | ", &default, " | ", &doc, " |\n"]);
    }
    page.push_str(
        "\n`DATABASE_URL` and `REDIS_URL` make an installation that many nodes share: then all four services and `BOTLOOM_MASTER_KEY`\nare needed, and a node that would share only a part refuses to start and names the missing key. `S3_BUCKET` and\n`CLICKHOUSE_URL` may also be used by one node with a data folder.\n",
    );
    page.push_str("\nThe other variables of OpenTelemetry are read from the environment as its specification says: `OTEL_EXPORTER_OTLP_HEADERS`,\n`OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` (default\n`parentbased_always_on`), `OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_SCHEDULE_DELAY`.\n");
    page
}
