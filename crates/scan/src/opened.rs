//! What a key in a policy opens, as far as the documents say where the call goes.

use std::collections::HashMap;

use keyless_model::{Address, Live, Snapshot};
use keyless_policy::{Document, ElementRef};

use crate::finding::Opens;
use crate::http::{REQUESTS, SENDERS};
use crate::place::{Place, around, child};
use crate::source::substitute;
use crate::target::{Sender, To, targets};
use crate::url::host;

/// Where the calls and requests of one policy go.
pub(crate) struct Opened<'a> {
    lookup: &'a dyn Fn(&str) -> Live<String>,
    /// By path.
    elements: HashMap<String, ElementRef<'a>>,
    /// The host of the call itself.
    call: Option<String>,
}

impl<'a> Opened<'a> {
    /// Reads the policy at `address`. `lookup` gives the values of named values that can be read.
    pub fn by(
        snapshot: &Snapshot,
        address: &Address,
        document: &'a Document,
        lookup: &'a dyn Fn(&str) -> Live<String>,
    ) -> Opened<'a> {
        let elements = document.elements().into_iter();
        let mut out = Opened {
            lookup,
            elements: elements.map(|e| (e.path().to_string(), e)).collect(),
            call: None,
        };
        out.call = out.call(snapshot, address, document);
        out
    }

    /// What a credential at this place opens.
    pub fn at(&self, place: &str) -> Option<Opens> {
        let element = *self.elements.get(Place::read(place).path())?;
        let server = match around(element, &REQUESTS) {
            Some(request) => self.host(&child(request, "set-url")?.text()?),
            None if is_sent(element) => self.call.clone(),
            None => None,
        };
        Some(Opens {
            server: server?,
            database: None,
            login: None,
        })
    }

    /// Where every call goes: what the policy says last and under no condition, or else the API.
    fn call(&self, snapshot: &Snapshot, address: &Address, document: &Document) -> Option<String> {
        let mut said = targets(document);
        said.retain(|t| t.sender == Sender::BackendService);
        if said.iter().any(|t| t.condition.is_some()) {
            return None;
        }
        let url = |address: &Address, pointer: &str| {
            let text = snapshot.entities.get(address)?.text(pointer)?;
            self.host(text)
        };
        match said.pop().map(|t| t.to) {
            Some(To::Url { text, .. }) => self.host(&text),
            Some(To::Backend { id }) => {
                url(&address.root().child("backend", &id), "/properties/url")
            }
            None => {
                let api = address.root().child("api", address.name_of("api")?);
                url(&api, "/properties/serviceUrl")
            }
        }
    }

    fn host(&self, text: &str) -> Option<String> {
        host(&substitute(text, self.lookup).0)
    }
}

/// Whether an element is, or stands in, one that sends a credential with the call.
fn is_sent(element: ElementRef) -> bool {
    let sends = |name: &str| SENDERS.contains(&name) || name == "authentication-certificate";
    sends(element.name()) || around(element, &SENDERS).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyless_model::Entity;
    use serde_json::json;

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        let gateway = Address::gateway("g");
        for (address, body) in [
            (
                gateway.child("api", "a;rev=2"),
                json!({ "properties": { "serviceUrl": "https://Api.net/x" } }),
            ),
            (
                gateway.child("backend", "b"),
                json!({ "properties": { "url": "https://backend.net" } }),
            ),
        ] {
            let id = String::new();
            snapshot.entities.insert(
                address,
                Entity {
                    id,
                    etag: None,
                    body,
                },
            );
        }
        snapshot
    }

    fn server(xml: &str) -> Option<String> {
        let text = format!("<policies><inbound>{xml}</inbound></policies>");
        let document = Document::parse(&text).unwrap();
        let api = Address::gateway("g").child("api", "a;rev=2");
        let address = api.child("operation", "o").part("policy");
        let lookup = |_: &str| Live::Present("named.net".to_owned());
        let snapshot = snapshot();
        let opened = Opened::by(&snapshot, &address, &document, &lookup);
        let last = document
            .elements()
            .into_iter()
            .rfind(|e| e.name() == "value")?;
        Some(opened.at(last.path().as_str())?.server)
    }

    #[test]
    fn a_key_opens_what_the_call_goes_to() {
        let key = "<set-header name=\"api-key\"><value>x</value></set-header>";
        let with = |before: &str| server(&format!("{before}{key}"));
        assert_eq!(with("").as_deref(), Some("api.net"));
        let url = "<set-backend-service base-url=\"https://{{host}}/y\" />";
        assert_eq!(with(url).as_deref(), Some("named.net"));
        let backend = "<set-backend-service backend-id=\"b\" />";
        assert_eq!(with(backend).as_deref(), Some("backend.net"));
        let chosen = format!("<choose><when condition=\"@(x)\">{url}</when></choose>");
        assert_eq!(with(&chosen), None);
    }

    #[test]
    fn a_key_in_a_request_of_its_own_opens_that() {
        let request = |url: &str| {
            server(&format!(
                "<send-request><set-url>{url}</set-url><set-header name=\"api-key\"><value>x</value>\
                 </set-header></send-request>"
            ))
        };
        assert_eq!(request("https://login.net/t").as_deref(), Some("login.net"));
        assert_eq!(request("@(\"https://\" + x)"), None);
    }
}
