//! TLS.

use std::path::PathBuf;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// A certificate for localhost and its key, made for this test alone.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn make() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Self { folder };
        std::fs::write(files.path("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(files.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn tls_is_spoken_with_the_given_certificate() {
    let files = Files::make();
    let certificate = files.path("certificate.pem");
    let tls = tls_config(&certificate, &files.path("key.pem")).unwrap();
    let options = ServeOptions {
        tls: Some(tls),
        ..ServeOptions::default()
    };
    let server = Running::start(surface(), options).await;

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&certificate).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector
        .connect(name.clone(), server.connect().await)
        .await
        .unwrap();
    let request = "GET /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let answer = String::from_utf8(bytes).unwrap();
    assert!(answer.ends_with("127.0.0.1 true"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");

    // More than is thrown away: the answer can be read by who sends everything before.
    let mut stream = connector
        .connect(name, server.connect().await)
        .await
        .unwrap();
    let length = 12 * 1024 * 1024;
    let request = format!(
        "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let answer = String::from_utf8(bytes).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");

    // Plain text on a TLS port harms nobody.
    assert!(!server.exchange(HELLO).await.contains("hello"));
    server.stop().await;
}

#[test]
fn what_is_no_certificate_is_named() {
    let files = Files::make();
    let certificate = files.path("certificate.pem");
    let key = files.path("key.pem");
    for (chain, secret, named) in [
        (files.path("absent.pem"), key.clone(), "absent.pem"),
        (key.clone(), key.clone(), "key.pem"),
        (certificate.clone(), certificate, "certificate.pem"),
    ] {
        let error = tls_config(&chain, &secret).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}
