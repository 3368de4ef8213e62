//! Two Redis masters that sell the same seats, as the condition `RedisSplit` and its Events tell. Pure but for [`look`].
//!
//! A command worker knows that it is on the losing side: Kafka takes what another one publishes. Which server that one
//! uses only its own pod can say, so every pod is asked.

use std::collections::BTreeSet;

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::REDIS_SPLIT;
use k8s_openapi::api::core::v1::Pod;

use super::names;
use super::pods;
use super::workers::side_by_side;
use crate::admin::{PodAnswer, RedisServer, Stores, Target};
use crate::conditions::{Finding, find};
use crate::context::Context;
use crate::notices::Notice;

/// Asks every command worker that runs, all at once.
pub async fn look(context: &Context, target: &Target, pods: &[Pod]) -> Vec<PodAnswer> {
    let selector = names::selector(&target.service, names::COMMAND);
    let of_command = pods.iter().filter(|pod| pods::is_of(pod, &selector));
    let asked = of_command.filter_map(pods::address).map(|address| context.admin.stores(target, address));
    side_by_side(asked).await
}

/// The condition, there only while seats are sold twice: what the workers say, or what was last known where none did.
pub fn finding(seen: Option<&[Stores]>, before: &[Condition]) -> Option<Finding> {
    let Some(seen) = seen else {
        let last = find(before, REDIS_SPLIT)?;
        return Some(Finding::met(REDIS_SPLIT, &last.reason, &last.message));
    };
    let (behind, ahead): (Vec<_>, Vec<_>) = seen.iter().partition(|stores| stores.splits > 0);
    let servers = |stores: &[&Stores]| -> BTreeSet<RedisServer> {
        stores.iter().flat_map(|stores| stores.servers.iter().cloned()).collect()
    };
    let losing = servers(&behind);
    let winning: BTreeSet<_> = servers(&ahead).difference(&losing).cloned().collect();
    let message = format!(
        "two Redis masters sell the same seats. Behind, where nothing is sold now: {}. Publishing: {}. Have one follow the \
         other, or every worker reach the same one",
        listed(&losing),
        if winning.is_empty() {
            "one that no worker which answers uses".to_owned()
        } else {
            listed(&winning)
        },
    );
    (!behind.is_empty()).then(|| Finding::met(REDIS_SPLIT, REDIS_SPLIT, message))
}

fn listed(servers: &BTreeSet<RedisServer>) -> String {
    let named: Vec<_> =
        servers.iter().map(|server| format!("{} ({})", server.address, server.history)).collect();
    if named.is_empty() { "one that is away".to_owned() } else { named.join(", ") }
}

/// Told once when it begins, and once when it is over.
pub fn notices(before: &[Condition], after: &[Condition]) -> Vec<Notice> {
    match (find(before, REDIS_SPLIT), find(after, REDIS_SPLIT)) {
        (None, Some(split)) => {
            vec![Notice { warning: true, reason: REDIS_SPLIT.to_owned(), note: split.message.clone() }]
        }
        (Some(_), None) => vec![Notice::normal("RedisSplitOver", "one Redis sells the seats again")],
        (None, None) | (Some(_), Some(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::update;
    use boxoffice_crds::common::Time;

    fn stores(splits: u64, servers: &[(&str, &str)]) -> Stores {
        let server = |(address, history): &(&str, &str)| RedisServer {
            address: (*address).to_owned(),
            history: (*history).to_owned(),
        };
        Stores { splits, servers: servers.iter().map(server).collect() }
    }

    fn conditions(seen: &[Stores]) -> Vec<Condition> {
        let findings = finding(Some(seen), &[]).into_iter().collect();
        update(&[], findings, None, &Time(jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn both_servers_are_named_also_at_one_address() {
        let seen = [stores(3, &[("redis:6379", "a:a")]), stores(0, &[("redis:6379", "b:b")]), stores(0, &[])];
        let told = finding(Some(&seen), &[]).unwrap();
        assert!(told.met);
        assert!(
            told.message.contains("sold now: redis:6379 (a:a). Publishing: redis:6379 (b:b)."),
            "{}",
            told.message
        );
    }

    #[test]
    fn shards_that_both_use_are_none_of_the_two() {
        let shared = ("shard-1:6379", "c:c");
        let seen = [stores(1, &[shared, ("old:6379", "a:a")]), stores(0, &[shared, ("new:6379", "b:b")])];
        assert!(finding(Some(&seen), &[]).unwrap().message.contains("Publishing: new:6379 (b:b)."));
    }

    #[test]
    fn the_message_stays_while_the_split_does() {
        let (one, other) = (stores(1, &[("old:6379", "a:a")]), stores(0, &[("new:6379", "b:b")]));
        let first = finding(Some(&[one.clone(), other.clone()]), &[]);
        let again = finding(Some(&[other, Stores { splits: 9, ..one.clone() }, one]), &[]);
        assert_eq!(first, again, "I12");
    }

    #[test]
    fn it_is_told_once_and_its_end_too() {
        let (split, whole) =
            (conditions(&[stores(1, &[("old:6379", "a:a")])]), conditions(&[stores(0, &[])]));
        let begins = notices(&whole, &split);
        assert_eq!((begins.len(), begins[0].warning, begins[0].reason.as_str()), (1, true, "RedisSplit"));
        assert!(begins[0].note.contains("one that no worker which answers uses"), "{}", begins[0].note);
        assert!(notices(&split, &split).is_empty() && notices(&whole, &whole).is_empty());
        assert_eq!(notices(&split, &whole)[0].reason, "RedisSplitOver");
        assert_eq!(finding(None, &split).unwrap().message, begins[0].note, "nobody said otherwise");
    }
}
