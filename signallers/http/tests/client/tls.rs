// SPDX-License-Identifier: MPL-2.0
//! Certificates are verified, unless the user says otherwise.
use crate::kit::{Endpoint, accept, router};
use rtc_signaller::{SignallerExt, runtime};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that does not trust us breaks off.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A server with a certificate of its own making; its address and the certificate's file.
fn server() -> (SocketAddr, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![made.cert.der().clone()],
                PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
            )
            .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (router, _seen) = router(accept);
    runtime::handle().spawn(async move {
        let tls = Tls {
            listener: TcpListener::from_std(listener).unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        axum::serve(tls, router).await.unwrap();
    });
    let file = std::env::temp_dir().join(format!("rtc-http-ca-{address}.pem"));
    let certificate = pem::Pem::new("CERTIFICATE", made.cert.der().to_vec());
    std::fs::write(&file, pem::encode(&certificate)).unwrap();
    (address, file)
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (address, file) = server();
    let uri = format!("wheps://{address}/room");
    let endpoint = Endpoint::started(&uri, &[]);
    endpoint.offer();
    let text = endpoint.until_closed();
    assert!(
        text.contains("not trusted") && text.contains("tls-ca"),
        "{text}"
    );
    let _ = std::fs::remove_file(file);
}

#[test]
fn a_named_authority_is_trusted_and_insecure_trusts_all() {
    let (address, file) = server();
    let uri = format!("whips://{address}/room");
    let path = file.to_str().unwrap();
    for property in [("tls-ca", path), ("tls-insecure", "true")] {
        let endpoint = Endpoint::started(&uri, &[property]);
        endpoint.session();
    }
    let _ = std::fs::remove_file(file);
}

#[test]
fn a_file_without_certificates_is_an_error_at_the_start() {
    let empty = std::env::temp_dir().join(format!("rtc-http-no-ca-{}.pem", std::process::id()));
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty.to_str().unwrap(), "/nowhere/ca.pem"] {
        let endpoint = Endpoint::new("wheps://127.0.0.1:1/room");
        endpoint.signaller.set_tls_ca(path);
        let error = endpoint.signaller.start().unwrap_err();
        assert!(error.contains(path), "{error}");
    }
    let _ = std::fs::remove_file(empty);
}
