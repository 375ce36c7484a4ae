//! How much of what is planted the scan finds, and how much it says that is not so.
//!
//! The bars are those of docs/scan.md, which has the table; this prints it:
//! `cargo test -p keyless-scan --test measure -- --nocapture`

mod estate;
mod planted;

use std::collections::BTreeMap;

use estate::{Estate, gateway, key};
use keyless_policy::Document;
use keyless_scan::{Confidence, Finding, HttpKind, http_credentials};
use planted::hosts::{self, Host};
use planted::{Dice, Plant, Spelling, entities, places, sql};
use serde_json::json;

/// Both must be at least this in a table,
const BAR: f64 = 0.98;
/// and this in each of its rows: one place of forty may be lost and hardly move the sum.
const ROW_BAR: f64 = 0.9;

/// What was counted for one row.
#[derive(Clone, Copy, Default)]
struct Count {
    planted: usize,
    found: usize,
    noise: usize,
}

impl Count {
    fn recall(&self) -> f64 {
        self.found as f64 / self.planted.max(1) as f64
    }

    fn precision(&self) -> f64 {
        self.found as f64 / (self.found + self.noise).max(1) as f64
    }

    fn is_over(&self, bar: f64) -> bool {
        self.planted > 0 && self.recall() >= bar && self.precision() >= bar
    }
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<String, Count>,
    /// The first few that went wrong, to look at.
    wrong: Vec<String>,
}

impl Table {
    fn count(&mut self, row: &str, found: bool, noise: usize, told: impl Fn() -> String) {
        let count = self.rows.entry(row.to_owned()).or_default();
        count.planted += 1;
        count.found += usize::from(found);
        count.noise += noise;
        if (!found || noise > 0) && self.wrong.len() < 40 {
            self.wrong
                .push(format!("{row}: found {found}, noise {noise}: {}", told()));
        }
    }

    fn sum(&self) -> Count {
        let mut sum = Count::default();
        for count in self.rows.values() {
            sum.planted += count.planted;
            sum.found += count.found;
            sum.noise += count.noise;
        }
        sum
    }

    #[expect(clippy::print_stdout, reason = "the table is what docs/scan.md shows")]
    fn judge(&self, title: &str) {
        let sum = self.sum();
        println!("\n| {title} | planted | recall | precision |\n|---|---|---|---|");
        let rows = self.rows.iter().map(|(row, count)| (row.as_str(), count));
        for (row, count) in rows.chain([("**all**", &sum)]) {
            println!(
                "| {row} | {} | {:.3} | {:.3} |",
                count.planted,
                count.recall(),
                count.precision()
            );
        }
        let wrong = self.wrong.join("\n");
        assert!(sum.is_over(BAR), "under the bar of {BAR}:\n{wrong}");
        for (row, count) in &self.rows {
            assert!(
                count.is_over(ROW_BAR),
                "{row}: under the bar of {ROW_BAR}:\n{wrong}"
            );
        }
    }
}

/// Plants into a document, scans it, and counts.
fn one(table: &mut Table, host: &Host, plant: &Plant) {
    let text = format!("{}{}{}", host.before, plant.xml, host.after);
    if let Err(error) = Document::parse(&text) {
        panic!("{}: {error}\n{}", host.name, plant.xml);
    }
    let found = Estate::default()
        .put(gateway().part("policy"), json!({ "value": text }))
        .scan();
    let found: Vec<Finding> = found.into_iter().filter(Finding::counts).collect();
    let lines = |text: &str| text.matches('\n').count() + 1;
    let from = lines(&host.before);
    let to = from + lines(&plant.xml) - 1;
    let print = key().of(&plant.secret);
    let is_it = |f: &Finding| {
        let there = f.line.is_some_and(|(line, _)| (from..=to).contains(&line));
        let opens = f.opens.as_ref().map(|o| &o.server);
        let leads = plant.opens.is_none() || opens == plant.opens.as_ref();
        there && leads && f.fingerprint.as_ref() == Some(&print)
    };
    let hits = found.iter().filter(|f| is_it(f)).count();
    let noise = found.len() - hits.min(1);
    table.count(plant.row, hits > 0, noise, || {
        let told = found
            .iter()
            .map(|f| format!("{} {} {:?}", f.rule, f.place, f.opens));
        let told: Vec<String> = told.collect();
        format!(
            "{}, {:?}: {}\n    {told:?}",
            host.name, plant.form, plant.xml
        )
    });
}

#[test]
fn credentials_in_policies_are_found_and_nothing_else_is() {
    let mut table = Table::default();
    let mut dice = Dice::new(101);
    for spelling in [Spelling::Xml, Spelling::Raw] {
        for plant in places::plants(&mut dice, spelling) {
            let host = hosts::made_up(&mut dice, spelling);
            one(&mut table, &host, &plant);
        }
    }
    table.judge("in a policy");
    let mut table = Table::default();
    let mut dice = Dice::new(102);
    let published = hosts::published();
    for host in &published {
        let plants = places::plants(&mut dice, host.spelling);
        for _ in 0..24 {
            one(&mut table, host, &plants[dice.roll(plants.len())]);
        }
    }
    if !published.is_empty() {
        table.judge("in a public policy");
    }
}

/// The same places, with a named value where the credential stood.
#[test]
fn credentials_behind_a_named_value_are_found_and_nothing_else_is() {
    let mut table = Table::default();
    let mut dice = Dice::new(105);
    for plant in places::plants(&mut dice, Spelling::Xml) {
        // Where the text is cut, the whole of it stands nowhere; what is commented out uses nothing.
        if plant.xml.matches(&plant.secret).count() != 1 || plant.row == "comment" {
            continue;
        }
        let host = hosts::made_up(&mut dice, Spelling::Xml);
        let xml = plant.xml.replace(&plant.secret, "{{part-7}}");
        let text = format!("{}{xml}{}", host.before, host.after);
        let found = Estate::default()
            .put(gateway().part("policy"), json!({ "value": text }))
            .plain("part-7", &plant.secret)
            .scan();
        let found: Vec<Finding> = found.into_iter().filter(Finding::counts).collect();
        let print = key().of(&plant.secret);
        let is_it = |f: &&Finding| {
            f.through.as_deref() == Some("part-7") && f.fingerprint.as_ref() == Some(&print)
        };
        let hits = found.iter().filter(is_it).count();
        let noise = found.len() - hits.min(1);
        table.count(plant.row, hits > 0, noise, || {
            format!("{xml}\n    {found:?}")
        });
    }
    table.judge("through a named value");
}

#[test]
fn credentials_outside_of_policies_are_found_and_nothing_else_is() {
    let mut table = Table::default();
    for held in entities::held(&mut Dice::new(103), 20) {
        let mut estate = Estate::default().put(held.address.clone(), held.properties.clone());
        for (address, properties) in entities::clean() {
            estate = estate.put(address, properties);
        }
        let found: Vec<Finding> = estate.scan().into_iter().filter(Finding::counts).collect();
        let print = held.secret.as_ref().map(|s| key().of(s));
        let is_it = |f: &Finding| {
            let opens = f.opens.as_ref().map(|o| &o.server);
            let leads = held.opens.is_none() || opens == held.opens.as_ref();
            f.address == held.address && leads && f.fingerprint == print
        };
        let hits = found.iter().filter(|f| is_it(f)).count();
        let noise = found.len() - hits.min(1);
        table.count(held.row, hits > 0, noise, || {
            format!("{} {found:?}", held.properties)
        });
    }
    table.judge("outside of policies");
}

#[test]
fn what_a_server_keeps_is_found_and_nothing_else_is() {
    let mut table = Table::default();
    let mut dice = Dice::new(104);
    for _ in 0..20 {
        let (estate, wanted) = sql::server(&mut dice);
        let found = estate.scan();
        for (row, rule, address) in &wanted {
            let is_it = |f: &&Finding| f.rule == *rule && f.address == *address;
            let hits = found.iter().filter(is_it).count();
            table.count(row, hits == 1, hits.saturating_sub(1), || {
                format!("{found:?}")
            });
        }
        let other = |f: &&Finding| {
            !wanted
                .iter()
                .any(|(_, r, a)| f.rule == *r && f.address == *a)
        };
        let noise = found.iter().filter(other).count();
        assert_eq!(noise, 0, "{found:?}");
    }
    table.judge("on a server");
}

/// Each of the public ones was read: they send references, tokens of an identity or of the caller,
/// and placeholders. Client certificates that they name are notes.
#[test]
fn documents_without_a_credential_tell_none() {
    for (name, text) in hosts::clean(&mut Dice::new(106)) {
        let estate = Estate::default().put(gateway().part("policy"), json!({ "value": text }));
        let found = estate.scan();
        assert!(
            found.iter().all(|f| f.rule == "KL0424"),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn what_such_documents_send_is_by_reference_or_an_identitys_token() {
    for (name, text) in hosts::clean(&mut Dice::new(107)) {
        let Ok(document) = Document::parse(&text) else {
            continue; // one is published with a broken string
        };
        for one in http_credentials(&document) {
            let place = format!("{name} {}", one.path);
            assert!(one.values.is_empty(), "{place}");
            let held = !one.references.is_empty() || one.confidence == Confidence::Possible;
            // A login is one too if only the call knows its password; no public one is like that.
            let is_computed = name == hosts::MADE_UP && one.kind == HttpKind::Basic;
            assert!(held || is_computed, "{place}");
        }
    }
}
