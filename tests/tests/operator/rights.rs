//! What the chart grants is what a whole run of these tests needed: no more and no less. Run behind all others.

use boxoffice_tests::api_audit::{ApiAudit, Rights, granted, needed};

use crate::support::{Plane, roles};

/// Where a test takes the operator's rights away.
pub const BEREFT: &str = "bereft";

#[tokio::test]
async fn no_right_was_missing_and_none_was_for_nothing() {
    let calls = ApiAudit::whole(Plane::connect().await.access.audit_log()).all();
    let is_bereft = |namespace: &str| namespace.starts_with(&format!("{BEREFT}-"));
    let refused: Vec<_> =
        calls.iter().filter(|call| call.is_forbidden && !is_bereft(&call.namespace)).collect();
    assert!(refused.is_empty(), "the chart grants too little: {refused:#?}");
    let granted: Rights = roles().await.iter().flat_map(granted).collect();
    let needed = needed(&calls);
    let unused: Vec<_> = granted.difference(&needed).collect();
    assert!(unused.is_empty(), "the chart grants what no test needed: {unused:?}");
}
