use std::io::Read;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use boxoffice_runtime::http::{HttpLayer, service};
use flate2::read::GzDecoder;
use prometheus_client::registry::Registry;
use tower::ServiceExt;

use crate::asset::{Asset, EVERYTHING, OF_DOCS, find};
use crate::{of_command, of_one_process, of_operators, of_query};

const GZIPPED: &[u8] = &[0x1f, 0x8b];

static SCRIPT: Asset = Asset {
    path: "assets/app-abc.js",
    content_type: "text/javascript; charset=utf-8",
    hashed: true,
    tag: "t1",
    plain: b"plain",
    gzip: Some(GZIPPED),
    brotli: Some(b"br"),
};

static PAGE: Asset = Asset { hashed: false, gzip: None, brotli: None, ..SCRIPT };

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 26).await.unwrap().to_vec()
}

async fn call(routes: Router, method: Method, path: &str, sent: &[(&'static str, &str)]) -> Response<Body> {
    let service = service(routes, HttpLayer::new(&mut Registry::default()));
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    request.headers_mut().extend(headers(sent));
    service.oneshot(request).await.unwrap()
}

async fn get(routes: Router, path: &str) -> Response<Body> {
    call(routes, Method::GET, path, &[]).await
}

#[tokio::test]
async fn a_file_is_sent_in_the_smallest_form_that_is_taken() {
    for (offer, coding, body, tag) in [
        ("gzip, deflate, br", Some("br"), &b"br"[..], "\"t1-br\""),
        ("gzip", Some("gzip"), GZIPPED, "\"t1-gzip\""),
        ("*", Some("gzip"), GZIPPED, "\"t1-gzip\""),
        ("br;q=0, gzip", Some("gzip"), GZIPPED, "\"t1-gzip\""),
        ("br;q=0.5, gzip", Some("gzip"), GZIPPED, "\"t1-gzip\""),
        ("identity", None, b"plain", "\"t1\""),
        ("identity, gzip;q=0.5", None, b"plain", "\"t1\""),
    ] {
        let answer = SCRIPT.answer(&headers(&[("accept-encoding", offer)]));
        let sent = answer.headers().clone();
        assert_eq!(sent.get("content-encoding").map(|it| it.to_str().unwrap()), coding, "{offer}");
        assert_eq!(
            (&sent["etag"], &sent["vary"]),
            (&tag.parse::<axum::http::HeaderValue>().unwrap(), &"accept-encoding".parse().unwrap())
        );
        assert_eq!(bytes(answer).await, body, "{offer}");
    }
}

#[test]
fn a_file_that_the_client_has_is_not_sent_again() {
    for (known, status) in [("\"t1\"", 304), ("\"x\", W/\"t1-br\"", 304), ("*", 304), ("\"t2\"", 200)] {
        let answer = SCRIPT.answer(&headers(&[("if-none-match", known), ("accept-encoding", "gzip")]));
        assert_eq!(answer.status().as_u16(), status, "{known}");
        assert_eq!(answer.headers()["etag"], "\"t1-gzip\"");
    }
}

#[test]
fn what_has_a_hash_in_its_name_is_kept_for_ever_and_nothing_else() {
    let kept = |asset: &Asset| asset.answer(&HeaderMap::new()).headers()["cache-control"].clone();
    assert_eq!(kept(&SCRIPT), "public, max-age=31536000, immutable");
    assert_eq!(kept(&PAGE), "no-cache");
}

#[tokio::test]
async fn a_file_of_another_version_is_nowhere_and_nobody_remembers_that() {
    for routes in [of_query(None), of_command(), of_operators()] {
        let answer = get(routes, "/assets/app-of-another-version.js").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn each_process_has_its_own_pages() {
    let all = ["/", "/licenses", "/docs", "/command/docs", "/ops"];
    let served = async |routes: fn() -> Router| {
        let mut served = vec![];
        for path in all {
            if get(routes(), path).await.status() == StatusCode::OK {
                served.push(path);
            }
        }
        served
    };
    assert_eq!(served(|| of_query(None)).await, ["/", "/licenses", "/docs"]);
    assert_eq!(served(of_command).await, ["/docs", "/command/docs"]);
    assert_eq!(served(|| of_one_process(None)).await, all);
    assert_eq!(served(of_operators).await, ["/ops"]);
}

#[tokio::test]
async fn a_page_has_a_policy_and_no_body_for_head() {
    for path in ["/", "/docs", "/ops", "/licenses"] {
        let routes = || of_one_process(Some("https://tickets.example.com/x"));
        let page = get(routes(), path).await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(policy.contains("https://tickets.example.com"), path != "/docs", "{path}: {policy}");
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        let head = call(routes(), Method::HEAD, path, &[]).await;
        assert_eq!((head.status(), bytes(head).await.len()), (StatusCode::OK, 0), "{path}");
    }
}

/// What holds for the files of this build, whichever they are.
#[tokio::test]
async fn every_file_comes_back_as_it_was_built() {
    for asset in EVERYTHING {
        assert!(
            find(EVERYTHING, asset.path).is_some_and(|found| std::ptr::eq(found, *asset)),
            "{}",
            asset.path
        );
        assert_eq!(asset.hashed, asset.path.starts_with("assets/"), "{}", asset.path);
        assert_ne!(asset.content_type, "application/octet-stream", "{}: what is it?", asset.path);
        if let Some(gzip) = asset.gzip {
            let mut plain = vec![];
            GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
            assert!(plain == asset.plain, "{}", asset.path);
        }
        if asset.is_page() {
            continue;
        }
        let answer = get(of_one_process(None), &format!("/{}", asset.path)).await;
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{}", asset.path);
        assert!(bytes(answer).await == asset.plain, "{}", asset.path);
    }
}

/// A page names what it loads; what the API's page names is in the command worker too.
#[tokio::test]
async fn what_a_page_loads_is_there() {
    for (table, routes) in
        [(EVERYTHING, of_one_process as fn(Option<&str>) -> Router), (OF_DOCS, |_| of_command())]
    {
        for page in table.iter().filter(|asset| asset.is_page()) {
            let text = String::from_utf8_lossy(page.plain);
            let loaded = text.split(['"', '\'']).filter(|part| part.starts_with("/assets/"));
            for path in loaded {
                assert_eq!(get(routes(None), path).await.status(), StatusCode::OK, "{}: {path}", page.path);
            }
        }
    }
}

/// Two of these headers are none to a browser.
#[tokio::test]
async fn who_may_load_a_file_is_said_once() {
    let layer = || {
        HttpLayer::new(&mut Registry::default()).allowing(vec!["https://www.example.com".parse().unwrap()])
    };
    for (origin, expected) in
        [("https://www.example.com", "https://www.example.com"), ("https://a.example", "*")]
    {
        let request = Request::get("/assets/none.js").header("origin", origin).body(Body::empty()).unwrap();
        let answer = service(of_query(None), layer()).oneshot(request).await.unwrap();
        let said: Vec<_> = answer.headers().get_all("access-control-allow-origin").iter().collect();
        assert_eq!(said, [expected], "{origin}");
    }
}
