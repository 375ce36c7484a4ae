//! Firewall rules that let in more than is declared: narrowed or deleted, never where they are a
//! gateway's only way in.

use std::collections::BTreeSet;

use keyless_model::sql::Statement;
use keyless_model::{Address, Entity, Live, SqlServer};
use serde_json::{Value, json};

use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::arm::put;
use crate::stages::network::{
    Range, Undeclared, admitted, differs, narrowed, place, range_of, rules, set, undeclared,
    wanted, widens,
};
use crate::stages::show;
use crate::stages::shut::{NOBODY_SHUT_OUT, approved};
use crate::step::{Note, Op, Undo};

/// One firewall rule that is to let in less, or nobody.
struct Closing {
    address: Address,
    /// Whom it lets in until then, and from then on; none where that is not a range of addresses.
    before: Option<Range>,
    after: Option<Range>,
    what: What,
}

enum What {
    /// The declared rule of this address is written.
    Narrow,
    /// The declared rule of a database, by its document.
    NarrowInside(String),
    Delete(Undeclared),
}

/// Plans the end of what the firewall of a server lets in and no document does.
pub(crate) fn close(
    input: Input,
    draft: &mut Draft,
    moves: &[Move],
    server: &SqlServer,
    root: &Address,
    old_path: &Result<BTreeSet<String>, String>,
) {
    let mut closing = closings(input, draft, server, root);
    let cut_off = cut_off(draft, moves, root, &closing);
    closing.retain(|one| {
        let why = match old_path {
            Err(why) => why.clone(),
            Ok(_) => match cut_off.iter().find(|(address, _)| *address == one.address) {
                Some((_, why)) => why.clone(),
                None => return true,
            },
        };
        draft.wait(
            &one.address,
            None,
            SHUT,
            &why,
            "see what holds it up, then plan again",
        );
        false
    });
    let (Ok(needs), false) = (old_path, closing.is_empty()) else {
        return;
    };
    let names: Vec<&str> = closing.iter().map(|c| c.address.last().1).collect();
    let question = format!(
        "Whoever comes into {root} only through the firewall rules {} is shut out. Does every \
         client that is to stay, keyless too, have another way in?",
        names.join(", ")
    );
    let mut needs = needs.clone();
    let door = root.part("firewall");
    needs.extend(approved(draft, &door, question, NOBODY_SHUT_OUT, &needs));
    for one in closing {
        one_less(input, draft, one, needs.clone());
    }
}

const SHUT: &str = "let nobody in through this firewall rule whom no document lets in";

/// The declared rules of the server that are narrower than live, and what it prunes.
fn closings(input: Input, draft: &mut Draft, server: &SqlServer, root: &Address) -> Vec<Closing> {
    let mut out = Vec::new();
    for rule in rules(input).filter(|r| r.address.root() == *root) {
        if let Some((before, after)) = narrowed(draft, rule) {
            out.push(Closing {
                address: rule.address.clone(),
                before,
                after,
                what: What::Narrow,
            });
        }
    }
    for (name, rule) in &input.desired.database_rules {
        let here = rule.database.root() == *root;
        if let Some(Some(old)) = here.then(|| differs(draft, name, rule)).flatten()
            && !widens(&old, &rule.rule)
        {
            out.push(Closing {
                address: place(rule),
                before: range_of(&old),
                after: range_of(&rule.rule),
                what: What::NarrowInside(name.clone()),
            });
        }
    }
    if server.owns_firewall && server.prune && listed(draft, root) {
        out.extend(
            undeclared(input, &draft.world, root)
                .into_iter()
                .map(|rule| Closing {
                    address: rule.address.clone(),
                    before: rule.range,
                    after: None,
                    what: What::Delete(rule),
                }),
        );
    }
    out
}

/// Whether the rules of the server were read. A list that was not is no empty list.
fn listed(draft: &mut Draft, root: &Address) -> bool {
    let Live::Unreadable(why) = draft.world.get(&root.child("firewallRule", "")) else {
        return true;
    };
    let next = "give the identity that plans the Reader role on the server";
    draft.wait(
        root,
        None,
        "delete firewall rules that no document declares",
        &why,
        next,
    );
    false
}

/// The closings that would shut a gateway out of a database that an Access leads to, as far as
/// addresses tell: one that comes in by a private endpoint too is the approving person's to know.
fn cut_off(
    draft: &Draft,
    moves: &[Move],
    root: &Address,
    closings: &[Closing],
) -> Vec<(Address, String)> {
    let server = draft.world.entities.get(root);
    let private = server.and_then(|e| e.body.pointer("/properties/privateEndpointConnections"));
    if private
        .and_then(Value::as_array)
        .is_some_and(|a| !a.is_empty())
    {
        return Vec::new();
    }
    let mut out = Vec::new();
    for one in moves.iter().filter(|m| m.database.root() == *root) {
        let now = admitted(draft, root, &one.database);
        let after: Vec<Range> = now
            .iter()
            .filter_map(
                |(a, range)| match closings.iter().find(|c| c.address == *a) {
                    Some(closing) => closing.after,
                    None => Some(*range),
                },
            )
            .collect();
        for ip in outbound(draft, &one.gateway) {
            if after.iter().any(|range| range.admits(u32::from(ip))) {
                continue;
            }
            let ways = closings.iter().filter(|c| {
                now.iter().any(|(a, _)| *a == c.address)
                    && c.before.is_some_and(|r| r.admits(u32::from(ip)))
            });
            let why = format!(
                "{} comes in through it, as {ip}, and through no other rule that stays",
                one.gateway
            );
            out.extend(ways.map(|c| (c.address.clone(), why.clone())));
        }
    }
    out
}

/// The public addresses from which a gateway calls (Microsoft docs, "IP addresses of API
/// Management"): of every region.
fn outbound(draft: &Draft, gateway: &Address) -> Vec<core::net::Ipv4Addr> {
    let Some(entity) = draft.world.entities.get(gateway) else {
        return Vec::new();
    };
    let regions = entity.body.pointer("/properties/additionalLocations");
    let regions = regions.and_then(Value::as_array).into_iter().flatten();
    let own = entity.body.get("properties");
    let places = own.into_iter().chain(regions);
    let lists = places.filter_map(|p| p.get("publicIPAddresses")?.as_array());
    let texts = lists.flatten().filter_map(Value::as_str);
    texts.filter_map(|ip| ip.parse().ok()).collect()
}

fn one_less(input: Input, draft: &mut Draft, one: Closing, needs: BTreeSet<String>) {
    match one.what {
        What::Narrow => {
            if let Some(rule) = input.desired.resources.get(&one.address) {
                put(input, draft, wanted(rule, Phase::Lock, needs));
            }
        }
        What::NarrowInside(name) => {
            let rule = &input.desired.database_rules[&name];
            if let Some(before) = differs(draft, &name, rule) {
                draft.add(set(rule, before, Phase::Lock, needs));
            }
        }
        What::Delete(rule) => delete(draft, rule, needs),
    }
}

fn delete(draft: &mut Draft, rule: Undeclared, needs: BTreeSet<String>) {
    let address = rule.address;
    let (op, undo, shown) = match rule.inside {
        Some((database, rule)) => {
            let statements = vec![Statement::DropFirewallRule { rule }];
            let (undo, shown) = (Undo::of(&statements), show::statements(&statements));
            let op = Op::Sql {
                database,
                statements,
                users: BTreeSet::new(),
            };
            (op, undo, shown)
        }
        None => {
            let entity = draft.world.entities.get(&address);
            let body = entity.map_or(Value::Null, range_body);
            (Op::Delete {}, Undo::Put { body }, vec![])
        }
    };
    let all = rule.range.is_some_and(Range::is_all_of_azure);
    draft.add(NewStep {
        phase: Phase::Lock,
        access: None,
        reason: if all { ALL_OF_AZURE } else { UNDECLARED }.into(),
        op,
        needs,
        undo,
        notes: vec![Note::Forgotten {
            address: address.clone(),
        }],
        shown,
        address,
    });
}

const UNDECLARED: &str = "the server prunes its firewall rules, and no document declares this one";
const ALL_OF_AZURE: &str = "0.0.0.0–0.0.0.0 lets all of Azure in, other customers included: the \
                            server prunes its firewall rules, and no document declares this one";

fn range_body(entity: &Entity) -> Value {
    let text = |name| entity.text(name).unwrap_or_default();
    json!({ "properties": {
        "startIpAddress": text("/properties/startIpAddress"),
        "endIpAddress": text("/properties/endIpAddress"),
    }})
}
