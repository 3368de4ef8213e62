//! Whoever has a map and follows it: what changed since, what comes after one's own change, and the stream.

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use serde_json::Value;

use super::admin::{Admin, House};
use super::answer::{Answer, exactly, list, number, same, text};
use super::api::{Api, soon};
use super::stage::{Stage, newcomer};

/// So far no sequence gets while the checks run.
const FAR: u64 = 1_000_000;

pub async fn what_was_done_is_shown_to_who_asks_after_it(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let held = stage.hold(&alice, &seat).await?;
    let sequence = number(&held, "sequence")?;
    let (event, seat_path) = (format!("/events/{}", stage.api.event), format!("/seats/{seat}"));
    let own = after(stage, &seat_path, sequence).await?;
    same("status", &own.json["status"], "HELD")?;
    for path in ["", "/chart", "/seats", "/stats"] {
        after(stage, &format!("{event}{path}"), sequence).await?;
    }
    let never = sequence + FAR;
    let never = [event.clone(), format!("{event}/chart"), format!("{event}/seats"), seat_path]
        .map(|path| format!("{path}?after={never}"));
    for answer in try_join_all(never.iter().map(|path| stage.api.get(path))).await? {
        answer.refused(503, "UNAVAILABLE")?;
        answer.told("retry-after")?;
    }
    stage.release(&alice, &seat).await
}

/// What is answered to who asks after a sequence. Readers may take longer than they let others wait, but never tell less.
async fn after(stage: &Stage, path: &str, sequence: u64) -> anyhow::Result<Answer> {
    let asked = format!("{path}?after={sequence}");
    let answer = soon(async || {
        let answer = stage.api.get(&asked).await?;
        ensure!(answer.status != 503, "GET {asked}: {}", answer.text());
        Ok(answer)
    });
    let answer = answer.await?;
    answer.shown().with_context(|| asked.clone())?;
    let shown = answer.told("x-view-sequence")?;
    ensure!(shown >= sequence, "GET {asked} shows what there was at {shown}");
    Ok(answer)
}

pub async fn what_changed_leads_from_one_map_to_the_next(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, path) = (stage.seats().await?, newcomer("alice"), map_path(stage));
    let before = stage.api.get(&path).await?;
    before.shown()?;
    let (since, epoch) = (before.told("x-view-sequence")?, before.epoch()?);
    let held = stage.hold(&alice, &seat).await?;
    let sequence = number(&held, "sequence")?;
    soon(async || {
        let changes = format!("{path}?since={since}&epoch={epoch}&after={sequence}");
        let changes = stage.api.get(&changes).await?;
        exactly(changes.shown()?, ["changes", "epoch", "sequence"])?;
        let now = stage.api.get(&format!("{path}?after={sequence}")).await?;
        same("the sequence of the map", &now.shown()?["sequence"], changes.json["sequence"].clone())?;
        let mut led = statuses(&before.json)?;
        for change in list(&changes.json, "changes")? {
            let place = usize::try_from(change[0].as_u64().context("a change has no place")?)?;
            let status = change[1].as_str().context("a change has no status")?;
            *led.get_mut(place).context("the map has no such place")? = status;
        }
        ensure!(led == statuses(&now.json)?, "the changes lead to another map");
        Ok(())
    })
    .await?;
    stage.release(&alice, &seat).await
}

fn statuses(map: &Value) -> anyhow::Result<Vec<&str>> {
    list(map, "seats")?.iter().map(|seat| text(seat, "status")).collect()
}

pub async fn what_is_too_old_or_of_another_epoch_is_gone(stage: &Stage) -> anyhow::Result<()> {
    let path = map_path(stage);
    let now = stage.api.get(&path).await?;
    let (sequence, epoch) = (now.told("x-view-sequence")?, now.epoch()?);
    let other = epoch + 1;
    for query in [
        format!("since=0&epoch={epoch}"),
        format!("since={sequence}&epoch={other}"),
        format!("since={}&epoch={other}", sequence + FAR),
        format!("epoch={other}"),
    ] {
        let gone = stage.api.get(&format!("{path}?{query}")).await?;
        let detail = text(gone.refused(410, "SEQUENCE_GONE").context(query)?, "detail")?;
        ensure!(detail.contains(&path), "{detail:?} does not say where the map is");
    }
    let ahead = stage.api.get(&format!("{path}?since={}&epoch={epoch}", sequence + FAR)).await?;
    ahead.refused(503, "UNAVAILABLE")?;
    ahead.told("retry-after").map(drop)
}

pub async fn sequences_that_are_none_are_refused_by_name(stage: &Stage) -> anyhow::Result<()> {
    for query in [
        "since=-1",
        "since=one",
        "since=",
        "since=1.5",
        "since=18446744073709551616",
        "since=1&since=2",
        "after=-1",
        "after=x",
        "epoch=-1",
    ] {
        let refused = stage.api.get(&format!("{}?{query}", map_path(stage))).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST").context(query)?, "detail")?;
        let name = query.split('=').next().unwrap_or_default();
        ensure!(detail.starts_with(name), "{query}: {detail:?} does not name {name}");
    }
    Ok(())
}

pub async fn a_stream_tells_what_happens(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let map = stage.api.get(&map_path(stage)).await?;
    let place = list(map.shown()?, "seats")?.iter().position(|it| it["seatId"] == seat.as_str());
    let place = place.with_context(|| format!("{seat} is not on the map"))?;
    let mut frames = Frames::open(&stage.api, None).await?;
    let first = frames.next().await?.context("it ended")?;
    ensure!(first.event == "reset", "whoever has nothing is told {}", first.event);
    number(&first.data, "sequence")?;
    let begun = first.id.context("a reset has no id")?;
    stage.hold(&alice, &seat).await?;
    let told = frames.until(|frame| frame.names(place)).await?;
    exactly(&told.data, ["changes", "epoch", "sequence"])?;
    let (id, sequence) = (told.id.context("a change has no id")?, number(&told.data, "sequence")?);
    ensure!(id.rsplit('-').next() == Some(sequence.to_string().as_str()), "the id of {sequence} is {id}");
    let mut again = Frames::open(&stage.api, Some(&begun)).await?;
    again.until(|frame| frame.names(place)).await.with_context(|| format!("going on from {begun}"))?;
    stage.release(&alice, &seat).await
}

pub async fn an_id_that_is_none_is_refused_and_one_of_another_past_begins_anew(
    stage: &Stage,
) -> anyhow::Result<()> {
    let path = format!("/events/{}/stream", stage.api.event);
    for id in ["x", "1-", "-1", "+1", "18446744073709551616"] {
        let request = stage.api.query(&path).header("last-event-id", id);
        stage.api.send(request).await?.refused(400, "INVALID_REQUEST").context(id)?;
    }
    let map = stage.api.get(&map_path(stage)).await?;
    let (sequence, epoch) = (map.told("x-view-sequence")?, map.epoch()?);
    let ahead = sequence + FAR;
    let ahead = if epoch > 0 { format!("{epoch}-{ahead}") } else { ahead.to_string() };
    for id in [format!("{}-{sequence}", epoch + 1), ahead] {
        let first = Frames::open(&stage.api, Some(&id)).await?.next().await?.context("it ended")?;
        ensure!(first.event == "reset", "{id} is answered with {}", first.event);
    }
    let nowhere = format!("/events/{}/stream", newcomer("nowhere"));
    stage.api.get(&nowhere).await?.refused(404, "EVENT_NOT_FOUND").map(drop)
}

pub async fn a_stream_ends_with_its_show(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let event = house.api.event.clone();
    let mut frames = soon(async || Frames::open(&house.api, None).await).await?;
    house.close().await?;
    while frames.next().await.context("it goes on")?.is_some() {}
    let readers = Api::new(&admin.command, &admin.query, &event)?;
    soon(async || readers.get(&format!("/events/{event}")).await?.refused(404, "EVENT_NOT_FOUND").map(drop))
        .await
}

/// A stream as it comes.
struct Frames {
    response: reqwest::Response,
    /// What came of frames that are not told yet.
    begun: String,
}

struct Frame {
    id: Option<String>,
    event: String,
    data: Value,
}

impl Frames {
    async fn open(api: &Api, id: Option<&str>) -> anyhow::Result<Self> {
        let request = api.query(&format!("/events/{}/stream", api.event));
        let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = request.send().await?;
        ensure!(response.status().as_u16() == 200, "answered {}, not 200", response.status());
        for (name, value) in [("content-type", "text/event-stream"), ("cache-control", "no-store")] {
            let said = response.headers().get(name);
            ensure!(said.is_some_and(|said| said == value), "{name} is {said:?}, not {value}");
        }
        ensure!(response.headers().contains_key("x-view-sequence"), "no header x-view-sequence");
        Ok(Self { response, begun: String::new() })
    }

    /// The next frame; none where the stream has ended.
    async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            while let Some((whole, rest)) = self.begun.split_once("\n\n") {
                let (frame, rest) = (Frame::of(whole)?, rest.to_owned());
                self.begun = rest;
                if frame.is_some() {
                    return Ok(frame);
                }
            }
            match self.response.chunk().await? {
                Some(more) => self.begun.push_str(std::str::from_utf8(&more)?),
                None => return Ok(None),
            }
        }
    }

    /// The first frame that is what is waited for.
    async fn until(&mut self, is_it: impl Fn(&Frame) -> bool) -> anyhow::Result<Frame> {
        while let Some(frame) = self.next().await? {
            if is_it(&frame) {
                return Ok(frame);
            }
        }
        bail!("the stream ended")
    }
}

impl Frame {
    /// A frame; none where it says nothing, as a heartbeat does.
    fn of(text: &str) -> anyhow::Result<Option<Self>> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let Some(event) = field("event: ") else { return Ok(None) };
        let data = serde_json::from_str(field("data: ").context("a frame has no data")?)?;
        Ok(Some(Self { id: field("id: ").map(str::to_owned), event: event.to_owned(), data }))
    }

    /// Whether it says what the seat at a place is now.
    fn names(&self, place: usize) -> bool {
        let mut changes = self.data["changes"].as_array().into_iter().flatten();
        self.event == "changes" && changes.any(|change| change[0] == place)
    }
}

fn map_path(stage: &Stage) -> String {
    format!("/events/{}/seats", stage.api.event)
}
