//! The requests of librdkafka for which its safe client has no call: ids of topics, offsets in many topics at once, groups
//! and their offsets without being one of them, configuration key by key, commits of which the outcome is told.
//!
//! All unsafe code of the workspace is here: one request on a queue of its own. What the library allocates is [`Owned`]
//! from the moment it is handed over, and nothing borrowed from it leaves this file. Every call of [`Requests`] blocks, for
//! at most its time-out.
#![expect(unsafe_code, reason = "these requests exist only in the library's C interface")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{NonNull, null, null_mut};
use std::slice::from_raw_parts;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::Client;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{ClientContext, TopicPartitionList};

/// No id, as brokers say it that are older than topic ids.
const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A request that was not answered, or was answered with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it was.
    pub code: Code,
    /// The broker's own words; empty where there are none.
    pub words: String,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self { code, words: String::new() }
    }
}

/// A topic as brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Kafka's own text form, 22 characters of URL-safe base64; nothing where the brokers give topics none.
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: usize,
    /// On how many brokers its first partition is.
    pub replicas: usize,
}

/// Topics by name, each with an answer of its own.
pub type Topics = Vec<(String, Result<Described, Failure>)>;

/// Offsets by topic and partition; a partition has an error of its own.
pub type ListedOffsets = Vec<((String, i32), Result<i64, Failure>)>;

/// What a group committed of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Everything before it is done; negative where nothing is committed.
    pub offset: i64,
    /// What was said with it.
    pub metadata: String,
}

/// Commits by topic and partition; a partition has an error of its own.
pub type Commits = Vec<((String, i32), Result<Commit, Failure>)>;

/// One client with one time-out.
pub struct Requests<'a, C: ClientContext + 'static> {
    client: &'a Client<C>,
    timeout: Duration,
}

impl<'a, C: ClientContext> Requests<'a, C> {
    /// Requests of `client`.
    pub fn new(client: &'a Client<C>, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    /// The topics by name, those that do not exist as errors of their own.
    pub fn topics(&self, names: &[String]) -> Result<Topics, Failure> {
        let names = names.iter().map(|name| cstring(name)).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the collection copies the names, and has the library's function that frees it.
        let topics = unsafe {
            Owned::new(
                c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
                c::rd_kafka_TopicCollection_destroy,
            )?
        };
        // SAFETY: the request copies topics and options.
        let event = self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            |client, options, queue| unsafe {
                c::rd_kafka_DescribeTopics(client, topics.get(), options, queue);
            },
        )?;
        let mut count = 0;
        // SAFETY: all that is read here is borrowed from `event`, which nobody else has, and is copied before the borrow
        // ends. Lists are looked at only as far as their count, which is 0 where they are null; an error that is null is
        // the code of none.
        unsafe {
            let result = c::rd_kafka_event_DescribeTopics_result(event.get());
            let topics =
                listed(result, |result| c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count))?;
            items(topics, count)
                .map(|topic| {
                    let name = text(c::rd_kafka_TopicDescription_name(topic));
                    let described =
                        succeeded(c::rd_kafka_TopicDescription_error(topic)).map(|()| described(topic));
                    Ok((name, described))
                })
                .collect()
        }
    }

    /// The offset at `spec` of each partition: a time in Unix milliseconds, or one of [`EARLIEST`] and [`LATEST`]; negative
    /// where there is none. The end is where readers of committed records come to.
    pub fn offsets(&self, partitions: &[(String, i32)], spec: i64) -> Result<ListedOffsets, Failure> {
        let entries = partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition, spec, ""));
        let list = partition_list(entries)?;
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
        // SAFETY: the request copies list and options. An error is the caller's to free.
        let event = self.ask(operation, |client, options, queue| unsafe {
            let committed = c::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
            let refused = c::rd_kafka_AdminOptions_set_isolation_level(options, committed);
            if !refused.is_null() {
                c::rd_kafka_error_destroy(refused);
            }
            c::rd_kafka_ListOffsets(client, list.get(), options, queue);
        })?;
        let mut count = 0;
        // SAFETY: as in `topics`; each entry has a partition.
        unsafe {
            let result = c::rd_kafka_event_ListOffsets_result(event.get());
            let infos =
                listed(result, |result| c::rd_kafka_ListOffsets_result_infos(result, &raw mut count))?;
            Ok(items(infos, count)
                .filter_map(|info| offset_of(c::rd_kafka_ListOffsetsResultInfo_topic_partition(info)))
                .collect())
        }
    }

    /// Kafka's word for the state of a group, and how many members it has.
    pub fn group(&self, name: &str) -> Result<(String, usize), Failure> {
        let name = cstring(name)?;
        let mut names = [name.as_ptr()];
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        // SAFETY: the request copies the name and the options.
        let event = self.ask(operation, |client, options, queue| unsafe {
            c::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), names.len(), options, queue);
        })?;
        let mut count = 0;
        // SAFETY: as in `topics`; the name of a state is static text.
        unsafe {
            let result = c::rd_kafka_event_DescribeConsumerGroups_result(event.get());
            let groups = listed(result, |result| {
                c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count)
            })?;
            let group = items(groups, count).next().ok_or(Failure::from(Code::BadMessage))?;
            succeeded(c::rd_kafka_ConsumerGroupDescription_error(group))?;
            let state =
                c::rd_kafka_consumer_group_state_name(c::rd_kafka_ConsumerGroupDescription_state(group));
            Ok((text(state), c::rd_kafka_ConsumerGroupDescription_member_count(group)))
        }
    }

    /// Everything that a group committed.
    pub fn committed(&self, group: &str) -> Result<Commits, Failure> {
        let group = cstring(group)?;
        // SAFETY: the name is copied; no list asks for all that there is; the library's function frees it.
        let asked = unsafe {
            Owned::new(
                c::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), null()),
                c::rd_kafka_ListConsumerGroupOffsets_destroy,
            )?
        };
        let mut asked = [asked.get()];
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        // SAFETY: the request copies what is asked and the options.
        let event = self.ask(operation, |client, options, queue| unsafe {
            c::rd_kafka_ListConsumerGroupOffsets(client, asked.as_mut_ptr(), asked.len(), options, queue);
        })?;
        let mut count = 0;
        // SAFETY: as in `topics`.
        unsafe {
            let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(event.get());
            let groups = listed(result, |result| {
                c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count)
            })?;
            commits(groups, count)
        }
    }

    /// Commits for a group that nobody is in. Each partition has an answer of its own.
    pub fn commit(&self, group: &str, offsets: &[(&str, i32, &Commit)]) -> Result<Commits, Failure> {
        let entries = offsets
            .iter()
            .map(|(topic, partition, commit)| (*topic, *partition, commit.offset, commit.metadata.as_str()));
        let (group, list) = (cstring(group)?, partition_list(entries)?);
        // SAFETY: name and list are copied; the library's function frees it.
        let asked = unsafe {
            Owned::new(
                c::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.get()),
                c::rd_kafka_AlterConsumerGroupOffsets_destroy,
            )?
        };
        let mut asked = [asked.get()];
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
        // SAFETY: the request copies what is asked and the options.
        let event = self.ask(operation, |client, options, queue| unsafe {
            c::rd_kafka_AlterConsumerGroupOffsets(client, asked.as_mut_ptr(), asked.len(), options, queue);
        })?;
        let mut count = 0;
        // SAFETY: as in `topics`.
        unsafe {
            let result = c::rd_kafka_event_AlterConsumerGroupOffsets_result(event.get());
            let groups = listed(result, |result| {
                c::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count)
            })?;
            commits(groups, count)
        }
    }

    /// Sets these keys of a topic's configuration and leaves all others.
    pub fn configure(&self, topic: &str, values: &BTreeMap<String, String>) -> Result<(), Failure> {
        let topic = cstring(topic)?;
        // SAFETY: the name is copied; the library's function frees it.
        let resource = unsafe {
            Owned::new(
                c::rd_kafka_ConfigResource_new(
                    c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
                    topic.as_ptr(),
                ),
                c::rd_kafka_ConfigResource_destroy,
            )?
        };
        for (key, value) in values {
            let (key, value) = (cstring(key)?, cstring(value)?);
            let set = c::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            // SAFETY: key and value are copied; an error is ours to free.
            unsafe {
                let refused = c::rd_kafka_ConfigResource_add_incremental_config(
                    resource.get(),
                    key.as_ptr(),
                    set,
                    value.as_ptr(),
                );
                if let Ok(refused) = Owned::new(refused, c::rd_kafka_error_destroy) {
                    succeeded(refused.get())?;
                }
            }
        }
        let mut resources = [resource.get()];
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
        // SAFETY: the request copies resources and options.
        let event = self.ask(operation, |client, options, queue| unsafe {
            c::rd_kafka_IncrementalAlterConfigs(
                client,
                resources.as_mut_ptr(),
                resources.len(),
                options,
                queue,
            );
        })?;
        let mut count = 0;
        // SAFETY: as in `topics`.
        unsafe {
            let result = c::rd_kafka_event_IncrementalAlterConfigs_result(event.get());
            let resources = listed(result, |result| {
                c::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count)
            })?;
            items(resources, count).try_for_each(|resource| {
                let words = text(c::rd_kafka_ConfigResource_error_string(resource));
                coded(c::rd_kafka_ConfigResource_error(resource), words)
            })
        }
    }

    /// Sends one request and waits for what comes of it; an answer that comes later is dropped by the library.
    fn ask(
        &self,
        operation: c::rd_kafka_admin_op_t,
        send: impl FnOnce(*mut c::rd_kafka_t, *mut c::rd_kafka_AdminOptions_t, *mut c::rd_kafka_queue_t),
    ) -> Result<Owned<c::rd_kafka_event_t>, Failure> {
        let milliseconds = c_int::try_from(self.timeout.as_millis()).unwrap_or(c_int::MAX);
        let client = self.client.native_ptr();
        // SAFETY: `client` lives as long as the borrow of it; each allocation comes with the library's function
        // that frees it. A buffer of size 0 asks for no error text.
        unsafe {
            let queue = Owned::new(c::rd_kafka_queue_new(client), c::rd_kafka_queue_destroy)?;
            let options = Owned::new(
                c::rd_kafka_AdminOptions_new(client, operation),
                c::rd_kafka_AdminOptions_destroy,
            )?;
            let limit =
                c::rd_kafka_AdminOptions_set_request_timeout(options.get(), milliseconds, null_mut(), 0);
            coded(limit, String::new())?;
            send(client, options.get(), queue.get());
            let event =
                Owned::new(c::rd_kafka_queue_poll(queue.get(), milliseconds), c::rd_kafka_event_destroy)
                    .map_err(|_| Failure::from(Code::OperationTimedOut))?;
            coded(c::rd_kafka_event_error(event.get()), text(c::rd_kafka_event_error_string(event.get())))?;
            Ok(event)
        }
    }
}

/// The oldest record that is still there, as [`Requests::offsets`] takes it.
pub const EARLIEST: i64 = c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64;
/// The end of the log.
pub const LATEST: i64 = c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST as i64;

/// # Safety
/// `topic` is the description of a topic that exists, and alive.
unsafe fn described(topic: *const c::rd_kafka_TopicDescription_t) -> Described {
    let (mut count, mut replicas) = (0, 0);
    // SAFETY: lists are looked at only as far as their count.
    unsafe {
        let id = c::rd_kafka_TopicDescription_topic_id(topic);
        let id = if id.is_null() { String::new() } else { text(c::rd_kafka_Uuid_base64str(id)) };
        let partitions = c::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        if let Some(first) = items(partitions, count).next() {
            c::rd_kafka_TopicPartitionInfo_replicas(first, &raw mut replicas);
        }
        Described { id: in_kafkas_form(&id), partitions: count, replicas }
    }
}

/// The library writes the alphabet of plain base64, Kafka's own tools that of URLs.
fn in_kafkas_form(id: &str) -> Option<String> {
    (!id.is_empty() && id != NONE).then(|| id.replace('+', "-").replace('/', "_"))
}

/// What is listed in `result`, which an answer to another request does not have.
///
/// # Safety
/// `list` may be called with `result` where that is not null.
unsafe fn listed<R, T>(
    result: *const R,
    list: impl FnOnce(*const R) -> *mut *const T,
) -> Result<*mut *const T, Failure> {
    if result.is_null() { Err(Code::BadMessage.into()) } else { Ok(list(result)) }
}

/// Commits offsets of the group that `client` is a member of, and waits for nothing: what becomes of them is told to its
/// context, as one commit. Of one that is sent in another way the library tells nothing.
pub fn send_commit<C: ConsumerContext>(
    client: &Client<C>,
    offsets: &TopicPartitionList,
) -> Result<(), Failure> {
    let client = client.native_ptr();
    // SAFETY: client and list are alive, and the list is copied; the reference to the queue is ours to free.
    unsafe {
        let queue = Owned::new(c::rd_kafka_queue_get_main(client), c::rd_kafka_queue_destroy)?;
        coded(c::rd_kafka_commit_queue(client, offsets.ptr(), queue.get(), None, null_mut()), String::new())
    }
}

/// # Safety
/// `list` is null or has `count` entries that live as long as what is made of them.
unsafe fn items<T>(list: *mut *const T, count: usize) -> impl Iterator<Item = *const T> {
    let count = if list.is_null() { 0 } else { count };
    // SAFETY: as promised to this function.
    (0..count).map(move |index| unsafe { *list.add(index) }).filter(|item| !item.is_null())
}

/// The commits of the only group.
///
/// # Safety
/// As for [`items`].
unsafe fn commits(groups: *mut *const c::rd_kafka_group_result_t, count: usize) -> Result<Commits, Failure> {
    // SAFETY: as promised to this function; the list's entries are as many as it says.
    unsafe {
        let group = items(groups, count).next().ok_or(Failure::from(Code::BadMessage))?;
        succeeded(c::rd_kafka_group_result_error(group))?;
        let Some(list) = c::rd_kafka_group_result_partitions(group).as_ref() else { return Ok(Vec::new()) };
        let count = usize::try_from(list.cnt).unwrap_or_default();
        Ok((0..count).filter_map(|index| commit_of(list.elems.add(index))).collect())
    }
}

/// # Safety
/// `partition` is null or alive.
unsafe fn commit_of(
    partition: *const c::rd_kafka_topic_partition_t,
) -> Option<((String, i32), Result<Commit, Failure>)> {
    // SAFETY: as promised to this function; its metadata is as long as it says.
    unsafe {
        let (key, offset) = offset_of(partition)?;
        let said = NonNull::new((*partition).metadata.cast::<u8>());
        let said = said.map(|said| from_raw_parts(said.as_ptr(), (*partition).metadata_size));
        let metadata = String::from_utf8_lossy(said.unwrap_or_default()).into_owned();
        Some((key, offset.map(|offset| Commit { offset, metadata })))
    }
}

/// # Safety
/// `partition` is null or alive.
unsafe fn offset_of(
    partition: *const c::rd_kafka_topic_partition_t,
) -> Option<((String, i32), Result<i64, Failure>)> {
    // SAFETY: as promised to this function; its topic is text.
    let (partition, topic) = unsafe {
        let partition = partition.as_ref()?;
        (partition, text(partition.topic))
    };
    Some(((topic, partition.partition), coded(partition.err, String::new()).map(|()| partition.offset)))
}

/// Of each partition its topic, its number, an offset, and what is said with that.
fn partition_list<'t>(
    entries: impl Iterator<Item = (&'t str, i32, i64, &'t str)>,
) -> Result<Owned<c::rd_kafka_topic_partition_list_t>, Failure> {
    // SAFETY: the library's function frees it; a size is only a first guess.
    let list = unsafe {
        Owned::new(c::rd_kafka_topic_partition_list_new(1), c::rd_kafka_topic_partition_list_destroy)?
    };
    for (topic, partition, offset, metadata) in entries {
        let topic = cstring(topic)?;
        // SAFETY: the list is alive and copies the name; an entry stays where it is until the next one is added. What is said
        // is copied to memory of the library's, which never is null and which the list frees.
        unsafe {
            let entry = c::rd_kafka_topic_partition_list_add(list.get(), topic.as_ptr(), partition);
            if let Some(entry) = entry.as_mut() {
                entry.offset = offset;
                if !metadata.is_empty() {
                    let said = c::rd_kafka_mem_malloc(null_mut(), metadata.len());
                    said.cast::<u8>().copy_from_nonoverlapping(metadata.as_ptr(), metadata.len());
                    (entry.metadata, entry.metadata_size) = (said, metadata.len());
                }
            }
        }
    }
    Ok(list)
}

fn cstring(text: &str) -> Result<CString, Failure> {
    CString::new(text)
        .map_err(|_| Failure { code: Code::InvalidArgument, words: "a zero byte in a name".to_owned() })
}

/// # Safety
/// `text` is null or a text that ends with zero.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised to this function.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// # Safety
/// `error` is null, which is the code of none, or alive.
unsafe fn succeeded(error: *const c::rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as promised to this function.
    unsafe { coded(c::rd_kafka_error_code(error), text(c::rd_kafka_error_string(error))) }
}

fn coded(code: c::rd_kafka_resp_err_t, words: String) -> Result<(), Failure> {
    match Code::from(code) {
        Code::NoError => Ok(()),
        code => Err(Failure { code, words }),
    }
}

/// What the library allocated for us, freed at the end of its scope.
struct Owned<T> {
    pointer: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `pointer` is null, which is an error, or valid, owned by nobody else, and to be freed by `free`.
    unsafe fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self, Failure> {
        let pointer = NonNull::new(pointer).ok_or(Failure::from(Code::Fail))?;
        Ok(Self { pointer, free })
    }

    fn get(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` was promised that `free` is the function for this pointer, and a scope ends once.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_kafkas_own_tools_write_them() {
        assert_eq!(in_kafkas_form("a+b/CdEfGhIjKlMnOpQrSt").as_deref(), Some("a-b_CdEfGhIjKlMnOpQrSt"));
        assert_eq!(in_kafkas_form(NONE), None);
    }
}
