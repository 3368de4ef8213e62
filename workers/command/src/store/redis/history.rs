//! Which history a server has: its run id and its replication id, as INFO tells them.
//!
//! The run id is the process's. The replication id is that of the data: a replica takes over its master's, and whoever
//! becomes a master, begins empty or can no longer say what replicas lack makes a new one. A server that followed
//! another one for a moment and is a master again has the same run id, and data of another history. No master ever has
//! again what it had before it became a replica.

use redis::{ErrorKind, InfoDict, RedisError};

use crate::store::History;

/// The sections of INFO that it takes.
pub const SECTIONS: [&str; 2] = ["server", "replication"];
/// What scripts and links answer where a server is not, or no longer, what its link took it for.
pub const CODE: &str = "HISTORY";
/// How long each of both ids is, in hexadecimal digits.
const DIGITS: usize = 40;

/// A server that cannot be told from another one, or from itself at another time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "redis tells no {field} of {DIGITS} hexadecimal digits in INFO, without which nobody notices that it lost seats: \
     use Redis or Valkey from 7.0 on, with no proxy that answers INFO in its place"
)]
pub struct NoHistory {
    field: &'static str,
}

/// The history of the server that answered INFO, as `<run id>:<replication id>`.
pub fn read(about: &InfoDict) -> Result<History, NoHistory> {
    let id = |field| {
        let id = about.get::<String>(field).unwrap_or_default();
        let is_one = id.len() == DIGITS && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_one { Ok(id) } else { Err(NoHistory { field }) }
    };
    Ok(History::named(&format!("{}:{}", id("run_id")?, id("master_replid")?)))
}

/// Whether the server that answered INFO is a master.
pub fn is_master(about: &InfoDict) -> bool {
    about.get::<String>("role").is_some_and(|role| role == "master")
}

/// Fails where the server that answered INFO is no master of `history`.
pub fn confirm(about: &InfoDict, history: &History) -> Result<(), RedisError> {
    let is_the_same = is_master(about) && read(about).is_ok_and(|now| now == *history);
    if is_the_same { Ok(()) } else { Err(ended()) }
}

/// The section of INFO that [`confirm_replication`] reads.
pub const REPLICATION: &str = "replication";

/// The same by that section alone, which is less to tell: enough on a connection whose server has told its run id, for
/// that lives as long as the connection.
pub fn confirm_replication(about: &InfoDict, history: &History) -> Result<(), RedisError> {
    let id = about.get::<String>("master_replid").unwrap_or_default();
    let is_the_same = history.as_str().split_once(':').is_some_and(|(_, replication)| replication == id);
    if is_master(about) && is_the_same { Ok(()) } else { Err(ended()) }
}

/// The error of a link whose server is not, or no longer, what it took it for.
pub fn ended() -> RedisError {
    redis::make_extension_error(CODE.to_owned(), Some("the server has another history now".to_owned()))
}

/// Whether an error says so.
pub fn has_ended(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Extension) && error.code() == Some(CODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef01234567";
    const REPL: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn told(role: &str, run_id: &str, repl_id: &str) -> InfoDict {
        InfoDict::new(&format!(
            "# Server\r\nrun_id:{run_id}\r\n# Replication\r\nrole:{role}\r\nmaster_replid:{repl_id}\r\n\
             master_replid2:0000000000000000000000000000000000000000\r\n"
        ))
    }

    #[test]
    fn a_history_is_run_id_and_replication_id() {
        assert_eq!(read(&told("master", RUN, REPL)).unwrap().as_str(), format!("{RUN}:{REPL}"));
    }

    #[test]
    fn a_server_that_lacks_one_is_told_which() {
        let lacking = |run_id, repl_id| read(&told("master", run_id, repl_id)).unwrap_err().field;
        assert_eq!(lacking("", REPL), "run_id");
        assert_eq!(lacking(RUN, ""), "master_replid");
        assert_eq!(lacking(RUN, &REPL[1..]), "master_replid");
        assert_eq!(lacking("0123456789abcdef0123456789abcdef0123456?", REPL), "run_id");
        let neither = read(&InfoDict::new("redis_version:7.0.0\r\n")).unwrap_err().to_string();
        assert!(neither.starts_with("redis tells no run_id of 40 hexadecimal digits in INFO"), "{neither}");
    }

    #[test]
    fn a_replica_and_another_replication_id_end_a_history() {
        let history = read(&told("master", RUN, REPL)).unwrap();
        assert!(confirm(&told("master", RUN, REPL), &history).is_ok());
        for other in [told("slave", RUN, REPL), told("master", RUN, RUN), told("master", REPL, REPL)] {
            assert!(has_ended(&confirm(&other, &history).unwrap_err()));
        }
        assert!(confirm_replication(&told("master", "", REPL), &history).is_ok());
        for other in [told("slave", RUN, REPL), told("master", RUN, RUN), told("master", RUN, "")] {
            assert!(has_ended(&confirm_replication(&other, &history).unwrap_err()));
        }
        assert!(!has_ended(&redis::make_extension_error("RECOVERING".into(), None)));
    }
}
