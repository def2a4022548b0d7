//! The way to a collector: whom to trust there, how long a call may take, and why one failed.
//!
//! The exporter above tells that a call failed and no more, so the reason is kept here until somebody asks
//! for it. What is sent, and when, is not known here.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::blocking::{Client, ClientBuilder};
use reqwest::{Certificate, Identity};

use crate::chain;

/// Names of variables that say the same, the one for traces alone first.
type Names = [&'static str; 2];

/// Where spans are to be sent. One of them must be set, or nothing is recorded.
const ENDPOINT: Names = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
/// A file of certificates in PEM: who signed the collector's. Nobody else is trusted then.
const TRUSTED: Names = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];
/// Files in PEM: our own certificate and its key, for a collector that asks who calls.
const OWN: Names = [
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
];
const OWN_KEY: Names = [
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
];
/// How long a call may take, in milliseconds.
const TIMEOUT: Names = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
/// The same where no variable says it: what OpenTelemetry asks for.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no collector can be called.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetUpError {
    /// A file that a variable names is not there, or not ours to read.
    #[error("cannot read {path}, which {variable} names")]
    Unreadable {
        variable: &'static str,
        path: String,
        source: io::Error,
    },
    /// It can be read and is something else.
    #[error("cannot find a certificate in {path}, which {variable} names")]
    NoCertificate {
        variable: &'static str,
        path: String,
        source: Option<reqwest::Error>,
    },
    /// Our own certificate and its key do not make a pair.
    #[error("cannot use the certificate and the key that {} and {} name", OWN[1], OWN_KEY[1])]
    NoPair { source: reqwest::Error },
    /// One of the two is named, and not the other.
    #[error("{} and {} go together: set both or none", OWN[1], OWN_KEY[1])]
    Half,
    /// There is no client to be had: for `https:`, for want of any certificate to trust.
    #[error("cannot make a client for {endpoint}")]
    NoClient {
        endpoint: String,
        source: reqwest::Error,
    },
}

/// Why the last call failed, until somebody asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Reason(Arc<Mutex<Option<String>>>);

impl Reason {
    pub(super) fn keep(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    pub(super) fn take(&self) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take()
    }
}

/// Where spans go, if the environment says where.
pub(super) fn endpoint(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    set(ENDPOINT, variable).map(|(_, endpoint)| endpoint)
}

/// Calls the collector that the environment names.
#[derive(Debug)]
pub(super) struct Caller {
    http: Client,
    reason: Reason,
}

impl Caller {
    /// A client as the variables say, for this endpoint.
    ///
    /// Not within a runtime: the client has one of its own.
    pub(super) fn new(
        endpoint: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SetUpError> {
        let timeout = set(TIMEOUT, &variable).and_then(|(_, text)| text.parse().ok());
        let http = Client::builder()
            .timeout(timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis))
            // The headers may hold a password, which is for nobody but whom the environment names.
            .redirect(reqwest::redirect::Policy::none());
        let http = match is_plain(endpoint) {
            // An image without any certificates must work, too.
            true => http.tls_certs_only([]),
            false => secured(http, &variable)?,
        };
        let http = http.build().map_err(|source| SetUpError::NoClient {
            endpoint: endpoint.into(),
            source,
        })?;
        Ok(Self {
            http,
            reason: Reason::default(),
        })
    }

    /// Where the reasons of failures will be.
    pub(super) fn reason(&self) -> Reason {
        self.reason.clone()
    }
}

#[async_trait]
impl HttpClient for Caller {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let to = request.uri().clone();
        let answered = self.http.send_bytes(request).await;
        answered.map_err(|error| {
            let error = match error.downcast::<reqwest::Error>() {
                // The address may have a password in it, or a key as a query.
                Ok(error) => error.without_url().into(),
                Err(other) => other,
            };
            let host = to.host().unwrap_or_default();
            let port = to.port().map(|port| format!(":{port}")).unwrap_or_default();
            self.reason
                .keep(format!("{host}{port}: {}", chain(&*error)));
            error
        })
    }
}

fn is_plain(endpoint: &str) -> bool {
    let scheme = endpoint.trim_start().get(..5);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// With whom to trust, and who we are. What the environment does not say is the machine's to say:
/// `SSL_CERT_FILE`, or where its certificates lie.
fn secured(
    mut http: ClientBuilder,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ClientBuilder, SetUpError> {
    if let Some((variable, path)) = set(TRUSTED, &variable) {
        let found = Certificate::from_pem_bundle(&read(variable, &path)?);
        let (found, source) = match found {
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if found.is_empty() {
            return Err(SetUpError::NoCertificate {
                variable,
                path,
                source,
            });
        }
        http = http.tls_certs_only(found);
    }
    match (set(OWN, &variable), set(OWN_KEY, &variable)) {
        (None, None) => Ok(http),
        (Some((own, certificate)), Some((own_key, key))) => {
            let mut pem = read(own, &certificate)?;
            pem.push(b'\n');
            pem.extend(read(own_key, &key)?);
            let identity =
                Identity::from_pem(&pem).map_err(|source| SetUpError::NoPair { source })?;
            Ok(http.identity(identity))
        }
        (Some(_), None) | (None, Some(_)) => Err(SetUpError::Half),
    }
}

fn read(variable: &'static str, path: &str) -> Result<Vec<u8>, SetUpError> {
    fs::read(path).map_err(|source| SetUpError::Unreadable {
        variable,
        path: path.into(),
        source,
    })
}

/// The first of the variables that says something, and what it says. Empty is unset, as OpenTelemetry has it.
fn set(names: Names, variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        let value = variable(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| (name, value.to_owned()))
    })
}
