//! Which server has which of the 16384 hash slots. Pure: `topology` asks the cluster.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use redis::Value;

use super::server::Node;

/// How many hash slots there are.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: of what stands between its first braces, else of all of it.
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then_some(&rest[..close])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// A text whose slot is `slot`: what a key has between its braces to be there.
pub fn tag(slot: u16) -> u32 {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let (mut tags, mut missing) = (vec![None; usize::from(SLOTS)], SLOTS);
        for number in 0_u32.. {
            let tag = &mut tags[usize::from(slot_of(number.to_string().as_bytes()))];
            if tag.is_none() {
                (*tag, missing) = (Some(number), missing - 1);
            }
            if missing == 0 {
                break;
            }
        }
        tags.into_iter().flatten().collect()
    });
    tags.get(usize::from(slot)).copied().unwrap_or_default()
}

/// The slot that lies `thirds` thirds of all slots behind `slot`.
pub fn third(slot: u16, thirds: u16) -> u16 {
    (slot + thirds % 3 * (SLOTS / 3)) % SLOTS
}

/// A server with its slots.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shard {
    /// The master.
    pub node: Node,
    /// Its lowest slot: keys that speak of the server as a whole live there.
    pub first_slot: u16,
}

/// The owner of every slot that has one.
#[derive(Debug, Clone, Default)]
pub struct SlotMap {
    nodes: Vec<Node>,
    owners: Vec<Option<u16>>,
}

impl SlotMap {
    /// One server has them all.
    pub fn of_one(node: Node) -> Self {
        Self { nodes: vec![node], owners: vec![Some(0); usize::from(SLOTS)] }
    }

    /// Reads the answer of `answering` to CLUSTER SLOTS; `None` where it is none, or no slot has an owner.
    pub fn read(answer: &Value, answering: &Node) -> Option<Self> {
        let mut map = Self { nodes: vec![], owners: vec![None; usize::from(SLOTS)] };
        let Value::Array(ranges) = answer else { return None };
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(from), Value::Int(to), Value::Array(master), ..] = range.as_slice() else {
                return None;
            };
            let (from, to) = (u16::try_from(*from).ok()?, u16::try_from(*to).ok()?);
            let node = node(master, answering)?;
            for slot in from..=to.min(SLOTS - 1) {
                map.assign(slot, &node);
            }
        }
        map.owners.iter().any(Option::is_some).then_some(map)
    }

    /// Gives a slot to `node`.
    pub fn assign(&mut self, slot: u16, node: &Node) {
        let known = self.nodes.iter().position(|known| known == node);
        let index = known.unwrap_or_else(|| {
            self.nodes.push(node.clone());
            self.nodes.len() - 1
        });
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = u16::try_from(index).ok();
        }
    }

    /// Who has `slot`.
    pub fn owner(&self, slot: u16) -> Option<&Node> {
        self.nodes.get(usize::from((*self.owners.get(usize::from(slot))?)?))
    }

    /// The server that has `slot`.
    pub fn shard_of(&self, slot: u16) -> Option<Shard> {
        let owner = self.owners.get(usize::from(slot)).copied().flatten()?;
        let node = self.nodes.get(usize::from(owner))?.clone();
        let (first_slot, _) = (0..SLOTS).zip(&self.owners).find(|(_, its)| **its == Some(owner))?;
        Some(Shard { node, first_slot })
    }

    /// Every server that has slots.
    pub fn shards(&self) -> Vec<Shard> {
        let mut first_slots = BTreeMap::new();
        for (slot, owner) in (0..SLOTS).zip(&self.owners) {
            if let Some(owner) = owner {
                first_slots.entry(*owner).or_insert(slot);
            }
        }
        let shard = |(owner, first_slot): (u16, u16)| {
            Some(Shard { node: self.nodes.get(usize::from(owner))?.clone(), first_slot })
        };
        first_slots.into_iter().filter_map(shard).collect()
    }

    /// Whether no slot is without an owner.
    pub fn is_complete(&self) -> bool {
        self.owners.len() == usize::from(SLOTS) && self.owners.iter().all(Option::is_some)
    }
}

/// A server in an answer to CLUSTER SLOTS: its name, nothing where it is the one that answered, and its port.
fn node(server: &[Value], answering: &Node) -> Option<Node> {
    let [host, Value::Int(port), ..] = server else { return None };
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        Value::Nil => String::new(),
        _ => return None,
    };
    let host = match host.as_str() {
        "" => answering.host.clone(),
        "?" => return None,
        _ => host,
    };
    Some(Node { host, port: u16::try_from(*port).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Node {
        Node { host: host.into(), port }
    }

    fn range(from: i64, to: i64, host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![Value::Int(from), Value::Int(to), Value::Array(vec![host, Value::Int(port), id])])
    }

    #[test]
    fn keys_of_one_tag_have_one_slot() {
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"a/b:{arena}:meta"), slot_of(b"arena"));
        assert_eq!(slot_of(b"a{}b{c}"), crc16::State::<crc16::XMODEM>::calculate(b"a{}b{c}") % SLOTS);
    }

    #[test]
    fn every_slot_has_a_tag() {
        for slot in 0..SLOTS {
            assert_eq!(slot_of(tag(slot).to_string().as_bytes()), slot);
        }
    }

    #[test]
    fn thirds_are_spread_over_the_slots() {
        assert_eq!([0, 1, 2].map(|thirds| third(0, thirds)), [0, 5461, 10_922]);
        assert_eq!([0, 1, 2].map(|thirds| third(16_383, thirds)), [16_383, 5460, 10_921]);
    }

    #[test]
    fn one_server_has_every_slot() {
        let map = SlotMap::of_one(at("redis", 6379));
        assert!(map.is_complete());
        assert_eq!(map.shards(), [Shard { node: at("redis", 6379), first_slot: 0 }]);
    }

    #[test]
    fn a_cluster_says_who_has_what_and_may_leave_itself_out() {
        let named = |host: &str| Value::BulkString(host.as_bytes().to_vec());
        let answer = Value::Array(vec![range(0, 8191, named("a"), 1), range(8192, 16_383, Value::Nil, 2)]);
        let mut map = SlotMap::read(&answer, &at("me", 9)).unwrap();
        assert!(map.is_complete());
        assert_eq!(map.owner(8191), Some(&at("a", 1)));
        assert_eq!(map.owner(8192), Some(&at("me", 2)));
        assert_eq!(map.shard_of(16_383), Some(Shard { node: at("me", 2), first_slot: 8192 }));
        map.assign(0, &at("b", 3));
        let shards: Vec<_> =
            map.shards().into_iter().map(|shard| (shard.node.host, shard.first_slot)).collect();
        assert_eq!(shards, [("a".into(), 1), ("me".into(), 8192), ("b".into(), 0)]);
    }

    #[test]
    fn an_answer_without_slots_is_none() {
        assert!(SlotMap::read(&Value::Array(vec![]), &at("me", 9)).is_none());
        assert!(SlotMap::read(&Value::Nil, &at("me", 9)).is_none());
    }
}
