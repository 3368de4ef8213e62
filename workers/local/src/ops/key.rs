//! The key in the address that is printed: it lets one browser in, once, and becomes a cookie that no page of another site has
//! sent along and no script can read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use boxoffice_runtime::http::Problem;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The page.
pub(super) const PAGE: &str = "/ops";

/// What lets in.
pub(super) struct Keys {
    /// Cookies are shared by all ports of a host, so each port has a name of its own.
    cookie: String,
    session: String,
    /// Gone when it was used.
    one_time_key: Mutex<Option<String>>,
}

impl Keys {
    /// New ones, of a port.
    pub(super) fn new(port: u16) -> Self {
        Self {
            cookie: format!("boxoffice-ops-{port}"),
            session: secret(),
            one_time_key: Mutex::new(Some(secret())),
        }
    }

    /// The address that works once.
    pub(super) fn address(&self, addr: SocketAddr) -> String {
        let key = self.one_time_key.lock().unwrap_or_else(PoisonError::into_inner);
        format!("http://{addr}{PAGE}?key={}", key.as_deref().unwrap_or_default())
    }

    /// Whether the request comes from the browser that was let in.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        cookies.any(|(name, value)| name == self.cookie && same(value, &self.session))
    }

    /// Whether the address has the key, which then is used up.
    fn redeem(&self, uri: &Uri) -> bool {
        let shown = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
        let mut key = self.one_time_key.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = shown.zip(key.as_deref()).is_some_and(|(shown, key)| same(shown, key));
        if fits {
            *key = None;
        }
        fits
    }
}

/// 244 bits that nobody guesses.
fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Compares in a time that tells nothing about where the difference is.
fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Lets in whoever has the cookie, and gives it to whoever has the key.
pub(super) async fn admit(
    State(keys): State<Arc<Keys>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let opens = request.uri().path() == PAGE && request.uri().query().is_some();
    if keys.knows(request.headers()) {
        // The key does not stay in the address, where it would be seen.
        return Ok(if opens { Redirect::to(PAGE).into_response() } else { next.run(request).await });
    }
    if !opens || !keys.redeem(request.uri()) {
        return Err(Problem::unauthenticated(
            "this browser has no key: open the address that boxoffice ops printed; it works once, so start it again for \
             another browser",
        ));
    }
    let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", keys.cookie, keys.session);
    let headers: [(HeaderName, String); 3] = [
        (SET_COOKIE, cookie),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((headers, Redirect::to(PAGE)).into_response())
}
