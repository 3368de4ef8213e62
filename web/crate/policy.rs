//! What a page may do in a browser: load and ask for what comes from its own origin, and nothing else.

use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::response::Response;
use url::Url;

use crate::asset::set;

/// What all pages have in common: nothing inline, in no frame, and no way out.
const PAGE: &str = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; connect-src 'self'";

/// The viewer of the API's document needs even less, as `web/docs.html` says.
const DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A content security policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy(String);

impl Policy {
    /// Of a page that sends commands to `command_url`, where that is not its own origin.
    pub(crate) fn of_page(command_url: Option<&str>) -> Self {
        let elsewhere = command_url.and_then(|url| Url::parse(url).ok()).map(|url| url.origin());
        Self(match elsewhere.filter(url::Origin::is_tuple) {
            Some(origin) => format!("{PAGE} {}", origin.ascii_serialization()),
            None => PAGE.to_owned(),
        })
    }

    /// Of the API's page.
    pub(crate) fn of_docs() -> Self {
        Self(DOCS.to_owned())
    }

    /// The answer with it.
    pub(crate) fn on(&self, mut response: Response) -> Response {
        set(&mut response, CONTENT_SECURITY_POLICY, &self.0);
        set(&mut response, REFERRER_POLICY, "same-origin");
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_ask_its_own_origin_and_the_one_that_takes_commands() {
        let may_ask = |command_url: Option<&str>| {
            let Policy(text) = Policy::of_page(command_url);
            text.rsplit_once("connect-src ").unwrap().1.to_owned()
        };
        assert_eq!(may_ask(None), "'self'");
        assert_eq!(may_ask(Some("https://tickets.example.com/sales")), "'self' https://tickets.example.com");
        assert_eq!(may_ask(Some("http://[::1]:8080")), "'self' http://[::1]:8080");
        for none in ["tickets.example.com", "data:text/html,x", "https://a;script-src *"] {
            assert_eq!(may_ask(Some(none)), "'self'", "{none}");
        }
    }

    #[test]
    fn no_page_runs_what_is_inline() {
        for Policy(text) in [Policy::of_page(None), Policy::of_docs()] {
            let scripts = text.split(';').find(|part| part.trim().starts_with("script-src"));
            let scripts =
                scripts.or_else(|| text.split(';').find(|part| part.trim().starts_with("default-src")));
            assert!(scripts.unwrap().ends_with("'self'"), "{text}");
            assert!(text.contains("frame-ancestors 'none'"), "{text}");
        }
    }
}
