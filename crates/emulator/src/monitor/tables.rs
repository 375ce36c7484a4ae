//! The tables that queries can name: `AzureDiagnostics` with the SQL audit, `ApiManagementGatewayLogs`
//! with the gateway's calls (azure-facts E.2), and `AzureActivity` with the Activity Log.

use std::collections::BTreeMap;

use serde_json::json;

use super::run::{Row, Table};
use crate::arm::{self, Kind, Store};
use crate::directory::Claims;
use crate::estate::Estate;

/// Columns and their types.
type Columns = &'static [(&'static str, &'static str)];

const DIAGNOSTICS: Columns = &[
    ("TimeGenerated", "datetime"),
    ("Category", "string"),
    ("ResourceProvider", "string"),
    ("ResourceId", "string"),
    ("event_time_t", "datetime"),
    ("LogicalServerName_s", "string"),
    ("database_name_s", "string"),
    ("action_name_s", "string"),
    ("succeeded_s", "string"),
    ("server_principal_name_s", "string"),
    ("server_principal_sid_s", "string"),
    ("database_principal_name_s", "string"),
    ("session_id_d", "real"),
    ("statement_s", "string"),
    ("application_name_s", "string"),
    ("client_ip_s", "string"),
    ("affected_rows_d", "real"),
    ("response_rows_d", "real"),
    ("additional_information_s", "string"),
    ("user_defined_event_id_d", "real"),
    ("user_defined_information_s", "string"),
];

const ACTIVITY: Columns = &[
    ("TimeGenerated", "datetime"),
    ("Caller", "string"),
    ("OperationNameValue", "string"),
    ("ActivityStatusValue", "string"),
    ("ActivitySubstatusValue", "string"),
    ("CategoryValue", "string"),
    ("Level", "string"),
    ("ResourceGroup", "string"),
    ("ResourceProviderValue", "string"),
    ("SubscriptionId", "string"),
    ("_ResourceId", "string"),
    ("CorrelationId", "string"),
    ("EventDataId", "string"),
    ("CallerIpAddress", "string"),
];

const GATEWAY: Columns = &[
    ("TimeGenerated", "datetime"),
    ("CorrelationId", "string"),
    ("ApiId", "string"),
    ("ApiRevision", "string"),
    ("OperationId", "string"),
    ("ProductId", "string"),
    ("ApimSubscriptionId", "string"),
    ("CallerIpAddress", "string"),
    ("Url", "string"),
    ("ResponseCode", "int"),
    ("TotalTime", "int"),
    ("_ResourceId", "string"),
];

/// The rows of a table that the caller may read; `None` when there is no such table.
pub fn find(estate: &Estate, claims: &Claims, name: &str) -> Option<Table> {
    let store = estate.store();
    let mut readable = Readable {
        estate,
        store: &store,
        claims,
        action: format!("Microsoft.Insights/logs/{name}/read"),
        known: BTreeMap::new(),
    };
    let (columns, rows) = match name {
        "AzureDiagnostics" => (DIAGNOSTICS, diagnostics(&mut readable)),
        "ApiManagementGatewayLogs" => (GATEWAY, gateway(&mut readable)),
        "AzureActivity" => (ACTIVITY, activity(&mut readable)),
        _ => return None,
    };
    let columns = columns
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), *kind));
    Some(Table {
        columns: columns.collect(),
        rows,
    })
}

/// Whose logs a caller may read, asked once for each resource.
struct Readable<'a> {
    estate: &'a Estate,
    store: &'a Store,
    claims: &'a Claims,
    action: String,
    known: BTreeMap<String, bool>,
}

impl Readable<'_> {
    fn is(&mut self, id: &str) -> bool {
        let (estate, store, claims) = (self.estate, self.store, self.claims);
        let ask = || arm::is_allowed(estate, store, claims, id, &self.action);
        *self.known.entry(id.to_owned()).or_insert_with(ask)
    }
}

/// The calls of the services' gateways.
fn gateway(readable: &mut Readable<'_>) -> Vec<Row> {
    let services = readable.store.all().filter(|e| e.kind == Kind::Service);
    let mut rows = Vec::new();
    for service in services {
        if !readable.is(&service.id) {
            continue;
        }
        let key = service.key();
        for call in readable.estate.gateway_log().of(&key) {
            let mut row = json!(call);
            row["_ResourceId"] = json!(key);
            rows.extend(row.as_object().cloned());
        }
    }
    rows
}

/// The audit of the servers whose settings send it here.
fn diagnostics(readable: &mut Readable<'_>) -> Vec<Row> {
    let servers = readable.store.all().filter(|e| e.kind == Kind::SqlServer);
    let mut rows = Vec::new();
    for server in servers {
        if !readable.is(&server.id) {
            continue;
        }
        for record in readable.estate.sql.audit(server.name()) {
            if !is_sent(readable.store, &server.key(), &record.database) {
                continue;
            }
            let id = format!("{}/databases/{}", server.id, record.database).to_uppercase();
            let mut row = json!(record);
            row["TimeGenerated"] = json!(record.time);
            row["Category"] = json!("SQLSecurityAuditEvents");
            row["ResourceProvider"] = json!("MICROSOFT.SQL");
            row["ResourceId"] = json!(id);
            rows.extend(row.as_object().cloned());
        }
    }
    rows
}

/// Whether the audit of the server or of the database has Azure Monitor as a target.
fn is_sent(store: &Store, server: &str, database: &str) -> bool {
    let database = format!("{server}/databases/{}", database.to_lowercase());
    [server, &database].iter().any(|owner| {
        let setting = store.get(&format!("{owner}/extendedauditingsettings/default"));
        setting
            .is_some_and(|one| one.body["properties"]["isAzureMonitorTargetEnabled"] == json!(true))
    })
}

fn activity(readable: &mut Readable<'_>) -> Vec<Row> {
    let events = arm::events(readable.estate, readable.store);
    let mut rows = Vec::new();
    for event in events {
        let id = event["resourceId"].as_str().unwrap_or_default().to_owned();
        if !readable.is(&id) {
            continue;
        }
        let of = |path: &str| event.pointer(path).cloned().unwrap_or_default();
        let row = json!({
            "TimeGenerated": of("/eventTimestamp"),
            "Caller": of("/caller"),
            "OperationNameValue": of("/operationName/value"),
            "ActivityStatusValue": of("/status/value"),
            "ActivitySubstatusValue": of("/subStatus/value"),
            "CategoryValue": of("/category/value"),
            "Level": of("/level"),
            "ResourceGroup": of("/resourceGroupName"),
            "ResourceProviderValue": of("/resourceProviderName/value"),
            "SubscriptionId": of("/subscriptionId"),
            "_ResourceId": id.to_lowercase(),
            "CorrelationId": of("/correlationId"),
            "EventDataId": of("/eventDataId"),
            "CallerIpAddress": of("/httpRequest/clientIpAddress"),
        });
        rows.extend(row.as_object().cloned());
    }
    rows
}
