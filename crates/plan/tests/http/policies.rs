//! Credentials in policies, and the token in their place.

use super::*;

#[test]
fn a_header_is_parked_switched_confirmed_and_retired() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let plan = e.plan();
    let value = plan.steps[0].address.clone();
    assert!(value.last().1.starts_with("keyless-orders-"), "{value}");
    assert_eq!(
        ids(&plan),
        [
            &format!("park/{value}"),
            "park/apim:g/api:orders/policy",
            "prove/apim:g/access:orders",
            "switch/apim:g/api:orders/policy",
            "confirm/apim:g/access:orders",
            &format!("retire/{value}"),
        ]
    );
    let Op::Gate {
        gate: Gate::Soak { evidence, .. },
    } = &plan.steps[4].op
    else {
        panic!("{:?}", plan.steps[4])
    };
    assert_eq!(format!("{evidence:?}"), "{Approval}");
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert!(text.contains(&token(AUDIENCE)), "{text}");
    assert!(!text.contains("x-functions-key"), "{text}");
    assert_eq!(e.drift(), []);
}

#[test]
fn an_undone_switch_sends_the_parked_key_again() {
    let elements = format!(
        "<set-header name=\"x-region\" exists-action=\"override\"><value>eu</value></set-header>\n    \
         {}\n    <authentication-basic username=\"u\" password=\"{KEY}\" />\n    \
         <rewrite-uri template=\"/x\" />",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&elements));
    let before = e.text(&api_policy("orders")).to_owned();
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:g/api:orders/policy").clone();
    for step in plan.steps.iter().filter(|s| s.phase <= Phase::Switch) {
        e.run(step);
    }
    let Undo::Splice { edits } = &switch.undo else {
        panic!("{:?}", switch.undo)
    };
    let text = keyless_plan::edited(e.text(&api_policy("orders")), edits).unwrap();
    e.text_at(api_policy("orders"), &text);
    assert!(!text.contains("authentication-managed-identity") && !text.contains(KEY));
    let all = sends(&e, &estate::http::calls(&e)[0]).unwrap();
    assert_eq!(all[0].fields["authorization"], format!("u:{KEY}"));
    assert_eq!(all[0].fields["x-functions-key"], KEY);
    assert_eq!(before.lines().count(), text.lines().count(), "{text}");
}

#[test]
fn the_first_credential_makes_room_and_the_others_go() {
    let elements = format!(
        "<authentication-basic username=\"u\" password=\"{KEY}\" />\n    {}\n    <set-query-parameter \
         name=\"code\" exists-action=\"override\"><value>{KEY}</value></set-query-parameter>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&elements));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert_eq!(text.matches("authentication-managed-identity").count(), 1);
    let gone = !text.contains("basic") && !text.contains("set-");
    assert!(gone, "{text}");
}

#[test]
fn a_literal_that_no_named_value_can_hold_makes_the_switch_irreversible() {
    let quoted = format!("{KEY}&amp;x");
    let mut e = with_policy(&inbound(&key_header(&quoted)));
    let plan = e.plan();
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Park));
    let why = step(&plan, "switch/apim:g/api:orders/policy").irreversible();
    assert!(why.unwrap().contains("XML escapes"), "{why:?}");
    runs_clean(&mut e);
}

#[test]
fn a_reference_needs_no_parking_and_its_named_value_goes_in_the_end() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    let plan = runs_clean(&mut e);
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Park));
    let switch = step(&plan, "switch/apim:g/api:orders/policy");
    assert!(matches!(switch.undo, Undo::Splice { .. }));
    step(&plan, &format!("retire/{value}"));
    assert!(!e.truth.entities.contains_key(&value));
}

#[test]
fn without_retire_the_named_value_stays_and_is_told_of() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    *e.retire_of("orders") = None;
    e.run_all(&e.plan());
    assert!(e.plan().is_empty() && e.truth.entities.contains_key(&value));
    let found = e.drift();
    assert_eq!((found.len(), found[0].code), (1, "KL0508"), "{found:#?}");
    assert_eq!(found[0].class, Class::Pending);
}

#[test]
fn a_named_value_that_something_else_uses_stays() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    let trace = "<trace source=\"x\"><message>{{orders-key}}</message></trace>";
    e.http_api("other", "https://other.net", Some(&inbound(trace)));
    e.run_all(&e.plan());
    waits(&e.plan(), &["namedValue:orders-key", "api:other/policy"]);
    assert!(e.truth.entities.contains_key(&value));
}

#[test]
fn a_credential_in_the_backend_section_makes_room_at_the_end_of_inbound() {
    let rewrite = "<rewrite-uri template=\"/x\" />";
    let mut e = with_policy(&sections(rewrite, &key_header(KEY)));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    let inbound = &text[..text.find("</inbound>").unwrap()];
    let (rewrite, asks) = (
        inbound.find("rewrite").unwrap(),
        inbound.find("managed-identity"),
    );
    assert!(asks.unwrap() > rewrite, "{text}");
}

#[test]
fn a_token_never_takes_the_place_of_the_callers_before_that_is_checked() {
    let jwt = "<validate-jwt header-name=\"Authorization\"><openid-config url=\"https://i\" />\
               </validate-jwt>";
    let mut e = with_policy(&inbound(&format!("{}\n    {jwt}", key_header(KEY))));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert!(
        text.find("validate-jwt") < text.find("managed-identity"),
        "{text}"
    );
}

#[test]
fn each_branch_of_a_choose_gets_its_own_token() {
    let choose = format!(
        "<choose><when condition=\"@(true)\">{0}</when><otherwise>{0}</otherwise></choose>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&choose));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert_eq!(text.matches("authentication-managed-identity").count(), 2);
}
