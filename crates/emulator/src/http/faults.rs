//! Faults that a test or a demo asks for: the next matching request is refused, cut off, or begins
//! an operation that fails late.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Request, Response};

/// What happens to a request that a fault matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultEffect {
    /// Refused with `status`, `code` and `message`; nothing is changed.
    #[default]
    Refuse,
    /// Accepted; the long-running operation that it begins fails with `code` and `message`.
    Late,
    /// The connection closes before the request has any effect.
    DropBefore,
    /// The request takes effect, then the connection closes without an answer.
    DropAfter,
    /// Answered with `status` and an HTML page, as a proxy does.
    Html,
    /// Answered as always, after `delay` milliseconds.
    Slow,
    /// Carried out and never answered; the client has to give up.
    Hang,
    /// Carried out, and the answer breaks off in the middle of its body.
    Truncate,
    /// Carried out twice, as when something on the way sends a request again; the second answer is
    /// the one that arrives.
    Twice,
}

/// One fault. What is left out matches everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Fault {
    pub verb: Option<String>,
    /// The whole host without its port.
    pub host: Option<String>,
    /// A part of the path, compared without case.
    pub path: String,
    /// Matching requests that pass before the fault begins.
    pub skip: u32,
    /// Matching requests that it hits; 0 means every one.
    pub times: u32,
    pub effect: FaultEffect,
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Seconds, sent as `Retry-After`.
    pub retry_after: Option<u32>,
    /// Milliseconds, for `slow`.
    pub delay: u64,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            verb: None,
            host: None,
            path: String::new(),
            skip: 0,
            times: 1,
            effect: FaultEffect::Refuse,
            status: 500,
            code: "InternalServerError".into(),
            message: "A fault that the emulator was asked for.".into(),
            retry_after: None,
            delay: 1_000,
        }
    }
}

impl Fault {
    fn matches(&self, request: &Request) -> bool {
        self.verb
            .as_ref()
            .is_none_or(|verb| verb.eq_ignore_ascii_case(&request.verb))
            && self
                .host
                .as_ref()
                .is_none_or(|host| host.eq_ignore_ascii_case(&request.host))
            && request
                .path
                .to_lowercase()
                .contains(&self.path.to_lowercase())
    }

    pub fn response(&self) -> Response {
        let mut response = if self.effect == FaultEffect::Html {
            Response {
                status: self.status,
                headers: vec![("Content-Type".into(), "text/html".into())],
                body: b"<html><body><h1>Proxy error</h1></body></html>".to_vec(),
            }
        } else {
            let error = json!({"error": {"code": self.code, "message": self.message}});
            Response::json(self.status, &error)
        };
        if let Some(seconds) = self.retry_after {
            response = response.with("Retry-After", seconds.to_string());
        }
        response
    }
}

/// The faults that wait for their requests, oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub fn list(&self) -> &[Fault] {
        &self.waiting
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The first fault that hits this request, used up by one. `late` asks for late ones only.
    pub fn take(&mut self, request: &Request, late: bool) -> Option<Fault> {
        let at = self.waiting.iter_mut().position(|fault| {
            let meant = (fault.effect == FaultEffect::Late) == late && fault.matches(request);
            if meant && fault.skip > 0 {
                fault.skip -= 1;
                return false;
            }
            meant
        })?;
        let hit = self.waiting[at].clone();
        match hit.times {
            0 => {}
            1 => drop(self.waiting.remove(at)),
            _ => self.waiting[at].times -= 1,
        }
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, path: &str) -> Request {
        Request {
            verb: verb.into(),
            host: "management.localhost".into(),
            path: path.into(),
            query: Vec::new(),
            headers: hyper::HeaderMap::new(),
            body: hyper::body::Bytes::new(),
        }
    }

    #[test]
    fn a_fault_skips_then_hits_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add(Fault {
            path: "/NamedValues".into(),
            skip: 1,
            times: 2,
            ..Fault::default()
        });
        let hits: Vec<bool> = (0..4)
            .map(|_| {
                faults
                    .take(&request("GET", "/x/namedvalues/a"), false)
                    .is_some()
            })
            .collect();
        assert_eq!(hits, [false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_late_fault_does_not_refuse_at_the_front() {
        let mut faults = Faults::default();
        faults.add(Fault {
            effect: FaultEffect::Late,
            ..Fault::default()
        });
        assert!(faults.take(&request("PUT", "/a"), false).is_none());
        assert!(faults.take(&request("PUT", "/a"), true).is_some());
    }
}
