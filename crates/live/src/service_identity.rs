//! The identities of a service in a PATCH: always the union of what is live and what is asked for,
//! since the service may take the set as a whole (azure-facts B.1).
//!
//! Invariant: a system-assigned identity is never taken away, for a new one would have other ids.

use serde_json::{Map, Value, json};

/// `body` with its identities joined to those that are live. A user-assigned identity that `body`
/// names with `null` goes.
pub(crate) fn union(live: &Value, body: &Value) -> Value {
    let mut body = body.clone();
    if body.get("identity").is_none() {
        return body;
    }
    let mut all: Map<String, Value> = Map::new();
    for (id, _) in users(live) {
        all.insert(id.clone(), json!({}));
    }
    for (id, wanted) in users(&body) {
        let known = all.keys().find(|k| k.eq_ignore_ascii_case(id)).cloned();
        let value = if wanted.is_null() {
            Value::Null
        } else {
            json!({})
        };
        all.insert(known.unwrap_or_else(|| id.clone()), value);
    }
    let system = has_system(live) || has_system(&body);
    let user = all.values().any(|v| !v.is_null());
    body["identity"]["type"] = json!(match (system, user) {
        (true, true) => "SystemAssigned, UserAssigned",
        (true, false) => "SystemAssigned",
        (false, true) => "UserAssigned",
        (false, false) => "None",
    });
    if !all.is_empty() {
        body["identity"]["userAssignedIdentities"] = Value::Object(all);
    }
    body
}

/// `live` with the ids of its user-assigned identities spelled as `body` spells them: they are ARM
/// ids, whose case does not count.
pub(crate) fn as_asked(live: &Value, body: &Value) -> Value {
    let mut live = live.clone();
    let wanted: Vec<&String> = users(body).map(|(id, _)| id).collect();
    let pointer = "/identity/userAssignedIdentities";
    let found = live.pointer_mut(pointer).and_then(Value::as_object_mut);
    if let Some(found) = found {
        let spelled = |id: String| {
            let same = wanted.iter().find(|w| w.eq_ignore_ascii_case(&id));
            same.map_or(id.clone(), |w| (*w).clone())
        };
        let taken = std::mem::take(found);
        *found = taken.into_iter().map(|(id, v)| (spelled(id), v)).collect();
    }
    live
}

fn users(body: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let users = body.pointer("/identity/userAssignedIdentities");
    users.and_then(Value::as_object).into_iter().flatten()
}

fn has_system(body: &Value) -> bool {
    let kind = body.pointer("/identity/type").and_then(Value::as_str);
    kind.is_some_and(|k| k.to_lowercase().contains("systemassigned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Value {
        json!({ "identity": {
            "type": "SystemAssigned, UserAssigned",
            "userAssignedIdentities": { "/a": { "clientId": "c" } },
        }})
    }

    #[test]
    fn what_is_live_stays_and_what_is_asked_for_comes() {
        let body = json!({ "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": { "/B": {}, "/A": {} },
        }});
        let wanted = json!({ "identity": {
            "type": "SystemAssigned, UserAssigned",
            "userAssignedIdentities": { "/a": {}, "/B": {} },
        }});
        assert_eq!(union(&live(), &body), wanted);
    }

    #[test]
    fn an_identity_goes_only_when_it_is_named_so() {
        let body = json!({ "identity": { "userAssignedIdentities": { "/A": null } } });
        let wanted = json!({ "identity": {
            "type": "SystemAssigned",
            "userAssignedIdentities": { "/a": null },
        }});
        assert_eq!(union(&live(), &body), wanted);
        let other = json!({ "properties": { "x": 1 } });
        assert_eq!(union(&live(), &other), other);
    }

    #[test]
    fn the_case_of_an_id_does_not_count() {
        let body = json!({ "identity": { "userAssignedIdentities": { "/A": {} } } });
        let spelled = as_asked(&live(), &body);
        assert!(
            spelled
                .pointer("/identity/userAssignedIdentities/~1A")
                .is_some()
        );
    }
}
