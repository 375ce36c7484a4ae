//! A gateway of 250 APIs with 20 operations each: planning must not grow with the square of it.

#[path = "../tests/estate/mod.rs"]
mod estate;

use std::time::{Duration, Instant};

use estate::http::{inbound, key_header, url};
use estate::{Estate, entity, policy, with_password};
use keyless_model::Address;
use serde_json::json;

/// Every twentieth operation has a policy; every tenth API has a resolver to move, and every tenth
/// other one a key in its policy for a service behind it.
fn large(apis: usize) -> Estate {
    let mut e = Estate::web();
    e.server("sql");
    e.database("sql", "orders");
    e.login("sql", "app", "Canary-speed-1");
    e.user_of("sql", "orders", "app", "app");
    let text = with_password("sql", "orders", "app", "Canary-speed-1");
    for api in 0..apis {
        let name = format!("api{api:04}");
        e.api("g", &name);
        let address = Address::gateway("g").child("api", &name);
        for operation in 0..20 {
            let operation = address.child("operation", &format!("op{operation}"));
            e.truth
                .entities
                .insert(operation, entity(json!({ "urlTemplate": "/x/{id}" })));
        }
        let value = "<policies><inbound><base/><set-header name=\"x\"><value>{{region}}</value>\
                     </set-header></inbound></policies>";
        let place = address.child("operation", "op0").part("policy");
        e.truth
            .entities
            .insert(place, entity(json!({ "value": value })));
        if api % 10 == 5 {
            let service = format!("service{api}");
            let policy = inbound(&key_header("Canary-key-of-a-service"));
            e.http_api(&name, &url(&service), Some(&policy));
            e.http_access(&format!("web{api}"), &[&name], &url(&service));
        }
        if api % 10 == 0 {
            let value = format!("db{api}");
            e.named_value("g", &value, &text);
            e.resolver("g", &name, "q", &policy(&format!("{{{{{value}}}}}"), false));
            e.access(&format!("access{api}"), "g", &[&name], "sql", "orders");
        }
    }
    e
}

fn best_of_three(estate: &Estate) -> Duration {
    let seen = estate.seen();
    let once = || {
        let start = Instant::now();
        let plan = keyless_plan::plan(&estate.desired, &seen, &estate.state, &estate::options());
        assert!(!plan.steps.is_empty());
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

/// Twice the APIs should take about twice the time: `cargo bench -p keyless-plan`.
#[expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
fn main() {
    let small = best_of_three(&large(125));
    for apis in [125, 250, 500] {
        let took = best_of_three(&large(apis));
        let ratio = took.as_secs_f64() / small.as_secs_f64();
        println!("{apis} APIs x 20 operations: {took:?}, {ratio:.1} times 125 APIs");
    }
}
