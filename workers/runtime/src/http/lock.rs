//! Who may call a port of this machine that asks for no password: its own pages, and programs. Loopback keeps other machines
//! out and no web site: any page that somebody looks at can have the browser send requests here.
//!
//! A [`Lock`] refuses what names another host than the one that is listened on (so that a name of somebody else's that leads
//! here is none of ours), and what a page of another site sends. Programs send neither `Origin` nor `Sec-Fetch-Site`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::code;
use super::context::{CORRELATION_ID, RequestContext, sole};
use super::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What a browser says of requests of a page of the same origin, and of what somebody typed.
const OWN: [&str; 2] = ["same-origin", "none"];
/// Where operators act: never for a page of another origin, whoever is allowed to look.
const OPERATORS: &str = "/admin";

/// What a port is called, and whose pages may call it.
#[derive(Debug, Clone)]
pub struct Lock(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    addr: SocketAddr,
    names: Vec<String>,
    origins: Vec<HeaderValue>,
}

impl Lock {
    /// Of a port at `addr`, which others may know by `names` as well.
    pub fn of(addr: SocketAddr, names: &[String]) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self(Arc::new(Rules { addr, names, origins: vec![] }))
    }

    /// The same with pages of these origins, which may do what buyers may.
    #[must_use]
    pub fn admitting(&self, origins: Vec<HeaderValue>) -> Self {
        let Rules { addr, names, origins: _ } = &*self.0;
        Self(Arc::new(Rules { addr: *addr, names: names.clone(), origins }))
    }
}

impl Rules {
    /// What is wrong with a request, for whoever sent it.
    fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let named = sole(headers, &header::HOST)?;
        let hosts: Vec<_> = uri.authority().map(Authority::as_str).into_iter().chain(named).collect();
        if hosts.is_empty() || !hosts.iter().all(|host| self.is_ours(host)) {
            let named = hosts.first().copied().unwrap_or("none");
            return Err(refused(format!(
                "host: {named} is not where this process listens: use http://{}, or name it with --host",
                self.addr
            )));
        }
        let origin = headers.get(header::ORIGIN);
        let is_guest = origin.is_some_and(|origin| self.origins.contains(origin));
        if is_guest && !is_for_operators(uri.path()) {
            return Ok(());
        }
        if let Some(origin) = origin
            && !origin.to_str().is_ok_and(|origin| self.is_own_origin(origin, &hosts))
        {
            return Err(refused(format!(
                "origin: pages of {} may not call this process: buyers' pages are named in spec.web.allowOrigins, \
                 operators' ones nowhere",
                String::from_utf8_lossy(origin.as_bytes())
            )));
        }
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
        if !sites.all(|site| OWN.iter().any(|own| site == own)) {
            return Err(refused(
                "sec-fetch-site: a page of another site led here: open the address by itself".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether the text (`host:port`) is how this port is called.
    fn is_ours(&self, text: &str) -> bool {
        let Ok(authority) = text.parse::<Authority>() else { return false };
        let host = authority.host().to_ascii_lowercase();
        if text.contains('@') {
            return false;
        }
        // The port of a name that was given may be another machine's, which sends on to this one.
        self.names.contains(&host)
            || authority.port_u16().unwrap_or(80) == self.addr.port() && self.is_address(&host)
    }

    /// Nobody else can have a name of these: they are no names that somebody could have lead here.
    fn is_address(&self, host: &str) -> bool {
        let mine = self.addr.ip();
        is_loopback(host) || address(host).is_some_and(|address| address == mine || mine.is_unspecified())
    }

    /// Whether a page of this origin, which calls here by one of `hosts`, is one of this process. An address is one of its own
    /// where it is the one that was called by: to a port that is open to a network, any other is another machine's.
    fn is_own_origin(&self, origin: &str, hosts: &[&str]) -> bool {
        let Some((scheme @ ("http" | "https"), host)) = origin.split_once("://") else { return false };
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().to_ascii_lowercase();
        let is_called_so = hosts.iter().any(|called| called.eq_ignore_ascii_case(host));
        if self.names.contains(&name) {
            // Perhaps by somebody's proxy. Its other ports have pages of others.
            return is_called_so || authority.port_u16().is_none_or(|port| port == self.addr.port());
        }
        scheme == "http" && self.is_ours(host) && (is_called_so || is_loopback(&name))
    }
}

/// Whether a host, as URLs spell it, leads nowhere but to the machine that is asked.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_for_operators(path: &str) -> bool {
    path.strip_prefix(OPERATORS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refused(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code::ORIGIN_REFUSED, detail)
}

/// `routes`, all of them, for whoever the lock lets in.
pub fn locked(routes: Router, lock: Lock) -> Router {
    routes.layer(from_fn_with_state(lock, check))
}

async fn check(State(Lock(rules)): State<Lock>, request: Request, next: Next) -> Response {
    let Err(problem) = rules.refusal(request.uri(), request.headers()) else {
        return next.run(request).await;
    };
    let chain = RequestContext::of(request.headers()).unwrap_or_else(|_| RequestContext::begun_here());
    let mut response = problem.render(&chain.correlation);
    if let Ok(value) = HeaderValue::from_str(chain.correlation.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    const GUEST: &str = "https://www.example.com";

    /// The status of a request with these headers.
    async fn asked(lock: &Lock, path: &str, headers: &[(&str, &str)]) -> u16 {
        let routes = Router::new().route("/", get(|| async {})).route("/admin/events", get(|| async {}));
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        let answer =
            locked(routes, lock.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        answer.status().as_u16()
    }

    fn lock(addr: &str, names: &[&str]) -> Lock {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Lock::of(addr.parse().unwrap(), &names).admitting(vec![HeaderValue::from_static(GUEST)])
    }

    #[tokio::test]
    async fn a_port_answers_to_its_own_names_alone() {
        let loopback = lock("127.0.0.1:8080", &[]);
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"] {
            assert_eq!(asked(&loopback, "/", &[("host", host)]).await, 200, "{host}");
        }
        for host in [
            "evil.example.com:8080",
            "localhost",
            "localhost:8081",
            "localhost.evil.example.com:8080",
            "127.0.0.1.nip.io:8080",
            "localhost:8080@evil.example.com",
            "me@localhost:8080",
            "192.168.1.5:8080",
            "localhost.:8080",
            "0.0.0.0:8080",
            "[::ffff:192.168.1.5]:8080",
            "",
        ] {
            assert_eq!(asked(&loopback, "/", &[("host", host)]).await, 403, "{host}");
        }
        assert_eq!(asked(&loopback, "/", &[]).await, 403, "no host");
        let twice = [("host", "localhost:8080"), ("host", "evil.example.com")];
        assert_eq!(asked(&loopback, "/", &twice).await, 400);
        let both = [("host", "localhost:8080")];
        assert_eq!(asked(&loopback, "http://evil.example.com:8080/", &both).await, 403);
        assert_eq!(asked(&lock("127.0.0.1:80", &[]), "/", &[("host", "localhost")]).await, 200);
    }

    #[tokio::test]
    async fn an_open_port_answers_to_addresses_and_to_the_names_that_it_was_given() {
        let open = lock("0.0.0.0:8080", &["Tickets.local"]);
        for host in
            ["192.168.1.5:8080", "0.0.0.0:8080", "localhost:8080", "tickets.local:8080", "tickets.local"]
        {
            assert_eq!(asked(&open, "/", &[("host", host)]).await, 200, "{host}");
        }
        assert_eq!(asked(&open, "/", &[("host", "evil.example.com:8080")]).await, 403);
        let behind = [("host", "tickets.local"), ("origin", "https://tickets.local")];
        assert_eq!(asked(&open, "/", &behind).await, 200);
        for (host, origin, status) in [
            ("192.168.1.5:8080", "http://192.168.1.5:8080", 200),
            ("[fd00::5]:8080", "http://[fd00::5]:8080", 200),
            ("192.168.1.5:8080", "http://6.6.6.6:8080", 403),
            ("localhost:8080", "http://6.6.6.6:8080", 403),
            ("192.168.1.5:8080", "http://192.168.1.5", 403),
            ("tickets.local", "http://tickets.local:3000", 403),
            ("tickets.local:3000", "http://tickets.local:3000", 200),
            ("127.0.0.1:8080", "https://tickets.local", 200),
            ("tickets.local", "ftp://tickets.local", 403),
        ] {
            let sent = [("host", host), ("origin", origin)];
            assert_eq!(asked(&open, "/", &sent).await, status, "{host} {origin}");
        }
        let one = lock("192.168.1.5:8080", &[]);
        assert_eq!(asked(&one, "/", &[("host", "192.168.1.5:8080")]).await, 200);
        assert_eq!(asked(&one, "/", &[("host", "192.168.1.6:8080")]).await, 403);
    }

    #[tokio::test]
    async fn a_page_of_another_site_is_refused() {
        let lock = lock("127.0.0.1:8080", &[]);
        let own = ("host", "127.0.0.1:8080");
        for (sent, status) in [
            (("origin", "http://127.0.0.1:8080"), 200),
            (("origin", "http://localhost:8080"), 200),
            (("origin", "http://[::1]:8080"), 200),
            (("origin", "https://localhost:8080"), 403),
            (("origin", "http://localhost:3000"), 403),
            (("origin", "https://evil.example.com"), 403),
            (("origin", "null"), 403),
            (("origin", "file://"), 403),
            (("sec-fetch-site", "same-origin"), 200),
            (("sec-fetch-site", "none"), 200),
            (("sec-fetch-site", "same-site"), 403),
            (("sec-fetch-site", "cross-site"), 403),
            (("sec-fetch-site", "whatever"), 403),
        ] {
            assert_eq!(asked(&lock, "/", &[own, sent]).await, status, "{sent:?}");
        }
        let hidden = [own, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")];
        assert_eq!(asked(&lock, "/", &hidden).await, 403);
    }

    #[tokio::test]
    async fn a_page_that_is_allowed_does_what_buyers_do() {
        let lock = lock("127.0.0.1:8080", &[]);
        let guest = [("host", "127.0.0.1:8080"), ("origin", GUEST), ("sec-fetch-site", "cross-site")];
        assert_eq!(asked(&lock, "/", &guest).await, 200);
        assert_eq!(asked(&lock, "/administration", &guest).await, 404);
        for path in ["/admin/events", "/admin", "/admin/anything"] {
            assert_eq!(asked(&lock, path, &guest).await, 403, "{path}");
        }
    }
}
