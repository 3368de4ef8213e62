//! Programs that are not the system's: where the scripts beside the tests keep them, by the version that is pinned there.

use std::path::PathBuf;

use anyhow::{Context, ensure};

const KUBERNETES: &str = include_str!("../../cluster/tools/kubernetes/go.mod");
const ETCD: &str = include_str!("../../cluster/tools/etcd/go.mod");
const KWOK: &str = include_str!("../../cluster/tools/kwok/go.mod");
const POLICIES: &str = include_str!("../../cluster/tools/policies/go.mod");
const SCRIPTS: &str = include_str!("../../servers/common.sh");

/// The folder of all of them.
pub(super) fn cache() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("boxoffice"))
}

/// A program that `tests/cluster/programs` builds.
///
/// # Errors
/// One that was not built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let (group, version) = match name {
        "etcd" => ("etcd", required(ETCD, "go.etcd.io/etcd/server/v3")),
        "kwok" => ("kwok", required(KWOK, "sigs.k8s.io/kwok")),
        "policies" => ("policies", required(POLICIES, "github.com/mattfenwick/cyclonus")),
        "helm" => ("helm", SCRIPTS.lines().find_map(|line| line.strip_prefix("HELM_VERSION="))),
        _ => ("kubernetes", required(KUBERNETES, "k8s.io/kubernetes")),
    };
    let version = version.with_context(|| format!("no version of {group} is pinned"))?;
    let program = cache()?.join(format!("tools/{group}-{version}")).join(name);
    ensure!(program.is_file(), "{} is not there: run tests/cluster/programs {group}", program.display());
    Ok(program)
}

/// The version of a module that a `go.mod` requires.
fn required<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim_start_matches("require").split_whitespace();
        (words.next() == Some(module)).then(|| words.next()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_version() {
        for (go_mod, module) in [
            (KUBERNETES, "k8s.io/kubernetes"),
            (ETCD, "go.etcd.io/etcd/server/v3"),
            (KWOK, "sigs.k8s.io/kwok"),
            (POLICIES, "github.com/mattfenwick/cyclonus"),
        ] {
            let version = required(go_mod, module);
            assert!(version.is_some_and(|version| version.starts_with('v')), "{module}: {version:?}");
        }
    }
}
