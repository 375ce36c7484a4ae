//! Accesses that demand who calls.

use keyless_model::{Callers, Claim};

use super::*;

const GATE: &str = "lock/apim:g/api:orders/callers/approved";
const STEP: &str = "lock/apim:g/api:orders/policy";

fn demanding(e: &mut Estate) -> &mut Callers {
    let callers = Callers {
        gateway: "g".into(),
        apis: Some(vec!["orders".into()]),
        tenant: Some(guid(77)),
        audiences: vec!["api://gateway".into()],
        client_ids: vec![],
        claims: vec![],
    };
    e.desired.callers.insert("orders".into(), callers);
    e.desired.callers.get_mut("orders").unwrap()
}

fn element(inside: &str) -> String {
    format!(
        "<validate-azure-ad-token tenant-id=\"{}\">{inside}</validate-azure-ad-token>",
        guid(77)
    )
}

const AUDIENCES: &str = "<audiences><audience>api://gateway</audience></audiences>";

#[test]
fn callers_are_checked_first_of_all_once_a_person_says_so() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    demanding(&mut e);
    e.http_api("orders;rev=2", &url("orders"), None);
    let plan = e.plan();
    assert!(step(&plan, GATE).is_gate());
    estate::look::needs(&plan, STEP, &[GATE, "switch/apim:g/api:orders/policy"]);
    e.run_all(&plan);
    let text = e.text(&api_policy("orders"));
    let (check, base) = (text.find(&element(AUDIENCES)), text.find("<base />"));
    assert!(check.is_some() && check < base, "{text}");
    assert!(text.contains(&token(AUDIENCE)), "{text}");
    // A revision without a policy has a door of its own.
    let other = e.text(&api_policy("orders;rev=2"));
    assert!(other.contains(&element(AUDIENCES)), "{other}");
    assert!(other.contains("<base />"), "{other}");
    assert!(e.plan().is_empty(), "{:#?}", ids(&e.plan()));
    assert_eq!(e.drift(), []);
}

#[test]
fn what_demands_the_same_in_other_words_stays() {
    let inside = format!(
        "<client-application-ids>\n<application-id>{}</application-id></client-application-ids>\
         <audiences><audience>api://b</audience><audience>api://gateway</audience></audiences>\
         <required-claims><claim name=\"roles\" match=\"any\"><value>b</value><value>a</value>\
         </claim></required-claims>",
        guid(5).to_uppercase()
    );
    let mut e = with_policy(&inbound(&format!(
        "{}{}",
        element(&inside),
        token(AUDIENCE)
    )));
    let callers = demanding(&mut e);
    callers.audiences.push("api://b".into());
    callers.client_ids.push(guid(5));
    callers.claims.push(Claim {
        name: "roles".into(),
        values: vec!["a".into(), "b".into()],
        any: true,
    });
    assert!(
        e.plan().is_empty(),
        "{:#?} {:#?}",
        ids(&e.plan()),
        rows(&e.plan())
    );
    // One value more is another demand, and what somebody else wrote is not changed.
    demanding(&mut e);
    let plan = e.plan();
    waits(&plan, &["api:orders/policy", "in another way already"]);
    assert!(plan.step(STEP).is_none());
}

#[test]
fn a_check_that_somebody_loosens_or_takes_away_is_critical() {
    for loosened in ["", "<audiences><audience>api://any</audience></audiences>"] {
        let mut e = with_policy(&inbound(&key_header(KEY)));
        demanding(&mut e);
        assert!(!e.drift().iter().any(|f| f.class == Class::Drifted));
        e.converge();
        assert_eq!(e.drift(), []);
        let text = e.text(&api_policy("orders")).to_owned();
        let instead = match loosened {
            "" => String::new(),
            inside => element(inside),
        };
        e.text_at(
            api_policy("orders"),
            &text.replace(&element(AUDIENCES), &instead),
        );
        let found = e.drift();
        let told = found.iter().find(|f| f.code == "KL0511");
        let told = told.unwrap_or_else(|| panic!("{found:#?}"));
        assert_eq!(
            (told.class, told.severity),
            (Class::Drifted, Severity::Critical)
        );
        e.converge();
        assert_eq!(e.drift(), []);
        assert!(e.text(&api_policy("orders")).contains(&element(AUDIENCES)));
    }
}

#[test]
fn a_declared_policy_checks_the_callers_itself() {
    let mut e = with_policy(&inbound(&token(AUDIENCE)));
    demanding(&mut e);
    let scope = || PolicyScope::Api("orders".into());
    e.declare_policy("g", scope(), &inbound(&token(AUDIENCE)));
    let plan = e.plan();
    waits(
        &plan,
        &["api:orders/policy", "does not check the callers", AUDIENCES],
    );
    assert!(plan.step(STEP).is_none());
    e.desired.policies.clear();
    let whole = inbound(&format!("{}{}", element(AUDIENCES), token(AUDIENCE)));
    e.declare_policy("g", scope(), &whole);
    e.converge();
    assert!(e.text(&api_policy("orders")).contains(AUDIENCES));
    assert!(e.plan().is_empty(), "{:#?}", rows(&e.plan()));
}

#[test]
fn the_check_is_taken_back_with_the_run() {
    let mut e = with_policy(&inbound(&token(AUDIENCE)));
    demanding(&mut e);
    let before = e.text(&api_policy("orders")).to_owned();
    let plan = e.plan();
    e.run_all(&plan);
    let stands = keyless_plan::Remains {
        ours: plan.steps.iter().map(|s| s.id.clone()).collect(),
        ..Default::default()
    };
    e.run_all(&keyless_plan::rollback(&plan, &stands, "test", 1));
    assert!(keyless_policy::same(e.text(&api_policy("orders")), &before));
    assert!(e.drift().iter().all(|f| f.class == Class::Pending));
}
