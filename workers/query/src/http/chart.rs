//! `GET /events/{eventId}/chart`: what does not change while seats are sold; under its hash it may be kept for ever.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::SeatingEventId;
use boxoffice_domain::definition::{Layout, Point, PriceCategory};
use boxoffice_runtime::http::negotiate::{BROTLI, GZIP, coding};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::Knowledge;
use super::charts::brotli;
use super::headers::Headers;
use super::pieces::body;
use super::viewed::{PATIENCE, Viewed};
use crate::openapi::{OfChart, SEAT_MAPS};
use crate::view::forms::gzip::{deflate, member};
use crate::view::tag::Tag;

/// The hash of the chart that there is now, where another one was asked for.
const CHART_HASH: HeaderName = HeaderName::from_static("x-chart-hash");

/// What of a chart is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The chart with this hash and no other: its answer may be kept for a year.
    #[param(example = "11462561e8680652")]
    hash: Option<String>,
    /// Waits, for at most two seconds, until the domain event with this sequence was taken in.
    #[param(example = 1)]
    after: Option<u64>,
}

/// A chart. Seats count from 0 through all sections and rows in this order: that is a seat's place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chart)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChartBody {
    /// Fingerprint of all that is here.
    chart_hash: String,
    /// Fingerprint of which seats there are, in which order: what places mean.
    seats_hash: String,
    /// The stage, towards which the best seats are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Point>)]
    focal_point: Option<Point>,
    /// Prices.
    #[schema(value_type = Vec<schemas::PriceCategory>)]
    price_categories: Vec<PriceCategory>,
    /// In the order of the chart.
    sections: Vec<SectionBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChartSection)]
#[serde(rename_all = "camelCase")]
struct SectionBody {
    /// Its id.
    section_id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The name of its price category.
    price_category: String,
    /// Of an area whose units are all alike, how many there are: their numbers count from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
    /// Where it stands on the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Layout>)]
    layout: Option<Layout>,
    /// Its rows, in order; none of an area. A row that is described in several pieces comes as often.
    rows: Vec<RowBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChartRow)]
#[serde(rename_all = "camelCase")]
struct RowBody {
    /// Its name.
    row: String,
    /// Numbers of its seats, in order.
    seats: Vec<String>,
    /// Which of these (the first is 0) are no neighbours of the one before: behind an aisle or a gap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    breaks: Vec<usize>,
    /// Whether the first of these is the neighbour of the last seat that an earlier piece gave the row; absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    continues: bool,
}

/// Show a chart
///
/// Sections, rows, seats and prices: what a map is drawn from, and what the places of the packed form, of changes and of streams
/// mean. With `hash` the answer never changes; where the chart is another one by now, that is 404 and `x-chart-hash` says which.
#[utoipa::path(
    get,
    path = "/events/{eventId}/chart",
    operation_id = "showChart",
    tag = SEAT_MAPS,
    params(OfEvent, Asked),
    responses(
        (
            status = 200,
            description = "The chart.",
            body = ChartBody,
            example = json!({
                "chartHash": "11462561e8680652",
                "seatsHash": "a80070a2ca733e3e",
                "focalPoint": {"x": 0.0, "y": -4.0},
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [
                    {
                        "sectionId": "A",
                        "priceCategory": "gold",
                        "layout": {"x": 0.0, "y": 2.0, "angle": 0.0},
                        "rows": [{"row": "1", "seats": ["1", "2", "3"]}]
                    },
                    {"sectionId": "FLOOR", "priceCategory": "gold", "capacity": 200, "rows": []}
                ]
            })
        ),
        OfChart
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(Asked { hash, after }): Query<Asked>,
    Headers(headers): Headers,
) -> Result<Response, Problem> {
    let live = known.event_after(&event, after).await?;
    if let Some(hash) = &hash {
        if is_fingerprint(hash) {
            // It may be one that this replica does not know yet.
            drop(timeout(PATIENCE, known.views.holds(|| *live.hashes().chart == **hash)).await);
        }
        let current = live.hashes().chart;
        if *current != **hash {
            let Tag { sequence, epoch, .. } = live.tag();
            let (age, answer) = (known.age.of(live.partition()), another(&current));
            return Ok(Viewed { sequence, epoch, age, answer }.into_response());
        }
    }
    let coding = Coding::taken(&headers);
    let current = live.hashes().chart;
    let (sequence, epoch, definition, chart) =
        live.read(|map| (map.sequence, map.epoch, map.definition.clone(), map.chart().clone()));
    let kept = if coding == Coding::Brotli { known.charts.get(&current) } else { None };
    let (own, pieces) = if let Some(kept) = kept {
        (current.to_string(), vec![kept])
    } else {
        let charts = Arc::clone(&known.charts);
        let made = spawn_blocking(move || {
            let chart = ChartBody::of(&definition, &chart);
            let pieces = coding.pieces(serde_json::to_vec(&chart).unwrap_or_default());
            if let (Coding::Brotli, [piece]) = (coding, pieces.as_slice()) {
                charts.keep(&chart.chart_hash, piece);
            }
            (chart.chart_hash, pieces)
        });
        made.await
            .map_err(|error| Problem::unavailable("the worker is shutting down").because(error.to_string()))?
    };
    // Without a hash whoever asks wants the one that there is.
    let kept = if hash == Some(own) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let answer = (
        [(header::CACHE_CONTROL, kept), (header::VARY, "accept-encoding")],
        coding.name().map(|name| [(header::CONTENT_ENCODING, name)]),
        [(header::CONTENT_TYPE, "application/json")],
        body(pieces),
    );
    Ok(Viewed { sequence, epoch, age: known.age.of(live.partition()), answer }.into_response())
}

/// Whether a chart may have this hash: others are not waited for.
fn is_fingerprint(hash: &str) -> bool {
    hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a chart is compressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
    Brotli,
}

impl Coding {
    /// The best one that the client takes.
    fn taken(headers: &HeaderMap) -> Self {
        match coding(headers, [BROTLI, GZIP]) {
            Some(BROTLI) => Self::Brotli,
            Some(_) => Self::Gzip,
            None => Self::Plain,
        }
    }

    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some(GZIP),
            Self::Brotli => Some(BROTLI),
        }
    }

    fn pieces(self, json: Vec<u8>) -> Vec<Bytes> {
        match self {
            Self::Plain => vec![json.into()],
            Self::Gzip => member([&deflate(&json)]),
            Self::Brotli => vec![brotli(&json)],
        }
    }
}

/// The chart is another one.
fn another(current: &str) -> Response {
    let detail = format!("hash: the chart is {current} now: ask for that");
    let problem = Problem::new(StatusCode::NOT_FOUND, code::NOT_FOUND, detail);
    let mut response = ([(header::CACHE_CONTROL, "no-store")], problem).into_response();
    if let Ok(value) = HeaderValue::from_str(current) {
        response.headers_mut().insert(CHART_HASH, value);
    }
    response
}

impl ChartBody {
    fn of(definition: &boxoffice_domain::Definition, chart: &boxoffice_domain::Chart) -> Self {
        let sections = definition.sections.iter().map(|section| SectionBody {
            section_id: section.id.clone(),
            title: section.title.clone(),
            price_category: section.price_category.clone(),
            capacity: section.capacity,
            layout: section.layout,
            rows: vec![],
        });
        let mut sections: Vec<_> = sections.collect();
        for row in chart.rows() {
            let section = &mut sections[row.section()];
            if section.capacity.is_some() {
                continue;
            }
            let first = row.places().start;
            let pieces: Vec<_> = row.pieces().collect();
            section.rows.push(RowBody {
                row: row.name().to_owned(),
                seats: row.numbers().map(std::borrow::Cow::into_owned).collect(),
                breaks: pieces.iter().skip(1).map(|(places, _)| places.start - first).collect(),
                continues: pieces.first().is_some_and(|(_, continues)| *continues),
            });
        }
        Self {
            chart_hash: definition.chart_hash(),
            seats_hash: definition.seats_hash(),
            focal_point: definition.focal_point,
            price_categories: definition.price_categories.clone(),
            sections,
        }
    }
}
