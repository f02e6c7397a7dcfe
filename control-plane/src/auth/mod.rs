//! Who is calling, and what they may do.

pub(crate) mod attempts;
pub(crate) mod bearer;
pub(crate) mod browser_secret;
pub(crate) mod caller;
pub(crate) mod device;
pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod session;
