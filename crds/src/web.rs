//! The page that buyers see, and which pages of others may call the workers.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Where pages and workers find each other, where that is not one origin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Web {
    /// Where the page sends commands. Left out: to its own origin, for a gateway that routes by path and method. Example:
    /// `https://tickets.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^/?#@ ]+(/[^?# ]*)?$')")
        .message("web.commandUrl must be http://host or https://host, with a path where there is one and nothing behind it"))]
    pub command_url: Option<String>,
    /// Origins whose pages may call the workers, at most 32. Example: `[https://www.example.com]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 8, max = 255)))]
    #[x_kube(validation = Rule::new("self.all(o, o.matches('^https?://[^/?#@* ]+$'))")
        .message("web.allowOrigins: an origin is https://host or https://host:port, without a path and without *"))]
    pub allow_origins: Vec<String>,
}
