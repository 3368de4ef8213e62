//! How a server puts what it was told on its disk before it says so (`durability: fsync`).

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, InfoDict, RedisResult, ServerErrorKind};

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Every write is on disk before its answer leaves (`appendfsync always`): nothing is left to wait for.
    Always,
    /// It says so when asked: WAITAOF, from 7.2 on.
    WhenAsked,
}

/// Asks a server which of the two it does; the inner error says what is to be changed.
pub async fn ask(
    connection: &mut MultiplexedConnection,
    about: &InfoDict,
) -> RedisResult<Result<Fsync, String>> {
    let appends = about.get::<u8>("aof_enabled") == Some(1);
    let version = about.get::<String>("redis_version").unwrap_or_default();
    if !appends || waits(&version) {
        return Ok(choose(appends, &version, None));
    }
    let policy: RedisResult<(String, String)> =
        redis::cmd("CONFIG").arg("GET").arg("appendfsync").query_async(connection).await;
    match policy {
        Ok((_, policy)) => Ok(choose(appends, &version, Some(&policy))),
        Err(error) if is_forbidden(&error) => Ok(choose(appends, &version, None)),
        Err(error) => Err(error),
    }
}

fn choose(appends: bool, version: &str, policy: Option<&str>) -> Result<Fsync, String> {
    if !appends {
        return Err("redis keeps nothing on disk: set appendonly yes".to_owned());
    }
    if waits(version) {
        return Ok(Fsync::WhenAsked);
    }
    match policy {
        Some("always") => Ok(Fsync::Always),
        Some(other) => Err(format!(
            "redis {version} has no WAITAOF and appendfsync {other}: set appendfsync always, or run 7.2 or later"
        )),
        None => Err(format!(
            "redis {version} has no WAITAOF, and its user may not see whether appendfsync is always: allow it \
             CONFIG GET (+config|get), or run 7.2 or later"
        )),
    }
}

/// Whether a version has WAITAOF.
fn waits(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0_u32));
    (numbers.next(), numbers.next().unwrap_or(0)) >= (Some(7), 2)
}

/// By an access list, or because the command was renamed away as hosted servers do.
fn is_forbidden(error: &redis::RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::ResponseError))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_can_wait_is_asked_and_an_older_one_must_always_flush() {
        assert_eq!(choose(true, "7.2.0", None), Ok(Fsync::WhenAsked));
        assert_eq!(choose(true, "10.0.1", None), Ok(Fsync::WhenAsked));
        assert_eq!(choose(true, "7.0.15", Some("always")), Ok(Fsync::Always));
    }

    #[test]
    fn what_cannot_keep_the_promise_is_told_what_to_change() {
        let told = |appends, policy| choose(appends, "7.0.15", policy).unwrap_err();
        assert!(told(false, Some("always")).contains("appendonly yes"));
        assert!(told(true, Some("everysec")).contains("set appendfsync always"));
        assert!(told(true, None).contains("+config|get"));
    }
}
