//! `<service>.azure-api.localhost`: the gateway. Every call runs through the policies that apply to
//! it and then really goes to where they lead: to an HTTP service of the seed with the credentials
//! that the request carries, or through a resolver to the emulated SQL. So a call fails exactly
//! when its path is broken, and a policy that is not understood fails it loudly.

mod access;
mod backend;
mod builder;
mod calls;
mod connection;
mod context;
mod database;
mod draft;
mod effective;
mod element;
mod error;
mod expression;
mod graphql;
mod identity;
mod log;
mod operation;
mod pipeline;
mod resolver;
mod route;
mod stray;
mod text;
mod traffic;
mod upstream;
mod validate;

pub use calls::{Calls, CredentialKind, ServiceCalls};
pub use log::GatewayLog;
pub use traffic::{
    CallOutcome, TrafficReport, TrafficSeed, TrafficToken, call_all, call_all_while,
};

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;
use context::Call;
use graphql::Field;
use resolver::ResolverError;

/// Answers a request to the gateway of `service`.
pub async fn answer(estate: &Estate, service: &str, request: &Request) -> Response {
    let request_id = ids::guid();
    let route = route::find(&estate.store(), service, request);
    let route = match route {
        Ok(route) => route,
        Err(refusal) => return refusal,
    };
    let call = Call {
        estate,
        route: &route,
        original: request,
        request_id: &request_id,
    };
    let begin = Instant::now();
    let response = pipeline::answer(&call).await;
    log::record(&call, &response, begin.elapsed());
    response.with("Request-Id", request_id)
}

/// Answers a GraphQL request field by field through the API's resolvers.
async fn graphql_call(call: &Call<'_>) -> Response {
    let request = call.original;
    if request.verb != "POST" || !matches!(call.route.rest.as_str(), "" | "/") {
        return route::refusal(404, "Resource not found");
    }
    let body = request.json().unwrap_or_default();
    let Some(query) = body["query"].as_str() else {
        return errors(400, "The body is a JSON object with a `query`.");
    };
    let operation = match graphql::parse(query, &body["variables"], &body["operationName"]) {
        Ok(operation) => operation,
        Err(error) => return errors(400, &error.to_string()),
    };
    let (mut data, mut problems) = (Map::new(), Vec::new());
    for field in &operation.fields {
        if field.name == "__typename" {
            data.insert(field.key.clone(), json!(operation.kind));
            continue;
        }
        let path = format!("{}/{}", operation.kind, field.name);
        match resolver::run(call, &path, &field.arguments).await {
            Ok(result) => {
                data.insert(field.key.clone(), shape(&result, &field.selection));
            }
            Err(error) => {
                data.insert(field.key.clone(), Value::Null);
                problems.push(problem(&field.key, &error));
            }
        }
    }
    let mut answer = json!({"data": data});
    if !problems.is_empty() {
        answer["errors"] = Value::Array(problems);
    }
    Response::json(200, &answer)
}

fn problem(key: &str, error: &ResolverError) -> Value {
    let mut problem = json!({"message": error.to_string(), "path": [key]});
    if let ResolverError::Sql { number, .. } = error {
        problem["extensions"] = json!({"sqlErrorNumber": number});
    }
    problem
}

fn errors(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"errors": [{"message": message}]}))
}

/// A result as the query wants it: an object's fields, a list, or the list under `items`.
fn shape(result: &Value, selection: &[Field]) -> Value {
    match (result, selection) {
        (Value::Array(all), [items]) if items.name == "items" => {
            let all: Value = all.iter().map(|one| shape(one, &items.selection)).collect();
            json!({items.key.as_str(): all})
        }
        (Value::Array(all), _) => all.iter().map(|one| shape(one, selection)).collect(),
        (Value::Object(fields), [_, ..]) => select(fields, selection),
        (other, _) => other.clone(),
    }
}

fn select(fields: &Map<String, Value>, selection: &[Field]) -> Value {
    let picked = selection.iter().map(|field| {
        let found = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&field.name));
        let value = found.map_or(Value::Null, |(_, value)| shape(value, &field.selection));
        (field.key.clone(), value)
    });
    Value::Object(picked.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(query: &str) -> Vec<Field> {
        let mut parsed = graphql::parse(query, &Value::Null, &Value::Null).unwrap();
        parsed.fields.remove(0).selection
    }

    #[test]
    fn a_result_takes_the_shape_of_its_selection() {
        let row = json!({"Id": 1, "Total": 9.5, "lines": [{"sku": "a", "n": 2}]});
        let rows = json!([row]);
        let plain = selection("{ a { id t: total } }");
        assert_eq!(shape(&row, &plain), json!({"id": 1, "t": 9.5}));
        assert_eq!(shape(&rows, &plain), json!([{"id": 1, "t": 9.5}]));
        assert_eq!(shape(&Value::Null, &plain), Value::Null);
        let items = selection("{ a { items { id } } }");
        assert_eq!(shape(&rows, &items), json!({"items": [{"id": 1}]}));
        let deep = selection("{ a { lines { sku } } }");
        assert_eq!(shape(&row, &deep), json!({"lines": [{"sku": "a"}]}));
    }
}
