//! Many services and many more shows, and what they cost: until all are Ready, at rest, and when the operator starts again.
//!
//! `make test` runs it small, `make scale` with fifty services and five thousand shows. What it measures it prints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::Method;
use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::{ApiAudit, Call, Mark};
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::doubles::admin::{CommandWorkers, Manner};
use boxoffice_tests::servers::{MeasuredKafka, Server, kafka, redis_url};
use boxoffice_tests::wait::within;
use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::support::{Kind, Operator, Plane, condition, service, show};

/// How many shows the operator looks at in a second that nothing woke, here.
const LOOKS: usize = 100;
/// How often it looks at each of a few.
const RESYNC: Duration = Duration::from_secs(15);
/// How often it asks Kafka for a group, up to fifty of them: within ten seconds, and on average so.
const ROUND: Duration = Duration::from_secs(7);
/// From start to knowing all.
const RESTART: Duration = Duration::from_mins(1);
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_mins(20);
/// How many objects are made at once.
const AT_ONCE: usize = 16;
/// How long nothing is written before it counts as rest.
const STILL: Duration = Duration::from_secs(12);
/// How long it may take until then.
const REST: Duration = Duration::from_mins(3);
const MOST_MEMORY: f64 = 200.0;

struct Size {
    services: usize,
    shows: usize,
}

impl Size {
    fn from_env() -> Self {
        let of = |name: &str, small| std::env::var(name).map_or(small, |value| value.parse().unwrap());
        Self { services: of("BOXOFFICE_SCALE_SERVICES", 5), shows: of("BOXOFFICE_SCALE_SHOWS", 200) }
    }

    /// How often it looks at each, in whole seconds.
    fn resync(&self) -> Duration {
        Duration::from_secs((self.shows / LOOKS) as u64).max(RESYNC)
    }

    fn objects(&self) -> usize {
        self.services + self.shows
    }
}

fn service_name(number: usize) -> String {
    format!("house-{number}")
}

/// All that is needed, with every resource applied.
struct House {
    workers: CommandWorkers,
    operator: Operator,
    kafka: Server<MeasuredKafka>,
    meter: MeasuredKafka,
    /// Serves the first service.
    _worker: CommandWorker,
}

impl House {
    async fn open(size: &Size) -> Self {
        let (plane, workers) = (Plane::connect().await, CommandWorkers::start().await);
        let meter = MeasuredKafka::new().unwrap();
        let kafka = Server::start(meter).await.unwrap();
        let namespace = plane.namespace("scale").await;
        let resync = size.resync().as_secs().to_string();
        let more = ["--resync-seconds", &resync];
        let operator = Operator::start(&plane, &workers, &[&namespace], &more).await;
        let began = Instant::now();
        let mark = operator.audit.mark();
        let services: Vec<_> = (0..size.services).map(|number| house(&namespace, number, &kafka)).collect();
        make::<ReservationService>(&plane, &namespace, &services).await;
        let worker = real(&plane, &workers, &namespace).await;
        let shows: Vec<_> = (0..size.shows).map(|number| a_show(number, size)).collect();
        make::<SeatingEvent>(&plane, &namespace, &shows).await;
        let made = began.elapsed();
        all_ready::<ReservationService>(&plane, &namespace, size.services).await;
        all_ready::<SeatingEvent>(&plane, &namespace, size.shows).await;
        let took = began.elapsed();
        println!(
            "scale: {} services and {} shows made in {:.1} s, all Ready after {:.1} s",
            size.services,
            size.shows,
            made.as_secs_f64(),
            took.as_secs_f64()
        );
        tell("until all were Ready", &operator.audit, mark, size.objects());
        Self { workers, operator, kafka, meter, _worker: worker }
    }

    /// Waits until nothing is written any more.
    async fn rests(&self, broken: &mut Broken) {
        let (began, mut mark, mut since) = (Instant::now(), self.operator.audit.mark(), Instant::now());
        let still = within(REST, async || {
            if !self.operator.audit.writes(mark).is_empty() {
                (mark, since) = (self.operator.audit.mark(), Instant::now());
            }
            (since.elapsed() >= STILL).then_some(())
        });
        let still = still.await.is_some();
        broken.unless(still, format!("at rest after {:.0} s", began.elapsed().as_secs_f64()));
    }
}

fn house(namespace: &str, number: usize, measured: &Server<MeasuredKafka>) -> Value {
    let mut resource = service(namespace, &service_name(number));
    // The real worker's requests are not the operator's.
    let brokers = if number == 0 { kafka() } else { measured.address() };
    resource["spec"]["kafka"]["bootstrapServers"] = json!(brokers);
    resource
}

fn a_show(number: usize, size: &Size) -> Value {
    show(&service_name(number % size.services), &format!("show-{number}"))
}

/// The command worker of the first service, as its pod would have it.
async fn real(plane: &Plane, workers: &CommandWorkers, namespace: &str) -> CommandWorker {
    let name = service_name(0);
    plane.ready::<ReservationService>(namespace, &name).await;
    let token = plane.secret(namespace, &format!("{name}-admin-token"), "token").await.unwrap();
    let topic = format!("{namespace}-{name}-seat-events");
    let more = [("BOXOFFICE_ADMIN_TOKEN", token)];
    let name_of_all = format!("{namespace}/{name}");
    let mut worker = CommandWorker::start_with(&name_of_all, &redis_url(), &kafka(), &topic, more).unwrap();
    worker.ready().await.unwrap();
    workers.take(namespace, &name, Manner::Forwards(worker.admin.clone()));
    worker
}

async fn make<K: Kind>(plane: &Plane, namespace: &str, resources: &[Value]) {
    let api: Api<K> = plane.api(namespace);
    let created = stream::iter(resources).map(|resource| {
        let (api, object) = (api.clone(), K::deserialize(resource).unwrap());
        async move { api.create(&PostParams::default(), &object).await }
    });
    created.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await.unwrap();
}

/// Follows all objects of a kind until as many are Ready.
async fn all_ready<K: Kind>(plane: &Plane, namespace: &str, number: usize) {
    let mut objects = Box::pin(plane.follow::<K>(namespace));
    let mut ready = BTreeMap::new();
    let all = async {
        while let Some(object) = objects.next().await {
            let found = condition(&object, "Ready");
            let is_ready = found.as_ref().is_some_and(|found| found["status"] == "True");
            ready.insert(object.name_any(), (is_ready, found));
            if ready.values().filter(|(is_ready, _)| *is_ready).count() == number {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        let others: Vec<_> = ready.iter().filter(|(_, (is_ready, _))| !is_ready).take(3).collect();
        panic!("{} of {number} are known and not all Ready: {others:#?}", ready.len());
    }
}

/// Prints what was asked of the API server since, and how often for an object.
fn tell(when: &str, audit: &ApiAudit, mark: Mark, objects: usize) {
    let tally = audit.tally(mark);
    let all: usize = tally.values().sum();
    println!("scale: {when}: {all} calls, {:.2} for an object", number(all) / number(objects));
    for (call, count) in tally {
        println!("scale:   {count:>7} {call}");
    }
}

fn of_shows(call: &Call) -> bool {
    call.resource.starts_with("seatingevents.") && !call.name.is_empty()
}

/// What was promised and is not so, all of it: a run takes long.
#[derive(Default)]
struct Broken(Vec<String>);

impl Broken {
    fn unless(&mut self, is_so: bool, otherwise: String) {
        println!("scale: {}{otherwise}", if is_so { "" } else { "TOO MUCH: " });
        if !is_so {
            self.0.push(otherwise);
        }
    }

    fn writes(&mut self, when: &str, audit: &ApiAudit, mark: Mark) {
        let writes = audit.writes(mark);
        let first = writes.first().map(|it| format!(", such as {} {} {}", it.verb, it.resource, it.name));
        let told = format!("{} writes {when}{}", writes.len(), first.unwrap_or_default());
        self.unless(writes.is_empty(), told);
    }
}

#[tokio::test]
async fn many_shows_are_ready_and_cost_nothing_at_rest() {
    let (size, mut broken) = (Size::from_env(), Broken::default());
    let mut house = House::open(&size).await;
    house.rests(&mut broken).await;
    three_resyncs(&house, &size, &mut broken).await;
    let memory = house.operator.process.memory().unwrap();
    broken.unless(memory < MOST_MEMORY, format!("{memory:.0} MiB of memory"));
    again(&mut house, &size, &mut broken).await;
    let memory = house.operator.process.memory().unwrap();
    broken.unless(memory < MOST_MEMORY, format!("{memory:.0} MiB of memory after its restart"));
    assert!(broken.0.is_empty(), "{:#?}", broken.0);
}

/// Nothing is written, hardly anything read, and Kafka asked as little as need be.
async fn three_resyncs(house: &House, size: &Size, broken: &mut Broken) {
    let audit = &house.operator.audit;
    let (mark, began, before) = (audit.mark(), Instant::now(), house.meter.requests().await.unwrap());
    let wanted = house.operator.reconciles("seating-event").await + 3.0 * number(size.shows);
    let done = within(size.resync() * 10, async || {
        (house.operator.reconciles("seating-event").await >= wanted && began.elapsed() >= size.resync() * 3)
            .then_some(())
    });
    done.await.expect("three looks at every show");
    let (took, after) = (began.elapsed().as_secs_f64(), house.meter.requests().await.unwrap());
    tell(&format!("three looks at everything in {took:.0} s"), audit, mark, size.objects());
    broken.writes("at rest", audit, mark);
    let calls = audit.since(mark);
    let of_shows = calls.iter().filter(|call| of_shows(call)).count();
    broken.unless(of_shows == 0, format!("{of_shows} calls for single shows at rest"));
    let reads = calls.iter().filter(|call| !call.is_lease() && call.verb != "watch").count();
    let rate = number(reads) / number(size.services) / took;
    // Of what is read every ten seconds one more falls into a time that is no multiple of it.
    let most = 0.2 + 1.0 / took;
    broken.unless(rate <= most, format!("{rate:.3} reads a second of {most:.3} for a service at rest"));

    let asked: BTreeMap<_, _> = after
        .iter()
        .map(|(kind, count)| (kind, count - before.get(kind).copied().unwrap_or_default()))
        .filter(|(_, count)| *count > 0)
        .collect();
    let rounds = (took / ROUND.as_secs_f64()).ceil() + 1.0;
    let groups = number(size.services - 1);
    let (all, most) =
        (number(usize::try_from(asked.values().sum::<u64>()).unwrap()), (5.0 * groups + 4.0) * rounds);
    let told = format!("{all} requests to Kafka of {most} for {groups} groups in {rounds} rounds: {asked:?}");
    broken.unless(all <= most, told);
    // Of each of two clients one to where it began, one to the broker and one to the coordinator.
    let connections = house.meter.connections().await.unwrap();
    broken
        .unless(connections <= 6, format!("{connections} connections to Kafka at {}", house.kafka.address()));
}

/// Started again it knows everything soon, and has nothing to do.
async fn again(house: &mut House, size: &Size, broken: &mut Broken) {
    let (mark, puts) = (house.operator.audit.mark(), house.workers.count(&Method::PUT));
    let began = Instant::now();
    house.operator.restart().await;
    let known = within(RESTART * 2, async || {
        (house.operator.reconciles("seating-event").await >= number(size.shows)).then(|| began.elapsed())
    });
    let known = known.await.expect("every show is looked at");
    broken.unless(known < RESTART, format!("all known {:.1} s after its restart", known.as_secs_f64()));
    house.rests(broken).await;
    tell("since its restart", &house.operator.audit, mark, size.objects());
    broken.writes("after its restart", &house.operator.audit, mark);
    let puts = house.workers.count(&Method::PUT) - puts;
    broken.unless(puts == 0, format!("{puts} definitions given again after its restart"));
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
