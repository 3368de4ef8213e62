//! The event log without a server: records in the data file, the newest of them in memory too.
//!
//! [`admin`] does what the operator does on Kafka; [`partition`] keeps order and the newest records, [`file`] has the
//! older ones; [`appender`] has one owner an id; [`reader`] reads several partitions in turn, for a [`tail`] and for a
//! [`member`] of a [`groups`] group.
//!
//! A record is seen once it is committed, not before; nobody waits for the disk, because what a power cut takes is
//! still in the seat store's outbox and is published again. Nothing is ever deleted, so every partition begins at 0.
//! What a group committed is deliberately not kept: views are in memory, and at every start they are built anew from
//! where the group was declared to begin.

mod admin;
mod appender;
mod file;
mod groups;
mod member;
mod partition;
mod reader;
mod tail;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use boxoffice_runtime::log::{Appender, Committed, EventLog, LogError, Subscription, Tail, TopicPartition};
use boxoffice_runtime::record::NewRecord;
use tokio::sync::watch;

use self::appender::Owner;
use self::groups::Group;
use self::partition::{Partition, Prepared};
use super::journal::{Journal, JournalError, RecordRow, Ticket, Write};

/// First offset of every partition.
const BEGIN: u64 = 0;

/// Records to append, by the number of their partition.
type Sorted = BTreeMap<u32, (Arc<Partition>, Vec<Prepared>)>;

/// The event log in a data file. Clones share everything.
#[derive(Debug, Clone)]
pub struct EmbeddedLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    journal: Journal,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    groups: Mutex<HashMap<String, Arc<SharedGroup>>>,
    /// Who may append, by id.
    owners: Mutex<HashMap<String, Owner>>,
}

/// Records that have their offsets, and may be read when their ticket is committed.
#[derive(Debug, Clone)]
struct Appended {
    topic: Arc<Topic>,
    /// The offset behind the last one of each partition.
    ends: Vec<(Arc<Partition>, u64)>,
    ticket: Ticket,
}

/// A topic as it was when it was looked up; one that has grown since is another value with the same partitions.
#[derive(Debug)]
struct Topic {
    partitions: Vec<Arc<Partition>>,
    /// Told whenever records are there.
    news: Arc<watch::Sender<()>>,
}

/// A group, and who is told when its partitions are spread anew.
#[derive(Debug, Default)]
struct SharedGroup {
    group: Mutex<Group>,
    news: watch::Sender<()>,
}

impl From<JournalError> for LogError {
    fn from(error: JournalError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl EmbeddedLog {
    /// The log in the data file behind `journal`: topics, ends and declared starts of groups are read back.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub async fn open(journal: Journal) -> Result<Self, JournalError> {
        let mut topics = BTreeMap::new();
        for (name, count) in file::topics(journal.readers()).await? {
            let mut partitions = Vec::new();
            for number in 0..count {
                let end = file::end(journal.readers(), &name, number).await?;
                partitions.push(Arc::new(Partition::new(&name, number, end)));
            }
            topics.insert(name, Arc::new(Topic { partitions, news: Arc::default() }));
        }
        let mut groups = HashMap::<String, Arc<SharedGroup>>::new();
        for (name, partition, offset) in file::group_starts(journal.readers()).await? {
            lock(&groups.entry(name).or_default().group).declare(&partition, offset);
        }
        let shared = Shared {
            journal,
            topics: RwLock::new(topics),
            groups: Mutex::new(groups),
            owners: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        let topics = self.shared.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned().ok_or_else(|| LogError::Missing(format!("topic {name}")))
    }

    fn partition(&self, topic: &str, number: u32) -> Result<Arc<Partition>, LogError> {
        self.topic(topic)?.partition(number).cloned().ok_or_else(|| missing(topic, number))
    }

    fn group(&self, name: &str) -> Arc<SharedGroup> {
        Arc::clone(lock(&self.shared.groups).entry(name.to_owned()).or_default())
    }

    /// Checks records and sorts them by partition.
    fn prepare(&self, name: &str, records: Vec<NewRecord>) -> Result<(Arc<Topic>, Sorted), LogError> {
        let (topic, mut sorted) = (self.topic(name)?, Sorted::new());
        for record in records {
            let number = record.partition;
            let partition = topic.partition(number).ok_or_else(|| missing(name, number))?;
            let prepared = partition.prepare(record)?;
            sorted.entry(number).or_insert_with(|| (Arc::clone(partition), vec![])).1.push(prepared);
        }
        Ok((topic, sorted))
    }

    /// Gives records their offsets, and writes all of them at once.
    fn append(&self, topic: Arc<Topic>, records: Sorted) -> Appended {
        let mut ends = vec![];
        let ticket = self.append_each(&mut records.into_values(), vec![], &mut ends);
        Appended { topic, ends, ticket }
    }

    /// Each within the one before it, so that all partitions are locked, in their order, until all is written.
    fn append_each(
        &self,
        left: &mut impl Iterator<Item = (Arc<Partition>, Vec<Prepared>)>,
        mut rows: Vec<RecordRow>,
        ends: &mut Vec<(Arc<Partition>, u64)>,
    ) -> Ticket {
        let Some((partition, records)) = left.next() else {
            return self.shared.journal.write(Write { records: rows, ..Write::default() });
        };
        let (end, ticket) = partition.append(records, |more| {
            rows.extend(more);
            self.append_each(left, rows, ends)
        });
        ends.push((partition, end));
        ticket
    }

    /// Lets records be read as soon as they are committed.
    async fn show(&self, appended: &Appended) -> Result<(), LogError> {
        self.shared.journal.committed(appended.ticket).await?;
        for (partition, end) in &appended.ends {
            partition.show(*end);
        }
        appended.topic.news.send_replace(());
        Ok(())
    }

    /// Every partition of these topics.
    fn all_partitions<'a>(&self, topics: impl IntoIterator<Item = &'a String>) -> Vec<TopicPartition> {
        let found = topics.into_iter().filter_map(|name| self.topic(name).ok());
        found
            .flat_map(|topic| topic.partitions.iter().map(|one| one.id().clone()).collect::<Vec<_>>())
            .collect()
    }
}

impl Topic {
    fn partition(&self, number: u32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(number).ok()?)
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), LogError> {
        let (topic, records) = self.prepare(topic, records)?;
        let appended = self.append(topic, records);
        self.show(&appended).await
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Ok(Box::new(appender::EmbeddedAppender::take_over(self.clone(), id).await?))
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(u32::try_from(self.topic(topic)?.partitions.len()).unwrap_or(u32::MAX))
    }

    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        Ok((BEGIN, self.partition(topic, partition)?.end()))
    }

    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(tail::EmbeddedTail::open(self.clone(), topic, &from)?))
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Ok(Box::new(member::Member::join(self.clone(), group, topics)?))
    }

    async fn committed(
        &self,
        group: &str,
        partition: &TopicPartition,
    ) -> Result<Option<Committed>, LogError> {
        Ok(self.group(group).committed(partition))
    }
}

impl SharedGroup {
    /// Of which topic that is needs no saying: here there is never another one of its name.
    fn committed(&self, partition: &TopicPartition) -> Option<Committed> {
        let offset = lock(&self.group).committed(partition)?;
        Some(Committed { offset, log: None })
    }

    /// Changes the group and tells its members to look at it again.
    fn change<T>(&self, change: impl FnOnce(&mut Group) -> T) -> T {
        let changed = change(&mut lock(&self.group));
        self.news.send_replace(());
        changed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing(topic: &str, partition: u32) -> LogError {
    LogError::Missing(format!("partition {topic}[{partition}]"))
}
