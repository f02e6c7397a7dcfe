//! The address of a ClickHouse, and what its errors mean.

use std::borrow::Cow;
use std::error::Error;

use botloom_core::{Coded, Kind, Secret};
use clickhouse::Client;
use percent_encoding::percent_decode_str;
use url::Url;

/// Why a ClickHouse cannot be used. A server that is away is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// The address has another form. The text says what is wrong and holds nothing of the address.
    #[error("the address of ClickHouse is not usable: {0}")]
    Url(&'static str),
    /// The server answered and refused.
    #[error("ClickHouse refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl Coded for ClickHouseError {
    fn kind(&self) -> Kind {
        match self {
            Self::Url(_) => Kind::Invalid,
            Self::Refused(_) => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "clickhouse-url-invalid",
            Self::Refused(_) => "clickhouse-refused",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Url(what) => format!("The address of ClickHouse is not usable: {what}."),
            Self::Refused(_) => {
                "ClickHouse refused; check the user, the password and the rights on the database.".to_owned()
            }
        }
    }
}

// Codes of the server's exceptions, src/Common/ErrorCodes.cpp of ClickHouse.
/// The database does not exist.
pub(super) const UNKNOWN_DATABASE: u32 = 81;
/// Numbers, texts or JSON that cannot be read.
const UNREADABLE: [u32; 6] = [6, 25, 26, 27, 72, 117];

/// The code of the exception that the server answered with, if it did.
pub(super) fn exception(error: &clickhouse::error::Error) -> Option<u32> {
    let clickhouse::error::Error::BadResponse(text) = error else {
        return None;
    };
    let digits = text.split_once("Code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Whether the rows themselves are at fault, so that they would be refused again and again.
pub(super) fn is_unreadable(error: &clickhouse::error::Error) -> bool {
    exception(error).is_some_and(|code| UNREADABLE.contains(&code))
}

/// A client for `http(s)://user:password@host:port/database`. Nothing is sent yet.
pub(super) fn client(address: &Secret) -> Result<Client, ClickHouseError> {
    let mut url = Url::parse(address.expose()).map_err(|_| ClickHouseError::Url("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ClickHouseError::Url("it does not begin with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ClickHouseError::Url("it has parameters"));
    }
    let database = decoded(url.path().trim_matches('/'))?;
    if database.contains(['/', '`', '\\']) {
        return Err(ClickHouseError::Url("its path is not the name of a database"));
    }
    let (user, password) = (
        decoded(url.username())?,
        decoded(url.password().unwrap_or_default())?,
    );
    url.set_path("/");
    let without = url.set_username("").and_then(|()| url.set_password(None));
    without.map_err(|()| ClickHouseError::Url("it has no host"))?;
    let mut client = Client::default().with_url(url);
    client = client.with_database(if database.is_empty() {
        "default"
    } else {
        &*database
    });
    if !user.is_empty() {
        client = client.with_user(user).with_password(password);
    }
    Ok(client)
}

fn decoded(part: &str) -> Result<String, ClickHouseError> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(Cow::into_owned)
        .map_err(|_| ClickHouseError::Url("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_used_say_why_and_nothing_else() {
        for address in [
            "",
            "clickhouse.local",
            "tcp://u:geheim@host:9000/db",
            "http://u:geheim@host/db?x=1",
            "http://u:geheim@host/a/b",
            "http://u:%ffgeheim@host/db",
        ] {
            let error = client(&Secret::new(address)).unwrap_err();
            let told = format!("{error} {error:?} {}", error.outside());
            assert!(
                !told.contains("geheim") && error.code() == "clickhouse-url-invalid",
                "{told}"
            );
        }
    }

    #[test]
    fn the_password_is_not_in_the_client_that_is_printed() {
        let client = client(&Secret::new("http://u:geheim@host:1/db")).unwrap();
        assert!(!format!("{client:?}").contains("geheim"), "{client:?}");
        assert_eq!(client.database(), Some("db"));
    }

    #[test]
    fn the_code_of_an_exception_is_read() {
        let answer = |text: &str| clickhouse::error::Error::BadResponse(text.to_owned());
        let error = answer(
            "Code: 27. DB::ParsingException: Cannot parse input (CANNOT_PARSE_INPUT_ASSERTION_FAILED)",
        );
        assert!(is_unreadable(&error));
        assert_eq!(exception(&answer("Code: 81. DB::Exception: x")), Some(81));
        assert_eq!(exception(&answer("<html>502</html>")), None);
    }
}
