//! A router on a real socket, with a graceful end.

use axum::Router;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;

/// A simulator that listens; it ends when this is dropped or stopped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no new connection, lets those under way end, and waits for that.
    ///
    /// # Errors
    /// The server itself failed.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => task.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves a router on a free port of the loopback address.
///
/// # Errors
/// The port cannot be bound.
pub async fn serve(router: Router) -> std::io::Result<Serving> {
    serve_on(SocketAddr::from(([127, 0, 0, 1], 0)), router).await
}

/// Serves a router on an address of the caller's choice (port 0 takes a free one).
///
/// # Errors
/// The address cannot be bound.
pub async fn serve_on(address: SocketAddr, router: Router) -> std::io::Result<Serving> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let ended = stop.clone();
    let task = tokio::spawn(async move {
        axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await
    });
    Ok(Serving { address, stop, task: Some(task) })
}
