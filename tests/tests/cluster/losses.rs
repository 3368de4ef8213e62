//! A Redis that lost what it had, and events that do not reach Kafka: the resource says so, and says that it is over.

use boxoffice_command::store::LEASE_LIFE;
use boxoffice_crds::ReservationService;
use boxoffice_tests::servers::redis_kinds::connection;
use redis::FromRedisValue;
use serde_json::{Value, json};

use crate::support::{
    Cluster, PATIENCE, assert_gapless, condition, is_true, service, service_resource, setting, until,
    with_namespace,
};

/// Deletes every key of a service, at once.
const FORGET: &str =
    "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do redis.call('DEL', key) end";

/// Gives every bucket of a service to a relay that does nothing, for a day: the time.
const USURP: &str = "local time = redis.call('TIME') \
    local now = time[1] * 1000 + math.floor(time[2] / 1000) \
    for bucket = 0, 15 do redis.call('HSET', ARGV[1] .. ':{relay}:leases', bucket, \
    string.format('%.0f %.0f nobody', now, now + 86400000)) end return now";

/// When the term of the relay that had the last round of the leases ends.
const LAST_TERM: &str =
    "return tonumber(redis.call('ZRANGE', ARGV[1] .. ':{relay}:relays', -1, -1, 'WITHSCORES')[2])";

/// Lets any relay have them.
const LET_GO: &str = "redis.call('DEL', ARGV[1] .. ':{relay}:leases')";

#[tokio::test]
async fn i7_a_redis_that_lost_everything_sells_nothing_until_its_seats_are_back() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let service = service(&cluster, namespace, &service_resource(namespace)).await;
        let show = service.show(|_| {}).await;
        let [sold, held, free] = ["A-1-1", "A-1-2", "A-1-3"].map(|key| show.seat(key));
        for path in
            [format!("/seats/{sold}/hold"), format!("/seats/{sold}/reserve"), format!("/seats/{held}/hold")]
        {
            let (status, answer) = service.post(&path, "alice").await;
            assert_eq!(status, 200, "{answer}");
        }
        until("the hold is on the log", async || {
            (show.facts(&topic(namespace)).await.len() == 5).then_some(())
        })
        .await;
        in_redis::<()>(FORGET, namespace).await;
        let (status, fenced) = service.post(&format!("/seats/{free}/hold"), "bob").await;
        assert_eq!((status, fenced["code"].as_str()), (503, Some("RECOVERING")), "{fenced}");
        // It may be over before the operator has looked: then nothing is told of it.
        until("the service is ready again", async || {
            condition(&get(&cluster, namespace).await, "Ready").filter(is_true)
        })
        .await;
        let answer = until("commands are taken again", async || {
            let path = format!("/seats/{sold}/hold");
            let answer = service.try_command(reqwest::Method::POST, &path, "bob", &[]).await.ok()?;
            // Readiness says nothing of seats that are being read back: each answer does.
            (answer.1["code"] != "RECOVERING").then_some(answer)
        })
        .await;
        assert_eq!((answer.0, answer.1["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{}", answer.1);
        for path in [format!("/seats/{held}/reserve"), format!("/seats/{free}/hold")] {
            let (status, answer) = service.post(&path, "alice").await;
            assert_eq!(status, 200, "{answer}");
        }
        assert_gapless(&show.facts(&topic(namespace)).await);
        show.remove().await;
    })
    .await;
}

#[tokio::test]
async fn events_that_do_not_reach_kafka_are_told_in_the_status_and_by_an_event() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let service = service(&cluster, namespace, &service_resource(namespace)).await;
        let show = service.show(|_| {}).await;
        let usurped: u64 = in_redis(USURP, namespace).await;
        // The second round after that begins when what the first one said is known.
        let known = usurped + u64::try_from((LEASE_LIFE + LEASE_LIFE / 4).as_millis()).unwrap();
        until("the relay knows that its leases are gone", async || {
            (in_redis::<Option<u64>>(LAST_TERM, namespace).await? > known).then_some(())
        })
        .await;
        let (status, held) = service.post(&format!("/seats/{}/hold", show.seat("A-1-1")), "alice").await;
        assert_eq!(status, 200, "a hold does not wait for Kafka: {held}");
        until("the status says how long it has waited", async || {
            let outbox = outbox(&cluster, namespace).await;
            (outbox["depth"] == 1 && outbox["oldestSeconds"].as_u64()? >= 10).then_some(())
        })
        .await;
        cluster.told::<ReservationService>(namespace, "main", "OutboxStuck", PATIENCE).await;
        in_redis::<()>(LET_GO, namespace).await;
        cluster.told::<ReservationService>(namespace, "main", "OutboxMoves", PATIENCE).await;
        assert_eq!(outbox(&cluster, namespace).await, json!({"depth": 0, "oldestSeconds": 0}));
        assert_eq!(show.facts(&topic(namespace)).await.len(), 2);
        show.remove().await;
    })
    .await;
}

fn topic(namespace: &str) -> String {
    format!("{namespace}-seat-events")
}

/// Runs `script`, which is told what the keys of the service `main` begin with.
async fn in_redis<T: FromRedisValue>(script: &str, namespace: &str) -> T {
    let mut redis = connection(&setting("REDIS_URL")).await.unwrap();
    let service = format!("{namespace}/main");
    redis::cmd("EVAL").arg(script).arg(0).arg(service).query_async(&mut redis).await.unwrap()
}

async fn get(cluster: &Cluster, namespace: &str) -> ReservationService {
    cluster.api(namespace).get("main").await.unwrap()
}

async fn outbox(cluster: &Cluster, namespace: &str) -> Value {
    serde_json::to_value(get(cluster, namespace).await.status).unwrap()["outbox"].clone()
}
