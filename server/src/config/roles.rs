//! What a node does.

use super::services::Services;
use super::{ConfigError, invalid};

/// The roles of a node; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Answers the API.
    pub control_plane: bool,
    /// Builds revisions.
    pub generator: bool,
    /// Brings revisions live.
    pub deployer: bool,
    /// Takes updates, runs bots, sends messages.
    pub runtime: bool,
}

impl Roles {
    /// Reads a list like `runtime,deployer`. Part of the roles needs other nodes, and those need shared storage.
    pub(super) fn parse(text: &str, services: &Services) -> Result<Self, ConfigError> {
        let key = "BOTLOOM_ROLES";
        let mut roles = Self {
            control_plane: false,
            generator: false,
            deployer: false,
            runtime: false,
        };
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "control-plane" => roles.control_plane = true,
                "generator" => roles.generator = true,
                "deployer" => roles.deployer = true,
                "runtime" => roles.runtime = true,
                unknown => {
                    return Err(invalid(
                        key,
                        format!(
                            "there is no role {unknown}; roles are control-plane, generator, deployer, runtime"
                        ),
                    ));
                }
            }
        }
        let Self {
            control_plane,
            generator,
            deployer,
            runtime,
        } = roles;
        if !(control_plane || generator || deployer || runtime) {
            return Err(invalid(key, "names no role"));
        }
        if control_plane && generator && deployer && runtime {
            return Ok(roles);
        }
        match services.embedded_part() {
            Some(missing) => Err(ConfigError::EmbeddedRoles { missing }),
            None => Ok(roles),
        }
    }
}
