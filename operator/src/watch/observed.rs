//! A client for one watch, which sees what the watch itself does not say: that it was taken up again.
//!
//! On a quiet cluster a watch is silent for minutes, also after an interruption; that the API server answers it is the
//! only sign. The start of each answer has a time-out here, because a watch's client has none of its own but for silence.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Uri};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

use super::health::Part;

/// How long the API server may take to begin an answer.
const ANSWER: Duration = Duration::from_secs(15);

/// The client, which tells `part` of each watch that begins.
pub fn observed(client: &Client, part: Arc<Part>) -> Client {
    let (inner, namespace) = (client.clone(), client.default_namespace().to_owned());
    let service = service_fn(move |request: Request<Body>| {
        let (inner, part) = (inner.clone(), Arc::clone(&part));
        async move {
            let is_watch = is_watch(request.uri());
            let response = tokio::time::timeout(ANSWER, inner.send(request)).await??;
            if is_watch && response.status().is_success() {
                part.lives();
            }
            Ok::<_, BoxError>(response)
        }
    });
    Client::new(service, namespace)
}

fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|parameter| parameter == "watch=true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_no_watch() {
        let is = |text: &'static str| is_watch(&Uri::from_static(text));
        assert!(is("/api/v1/pods?watch=true&resourceVersion=7"));
        assert!(is("/api/v1/pods?&labelSelector=a&watch=true"));
        assert!(!is("/api/v1/pods?limit=500") && !is("/api/v1/pods"));
    }
}
