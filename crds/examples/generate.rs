//! Writes the YAML of both kinds beside this crate and into the chart `boxoffice-crds`: `make generate`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chart_dir = crate_dir.join("../helm/boxoffice-crds/files");
    for manifest in boxoffice_crds::manifests()? {
        for dir in [crate_dir, &chart_dir] {
            std::fs::create_dir_all(dir)?;
            std::fs::write(dir.join(&manifest.file), &manifest.yaml)?;
        }
    }
    Ok(())
}
