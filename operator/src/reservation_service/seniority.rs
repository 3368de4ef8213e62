//! Which of two services was there first.

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::Time;
use kube::ResourceExt;

/// In files nobody was there first: there the name decides.
pub(super) fn seniority(service: &ReservationService) -> (Option<&Time>, (Option<String>, String)) {
    (service.metadata.creation_timestamp.as_ref(), id(service))
}

pub(super) fn id(service: &ReservationService) -> (Option<String>, String) {
    (service.namespace(), service.name_any())
}
