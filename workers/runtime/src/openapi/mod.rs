//! The OpenAPI documents of the workers, made from their handlers, and the pages that show them.
//!
//! Handlers carry `#[utoipa::path]` and are registered by `routes!`, so a route and its description cannot part. A
//! worker begins with [`about`], hands over what its router collected to [`complete`], which adds what is true of every
//! route, and serves the result by [`pages::routes`]. [`schemas`] are the domain's types, [`params`] the ids in paths,
//! [`problems`] the answers when something is refused, [`links`] where what was answered leads. What a document says is
//! held to what a worker does by `testing`, example by example.

pub mod schemas;

pub mod params;

mod problems;

mod links;

pub mod pages;

use std::collections::HashSet;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, Header, InfoBuilder, LicenseBuilder, OneOf, OpenApi, OpenApiBuilder, Paths, Ref,
    RefOr, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::http::code;
pub use problems::responses as problem_responses;

/// Components that [`complete`] refers to.
const CORRELATION_ID: &str = "CorrelationId";
const RETRY_AFTER: &str = "RetryAfter";

/// A document without routes: what it is about, and its tags with what they stand for, in reading order.
pub fn about(title: &str, description: &str, tags: &[(&str, &str)]) -> OpenApi {
    let tags = tags
        .iter()
        .map(|(name, description)| TagBuilder::new().name(*name).description(Some(*description)).build());
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title(title)
        .description(Some(description))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(license));
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

/// The document with what is true of every route: the correlation id on the way in and out, limits of bodies, and when
/// to come again; and with the components that all of this refers to.
pub fn complete(mut document: OpenApi) -> OpenApi {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let correlation = Ref::new(format!("#/components/parameters/{CORRELATION_ID}"));
        operation.parameters.get_or_insert_default().push(RefOr::Ref(correlation));
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.content.values_mut().for_each(not_null);
            let (status, too_large) = problems::of_bodies();
            operation.responses.responses.insert(status, too_large);
        }
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            let mut header = |name: &str, component: &str| {
                let component = Ref::new(format!("#/components/headers/{component}"));
                response.headers.insert(name.to_owned(), RefOr::Ref(component));
            };
            header(crate::http::CORRELATION_ID.as_str(), CORRELATION_ID);
            if problems::may_be_retried(status) {
                header("retry-after", RETRY_AFTER);
            }
        }
    }
    let ids = ids_in(&document.paths);
    let components = document.components.get_or_insert_default();
    components.schemas.extend(ids);
    add_shared(components);
    links::add(&mut document);
    document
}

/// One document of the routes of two, for a process that answers both.
#[must_use]
pub fn together(title: &str, mut one: OpenApi, mut other: OpenApi) -> OpenApi {
    title.clone_into(&mut one.info.title);
    if let (Some(to), Some(from)) = (&mut one.components, &mut other.components) {
        to.examples.append(&mut from.examples);
    }
    let mut both = one.merge_from(other);
    links::add(&mut both);
    both
}

/// The document as it is served and checked in.
pub fn text(document: &OpenApi) -> String {
    // It is made of strings, numbers and maps with strings for keys, which JSON can always say.
    document.to_pretty_json().map(|json| json + "\n").unwrap_or_default()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().filter_map(Option::as_mut)
}

/// The ids that parameters refer to.
fn ids_in(paths: &Paths) -> Vec<(String, RefOr<Schema>)> {
    let operations = paths.paths.values().flat_map(|it| [&it.get, &it.put, &it.post, &it.delete]).flatten();
    let parameters = operations.flat_map(|it| it.parameters.iter().flatten());
    let used: HashSet<&str> = parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(Parameter { schema: Some(RefOr::Ref(schema)), .. }) => Some(&*schema.ref_location),
            _ => None,
        })
        .collect();
    let mut known = vec![];
    schemas::SeatingEventId::schemas(&mut known);
    schemas::SeatId::schemas(&mut known);
    schemas::HoldId::schemas(&mut known);
    schemas::ReservationId::schemas(&mut known);
    schemas::UserId::schemas(&mut known);
    schemas::CorrelationId::schemas(&mut known);
    known.retain(|(name, _)| used.contains(&*Ref::from_schema_name(name).ref_location));
    known
}

/// A body that may be left out is not one that may be null, which is how it is collected.
fn not_null(content: &mut RefOr<Content>) {
    let RefOr::T(Content { schema, .. }) = content else { return };
    if let Some(RefOr::T(Schema::OneOf(OneOf { items, .. }))) = schema
        && let [body @ RefOr::Ref(_), _] = items.as_slice()
    {
        *schema = Some(body.clone());
    }
}

fn add_shared(components: &mut Components) {
    components.schemas.insert(problems::Body::name().into(), problems::Body::schema());
    let mut needed = vec![];
    problems::Body::schemas(&mut needed);
    components.schemas.extend(needed);
    components.examples.extend(code::ALL.iter().map(|code| problems::example(*code)));
    components.parameters.insert(CORRELATION_ID.into(), RefOr::T(params::correlation_id()));
    let description = "The chain that the request belongs to: the one that it named, or a new one.";
    let correlation = HeaderBuilder::new().schema(Some(schemas::CorrelationId::reference()));
    components.headers.insert(CORRELATION_ID.into(), described(correlation.build(), description));
    let retry_after = described(Header::new(u32::schema()), "Seconds after which to send the request again.");
    components.headers.insert(RETRY_AFTER.into(), retry_after);
}

fn described(mut header: Header, description: &str) -> RefOr<Header> {
    header.description = Some(description.to_owned());
    RefOr::T(header)
}
