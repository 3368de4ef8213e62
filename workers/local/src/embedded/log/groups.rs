//! A consumer group in memory: who is in it, who is to have which partition, and who has it. Pure.
//!
//! Who is to have a partition is decided whenever a member comes or goes or a topic grows: as many each as can be,
//! with as few moves as can be. Who has one follows, member by member: the last one is told that it lost it, comes
//! back, and only then the next one is told that it has it.

use std::collections::{BTreeMap, BTreeSet};

use boxoffice_runtime::log::TopicPartition;

/// A member, by the order of joining.
pub type MemberId = u64;

/// A group; it exists from the first time that it is named.
#[derive(Debug, Default)]
pub struct Group {
    /// Members that there ever were.
    joined: MemberId,
    /// The topics that each member reads.
    members: BTreeMap<MemberId, BTreeSet<String>>,
    /// Who is to have a partition.
    planned: BTreeMap<TopicPartition, MemberId>,
    /// Who has it: was told so and has not yet come back from being told otherwise.
    held: BTreeMap<TopicPartition, MemberId>,
    /// Where the group was declared to begin.
    starts: BTreeMap<TopicPartition, u64>,
    /// What its members committed after that.
    commits: BTreeMap<TopicPartition, u64>,
}

/// What a member has to be told.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// These are to be another's.
    Lost(Vec<TopicPartition>),
    /// These are its own now.
    Gained(Vec<TopicPartition>),
}

impl Group {
    /// A new member that reads `topics`; it gets its share when the group is [balanced](Self::balance).
    pub fn join(&mut self, topics: &[String]) -> MemberId {
        self.joined += 1;
        self.members.insert(self.joined, topics.iter().cloned().collect());
        self.joined
    }

    /// The member is gone, and what it had is free.
    pub fn leave(&mut self, member: MemberId) {
        self.members.remove(&member);
        self.held.retain(|_, holder| *holder != member);
    }

    /// Decides anew who is to have which partition; `partitions` gives all those of the topics that are read.
    pub fn balance(&mut self, partitions: impl FnOnce(&BTreeSet<String>) -> Vec<TopicPartition>) {
        let topics = self.members.values().flatten().cloned().collect();
        self.planned = plan(&self.members, &self.planned, partitions(&topics));
    }

    /// What `member` has to be told next. From then on it has what it gained; what it lost it has until it is
    /// [freed](Self::free).
    pub fn change(&mut self, member: MemberId) -> Option<Change> {
        let planned = |partition: &TopicPartition| self.planned.get(partition) == Some(&member);
        let lost: Vec<_> = self
            .held
            .iter()
            .filter(|(one, holder)| **holder == member && !planned(one))
            .map(cloned)
            .collect();
        if !lost.is_empty() {
            return Some(Change::Lost(lost));
        }
        let free = |partition: &TopicPartition| !self.held.contains_key(partition);
        let gained: Vec<_> =
            self.planned.iter().filter(|(one, owner)| **owner == member && free(one)).map(cloned).collect();
        self.held.extend(gained.iter().map(|partition| (partition.clone(), member)));
        (!gained.is_empty()).then_some(Change::Gained(gained))
    }

    /// Others may have these now.
    pub fn free(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.held.remove(partition);
        }
    }

    /// Where the group begins in a partition, unless that is known: then `false`.
    pub fn declare(&mut self, partition: &TopicPartition, offset: u64) -> bool {
        let is_new = self.committed(partition).is_none();
        if is_new {
            self.starts.insert(partition.clone(), offset);
        }
        is_new
    }

    /// Everything before `offset` is done.
    pub fn commit(&mut self, partition: &TopicPartition, offset: u64) {
        self.commits.insert(partition.clone(), offset);
    }

    /// It begins where it was declared to, as at the start of a process.
    pub fn begin_anew(&mut self) {
        self.commits.clear();
    }

    /// What was committed last, or else declared.
    pub fn committed(&self, partition: &TopicPartition) -> Option<u64> {
        self.commits.get(partition).or_else(|| self.starts.get(partition)).copied()
    }
}

fn cloned((partition, _): (&TopicPartition, &MemberId)) -> TopicPartition {
    partition.clone()
}

/// Who is to have which of `partitions`: whoever was to have it `before`, the least loaded member for the others, and
/// then one after the other goes to a member that has at least two fewer.
fn plan(
    members: &BTreeMap<MemberId, BTreeSet<String>>,
    before: &BTreeMap<TopicPartition, MemberId>,
    partitions: Vec<TopicPartition>,
) -> BTreeMap<TopicPartition, MemberId> {
    let reads =
        |member: &MemberId, topic: &str| members.get(member).is_some_and(|topics| topics.contains(topic));
    let mut loads: BTreeMap<MemberId, usize> = members.keys().map(|member| (*member, 0)).collect();
    let (mut planned, mut free) = (BTreeMap::new(), Vec::new());
    for partition in partitions {
        match before.get(&partition).filter(|member| reads(member, &partition.topic)) {
            Some(member) => {
                *loads.entry(*member).or_default() += 1;
                planned.insert(partition, *member);
            }
            None => free.push(partition),
        }
    }
    let least = |loads: &BTreeMap<MemberId, usize>, topic: &str| {
        let readers = loads.iter().filter(|(member, _)| reads(member, topic));
        readers.min_by_key(|(_, load)| **load).map(|(member, load)| (*member, *load))
    };
    for partition in free {
        if let Some((member, load)) = least(&loads, &partition.topic) {
            loads.insert(member, load + 1);
            planned.insert(partition, member);
        }
    }
    let mut is_even = false;
    while !is_even {
        is_even = true;
        for (partition, owner) in &mut planned {
            let Some((member, load)) = least(&loads, &partition.topic) else { continue };
            let own = loads.get(owner).copied().unwrap_or_default();
            if load + 2 <= own {
                loads.extend([(*owner, own - 1), (member, load + 1)]);
                (*owner, is_even) = (member, false);
            }
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(group: &mut Group, partitions: u32) {
        let all = |topic: &String| (0..partitions).map(|partition| at(topic, partition)).collect::<Vec<_>>();
        group.balance(|topics| topics.iter().flat_map(all).collect());
    }

    fn at(topic: &str, partition: u32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    fn join(group: &mut Group, partitions: u32) -> MemberId {
        let member = group.join(&["t".to_owned()]);
        balance(group, partitions);
        member
    }

    fn gained(group: &mut Group, member: MemberId) -> Vec<u32> {
        match group.change(member) {
            Some(Change::Gained(partitions)) => partitions.iter().map(|one| one.partition).collect(),
            other => panic!("gained expected: {other:?}"),
        }
    }

    fn lost(group: &mut Group, member: MemberId) -> Vec<TopicPartition> {
        match group.change(member) {
            Some(Change::Lost(partitions)) => partitions,
            other => panic!("lost expected: {other:?}"),
        }
    }

    #[test]
    fn the_first_member_has_them_all_and_is_told_once() {
        let mut group = Group::default();
        let first = join(&mut group, 4);
        assert_eq!(gained(&mut group, first), [0, 1, 2, 3]);
        assert_eq!(group.change(first), None);
    }

    #[test]
    fn a_second_member_gets_half_when_the_first_one_comes_back() {
        let mut group = Group::default();
        let first = join(&mut group, 4);
        gained(&mut group, first);
        let second = join(&mut group, 4);
        assert_eq!(group.change(second), None, "still the first one's");
        let lost = lost(&mut group, first);
        assert_eq!(group.change(second), None, "told, and not back yet");
        group.free(&lost);
        assert_eq!(gained(&mut group, second), lost.iter().map(|one| one.partition).collect::<Vec<_>>());
        assert_eq!((lost.len(), group.change(first)), (2, None));
    }

    #[test]
    fn who_leaves_frees_what_it_has_at_once() {
        let mut group = Group::default();
        let (first, second) = (join(&mut group, 2), join(&mut group, 2));
        assert_eq!((gained(&mut group, first).len(), gained(&mut group, second).len()), (1, 1));
        group.leave(first);
        balance(&mut group, 2);
        assert_eq!(gained(&mut group, second).len(), 1);
    }

    #[test]
    fn who_leaves_while_a_partition_moves_leaves_nothing_behind() {
        let mut group = Group::default();
        let first = join(&mut group, 2);
        gained(&mut group, first);
        let second = join(&mut group, 2);
        let lost = lost(&mut group, first);
        group.leave(second);
        balance(&mut group, 2);
        group.free(&lost);
        assert_eq!(gained(&mut group, first), [lost[0].partition], "it comes back");
    }

    #[test]
    fn nothing_moves_but_what_must() {
        let mut group = Group::default();
        let members: Vec<_> = (0..3).map(|_| join(&mut group, 7)).collect();
        let shares: Vec<_> = members.iter().map(|member| gained(&mut group, *member)).collect();
        let mut sizes: Vec<_> = shares.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 2, 3]);
        balance(&mut group, 7);
        assert!(members.iter().all(|member| group.change(*member).is_none()));
        balance(&mut group, 9);
        let new = members.iter().filter_map(|member| group.change(*member)).count();
        assert_eq!(new, 2, "two new partitions for the two that had fewer");
    }

    #[test]
    fn more_members_than_partitions_leave_some_without() {
        let mut group = Group::default();
        let members: Vec<_> = (0..3).map(|_| join(&mut group, 2)).collect();
        let told = members.iter().filter_map(|member| group.change(*member)).count();
        assert_eq!(told, 2);
    }

    #[test]
    fn a_member_gets_nothing_of_a_topic_that_it_does_not_read() {
        let mut group = Group::default();
        let (one, both) = (group.join(&["a".into()]), group.join(&["a".into(), "b".into()]));
        balance(&mut group, 2);
        let Some(Change::Gained(of_one)) = group.change(one) else { panic!("a share") };
        let Some(Change::Gained(of_both)) = group.change(both) else { panic!("a share") };
        assert_eq!((of_one, of_both), (vec![at("a", 0), at("a", 1)], vec![at("b", 0), at("b", 1)]));
    }

    #[test]
    fn a_declared_start_is_not_moved_and_a_commit_goes_on_from_it() {
        let mut group = Group::default();
        assert!(group.declare(&at("t", 0), 7));
        assert!(!group.declare(&at("t", 0), 9));
        assert_eq!(group.committed(&at("t", 0)), Some(7));
        group.commit(&at("t", 0), 8);
        assert_eq!((group.committed(&at("t", 0)), group.committed(&at("t", 1))), (Some(8), None));
    }
}
