//! The S3 client: where the store is, who asks, and how patiently.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use botloom_core::Secret;
use url::Url;

const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// Longest one try may take; a call is tried [`TRIES`] times where the failure allows it.
const TRY_WAIT: Duration = Duration::from_secs(10);
const CALL_WAIT: Duration = Duration::from_secs(30);
const TRIES: u32 = 3;

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Name of the bucket.
    pub bucket: String,
    /// What all keys begin with: empty, or a path that ends with `/`.
    pub prefix: String,
    /// Where the store is; without one it is AWS.
    pub endpoint: Option<Url>,
    /// Region; stores other than AWS mostly take `us-east-1`.
    pub region: String,
    /// Who asks.
    pub credentials: S3Credentials,
}

/// An access key. Never printed.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Secret,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`, of temporary credentials.
    pub session_token: Option<Secret>,
}

/// A client. Nothing is sent yet.
pub(super) fn connect(options: &S3Options) -> Client {
    let S3Credentials {
        access_key_id,
        secret_access_key,
        session_token,
    } = &options.credentials;
    let credentials = Credentials::new(
        access_key_id.expose(),
        secret_access_key.expose(),
        session_token.as_ref().map(|token| token.expose().to_owned()),
        None,
        "settings",
    );
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(options.region.clone()))
        .credentials_provider(credentials)
        .http_client(
            Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build_https(),
        )
        // Most stores that are not AWS have no host name for each bucket.
        .force_path_style(true)
        // Files are hashed here; not every store knows the checksums that the client would add by itself.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_WAIT)
                .operation_attempt_timeout(TRY_WAIT)
                .operation_timeout(CALL_WAIT)
                .build(),
        );
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
