//! What the tests of the whole platform share: real servers, worker processes, and the suites that every
//! implementation of a port has to pass.
//!
//! [`servers`] starts Redis, Kafka and PostgreSQL and finds those that `boxoffice-servers` started; [`process`] runs a
//! worker as a process of its own, [`proxy`] stands between one and its server; [`wait`] replaces sleeping;
//! [`conformance`] holds one suite a port; [`history`] makes the domain events of a SeatingEvent, [`groups`] the groups
//! that read them, and [`audit`] says whether a sale was honest; [`kubernetes`] applies objects and waits for them,
//! [`resources`] has some to start from, and [`api_audit`] says what an operator asked of Kubernetes; [`contract`]
//! checks a running platform from outside; [`crash`] sells while things break; [`doubles`] stand for services of other
//! people; [`formats`] keeps what versions left each other. The tests themselves are in `tests/tests/`.
#![expect(clippy::panic, reason = "what goes wrong in here is a failed test, and that is a panic")]

pub mod api_audit;
pub mod audit;
pub mod command_worker;
pub mod conformance;
pub mod contract;
pub mod crash;
pub mod doubles;
pub mod formats;
pub mod groups;
pub mod history;
pub mod kubernetes;
pub mod process;
pub mod proxy;
pub mod recovery;
pub mod resources;
pub mod servers;
pub mod wait;
