//! Passwords and keys that a server keeps for jobs, Data Sync, alerts and assessments: a reader
//! never sees them (azure-facts C.6 rows 9 to 12).

use serde_json::Value;

const HIDDEN: [&str; 4] = [
    "password",
    "hubDatabasePassword",
    "storageAccountAccessKey",
    "storageContainerSasKey",
];

/// Takes out what a reader does not see.
pub fn hide(body: &mut Value) {
    if let Some(properties) = body["properties"].as_object_mut() {
        for field in HIDDEN {
            properties.remove(field);
        }
    }
}
