//! Which data sources still log in to SQL with a name and a password, whoever they belong to: read
//! from every policy of the snapshot, as it is and as it will be after the switches of the plan.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::same_name;
use keyless_model::{Address, Entity, Live, Snapshot};
use keyless_policy::Document;
use keyless_scan::{ConnectionString, Resolved, SqlSource, resolve, sql_sources};

use crate::draft::{Draft, Input};
use crate::stages::sources::is_host;
use crate::stages::switch::parked_target;

/// The data sources with a password before and after the switches.
pub(crate) struct LiveSources {
    before: Vec<Found>,
    after: Vec<Found>,
}

/// One data source that logs in with a password, or may.
struct Found {
    policy: Address,
    /// The database to which it leads, where keyless parked its literal.
    parked: Option<Address>,
    server: Part,
    database: Part,
    user: Part,
}

/// A part of a connection string.
enum Part {
    Clear(String),
    /// Behind a value that was not read.
    Hidden,
    Absent,
}

/// What a source is to a principal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Not,
    May,
    Does,
}

impl LiveSources {
    pub fn of(input: Input, draft: &Draft) -> Self {
        Self {
            before: found(input, input.live),
            after: found(input, &draft.world),
        }
    }

    /// The sources that after this plan's switches log in as `name` to `scope`, a server or one
    /// database, or may: a hidden source may, as long as this plan does not switch it.
    pub fn users(&self, input: Input, scope: &Address, name: &str) -> Vec<String> {
        self.still(input, scope, Some(name))
    }

    /// The sources that log in to the server with any password, or may.
    pub fn with_passwords(&self, input: Input, server: &Address) -> Vec<String> {
        self.still(input, server, None)
    }

    fn still(&self, input: Input, scope: &Address, name: Option<&str>) -> Vec<String> {
        let mut out = BTreeSet::new();
        for source in &self.after {
            let policy = &source.policy;
            match source.uses(input, scope, name) {
                Use::Not => {}
                Use::Does => {
                    out.insert(format!("{policy}, which connects with it"));
                }
                Use::May => {
                    out.insert(format!(
                        "{policy}, perhaps: its connection string was not read, and this plan \
                         does not switch it"
                    ));
                }
            }
        }
        out.into_iter().collect()
    }

    /// The policies that log in as `name` to `scope` now, or may, and that this plan switches:
    /// until then they must not be cut off.
    pub fn switched(&self, input: Input, scope: &Address, name: &str) -> BTreeSet<&Address> {
        let uses = |s: &&Found| s.uses(input, scope, Some(name)) != Use::Not;
        let after: BTreeSet<&Address> = self.after.iter().filter(uses).map(|s| &s.policy).collect();
        let before = self.before.iter().filter(uses).map(|s| &s.policy);
        before.filter(|policy| !after.contains(policy)).collect()
    }
}

impl Found {
    fn uses(&self, input: Input, scope: &Address, name: Option<&str>) -> Use {
        if let Some(target) = &self.parked {
            let here = target.within(scope) || same_name(target.as_str(), scope.as_str());
            return if here { Use::May } else { Use::Not };
        }
        let root = scope.root();
        let inside = |database: &str| {
            let address = Address::database(root.root_name(), database);
            same_name(address.as_str(), scope.as_str())
        };
        let parts = [
            self.server
                .is(|host| is_host(input.desired, input.live, &root, host)),
            match &self.database {
                _ if *scope == root => Use::Does,
                // The login's own default database.
                Part::Absent => Use::May,
                part => part.is(inside),
            },
            self.user.is(|user| name.is_none_or(|n| same_name(user, n))),
        ];
        if parts.contains(&Use::Not) {
            Use::Not
        } else if parts.contains(&Use::May) {
            Use::May
        } else {
            Use::Does
        }
    }
}

impl Part {
    fn of(text: Option<String>) -> Self {
        match text {
            None => Self::Absent,
            Some(text) if text.contains("{{") => Self::Hidden,
            Some(text) => Self::Clear(text),
        }
    }

    fn is(&self, wanted: impl Fn(&str) -> bool) -> Use {
        match self {
            Self::Clear(text) if wanted(text) => Use::Does,
            Self::Clear(_) | Self::Absent => Use::Not,
            Self::Hidden => Use::May,
        }
    }
}

/// Every data source of the snapshot that logs in with a password, or may.
fn found(input: Input, snapshot: &Snapshot) -> Vec<Found> {
    let values = named_values(snapshot);
    let mut out = Vec::new();
    for (address, entity) in &snapshot.entities {
        if !matches!(address.last().0, "policy" | "policyFragment") {
            continue;
        }
        let text = entity.text("/properties/value").unwrap_or_default();
        if !text.contains("connection-string") {
            continue;
        }
        // A policy that does not parse runs nothing.
        let Ok(document) = Document::parse(text) else {
            continue;
        };
        let sources = sql_sources(&document);
        out.extend(
            sources
                .iter()
                .filter_map(|s| source(input, &values, address, s)),
        );
    }
    out
}

type Values<'a> = BTreeMap<(Address, &'a str), &'a Entity>;

/// Named values by gateway and by the name that policies call them.
fn named_values(snapshot: &Snapshot) -> Values<'_> {
    let all = snapshot.entities.iter();
    let values = all.filter(|(a, _)| a.last().0 == "namedValue");
    values
        .filter_map(|(a, e)| Some(((a.root(), e.text("/properties/displayName")?), e)))
        .collect()
}

fn source(input: Input, values: &Values, policy: &Address, source: &SqlSource) -> Option<Found> {
    let gateway = policy.root();
    let lookup = |name: &str| {
        let entity = values.get(&(gateway.clone(), name));
        let value = entity.and_then(|e| e.text("/properties/value"));
        Live::Present(value.map_or_else(|| format!("{{{{{name}}}}}"), str::to_owned))
    };
    let whole = match resolve(&source.text, lookup) {
        Resolved::Text(whole) => whole,
        Resolved::Unreadable(_) => source.text.clone(),
    };
    let parsed = ConnectionString::parse(&whole);
    if source.managed_identity && !parsed.as_ref().is_some_and(ConnectionString::has_password) {
        return None;
    }
    let policy = policy.clone();
    Some(match parsed {
        Some(parsed) => Found {
            policy,
            parked: None,
            server: Part::of(parsed.server()),
            database: Part::of(parsed.database()),
            user: Part::of(parsed.user()),
        },
        None => Found {
            policy,
            parked: source
                .references
                .iter()
                .find_map(|n| parked_target(input, n)),
            server: Part::Hidden,
            database: Part::Hidden,
            user: Part::Hidden,
        },
    })
}
