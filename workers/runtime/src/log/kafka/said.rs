//! Of which topic a committed offset is. Kafka keeps it by the topic's name, and would take it for one of another topic that has
//! that name since; so whoever commits says in its metadata which topic is meant. No IO.

const TOPIC: &str = "topic-id=";

/// The metadata of an offset of the topic with this id.
pub fn of(id: &str) -> String {
    format!("{TOPIC}{id}")
}

/// The id of the topic that an offset is said to be of. What others write there is theirs, and says nothing.
pub fn topic(metadata: &str) -> Option<&str> {
    metadata.strip_prefix(TOPIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_nothing_else_is() {
        assert_eq!(topic(&of("a-b_CdEfGhIjKlMnOpQrSt")), Some("a-b_CdEfGhIjKlMnOpQrSt"));
        assert_eq!((topic(""), topic("AQAAAYx5")), (None, None));
    }
}
