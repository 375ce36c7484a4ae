//! The run of one call through its effective policy: inbound, backend, outbound, and on-error when
//! something goes wrong on the way.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value, json};

use super::builder::{Builder, Variable};
use super::context::{self, Call};
use super::draft::{Address, Draft};
use super::effective::{Effective, effective};
use super::element::Element;
use super::error::PolicyError;
use super::text::Texts;
use super::{backend, graphql_call, upstream, validate};
use crate::http::Response;

/// Elements without a bearing on whether a call gets through: limits that nobody reaches, caches
/// that never hit, logs, and checks of contents. They are read over.
const PASSED_OVER: [&str; 26] = [
    "cors",
    "cross-domain",
    "jsonp",
    "rate-limit",
    "rate-limit-by-key",
    "quota",
    "quota-by-key",
    "ip-filter",
    "cache-lookup",
    "cache-store",
    "cache-store-value",
    "cache-remove-value",
    "trace",
    "log-to-eventhub",
    "emit-metric",
    "find-and-replace",
    "redirect-content-urls",
    "validate-content",
    "validate-parameters",
    "validate-headers",
    "validate-status-code",
    "validate-graphql-request",
    "validate-client-certificate",
    "xml-to-json",
    "json-to-xml",
    "proxy",
];

/// The most rounds of a `retry`.
const ROUNDS: usize = 50;

/// Whether the sections go on after an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    /// An answer stands; nothing more runs.
    Done,
}

type Running<'b> = Pin<Box<dyn Future<Output = Result<Flow, PolicyError>> + Send + 'b>>;

/// Runs the policies that apply to a call and answers it.
pub async fn answer(call: &Call<'_>) -> Response {
    let effective = effective(&call.estate.store(), call.route);
    let effective = match effective {
        Ok(effective) => effective,
        Err(error) => return error.response(),
    };
    let mut run = Run::new(call);
    match run.all(&effective).await {
        Ok(_) => run.response.unwrap_or_else(|| Response::empty(200)),
        Err(error) if error.is_ours() => error.response(),
        Err(error) => run.recover(&effective.on_error, &error).await,
    }
}

struct Run<'a> {
    call: &'a Call<'a>,
    texts: Texts<'a>,
    tree: Value,
    draft: Draft,
    response: Option<Response>,
    variables: Map<String, Value>,
    error: Option<String>,
}

impl<'a> Run<'a> {
    fn new(call: &'a Call<'a>) -> Self {
        Self {
            call,
            texts: Texts {
                estate: call.estate,
                service: &call.route.service,
            },
            tree: call.tree(),
            draft: first_draft(call),
            response: None,
            variables: Map::new(),
            error: None,
        }
    }

    async fn all(&mut self, effective: &Effective) -> Result<Flow, PolicyError> {
        for section in [&effective.inbound, &effective.backend, &effective.outbound] {
            if self.section(section).await? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        Ok(Flow::Next)
    }

    /// `on-error` may change the answer or give another one.
    async fn recover(mut self, on_error: &[Element], error: &PolicyError) -> Response {
        self.error = Some(error.to_string());
        self.response = Some(error.response());
        match self.section(on_error).await {
            Ok(_) => self.response.unwrap_or_default(),
            Err(error) => error.response(),
        }
    }

    async fn section(&mut self, elements: &[Element]) -> Result<Flow, PolicyError> {
        for element in elements {
            if self.element(element).await? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        Ok(Flow::Next)
    }

    /// Boxed, because elements hold elements.
    fn element<'b>(&'b mut self, element: &'b Element) -> Running<'b> {
        Box::pin(async move {
            match element.name.as_str() {
                "choose" => return self.choose(element).await,
                "retry" => return self.retry(element).await,
                "wait" | "limit-concurrency" => return self.section(&element.children).await,
                "forward-request" => self.response = Some(self.forward().await?),
                "send-request" | "send-one-way-request" => self.send(element)?,
                "return-response" => {
                    self.response = Some(self.returned(element)?);
                    return Ok(Flow::Done);
                }
                "mock-response" => {
                    let status = element.attribute("status-code").unwrap_or("200");
                    self.response = Some(Response::json(number(status)?, &json!({})));
                    return Ok(Flow::Done);
                }
                "set-variable" | "cache-lookup-value" => self.set_variable(element)?,
                name if PASSED_OVER.contains(&name) => {}
                _ => self.change(element)?,
            }
            Ok(Flow::Next)
        })
    }

    /// The context as it is now.
    fn context(&self) -> Value {
        let mut tree = self.tree.clone();
        tree["Request"] = self.call.current(&self.draft);
        tree["Response"] = self.response.as_ref().map(context::response).into();
        tree["Variables"] = Value::Object(self.variables.clone());
        if let Some(error) = &self.error {
            tree["LastError"] = json!({"Message": error, "Reason": "", "Source": ""});
        }
        tree
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Builder<'_>) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        work(&Builder {
            texts: &self.texts,
            context: &self.context(),
            matched: &self.call.route.matched,
        })
    }

    async fn choose(&mut self, choose: &Element) -> Result<Flow, PolicyError> {
        for branch in &choose.children {
            let taken = match branch.name.as_str() {
                "otherwise" => true,
                _ => self.holds(branch)?,
            };
            if taken {
                return self.section(&branch.children).await;
            }
        }
        Ok(Flow::Next)
    }

    fn holds(&self, of: &Element) -> Result<bool, PolicyError> {
        let condition = self.with(|builder| builder.required(of, "condition"))?;
        Ok(condition.eq_ignore_ascii_case("true"))
    }

    async fn retry(&mut self, retry: &Element) -> Result<Flow, PolicyError> {
        let count = self.with(|builder| builder.required(retry, "count"))?;
        for _ in 0..=usize::from(number(&count)?).min(ROUNDS) {
            if self.section(&retry.children).await? == Flow::Done {
                return Ok(Flow::Done);
            }
            if !self.holds(retry)? {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// To the resolvers of a GraphQL API that has some, else to the backend.
    async fn forward(&self) -> Result<Response, PolicyError> {
        if self.call.route.is_graphql && !self.is_passed_through() {
            return Ok(graphql_call(self.call).await);
        }
        let wire = backend::wire(&self.texts, &self.draft)?;
        upstream::send(self.call.estate, &wire)
    }

    fn is_passed_through(&self) -> bool {
        let resolvers = format!("{}/resolvers", self.call.route.api);
        let none = self.call.estate.store().list(&resolvers).is_empty();
        none && matches!(&self.draft.address, Address::Below { base, .. } if !base.is_empty())
    }

    /// Sends a request of the policy's own; the answer goes into a variable.
    fn send(&mut self, element: &Element) -> Result<(), PolicyError> {
        let mut draft = if element.attribute("mode") == Some("copy") {
            self.draft.clone()
        } else {
            Draft::new()
        };
        for child in element
            .children
            .iter()
            .filter(|child| child.name != "proxy")
        {
            let set = self.with(|builder| builder.apply(&mut draft, child))?;
            self.variables.extend(set);
        }
        let sent = backend::wire(&self.texts, &draft)
            .and_then(|wire| upstream::send(self.call.estate, &wire));
        let answer = match sent {
            Ok(response) => context::response(&response),
            Err(_) if element.is_set("ignore-error") => Value::Null,
            Err(_) if element.name == "send-one-way-request" => Value::Null,
            Err(error) => return Err(error),
        };
        if let Some(name) = element.attribute("response-variable-name") {
            self.variables.insert(name.to_owned(), answer);
        }
        Ok(())
    }

    fn set_variable(&mut self, element: &Element) -> Result<(), PolicyError> {
        if element.name == "set-variable" {
            let set = self.with(|builder| {
                let name = builder.required(element, "name")?;
                let written = element.attribute("value");
                let written = written.ok_or_else(|| PolicyError::missing(&element.name, "value"));
                Ok((name, builder.value(written?)?))
            })?;
            self.variables.extend([set]);
            return Ok(());
        }
        // Nothing is ever cached: only the default is there.
        let name = element.attribute("variable-name").unwrap_or_default();
        if let Some(default) = self.with(|builder| builder.attribute(element, "default-value"))? {
            self.variables.insert(name.to_owned(), json!(default));
        }
        Ok(())
    }

    /// Everything else changes the answer when there is one, and the request before.
    fn change(&mut self, element: &Element) -> Result<(), PolicyError> {
        let set: Option<Variable> = match element.name.as_str() {
            "check-header" | "validate-jwt" | "validate-azure-ad-token" => {
                self.with(|builder| validate::check(builder, &self.draft, element))?
            }
            "set-header" | "set-body" | "set-status" if self.response.is_some() => {
                let mut response = self.response.clone().unwrap_or_default();
                self.with(|builder| shape(builder, &mut response, element))?;
                self.response = Some(response);
                None
            }
            _ => {
                let mut draft = self.draft.clone();
                let set = self.with(|builder| builder.apply(&mut draft, element))?;
                self.draft = draft;
                set
            }
        };
        self.variables.extend(set);
        Ok(())
    }

    /// The answer that `return-response` describes, from nothing or from a variable.
    fn returned(&self, element: &Element) -> Result<Response, PolicyError> {
        let mut response = Response::empty(200);
        if let Some(name) = element.attribute("response-variable-name") {
            response = kept(self.variables.get(name).unwrap_or(&Value::Null));
        }
        self.with(|builder| {
            let mut children = element.children.iter();
            children.try_for_each(|child| shape(builder, &mut response, child))
        })?;
        Ok(response)
    }
}

/// The request as it came, on its way to the API's own service.
fn first_draft(call: &Call<'_>) -> Draft {
    let (route, original) = (call.route, call.original);
    let store = call.estate.store();
    let properties = store.get(&route.api).map(|api| &api.body["properties"]);
    let text = |pointer: &str| properties.and_then(|all| all.pointer(pointer)?.as_str());
    let key = text("/subscriptionKeyParameterNames/query").unwrap_or("subscription-key");
    let headers = original.headers.iter();
    Draft {
        method: original.verb.clone(),
        address: Address::Below {
            base: text("/serviceUrl").unwrap_or_default().to_owned(),
            path: route.rest.clone(),
        },
        query: original
            .query
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(key))
            .cloned()
            .collect(),
        headers: headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect(),
        body: original.body.to_vec(),
    }
}

/// `set-header`, `set-body` and `set-status` on an answer.
fn shape(
    builder: &Builder<'_>,
    response: &mut Response,
    element: &Element,
) -> Result<(), PolicyError> {
    match element.name.as_str() {
        "set-header" => builder.set_pairs(&mut response.headers, element),
        "set-body" => {
            response.body = builder.body(element)?;
            Ok(())
        }
        "set-status" => {
            response.status = number(&builder.required(element, "code")?)?;
            Ok(())
        }
        other => {
            let what = format!("The element '{other}' of an answer");
            Err(PolicyError::NotEmulated(what))
        }
    }
}

/// An answer that a variable holds.
fn kept(value: &Value) -> Response {
    let headers = value["Headers"].as_object().into_iter().flatten();
    let headers = headers.flat_map(|(name, values)| {
        let values = values.as_array().into_iter().flatten();
        values.map(|value| (name.clone(), super::expression::text_of(value)))
    });
    let body = value["Body"][super::expression::BODY].as_str();
    Response {
        status: value["StatusCode"]
            .as_u64()
            .map_or(200, |status| status as u16),
        headers: headers.collect(),
        body: body.unwrap_or_default().as_bytes().to_vec(),
    }
}

fn number(text: &str) -> Result<u16, PolicyError> {
    let what = || PolicyError::NotEmulated(format!("The number '{text}'"));
    text.trim().parse().map_err(|_| what())
}
