//! The services that `scripts/services/with` names, as settings of a server.

/// Settings by the variables that name their values.
const NAMED: [(&str, &str); 8] = [
    ("DATABASE_URL", "BOTLOOM_TEST_POSTGRES_URL"),
    ("REDIS_URL", "BOTLOOM_TEST_REDIS_URL"),
    ("S3_BUCKET", "BOTLOOM_TEST_S3_BUCKET"),
    ("AWS_ENDPOINT_URL", "BOTLOOM_TEST_S3_ENDPOINT"),
    ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_REGION", "AWS_REGION"),
    ("CLICKHOUSE_URL", "BOTLOOM_TEST_CLICKHOUSE_URL"),
];

/// What nodes that share an installation must have in common. Nothing that is sealed with it outlives the bench.
const MASTER_KEY: (&str, &str) = (
    "BOTLOOM_MASTER_KEY",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
);

/// Reads them; the error names the variable that is missing.
pub(crate) fn settings() -> Result<Vec<(&'static str, String)>, String> {
    NAMED
        .into_iter()
        .map(|(key, variable)| {
            let value = std::env::var(variable)
                .map_err(|_| format!("{variable} is not set: run this under scripts/services/with"))?;
            Ok((key, value))
        })
        .chain([Ok((MASTER_KEY.0, MASTER_KEY.1.to_owned()))])
        .collect()
}
