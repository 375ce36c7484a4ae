//! Providers of the credential manager: their client secrets are write-only, and no action tells
//! them (azure-facts B.5 row 21).

use serde_json::{Map, Value};

/// Takes the client secret out of each grant type of `oauth2`.
pub fn hide(properties: &mut Map<String, Value>) {
    let grants = properties
        .get_mut("oauth2")
        .and_then(|oauth| oauth["grantTypes"].as_object_mut());
    for grant in grants.into_iter().flat_map(|grants| grants.values_mut()) {
        if let Some(parameters) = grant.as_object_mut() {
            parameters.remove("clientSecret");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_secret_of_every_grant_type_is_hidden() {
        let mut body = json!({"oauth2": {"grantTypes": {
            "authorizationCode": {"clientId": "a", "clientSecret": "Quay-Secret-1"},
            "clientCredentials": {"clientSecret": "Quay-Secret-2"},
        }}});
        hide(body.as_object_mut().unwrap());
        let left = json!({"authorizationCode": {"clientId": "a"}, "clientCredentials": {}});
        assert_eq!(body["oauth2"]["grantTypes"], left);
    }
}
