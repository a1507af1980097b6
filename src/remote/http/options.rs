//! How one side is reached: addresses, certificates, proxy; with every mistake as a problem of its own.

use crate::domain::Problem;
use reqwest::{Certificate, Proxy};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A client certificate: the chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, with the chain behind it.
    pub certificate_file: PathBuf,
    /// Its private key (PKCS#8, RSA or EC).
    pub key_file: PathBuf,
}

/// The network part of a side's config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// The config table (`dialler`, `crm.sales`), for messages.
    pub table: String,
    /// The base URL: decides whether plain HTTP is spoken.
    pub base_url: String,
    /// Plain HTTP is an explicit choice: token and phone numbers travel readable.
    pub allow_http: bool,
    /// The certificates that are believed *instead of* the system's (PEM, several allowed).
    pub ca_file: Option<PathBuf>,
    /// A client certificate, where the server wants one.
    pub identity: Option<Identity>,
    /// A proxy. None by default, whatever the environment says: a proxy variable of a login shell
    /// must not send customer data elsewhere.
    pub proxy: Option<String>,
    /// How long connecting may take, TLS included. With the two seconds that finding out a certificate's
    /// issuer may take it must stay below the time of a try: else a server that cannot be reached would
    /// look like one that did not answer, and a write to it like an uncertain one.
    pub connect_timeout: Duration,
}

impl HttpOptions {
    /// HTTPS with the system's certificates, no proxy, 5 s for connecting.
    pub fn new(table: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            base_url: base_url.into(),
            allow_http: false,
            ca_file: None,
            identity: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.table)
    }

    /// Whether the base URL is a usable one; a warning if it is plain HTTP by choice.
    fn check_base(&self) -> Result<Option<Problem>, Problem> {
        let expected = "an address such as https://host:8443/path, without user, query or fragment";
        let bad = |given: String| Problem::new(self.key("base_url"), given, expected);
        let url = reqwest::Url::parse(&self.base_url).map_err(|error| bad(format!("no URL ({error})")))?;
        if !url.has_host() || url.query().is_some() || url.fragment().is_some() {
            return Err(bad("an address with a query or without a host".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("an address with a user in it".to_owned())
                .remedy(format!("put the secret into {}", self.key("token_file"))));
        }
        match (url.scheme(), self.allow_http) {
            ("https", _) => Ok(None),
            ("http", true) => Ok(Some(
                Problem::new(self.key("allow_http"), "plain HTTP", "https")
                    .remedy("the token and all personal data travel readable on this way"),
            )),
            ("http", false) => Err(bad("plain HTTP".to_owned()).remedy(format!(
                "use https, or set {} = true if everybody on the way may read the token",
                self.key("allow_http")
            ))),
            _ => Err(bad(format!("the scheme {}", url.scheme()))),
        }
    }

    fn read(&self, name: &str, file: &Path) -> Result<Vec<u8>, Problem> {
        std::fs::read(file).map_err(|error| {
            Problem::new(self.key(name), format!("{}: {error}", file.display()), "a PEM file")
        })
    }

    fn certificates(&self, file: &Path) -> Result<Vec<Certificate>, Problem> {
        let bad = |given: &str| {
            let given = format!("{}: {given}", file.display());
            Problem::new(self.key("ca_file"), given, "at least one certificate in PEM form")
        };
        let certificates = Certificate::from_pem_bundle(&self.read("ca_file", file)?)
            .map_err(|_| bad("not readable as PEM"))?;
        if certificates.is_empty() { Err(bad("no certificate in it")) } else { Ok(certificates) }
    }

    fn identity(&self, files: &Identity) -> Result<reqwest::Identity, Problem> {
        let mut pem = self.read("client_certificate", &files.certificate_file)?;
        pem.push(b'\n');
        pem.extend(self.read("client_key", &files.key_file)?);
        reqwest::Identity::from_pem(&pem).map_err(|_| {
            let given = format!("{} with {}", files.certificate_file.display(), files.key_file.display());
            Problem::new(
                self.key("client_certificate"),
                given,
                "a certificate chain and its private key, PEM",
            )
        })
    }

    /// The reqwest client, with warnings.
    pub(super) fn build(&self) -> Result<(reqwest::Client, Vec<Problem>), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let mut builder = self.plain_builder();
        match self.check_base() {
            Ok(warning) => warnings.extend(warning),
            Err(problem) => problems.push(problem),
        }
        match self.ca_file.as_deref().map(|file| self.certificates(file)) {
            Some(Ok(certificates)) => builder = builder.tls_certs_only(certificates),
            Some(Err(problem)) => problems.push(problem),
            // Plain HTTP needs no store; a container without one must not fail for it.
            None if self.base_url.starts_with("http://") => builder = builder.tls_certs_only([]),
            None => {}
        }
        match self.identity.as_ref().map(|files| self.identity(files)) {
            Some(Ok(identity)) => builder = builder.identity(identity),
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
        match self.proxy.as_ref().map(Proxy::all) {
            Some(Ok(proxy)) => builder = builder.proxy(proxy),
            Some(Err(_)) => problems.push(Problem::new(
                self.key("proxy"),
                "no usable address",
                "an address such as http://proxy.example.com:3128",
            )),
            None => builder = builder.no_proxy(),
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        match builder.build() {
            Ok(client) => Ok((client, warnings)),
            Err(error) => Err(vec![Problem::new(
                self.key("ca_file"),
                format!("no TLS set-up: {}", super::transport::chain(&error.without_url())),
                "the system's certificates (package ca-certificates), or a ca_file of yours",
            )]),
        }
    }

    /// What every client of ours has, whatever the config says.
    pub(super) fn plain_builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(concat!("dialbridge/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry an API key header to the other host and turn a POST into a GET.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.connect_timeout)
    }
}
