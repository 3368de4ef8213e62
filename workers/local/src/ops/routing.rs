//! Which worker answers a request of the operators' page. Pure.

use axum::http::Method;

/// A port of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// What everybody may read: the query worker's.
    Queries,
    /// What operators read: the query worker's admin port.
    Figures,
    /// What operators do: the command worker's admin port.
    Admin,
}

/// Who answers, if anybody: nobody buys here, and nobody is a buyer.
pub(super) fn behind(method: &Method, path: &str) -> Option<Behind> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["admin", "trace", _]
        | ["admin", "events", _, "stats" | "curve"]
        | ["admin", "orders" | "payments"]
            if is_read =>
        {
            Some(Behind::Figures)
        }
        ["admin", ..] => Some(Behind::Admin),
        ["events" | "seats" | "problems", ..] | ["web.json"] if is_read => Some(Behind::Queries),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_goes_to_who_answers_it() {
        use Behind::{Admin, Figures, Queries};
        for (method, path, expected) in [
            ("GET", "/events", Some(Queries)),
            ("HEAD", "/events/arena/seats", Some(Queries)),
            ("GET", "/events/arena/stream", Some(Queries)),
            ("GET", "/seats/arena.A-1-1", Some(Queries)),
            ("GET", "/web.json", Some(Queries)),
            ("GET", "/admin/orders", Some(Figures)),
            ("GET", "/admin/payments", Some(Figures)),
            ("GET", "/admin/trace/c-1", Some(Figures)),
            ("GET", "/admin/events/arena/stats", Some(Figures)),
            ("GET", "/admin/events/arena/curve", Some(Figures)),
            ("GET", "/admin/events", Some(Admin)),
            ("GET", "/admin/events/arena", Some(Admin)),
            ("GET", "/admin/outbox", Some(Admin)),
            ("POST", "/admin/events/arena/blocks", Some(Admin)),
            ("POST", "/admin/orders", Some(Admin)),
            ("DELETE", "/admin/holds/arena.x", Some(Admin)),
            ("POST", "/events/arena/holds", None),
            ("DELETE", "/reservations/arena.x", None),
            ("GET", "/holds/arena.x", None),
            ("GET", "/users/alice/reservations", None),
            ("GET", "/trace/c-1", None),
            ("GET", "/administration", None),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(behind(&method, path), expected, "{method} {path}");
        }
    }
}
