//! Where a worker may send what concerns buyers: https anywhere; http only where nobody else listens in between, on this
//! machine and to names that only the cluster has. Operator, `lint` and workers ask here; the resource's own rule (CEL)
//! says the same.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Url;

/// Ends of names that only a cluster resolves.
const IN_CLUSTER: [&str; 2] = [".svc", ".svc.cluster.local"];

/// The address in `text`, if effects may go there; else what is wrong with it and what to write.
///
/// # Errors
/// A text that is no address, one with credentials in it, or one that others could read on the way.
pub fn check(text: &str) -> Result<Url, String> {
    // What cannot be taken apart is not repeated: credentials may stand in it.
    let url = Url::parse(text).map_err(|error| {
        format!("it is no address ({error}): write one such as https://payments.example.com/charges")
    })?;
    let Some(host) = url.host_str() else {
        return Err("it names no host: write one such as https://payments.example.com/charges".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "credentials do not belong into an address, which is written down: use secretRef".to_owned()
        );
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if stays_here(host) => Ok(url),
        "http" => Err(format!(
            "{text} would be sent in plain text: write https, or http to this machine or to a name of the cluster \
             (payments, payments.shop.svc)"
        )),
        other => Err(format!("{other} is no way to send requests: write https")),
    }
}

/// Whether nobody outside of the machine or the cluster is on the way to `host`.
fn stays_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match (bare.parse::<Ipv4Addr>(), bare.parse::<Ipv6Addr>()) {
        (Ok(address), _) => address.is_loopback(),
        (_, Ok(address)) => address.is_loopback(),
        _ => !host.contains('.') || IN_CLUSTER.iter().any(|end| host.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_go_where_nobody_listens_in() {
        for url in [
            "https://payments.example.com/charges",
            "https://203.0.113.7:8443",
            "http://localhost:9000/charges",
            "http://127.0.0.1:9000",
            "http://[::1]:9000/",
            "http://payments:8080/charges",
            "http://payments.shop.svc/charges",
            "http://payments.shop.svc.cluster.local:8080",
        ] {
            assert_eq!(check(url).map(drop), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_others_could_read_is_refused_with_the_way_out() {
        for (url, problem) in [
            ("http://payments.example.com/charges", "plain text"),
            ("http://203.0.113.7/", "plain text"),
            ("http://svc.example.com", "plain text"),
            ("https://user:secret@payments.example.com", "secretRef"),
            ("https://user:secret@payments.example.com:99999", "no address"),
            ("payments.example.com", "no address"),
            ("ftp://payments.example.com", "write https"),
            ("unix:/run/payments", "names no host"),
            ("", "no address"),
        ] {
            let told = check(url).unwrap_err();
            assert!(told.contains(problem), "{url}: {told}");
            assert!(!told.contains("user:secret"), "{told}");
        }
    }
}
