//! The two listeners: HTTPS for the emulated services, plain HTTP on loopback for the managed
//! identity endpoint and the control API.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Answer, Request, Response};
use crate::control;
use crate::estate::Estate;

const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// Serves HTTPS until the task is dropped; every connection ends with it.
pub async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor, estate: Arc<Estate>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (acceptor, estate) = (acceptor.clone(), estate.clone());
                connections.spawn(async move {
                    // A client that refuses our certificate ends here; that is its message to give.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, estate, true).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves plain HTTP until the task is dropped.
pub async fn serve_plain(listener: TcpListener, estate: Arc<Estate>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(connection(stream, estate.clone(), false));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<S>(stream: S, estate: Arc<Estate>, public: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let estate = estate.clone();
        async move {
            let answer = match read(request).await {
                Err(refusal) => Answer::Reply(refusal),
                Ok(request) if public => super::answer(&estate, &request).await,
                Ok(request) => Answer::Reply(control::answer(&estate, &request).await),
            };
            match answer {
                Answer::Reply(response) => Ok(write(response, false)),
                Answer::CutOff(response) => Ok(write(response, true)),
                Answer::Drop => Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)),
            }
        }
    });
    // An error here is a client that went away or a connection that we cut on purpose.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| too_large())?
        .to_bytes();
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| {
            parts
                .uri
                .authority()
                .map(hyper::http::uri::Authority::as_str)
        })
        .unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_lowercase();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let query = url::form_urlencoded::parse(query).into_owned().collect();
    Ok(Request {
        verb: parts.method.as_str().to_uppercase(),
        host,
        path: parts.uri.path().to_owned(),
        query,
        headers: parts.headers,
        body,
    })
}

/// Resource Manager's refusal of a body that is too large, which is as good for the others.
fn too_large() -> Response {
    let message = "The body is larger than 8 MiB or was cut off.";
    let error = json!({"code": "RequestEntityTooLarge", "message": message});
    Response::json(413, &json!({"error": error}))
}

/// The bytes of an answer, or the first half of them and then an error, which makes the connection
/// close.
enum Contents {
    Whole(Full<Bytes>),
    Cut {
        length: u64,
        half: Option<Bytes>,
        flushed: bool,
    },
}

impl Body for Contents {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                let frame = std::task::ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Cut { half, flushed, .. } => match half.take() {
                Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
                // What was written is only sent when there is nothing more for the moment.
                None if !std::mem::replace(flushed, true) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                None => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into()))),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Cut { length, .. } => SizeHint::with_exact(*length),
        }
    }
}

fn write(response: Response, cut: bool) -> hyper::Response<Contents> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name.as_str(), value.as_str());
    }
    let body = Bytes::from(response.body);
    let contents = if cut {
        Contents::Cut {
            length: body.len() as u64,
            half: Some(body.slice(..body.len() / 2)),
            flushed: false,
        }
    } else {
        Contents::Whole(Full::new(body))
    };
    builder.body(contents).unwrap_or_else(|_| {
        let mut failed = hyper::Response::new(Contents::Whole(Full::default()));
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
