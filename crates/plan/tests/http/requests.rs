//! Requests that a policy makes of its own.

use super::*;

#[test]
fn a_request_of_a_policy_is_switched_only_where_it_leads_to_the_target() {
    let request = |to: &str| {
        format!(
            "<send-request mode=\"new\" response-variable-name=\"r\"><set-url>{to}</set-url>{}\
             </send-request>",
            key_header(KEY)
        )
    };
    let both = format!(
        "{}{}",
        request(&url("orders")),
        request("https://other.net/x")
    );
    let mut e = Estate::web();
    e.http_api("orders", "https://elsewhere.net", Some(&inbound(&both)));
    e.http_access("orders", &["orders"], &url("orders"));
    e.run_all(&e.plan());
    assert!(e.plan().is_empty());
    let all = sends(&e, &estate::http::calls(&e)[0]).unwrap();
    assert!(
        all[0].token.is_some() && all[0].fields.is_empty(),
        "{all:?}"
    );
    assert_eq!(all[1].fields["x-functions-key"], KEY);
    assert!(all[1].token.is_none() && all[2].token.is_none());
}

#[test]
fn a_hidden_url_of_a_request_waits() {
    let request = format!(
        "<send-request mode=\"new\"><set-url>{{{{where}}}}</set-url>{}</send-request>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&request));
    e.secret_value("g", "where", &url("orders"));
    let plan = e.plan();
    waits(&plan, &["api:orders/policy", "hidden", "--inspect-secrets"]);
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Retire));
}
