//! From the resource to the definition that the command worker takes. Pure; `boxoffice plan` and `boxoffice local`
//! share it (I11).

use boxoffice_crds::common::Time;
use boxoffice_crds::seating_event::{self as resource, SeatingEventSpec};
use boxoffice_domain::Definition;
use boxoffice_domain::definition as domain;

/// The definition of the show. Ranges stay ranges.
pub fn build(spec: &SeatingEventSpec) -> Definition {
    Definition {
        title: spec.title.clone(),
        starts_at: millis(&spec.starts_at),
        sales: domain::Sales {
            opens_at: spec.sales.opens_at.as_ref().map(millis),
            closes_at: spec.sales.closes_at.as_ref().map(millis),
            cancel_until: spec.sales.cancel_until.as_ref().map(millis),
            paused: spec.sales.paused,
        },
        hold: domain::HoldPolicy {
            ttl_seconds: spec.hold.ttl_seconds,
            max_seconds: spec.hold.max_seconds,
            no_single_seat_gaps: match spec.hold.no_single_seat_gaps {
                resource::GapPolicy::Off => domain::GapPolicy::Off,
                resource::GapPolicy::Prefer => domain::GapPolicy::Prefer,
                resource::GapPolicy::Enforce => domain::GapPolicy::Enforce,
            },
        },
        focal_point: spec.focal_point.map(|resource::Point { x, y }| domain::Point { x, y }),
        limits: domain::Limits { seats_per_user: spec.limits.seats_per_user },
        price_categories: spec.price_categories.iter().map(price_category).collect(),
        sections: spec.sections.iter().map(section).collect(),
        blocked: spec.blocked.iter().map(blocked).collect(),
    }
}

fn price_category(category: &resource::PriceCategory) -> domain::PriceCategory {
    let resource::PriceCategory { name, amount, currency } = category.clone();
    domain::PriceCategory { name, amount, currency }
}

fn section(section: &resource::Section) -> domain::Section {
    let resource::Section { id, title, price_category, rows, capacity, layout } = section.clone();
    let rows = rows.into_iter().map(|resource::Rows { row, rows, seats }| domain::Rows { row, rows, seats });
    let layout = layout.map(|resource::Layout { x, y, angle }| domain::Layout { x, y, angle });
    domain::Section { id, title, price_category, rows: rows.collect(), capacity, layout }
}

fn blocked(blocked: &resource::Blocked) -> domain::Blocked {
    let resource::Blocked { seats, reason } = blocked.clone();
    domain::Blocked { seats, reason }
}

/// A time before 1970 counts as 1970.
fn millis(time: &Time) -> u64 {
    u64::try_from(time.0.as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::arena_night;
    use serde_json::json;

    #[test]
    fn what_a_resource_may_leave_out_is_passed_on() {
        let mut event = arena_night();
        event.spec.sales.cancel_until = Some("2099-02-28T00:00:00Z".parse().map(Time).unwrap());
        event.spec.sections[0].title = Some("Loge Süd".into());
        let definition = build(&event.spec);
        assert_eq!(definition.cancel_until(), 4_075_920_000_000);
        assert_eq!(definition.sections[0].title.as_deref(), Some("Loge Süd"));
        assert_eq!(
            build(&arena_night().spec).cancel_until(),
            definition.starts_at,
            "left out: when it begins"
        );
    }

    #[test]
    fn the_definition_says_what_the_resource_says_in_milliseconds() {
        let definition = serde_json::to_value(build(&arena_night().spec)).unwrap();
        assert_eq!(
            definition,
            json!({
                "title": "Arena Night",
                "startsAt": 4_076_078_400_000_u64,
                "sales": {"opensAt": 1_793_527_200_000_u64, "paused": false},
                "hold": {"ttlSeconds": 300, "maxSeconds": 900, "noSingleSeatGaps": "prefer"},
                "limits": {"seatsPerUser": 8},
                "priceCategories": [{"name": "gold", "amount": 12000, "currency": "EUR"}],
                "sections": [
                    {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-20"}, {"rows": "2-3", "seats": "1-39/2"}]},
                    {"id": "FLOOR", "priceCategory": "gold", "capacity": 200},
                ],
                "blocked": [{"seats": ["A-1-1"], "reason": "camera"}],
            })
        );
    }
}
