//! TLS in front of a plain server, and a proxy that tunnels: real sockets, with the certificates of
//! `tests/fixtures/tls`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// One of the files that tests/fixtures/tls/README.md lists.
pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Whether the server wants to see a certificate of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Anybody.
    Anybody,
    /// Only those whom the test authority knows.
    Known,
}

fn config(name: &str, clients: Clients) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has versions");
    let builder = match clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Known => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(file("ca.pem")).expect("the CA")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let certificate = CertificateDer::from_pem_file(file(&format!("{name}.pem"))).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).expect("its key");
    builder.with_single_cert(vec![certificate], key).expect("they fit")
}

/// Takes TLS connections and hands on what they say; stops when dropped.
pub struct TlsFront {
    addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsFront {
    /// Shows the certificate of this name and speaks plainly to `behind`.
    pub async fn start(name: &str, clients: Clients, behind: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(name, clients)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever does not believe the certificate breaks off here: that is a test's point.
                    let Ok(mut inside) = acceptor.accept(stream).await else { return };
                    let Ok(mut outside) = TcpStream::connect(behind).await else { return };
                    let _broken_off = copy_bidirectional(&mut inside, &mut outside).await;
                });
            }
        });
        Self { addr, task }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }
}

/// A proxy that tunnels wherever `CONNECT` says, and remembers; stops when dropped.
pub struct Proxy {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let asked = asked.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(tunnel(stream, asked.clone()));
                }
            }
        });
        Self { addr, asked, task }
    }

    /// Its address, as a config has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The first lines it was given.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

async fn tunnel(stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut client = BufReader::new(stream);
    let mut first = String::new();
    client.read_line(&mut first).await.ok()?;
    asked.lock().expect("nobody panicked").push(first.trim().to_owned());
    let target = first.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        client.read_line(&mut line).await.ok()?;
    }
    let mut server = TcpStream::connect(&target).await.ok()?;
    client.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}
