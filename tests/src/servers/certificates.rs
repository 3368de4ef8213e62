//! Certificates for servers that speak TLS: an authority of the test's own, and one certificate for loopback that it
//! signed. Made by the openssl command, which the cluster needs as well; valid for a day, and gone with their folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

/// Longest wait for one command of openssl.
const TIMEOUT: Duration = Duration::from_secs(20);
/// An elliptic key is made at once; an RSA key takes a noticeable time.
const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
/// What the server's certificate is good for: every name of this machine that never leaves it.
const EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
";

/// A file in PEM form.
#[derive(Debug, Clone)]
pub struct Pem {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// An authority and a server's certificate.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate: what clients have to trust.
    pub authority: Pem,
    /// The server's certificate, for `localhost`, `127.0.0.1` and `::1`.
    pub certificate: Pem,
    /// The server's private key, PKCS 8, without a password.
    pub key: Pem,
}

impl Certificates {
    /// Makes them in `folder`, as `authority.pem`, `certificate.pem` and `key.pem`. Each call makes another authority.
    ///
    /// # Errors
    /// A machine without openssl, or a folder that cannot be written.
    pub async fn for_localhost(folder: &Path) -> anyhow::Result<Self> {
        std::fs::write(folder.join("extensions"), EXTENSIONS)?;
        let authority =
            ["req", "-x509", "-days", "1", "-subj", "/CN=boxoffice tests", "-out", "authority.pem"];
        openssl(folder, &[&authority, &NEW_KEY[..], &["-keyout", "authority.key"]]).await?;
        let request = ["req", "-new", "-subj", "/CN=localhost", "-out", "request.pem"];
        openssl(folder, &[&request, &NEW_KEY[..], &["-keyout", "key.pem"]]).await?;
        let sign = ["x509", "-req", "-days", "1", "-in", "request.pem", "-out", "certificate.pem"];
        let by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
        openssl(folder, &[&sign, &by, &["-extfile", "extensions"]]).await?;
        Ok(Self {
            authority: read(folder, "authority.pem")?,
            certificate: read(folder, "certificate.pem")?,
            key: read(folder, "key.pem")?,
        })
    }
}

async fn openssl(folder: &Path, arguments: &[&[&str]]) -> anyhow::Result<()> {
    let mut command = Command::new("openssl");
    command.args(arguments.concat()).current_dir(folder).kill_on_drop(true);
    let done = timeout(TIMEOUT, command.output()).await.context("openssl takes too long")?;
    let done = done.context("openssl cannot be started: tests/servers/install names its package")?;
    ensure!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

fn read(folder: &Path, name: &str) -> anyhow::Result<Pem> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(Pem { path, text })
}
