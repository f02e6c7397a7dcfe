//! What failures of the store mean.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use botloom_core::ports::ArtifactError;
use botloom_core::{Coded, Kind};

use crate::failures::note_failure;

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The store does not answer.
    #[error("the object store cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// There is no such bucket.
    #[error("the bucket {0} does not exist")]
    BucketMissing(String),
    /// The store answered and refused.
    #[error("the object store refuses to let the bucket {bucket} be used")]
    Denied {
        /// Name of the bucket.
        bucket: String,
        /// What the store said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store overwrites objects although it is told not to.
    #[error("the object store ignores If-None-Match and overwrites objects")]
    Overwrites,
    /// The cache folder cannot be used.
    #[error("the artifact cache cannot be used")]
    Cache(#[source] std::io::Error),
}

impl S3Error {
    pub(super) fn of_bucket(bucket: &str, failure: Failure) -> Self {
        match failure.answer() {
            Answer::Missing => Self::BucketMissing(bucket.to_owned()),
            Answer::Denied => Self::Denied {
                bucket: bucket.to_owned(),
                source: failure.into(),
            },
            _ => Self::Unreachable(failure.into()),
        }
    }
}

impl Coded for S3Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable(_) | Self::Cache(_) => Kind::Unavailable,
            Self::BucketMissing(_) => Kind::NotFound,
            Self::Denied { .. } => Kind::Forbidden,
            Self::Overwrites => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "s3-unreachable",
            Self::BucketMissing(_) => "s3-bucket-missing",
            Self::Denied { .. } => "s3-access-denied",
            Self::Overwrites => "s3-no-conditional-put",
            Self::Cache(_) => "data-dir-unusable",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Unreachable(_) => "The object store cannot be reached; check its address and that it runs.".to_owned(),
            Self::BucketMissing(bucket) => format!("The bucket {bucket} does not exist; make it, or name another one."),
            Self::Denied { bucket, .. } => format!(
                "The object store refuses to let the bucket {bucket} be used; check the access key, the region and its rights."
            ),
            Self::Overwrites => {
                "The object store overwrites objects although it is told not to (If-None-Match); use another store."
                    .to_owned()
            }
            Self::Cache(_) => "The folder of the artifact cache cannot be made or written.".to_owned(),
        }
    }
}

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The object or the bucket does not exist.
    Missing,
    /// The condition of a put does not hold.
    Exists,
    /// The store could not decide the condition because of another put; try again.
    Undecided,
    Denied,
    /// No answer, or one that says nothing about the object.
    Away,
}

/// A failed call. Holds what the store said, and nothing of the request.
#[derive(Debug, thiserror::Error)]
#[error("the object store did not {call}: {what}{}", status.map(|status| format!(" (HTTP {status})")).unwrap_or_default())]
pub(super) struct Failure {
    call: &'static str,
    what: String,
    code: Option<String>,
    status: Option<u16>,
}

impl Failure {
    pub(super) fn new<E>(call: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let what = match error {
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
                let id = error
                    .request_id()
                    .map(|id| format!(", request {id}"))
                    .unwrap_or_default();
                format!("{}{id}", code.as_deref().unwrap_or("no code"))
            }
            SdkError::TimeoutError(_) => "it did not answer in time".to_owned(),
            SdkError::DispatchFailure(_) => innermost(error),
            _ => "the request could not be made".to_owned(),
        };
        Self {
            call,
            what,
            code,
            status,
        }
    }

    pub(super) fn answer(&self) -> Answer {
        match (self.code.as_deref(), self.status) {
            (Some("NoSuchKey" | "NotFound" | "NoSuchBucket"), _) | (None, Some(404)) => Answer::Missing,
            (Some("PreconditionFailed"), _) | (_, Some(412)) => Answer::Exists,
            (Some("ConditionalRequestConflict"), _) | (_, Some(409)) => Answer::Undecided,
            (_, Some(301 | 400 | 401 | 403)) => Answer::Denied,
            _ => Answer::Away,
        }
    }

    pub(super) fn into_artifact_error(self) -> ArtifactError {
        match self.answer() {
            Answer::Missing if self.code.as_deref() != Some("NoSuchBucket") => ArtifactError::Missing,
            _ => {
                note_failure("artifacts");
                ArtifactError::Unavailable(self.into())
            }
        }
    }
}

/// The text of the deepest cause: the ones above only say that something failed.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
