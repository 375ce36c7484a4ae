//! The rule for client certificates that the gateway keeps and shows to services (azure-facts B.5
//! rows 4, 7 and 25): no secret stands there, and still whoever manages the gateway can be the one
//! that the certificate names. Those that stand in a policy themselves are for [`crate::policy`].

use keyless_model::{Address, Entity, Severity};
use keyless_policy::Document;
use serde_json::Value;

use crate::finding::{Finding, Opens};
use crate::opened::Opened;
use crate::url::host;

const REPLACEMENT: &str = "where the service behind takes Entra tokens, an Access for it; else a \
     certificate that comes from Key Vault, named by its id: its thumbprint changes when it is \
     renewed";

/// Each `authentication-certificate` that names a certificate of the gateway.
pub(crate) fn in_policy(address: &Address, document: &Document, opened: &Opened) -> Vec<Finding> {
    let elements = document.elements().into_iter();
    let senders = elements.filter(|e| e.name() == "authentication-certificate");
    let named = senders.filter_map(|element| {
        let attribute = element
            .attribute("certificate-id")
            .or_else(|| element.attribute("thumbprint"))?;
        let place = format!("{}/@{}", element.path(), attribute.name);
        Some(Finding {
            line: Some(document.line_column(attribute.range.start)),
            opens: opened.at(&place),
            place,
            ..finding(address, "this policy shows a client certificate")
        })
    });
    named.collect()
}

/// Where a backend names its certificates (Azure REST, backends).
const POINTERS: [&str; 4] = [
    "/properties/credentials/certificate",
    "/properties/credentials/certificateIds",
    "/properties/properties/serviceFabricCluster/clientCertificateId",
    "/properties/properties/serviceFabricCluster/clientCertificatethumbprint",
];

pub(crate) fn in_backend(address: &Address, entity: &Entity) -> Option<Finding> {
    let given = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    };
    let pointer = POINTERS
        .iter()
        .find(|p| entity.body.pointer(p).is_some_and(given))?;
    Some(Finding {
        place: (*pointer).to_owned(),
        opens: entity
            .text("/properties/url")
            .and_then(host)
            .map(Opens::host),
        ..finding(address, "this backend is shown a client certificate")
    })
}

fn finding(address: &Address, what: &str) -> Finding {
    Finding {
        severity: Severity::Info,
        replacement: REPLACEMENT.into(),
        ..Finding::new("KL0424", address, what.to_owned())
    }
}
