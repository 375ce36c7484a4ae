//! `<service>.azure-api.localhost`: the gateway. A GraphQL API answers through its resolvers, which
//! connect to the emulated SQL as their policies say, so that a call fails exactly when its path is
//! broken. Other kinds of API come later.

mod connection;
mod database;
mod expression;
mod graphql;
mod resolver;
mod route;

use serde_json::{Map, Value, json};

use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;
use graphql::Field;
use resolver::{Call, ResolverError};
use route::Route;

/// Answers a request to the gateway of `service`.
pub async fn answer(estate: &Estate, service: &str, request: &Request) -> Response {
    let request_id = ids::guid();
    let route = match route::find(&estate.store(), service, request) {
        Ok(route) => route,
        Err(refusal) => return refusal,
    };
    if !route.is_graphql {
        return route::refusal(501, "Only GraphQL APIs are emulated.");
    }
    graphql_call(estate, &route, request, &request_id)
        .await
        .with("Request-Id", request_id)
}

async fn graphql_call(
    estate: &Estate,
    route: &Route,
    request: &Request,
    request_id: &str,
) -> Response {
    if request.verb != "POST" || !matches!(route.rest.as_str(), "" | "/") {
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
        let call = Call {
            route,
            path: format!("{}/{}", operation.kind, field.name),
            arguments: &field.arguments,
            headers: &request.headers,
            request_id,
        };
        match resolver::run(estate, &call).await {
            Ok(result) => {
                let shaped = shape(&result.rows, result.single, &field.selection);
                data.insert(field.key.clone(), shaped);
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

/// Rows as the query wants them: one object, a list, or the list under `items`.
fn shape(rows: &[Map<String, Value>], single: bool, selection: &[Field]) -> Value {
    if single {
        return rows
            .first()
            .map_or(Value::Null, |row| select(row, selection));
    }
    let all =
        |selection: &[Field]| -> Value { rows.iter().map(|row| select(row, selection)).collect() };
    match selection {
        [items] if items.name == "items" => json!({items.key.as_str(): all(&items.selection)}),
        _ => all(selection),
    }
}

fn select(row: &Map<String, Value>, selection: &[Field]) -> Value {
    let picked = selection.iter().map(|field| {
        let column = row
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&field.name));
        (
            field.key.clone(),
            column.map_or(Value::Null, |(_, value)| value.clone()),
        )
    });
    Value::Object(picked.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Map<String, Value>> {
        let row = json!({"Id": 1, "Total": 9.5});
        vec![row.as_object().unwrap().clone()]
    }

    #[test]
    fn a_result_takes_the_shape_of_its_selection() {
        let parsed = graphql::parse("{ a { id t: total } }", &Value::Null, &Value::Null).unwrap();
        let selection = &parsed.fields[0].selection;
        assert_eq!(shape(&rows(), true, selection), json!({"id": 1, "t": 9.5}));
        assert_eq!(
            shape(&rows(), false, selection),
            json!([{"id": 1, "t": 9.5}])
        );
        assert_eq!(shape(&[], true, selection), Value::Null);
        let parsed = graphql::parse("{ a { items { id } } }", &Value::Null, &Value::Null).unwrap();
        let selection = &parsed.fields[0].selection;
        assert_eq!(
            shape(&rows(), false, selection),
            json!({"items": [{"id": 1}]})
        );
    }
}
