//! The codes that a problem can have, and what there is to say about each: the one table behind [`super::Problem`], the
//! OpenAPI documents, the pages at `/problems/...` and `docs/problems.md`. A code that is not here cannot be answered.

use std::fmt::Write;

/// A code of a problem: a place in the table, so that a problem stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static Entry);

/// What the table says about a code.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: &'static str,
    statuses: &'static [u16],
    retryable: bool,
    happened: &'static str,
    remedy: &'static str,
    retry: &'static str,
    detail: &'static str,
}

impl Code {
    /// The code itself: `SEAT_NOT_AVAILABLE`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The statuses that it comes with; nearly always one.
    pub fn statuses(self) -> &'static [u16] {
        self.0.statuses
    }

    /// Whether the very same request may succeed when it is sent again, and does no harm.
    pub fn retryable(self) -> bool {
        self.0.retryable
    }

    /// What happened, what to do, and whether a retry is safe.
    pub fn paragraph(self) -> String {
        format!("{} {} {}", self.0.happened, self.0.remedy, self.0.retry)
    }

    /// A detail that it may come with.
    pub fn detail(self) -> &'static str {
        self.0.detail
    }

    /// "Seat not available".
    pub fn title(self) -> String {
        let (first, rest) = self.0.name.split_at(1);
        first.to_owned() + &rest.to_lowercase().replace('_', " ")
    }

    /// `seat-not-available`, its place below `/problems`.
    pub fn slug(self) -> String {
        self.0.name.to_lowercase().replace('_', "-")
    }

    /// The code with this [`slug`](Self::slug).
    pub fn by_slug(slug: &str) -> Option<Self> {
        ALL.iter().copied().find(|code| code.slug() == slug)
    }
}

/// Declares each code as a constant and lists them all: name, statuses, `final` or `retryable`; then what happened, what
/// to do, whether a retry is safe, and a detail as an example.
macro_rules! codes {
    ($($name:ident $statuses:expr, $kind:ident: $happened:literal $remedy:literal $retry:literal $detail:literal;)+) => {
        $(
            #[doc = $happened]
            pub const $name: Code = Code(&Entry {
                name: stringify!($name),
                statuses: &$statuses,
                retryable: codes!(@retryable $kind),
                happened: $happened,
                remedy: $remedy,
                retry: $retry,
                detail: $detail,
            });
        )+

        /// Every code, by status.
        pub const ALL: &[Code] = &[$($name),+];
    };
    (@retryable retryable) => { true };
    (@retryable last_word) => { false };
}

codes! {
    INVALID_REQUEST [400], last_word:
        "The request says something that no state of the seats could make right: a malformed id, header or body, or seats that do not go together."
        "Change what the detail names."
        "Nothing was done; the same request will be refused again."
        "seats: ask for 1 to 100 seats together, not 0";
    UNAUTHENTICATED [401], last_word:
        "The request names no user, or its token is not believed."
        "Send the header x-user-id through the gateway, or a bearer token that is valid; whichever the service is set up for."
        "Nothing was done; the same request will be refused again."
        "the request names no user: header x-user-id is missing";
    NOT_HOLDER [403], last_word:
        "The seat, hold or reservation belongs to another user."
        "Act as the user who holds it, or choose other seats."
        "Nothing was done; the same request will be refused as long as the other user has it."
        "it belongs to another user";
    ORIGIN_REFUSED [403], last_word:
        "The request comes from a page of another site, or is addressed to another host than the one that this process listens on. boxoffice local and boxoffice ops answer programs and their own pages alone."
        "Open the address that was printed. Further names of the host are given with --host, pages that may sell in spec.web.allowOrigins."
        "Nothing was done; the same request will be refused again."
        "sec-fetch-site: a page of another site led here: open the address by itself";
    NOT_FOUND [404], last_word:
        "There is nothing at this address."
        "Compare the path with the document at /openapi.json."
        "Nothing was done; the same request will be refused again."
        "there is nothing at this address";
    EVENT_NOT_FOUND [404], last_word:
        "There is no such SeatingEvent: it was never on sale here, or it is gone."
        "Take the id from GET /events. One that was created a moment ago appears when its operator has provisioned it."
        "Nothing was done; a retry is harmless."
        "there is no such event";
    SEAT_NOT_FOUND [404], last_word:
        "The SeatingEvent's chart has no such seat, section or price category; conflicts lists the seats."
        "Take ids from GET /events/{eventId}/seats, and load the chart again: it may have changed."
        "Nothing was done, to none of the seats; the same request will be refused again."
        "there is no such seat";
    HOLD_NOT_FOUND [404], last_word:
        "There is no such hold: it was released, or it ended more than an hour ago."
        "Hold the seats anew."
        "Nothing was done; the same request will be refused again. After a release whose answer was lost this says that the hold is gone."
        "there is no such hold";
    RESERVATION_NOT_FOUND [404], last_word:
        "There is no such reservation, or it was cancelled."
        "Take the id from the answer of the reserve."
        "Nothing was done; the same request will be refused again. After a cancellation whose answer was lost this says that the reservation is gone."
        "there is no such reservation";
    SNAPSHOT_NOT_FOUND [404], last_word:
        "The SeatingEvent has no snapshot yet, or none are kept here."
        "Ask again when its sales are closed for good, or 50,000 domain events of its partition have been published: then one is written. The detail says where none ever will be."
        "Nothing was done; a retry is harmless."
        "there is no snapshot of arena-night yet";
    ARCHIVE_NOT_FOUND [404], last_word:
        "The SeatingEvent has no archive: it is not over yet, or it was over before archives were written."
        "Ask again when its sales have been closed, and cancellations too, for 50 hours."
        "Nothing was done; a retry is harmless."
        "there is no archive of arena-night yet";
    METHOD_NOT_ALLOWED [405], last_word:
        "The address exists and does not take this method."
        "Use one of those in the header Allow."
        "Nothing was done; the same request will be refused again."
        "this address does not take this method: the Allow header lists those that it takes";
    SEAT_NOT_AVAILABLE [409], last_word:
        "At least one of the seats is held, reserved or blocked, or the hold would leave a single free seat between taken ones; conflicts names each with its reason, and with mine where it is one's own."
        "Choose other seats. One that is HELD may come back when its hold expires."
        "Nothing was done, to none of the seats; a retry is harmless, and succeeds only when the seats have come back."
        "not every seat is available";
    NOT_ENOUGH_SEATS [409], last_word:
        "Fewer seats are available than asked for, or fewer together."
        "Ask for fewer seats, or for seats of another section or price category."
        "Nothing was done; a retry is harmless, and succeeds only when seats have come back."
        "4 seats wanted in A, 2 available";
    SEAT_NOT_HELD [409], last_word:
        "Nobody holds the seat, so there is nothing to reserve or to release."
        "Hold the seat first. After a release whose answer was lost this says that the seat is free already."
        "Nothing was done; the same request will be refused until the seat is held."
        "the seat is not held";
    HOLD_EXPIRED [409], last_word:
        "The hold's deadline has passed: its seats are on sale again."
        "Hold the seats anew; next time reserve or extend before expiresAt."
        "Nothing was done; the same request will be refused again."
        "the hold has expired";
    LIMIT_EXCEEDED [409], last_word:
        "The user would have more seats of this SeatingEvent, held and reserved together, than one user may, or one hold more than 1,000."
        "Ask for fewer seats, or release some first; what one hold cannot have, another one can."
        "Nothing was done; the same request will be refused until the user, or the hold, has fewer seats."
        "at most 4 seats a user: 3 claimed already, 2 wanted";
    SALES_NOT_OPEN [409], last_word:
        "Sales of this SeatingEvent have not opened yet."
        "Come back at opensAt."
        "Nothing was done; the same request will be refused until then."
        "sales have not opened yet";
    SALES_PAUSED [409], last_word:
        "The organiser has paused sales; holds and reservations that exist go on."
        "Wait until GET /events/{eventId} says that sales.paused is false."
        "Nothing was done; a retry is harmless, and is refused until sales go on."
        "sales are paused";
    SALES_CLOSED [409], last_word:
        "Sales of this SeatingEvent are over."
        "Nothing can be held any more."
        "Nothing was done; the same request will be refused again."
        "sales have closed";
    CANCELLATION_CLOSED [409], last_word:
        "Buyers can no longer cancel: the SeatingEvent's sales.cancelUntil has passed, or its start where there is none; cancelUntil tells the moment."
        "Ask the box office, who can cancel it still."
        "Nothing was done; the same request will be refused again."
        "reservations could be cancelled until 1700000000000";
    DEFINITION_CONFLICT [409], last_word:
        "The definition cannot be changed so, or seats cannot be blocked: somebody has them (conflicts names each), or the currency would become another."
        "Release or cancel the seats that conflicts names, or leave them as they are; make another SeatingEvent for another currency."
        "Nothing was done; a retry is harmless, and succeeds only when nothing stands in the way any more."
        "seats that are held or sold cannot be blocked: release or cancel them first";
    IDEMPOTENCY_IN_FLIGHT [409], retryable:
        "A request with this Idempotency-Key is done, but not yet as durable as promised."
        "Repeat the same request with the same key until it is answered."
        "A retry with the same key is safe: it never acts twice."
        "the reservation stands but is not on the log yet: repeat with the same Idempotency-Key";
    SEQUENCE_GONE [410], last_word:
        "What changed since that sequence is not known here any more, or the sequence is of another epoch."
        "Load the whole map at the address in the detail, and ask from its sequence on."
        "Nothing was done; the same request will be refused again."
        "since: what changed after 17 is not known any more: load /events/arena-night/seats";
    PAYLOAD_TOO_LARGE [413], last_word:
        "The body is longer than this service takes."
        "Send less at once."
        "Nothing was done; the same request will be refused again."
        "the body is too large";
    IDEMPOTENCY_MISMATCH [422], last_word:
        "This Idempotency-Key was used for another request of the same user: another path, or another body; or for a hold of other seats."
        "Give a new request a new key, and use a key again only for the very same request."
        "Nothing was done; the same request will be refused again for as long as the key is remembered."
        "this Idempotency-Key was used for another request: a new request needs a new key";
    RATE_LIMITED [429], retryable:
        "The user sends more requests a second than one user may."
        "Wait as long as Retry-After says, then go on slower."
        "Nothing was done; a retry is safe."
        "more than 20 requests a second: wait, then go on slower";
    INTERNAL [500], last_word:
        "The service found something that it does not understand, and did not go on."
        "Tell the operators the correlationId: their log has the cause."
        "Whether anything was done is not known; a retry with the same Idempotency-Key is safe and will not help by itself."
        "the seats are not as they should be; the operators can find out by the correlation id";
    OUTBOX_FULL [503], retryable:
        "So many changes wait to be published that no new holds are taken; reserving and releasing still work."
        "Wait as long as Retry-After says, then try again."
        "Nothing was done; a retry is safe."
        "too many changes wait to be published: no new holds for now, releasing still works";
    RECOVERING [503], retryable:
        "The seats are being read back from the log after a restart of their store."
        "Wait as long as Retry-After says, then try again."
        "Nothing was done; a retry is safe."
        "the seats are being recovered from the log: repeat the command in a moment";
    UNAVAILABLE [503], retryable:
        "Something that the service needs did not answer in time, or the service is too busy. The command may have been done all the same; where the detail says that a hold or a reservation stands, it was."
        "Wait as long as Retry-After says, then repeat the request."
        "A retry with the same Idempotency-Key is safe. Without a key, what was held or reserved by name gives the same answer again, but bestAvailable and areas may be held twice."
        "the seats cannot be reached, and the command may have been done: repeat it";
}

/// `docs/problems.md`: every code with its paragraph.
pub fn documentation() -> String {
    let mut text = "# Problems\n\n<!-- Made from workers/runtime/src/http/code.rs: make generate. -->\n\n\
         Whatever is refused or fails is answered with `application/problem+json`. Programs go by `code` and `retryable`; \
         `detail` is for people and changes. `correlationId` finds the request in the log. Where `retryable` is true there is \
         a header `Retry-After`, in seconds. Both workers show these paragraphs below `/problems/`.\n"
        .to_owned();
    for code in ALL {
        let statuses: Vec<_> = code.statuses().iter().map(u16::to_string).collect();
        let retryable = if code.retryable() { "retryable" } else { "not retryable" };
        let (name, statuses, paragraph) = (code.name(), statuses.join(" or "), code.paragraph());
        // Writing to a string does not fail.
        let _ = write!(text, "\n## {name}\n\n{statuses}, {retryable}. {paragraph}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden;

    #[test]
    fn each_code_is_found_by_its_slug() {
        for code in ALL {
            assert_eq!(Code::by_slug(&code.slug()), Some(*code));
        }
        assert_eq!(
            Code::by_slug("seat-not-available").map(Code::title).as_deref(),
            Some("Seat not available")
        );
        assert_eq!(Code::by_slug("SEAT_NOT_AVAILABLE"), None);
    }

    #[test]
    fn codes_are_in_the_order_of_their_statuses() {
        assert!(ALL.is_sorted_by_key(|code| code.statuses()[0]));
    }

    #[test]
    fn golden_problems_md_is_the_table() {
        golden(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md"), &documentation());
    }
}
