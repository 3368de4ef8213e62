//! What addresses of servers look like. Operator, `lint` and workers ask here, so that an address that can lead nowhere is
//! refused where it is written and not by a worker that begins again and again. None is ever repeated in a message: passwords
//! stand in them.

use sqlx::postgres::PgConnectOptions;
use url::Url;

const REDIS: &str = "write redis://host:6379, or rediss://host:6379 for TLS";
const POSTGRES: &str = "write postgres://user:password@host:5432/database";
const BROKERS: &str = "write host:port, several with commas, such as kafka-0:9092,kafka-1:9092";

/// What is wrong with an address, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAddress(String);

fn invalid(problem: &str, fix: &str) -> InvalidAddress {
    InvalidAddress(format!("{problem}: {fix}"))
}

/// The address of Redis, or of one node of a Redis Cluster.
///
/// # Errors
/// One that names no server, or a database that a cluster has not.
pub fn redis(text: &str, is_cluster: bool) -> Result<(), InvalidAddress> {
    let url = Url::parse(text).map_err(|error| invalid(&format!("is no address ({error})"), REDIS))?;
    if !matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys") {
        return Err(invalid("does not begin with redis:// or rediss://", REDIS));
    }
    match url.host_str() {
        None | Some("") => return Err(invalid("names no host", REDIS)),
        Some("0.0.0.0" | "[::]") => return Err(invalid("names every address and so no server", REDIS)),
        Some(_) => {}
    }
    let database = match url.path().trim_matches('/') {
        "" => Some(0),
        number => number.parse::<u32>().ok(),
    };
    match database {
        None => Err(invalid("has a path that is no number of a database", "write redis://host:6379/0")),
        Some(1..) if is_cluster => {
            Err(invalid("names a database, and a Redis Cluster has the first alone", "remove its number"))
        }
        Some(_) => Ok(()),
    }
}

/// How to connect to the PostgreSQL at an address.
///
/// # Errors
/// One that is none.
pub fn postgres(text: &str) -> Result<PgConnectOptions, InvalidAddress> {
    let url = Url::parse(text).map_err(|error| invalid(&format!("is no address ({error})"), POSTGRES))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(invalid("does not begin with postgres://", POSTGRES));
    }
    text.parse().map_err(|error: sqlx::Error| invalid(&format!("cannot be used ({error})"), POSTGRES))
}

/// Kafka's bootstrap servers, with commas.
///
/// # Errors
/// A list of none, and an entry that is none.
pub fn brokers(text: &str) -> Result<(), InvalidAddress> {
    let mut brokers = text.split(',').map(str::trim).filter(|broker| !broker.is_empty()).peekable();
    if brokers.peek().is_none() {
        return Err(invalid("names no broker", BROKERS));
    }
    match brokers.find(|broker| !is_broker(broker)) {
        Some(wrong) => Err(invalid(&format!("{wrong:?} is no broker"), BROKERS)),
        None => Ok(()),
    }
}

/// `host`, `host:port`, and both behind the name of a protocol.
fn is_broker(text: &str) -> bool {
    let place = text.split_once("://").map_or(text, |(_, place)| place);
    let has_place_alone = |url: Url| {
        url.host_str().is_some_and(|host| !host.is_empty())
            && url.port() != Some(0)
            && url.username().is_empty()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(&format!("kafka://{place}")).is_ok_and(has_place_alone)
}

/// The base of an HTTP API: pages and terminals put paths behind it.
///
/// # Errors
/// What is no address, and one with something that no path can stand behind.
pub fn base(text: &str) -> Result<String, InvalidAddress> {
    const BASE: &str = "write http://host:port or https://host, with a path where there is one";
    let url = Url::parse(text).map_err(|error| invalid(&format!("is no address ({error})"), BASE))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("does not begin with http:// or https://", BASE));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(invalid("has more than host, port and path", BASE));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(result: Result<T, InvalidAddress>) -> String {
        result.map(|_| ()).map_or_else(|wrong| wrong.to_string(), |()| String::new())
    }

    #[test]
    fn redis_is_a_host_with_port_user_and_database_where_they_are_needed() {
        for good in [
            "redis://redis",
            "redis://redis:6379",
            "redis://127.0.0.1:1/3",
            "rediss://user:hush@redis.tickets.svc:6380/0",
            "rediss://[::1]:6379/",
            "redis://:hush@redis",
        ] {
            assert_eq!(told(redis(good, false)), "", "{good}");
        }
        for (wrong, problem) in [
            ("", "is no address"),
            ("redis:6379", "names no host"),
            ("localhost", "is no address"),
            ("http://redis:6379", "does not begin with redis://"),
            ("unix:///run/redis.sock", "does not begin with redis://"),
            ("redis://", "names no host"),
            ("redis://0.0.0.0:6379", "names every address"),
            ("redis://redis:66379", "is no address"),
            ("redis://user:hush@redis/first", "no number of a database"),
            ("redis://redis/-1", "no number of a database"),
        ] {
            let told = told(redis(wrong, false));
            assert!(told.contains(problem) && told.contains("redis://host:6379"), "{wrong}: {told}");
            assert!(!told.contains("hush"), "{told}");
        }
        assert_eq!(told(redis("redis://redis/0", true)), "");
        assert!(told(redis("redis://redis/3", true)).contains("a Redis Cluster has the first alone"));
    }

    #[test]
    fn a_database_is_one_of_postgresql() {
        for good in
            ["postgres://view", "postgresql://u:hush@db:5432/view?sslmode=require", "postgres:///view"]
        {
            assert_eq!(told(postgres(good)), "", "{good}");
        }
        for (wrong, problem) in [
            ("d", "is no address"),
            ("mysql://u:hush@db/view", "does not begin with postgres://"),
            ("postgres://u:hush@db:99999/view", "is no address"),
            ("postgres://u:hush@db/view?sslmode=always", "cannot be used"),
        ] {
            let told = told(postgres(wrong));
            assert!(told.contains(problem) && told.contains("write postgres://"), "{wrong}: {told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn brokers_are_hosts_with_ports_and_commas() {
        for good in
            ["kafka", "kafka:9092", "kafka-0:9092, kafka_1:9092,", "[::1]:9092", "SASL_SSL://kafka:9093"]
        {
            assert_eq!(told(brokers(good)), "", "{good}");
        }
        for (wrong, problem) in [
            ("", "names no broker"),
            (" , ", "names no broker"),
            ("kafka:9092 kafka:9093", "\"kafka:9092 kafka:9093\" is no broker"),
            ("kafka:99999", "\"kafka:99999\" is no broker"),
            ("kafka:0", "is no broker"),
            (":9092", "is no broker"),
            ("kafka:9092;other:9092", "is no broker"),
            ("kafka:9092/topic", "is no broker"),
        ] {
            let told = told(brokers(wrong));
            assert!(told.contains(problem) && told.ends_with(BROKERS), "{wrong}: {told}");
        }
    }

    #[test]
    fn paths_can_stand_behind_a_base() {
        for good in ["http://127.0.0.1:8080", "https://tickets.example.com/api/", "http://[::1]:8080"] {
            assert_eq!(base(good).as_deref(), Ok(good));
        }
        for wrong in [
            "localhost:8080",
            "127.0.0.1:8080",
            "tickets",
            "ftp://h",
            "http://",
            "http://h?x=1",
            "http://u:p@h",
        ] {
            assert!(told(base(wrong)).contains("write http://host:port"), "{wrong}");
        }
    }
}
