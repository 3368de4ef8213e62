//! Asks for the id that Kafka gave a topic: the one question for which the safe client has no call.
//!
//! All unsafe code of the workspace is here: one request of librdkafka on a queue of its own. What the library
//! allocates is [`Owned`] from the moment it is handed over, and nothing borrowed from it leaves this file.
#![expect(unsafe_code, reason = "DescribeTopics exists only in the library's C interface")]

use std::ffi::{CStr, CString};
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

/// No id, as brokers say it that are older than topic ids.
const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The id of topic `name` in Kafka's own text form, 22 characters of URL-safe base64; nothing where the brokers give
/// topics none. Blocks for at most `timeout`. A topic that does not exist is an error.
pub fn topic_id(
    consumer: &BaseConsumer<impl ConsumerContext>,
    name: &str,
    timeout: Duration,
) -> KafkaResult<Option<String>> {
    let name = CString::new(name).map_err(|_| KafkaError::AdminOp(Code::InvalidTopic))?;
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let client = consumer.client().native_ptr();
    let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let mut names = [name.as_ptr()];
    // SAFETY: `client` lives as long as the borrow of `consumer`; each allocation comes with the library's function that
    // frees it; the collection copies the names.
    let (queue, options, topics) = unsafe {
        (
            Owned::new(c::rd_kafka_queue_new(client), c::rd_kafka_queue_destroy)?,
            Owned::new(c::rd_kafka_AdminOptions_new(client, operation), c::rd_kafka_AdminOptions_destroy)?,
            Owned::new(
                c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
                c::rd_kafka_TopicCollection_destroy,
            )?,
        )
    };
    // SAFETY: all four pointers are alive to the end of this function. The request copies options and topics. An answer
    // that comes after the queue is gone is dropped by the library. A buffer of size 0 asks for no error text.
    let event = unsafe {
        succeeded(c::rd_kafka_AdminOptions_set_request_timeout(options.get(), milliseconds, null_mut(), 0))?;
        c::rd_kafka_DescribeTopics(client, topics.get(), options.get(), queue.get());
        let event = c::rd_kafka_queue_poll(queue.get(), milliseconds);
        Owned::new(event, c::rd_kafka_event_destroy)
            .map_err(|_| KafkaError::AdminOp(Code::OperationTimedOut))?
    };
    read(&event)
}

/// The id in the answer.
fn read(event: &Owned<c::rd_kafka_event_t>) -> KafkaResult<Option<String>> {
    let unreadable = KafkaError::AdminOp(Code::BadMessage);
    let mut count = 0;
    // SAFETY: all that is read here is borrowed from `event`, which nobody else has, and is copied before the borrow
    // ends. Each pointer is looked at only when it is not null, but for a description's error: null is the code of none.
    let id = unsafe {
        succeeded(c::rd_kafka_event_error(event.get()))?;
        let result = c::rd_kafka_event_DescribeTopics_result(event.get());
        if result.is_null() {
            return Err(unreadable);
        }
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count != 1 || (*topics).is_null() {
            return Err(unreadable);
        }
        succeeded(c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(*topics)))?;
        let id = c::rd_kafka_Uuid_base64str(c::rd_kafka_TopicDescription_topic_id(*topics));
        if id.is_null() {
            return Err(unreadable);
        }
        CStr::from_ptr(id).to_string_lossy().into_owned()
    };
    Ok(in_kafkas_form(&id))
}

/// The library writes the alphabet of plain base64, Kafka's own tools that of URLs.
fn in_kafkas_form(id: &str) -> Option<String> {
    (id != NONE).then(|| id.replace('+', "-").replace('/', "_"))
}

fn succeeded(code: c::rd_kafka_resp_err_t) -> KafkaResult<()> {
    match Code::from(code) {
        Code::NoError => Ok(()),
        code => Err(KafkaError::AdminOp(code)),
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
    unsafe fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> KafkaResult<Self> {
        let pointer = NonNull::new(pointer).ok_or(KafkaError::AdminOp(Code::Fail))?;
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
