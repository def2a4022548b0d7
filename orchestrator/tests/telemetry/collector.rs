//! A collector of traces, over plain HTTP or over TLS with a certificate that an authority of its own signed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Keeps what it is sent, each span with the name of its service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    pub(crate) spans: Arc<Mutex<Vec<(String, Span)>>>,
}

impl Collector {
    /// Begins to collect; where.
    pub(crate) async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}")
    }

    /// Begins to collect over TLS, from callers that the authority signed if it says so; where.
    pub(crate) async fn start_secured(&self, by: &Authority, known_callers_only: bool) -> String {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let acceptor = by.acceptor(known_callers_only);
        let router = self.router();
        let listener = Secured { tcp, acceptor };
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("https://{address}")
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/v1/traces", post(take))
            .with_state(self.clone())
    }

    /// The names of the spans that came.
    pub(crate) fn names(&self) -> Vec<String> {
        let spans = self.spans.lock().unwrap();
        spans.iter().map(|(_, span)| span.name.clone()).collect()
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("a request in protobuf");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("a resource");
        let service = resource
            .attributes
            .into_iter()
            .find(|it| it.key == "service.name");
        let service = service.and_then(|it| it.value?.value);
        let Some(Value::StringValue(service)) = service else {
            panic!("no service.name")
        };
        let spans = of_resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        let spans = spans.map(|span| (service.clone(), span));
        collector.spans.lock().unwrap().extend(spans);
    }
}

/// Signs certificates, and nobody knows it.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, for those who are to trust it.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine, and its key.
    pub(crate) fn sign(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn acceptor(&self, known_callers_only: bool) -> TlsAcceptor {
        let (certificate, key) = self.sign();
        let config = match known_callers_only {
            false => ServerConfig::builder().with_no_client_auth(),
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(self.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
                ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = key.serialize_der().try_into().unwrap();
        let config = config.with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap()).into()
    }
}

/// Takes connections whose handshake succeeds.
struct Secured {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
