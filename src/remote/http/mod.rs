//! The HTTP client: the only place that knows reqwest.

mod issuer;
mod options;
mod transport;

pub use options::{HttpOptions, Identity};
pub use transport::HttpTransport;
