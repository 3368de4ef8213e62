//! Which image the workers run. Pure.

use boxoffice_crds::workloads::Image;

/// The image reference: what the resource leaves out comes from `pinned`, the image that first reconciled the service.
pub fn resolve(declared: Option<&Image>, pinned: &str) -> String {
    let (repository, tag) = split(pinned);
    let declared_repository = declared.and_then(|image| image.repository.as_deref());
    let declared_tag = declared.and_then(|image| image.tag.as_deref());
    if declared_repository.is_none() && declared_tag.is_none() {
        return pinned.to_owned();
    }
    let repository = declared_repository.unwrap_or(repository);
    match declared_tag.or(tag) {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_owned(),
    }
}

/// `registry:5000/name:tag@digest` into name and tag; the digest belongs to that tag alone and is dropped.
fn split(image: &str) -> (&str, Option<&str>) {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(repository: Option<&str>, tag: Option<&str>) -> Image {
        Image { repository: repository.map(Into::into), tag: tag.map(Into::into), ..Image::default() }
    }

    #[test]
    fn the_pinned_image_stands_where_nothing_is_declared() {
        assert_eq!(resolve(None, "boxoffice/workers:0.1.0"), "boxoffice/workers:0.1.0");
        assert_eq!(resolve(Some(&image(None, None)), "workers@sha256:1"), "workers@sha256:1");
    }

    #[test]
    fn each_half_can_be_declared_alone() {
        let pinned = "registry:5000/boxoffice/workers:0.1.0";
        assert_eq!(resolve(Some(&image(Some("mine"), None)), pinned), "mine:0.1.0");
        assert_eq!(
            resolve(Some(&image(None, Some("0.2.0"))), pinned),
            "registry:5000/boxoffice/workers:0.2.0"
        );
        assert_eq!(resolve(Some(&image(Some("mine"), Some("1"))), "registry:5000/workers"), "mine:1");
    }
}
