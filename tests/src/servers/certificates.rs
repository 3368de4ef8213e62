//! Certificates for servers that speak TLS: an authority of the test's own, and what it signed: one for loopback, and one
//! for a client. Made by the openssl command, which the cluster needs as well; valid for a day, and gone with their folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use boxoffice_runtime::postgres::DatabaseTlsArgs;
use boxoffice_runtime::tls::{ClientCertificate, Tls};
use tokio::process::Command;
use tokio::time::timeout;

/// Longest wait for one command of openssl.
const TIMEOUT: Duration = Duration::from_secs(20);
/// An elliptic key is made at once; an RSA key takes a noticeable time.
const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
/// What the server's certificate is good for: names of this machine that never leave it.
const EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
";
/// What a client's is good for.
const CLIENT_EXTENSIONS: &str = "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
";
/// Who the client is.
pub const CLIENT: &str = "boxoffice";

/// A file in PEM form.
#[derive(Debug, Clone)]
pub struct Pem {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// An authority, a server's certificate and a client's.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate: what clients have to trust.
    pub authority: Pem,
    /// The server's certificate, for `localhost`, `127.0.0.1` and `::1`.
    pub certificate: Pem,
    /// The server's private key, PKCS 8, without a password.
    pub key: Pem,
    /// The certificate of [`CLIENT`].
    pub client_certificate: Pem,
    /// Its private key, as the server's.
    pub client_key: Pem,
}

impl Certificates {
    /// Makes them in `folder`, where [`Certificates::read`] finds them. Each call makes another authority.
    ///
    /// # Errors
    /// A machine without openssl, or a folder that cannot be written.
    pub async fn for_localhost(folder: &Path) -> anyhow::Result<Self> {
        let authority =
            ["req", "-x509", "-days", "1", "-subj", "/CN=boxoffice tests", "-out", "authority.pem"];
        openssl(folder, &[&authority, &NEW_KEY[..], &["-keyout", "authority.key"]]).await?;
        sign(folder, "localhost", EXTENSIONS, ["certificate.pem", "key.pem"]).await?;
        sign(folder, CLIENT, CLIENT_EXTENSIONS, ["client-certificate.pem", "client-key.pem"]).await?;
        Self::read(folder)
    }

    /// Those that were made in `folder`.
    ///
    /// # Errors
    /// A folder without them.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            authority: read(folder, "authority.pem")?,
            certificate: read(folder, "certificate.pem")?,
            key: read(folder, "key.pem")?,
            client_certificate: read(folder, "client-certificate.pem")?,
            client_key: read(folder, "client-key.pem")?,
        })
    }

    /// What a client that shows nothing needs.
    pub fn tls(&self) -> Tls {
        Tls::trusting(self.authority.text.as_str())
    }

    /// The same with its certificate.
    pub fn client_tls(&self) -> Tls {
        let (certificate, key) = (self.client_certificate.text.clone(), self.client_key.text.clone());
        Tls { certificate: Some(ClientCertificate { certificate, key }), ..self.tls() }
    }

    /// The same for a database.
    pub fn database_tls(&self) -> DatabaseTlsArgs {
        DatabaseTlsArgs {
            database_tls: true,
            database_ca: Some(self.authority.text.clone()),
            database_certificate: Some(self.client_certificate.text.clone()),
            database_key: Some(self.client_key.text.clone()),
        }
    }
}

/// Has the authority of `folder` sign a certificate for `name`, and writes it and its key to files of these names.
async fn sign(
    folder: &Path,
    name: &str,
    extensions: &str,
    [certificate, key]: [&str; 2],
) -> anyhow::Result<()> {
    std::fs::write(folder.join("extensions"), extensions)?;
    let subject = format!("/CN={name}");
    let request = ["req", "-new", "-subj", &subject, "-out", "request.pem"];
    openssl(folder, &[&request, &NEW_KEY[..], &["-keyout", key]]).await?;
    let sign = ["x509", "-req", "-days", "1", "-in", "request.pem", "-out", certificate];
    let by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
    openssl(folder, &[&sign, &by, &["-extfile", "extensions"]]).await
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
