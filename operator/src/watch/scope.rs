//! Where the operator works: in all namespaces, or in those that it was given. Pure.

use std::collections::BTreeSet;
use std::str::FromStr;

use k8s_openapi::NamespaceResourceScope;
use kube::api::Api;
use kube::{Client, Resource};

/// In which namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In all.
    Cluster,
    /// In these, at least one, and it needs no right beyond them.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// One entry a watch; `None` is all namespaces.
    pub fn namespaces(&self) -> Vec<Option<&str>> {
        match self {
            Self::Cluster => vec![None],
            Self::Namespaces(names) => names.iter().map(|name| Some(name.as_str())).collect(),
        }
    }

    /// The API of a kind there.
    pub fn api<K>(client: Client, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match namespace {
            None => Api::all(client),
            Some(namespace) => Api::namespaced(client, namespace),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    /// Names with commas between them; nothing is all namespaces.
    fn from_str(text: &str) -> Result<Self, String> {
        let names: BTreeSet<_> =
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if let Some(wrong) = names.iter().find(|name| !is_label(name)) {
            return Err(format!(
                "{wrong:?} is no name of a namespace: give names of at most 63 lower-case letters, digits and hyphens, \
                 with commas between them"
            ));
        }
        Ok(if names.is_empty() { Self::Cluster } else { Self::Namespaces(names) })
    }
}

fn is_label(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= 63 && name.bytes().all(is_inner) && ends.iter().all(|end| *end != Some(b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_all_namespaces() {
        assert_eq!("".parse(), Ok(Scope::Cluster));
        assert_eq!(" , ".parse(), Ok(Scope::Cluster));
        assert_eq!(Scope::Cluster.namespaces(), [None]);
    }

    #[test]
    fn each_name_is_watched_once() {
        let scope: Scope = "tickets, opera,tickets".parse().unwrap();
        assert_eq!(scope.namespaces(), [Some("opera"), Some("tickets")]);
    }

    #[test]
    fn what_is_no_namespace_is_named() {
        for wrong in ["Tickets", "-a", "a-", "a.b", &"a".repeat(64)] {
            let refused = format!("fine,{wrong}").parse::<Scope>().unwrap_err();
            assert!(refused.contains(wrong), "{refused}");
        }
    }
}
