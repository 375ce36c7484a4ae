//! What first manifests may say: which APIs reach which database or service with a credential, as
//! a snapshot shows it.
//!
//! Invariant: nothing here holds a credential. What cannot be told is left out and said, never
//! guessed: hosts, databases and URLs come from texts that name them in clear.

mod example;
mod named;
mod services;
mod sql;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, ArmId, Live, Replaced, Role, Snapshot};

use crate::file::Root;
pub use example::Example;
use named::Names;
pub use named::document_name;

/// What the documents of an estate could be.
#[derive(Debug, Default)]
pub struct Proposal {
    pub gateways: Vec<(Address, ArmId)>,
    pub servers: Vec<ProposedServer>,
    /// By target.
    pub accesses: Vec<ProposedAccess>,
    /// Hosts of SQL servers that are not among the roots, with the databases that are reached there.
    pub hosts: BTreeMap<String, BTreeSet<String>>,
    pub left: BTreeSet<Left>,
}

/// A server, and its databases that a connection string reaches.
#[derive(Debug)]
pub struct ProposedServer {
    pub address: Address,
    pub id: ArmId,
    /// Whether it has an Entra administrator; without one no database of it can be read.
    pub admin: Live<()>,
    /// Document name and own name of each.
    pub databases: Vec<(String, String)>,
}

/// APIs that reach one target with a credential.
#[derive(Debug)]
pub struct ProposedAccess {
    /// For its document.
    pub name: String,
    pub gateway: Address,
    /// Without revisions.
    pub apis: BTreeSet<String>,
    pub to: Reached,
    /// Where the credentials stand.
    pub places: BTreeSet<Address>,
    /// A request that would try the new path; none where nothing can be tried beforehand.
    pub example: Option<Example>,
}

/// What is reached.
#[derive(Debug)]
pub enum Reached {
    Database(Database),
    /// Scheme and host.
    Service(String),
}

impl Reached {
    /// Databases first.
    fn order(&self) -> (bool, String) {
        match self {
            Self::Database(d) => (false, format!("{}/{}", d.server, d.name)),
            Self::Service(url) => (true, url.clone()),
        }
    }
}

#[derive(Debug)]
pub struct Database {
    pub server: Address,
    /// Its own name.
    pub name: String,
    pub rights: Rights,
    /// What becomes needless, where a plan cannot derive it without reading secrets.
    pub replaces: Option<Vec<Replaced>>,
    /// Users of the connection strings of which it is not known whether they are logins.
    pub unplaced: BTreeSet<String>,
}

/// What the statements of the resolvers need.
#[derive(Debug, PartialEq, Eq)]
pub struct Rights {
    pub role: Role,
    pub schemas: Vec<String>,
    /// For `custom`: on each schema.
    pub permissions: Vec<&'static str>,
    /// A statement did not tell all that it needs.
    pub unclear: bool,
}

/// Something that was found and is in no document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// An address, or a scope of the snapshot that could not be read.
    pub place: String,
    pub why: String,
    pub next: String,
}

/// Proposes documents for what `roots` hold. The roots' addresses are those of the documents.
pub fn propose(snapshot: &Snapshot, roots: &BTreeMap<Address, Root>) -> Proposal {
    let mut out = Proposal::default();
    for (address, root) in roots {
        if address.is_gateway() {
            out.gateways.push((address.clone(), root.id.clone()));
            sql::find(snapshot, roots, address, &mut out);
            services::find(snapshot, address, &mut out);
        }
    }
    servers(snapshot, roots, &mut out);
    unread(snapshot, &mut out);
    name(&mut out);
    out
}

fn servers(snapshot: &Snapshot, roots: &BTreeMap<Address, Root>, out: &mut Proposal) {
    let mut names = Names::default();
    for (address, root) in roots.iter().filter(|(a, _)| a.last().0 == "sql") {
        let reached = out.accesses.iter().filter_map(|a| match &a.to {
            Reached::Database(d) if d.server == *address => Some(d.name.clone()),
            _ => None,
        });
        let reached: BTreeSet<String> = reached.collect();
        let databases = reached.into_iter().map(|name| {
            let other = format!("{}-{name}", address.root_name());
            (names.take(&[&name, &other]), name)
        });
        out.servers.push(ProposedServer {
            databases: databases.collect(),
            address: address.clone(),
            id: root.id.clone(),
            admin: match snapshot.get(&address.part("entraAdmin")) {
                Live::Present(_) => Live::Present(()),
                Live::Absent => Live::Absent,
                Live::Unreadable(why) => Live::Unreadable(why),
            },
        });
    }
}

/// What could not be read may hide more.
fn unread(snapshot: &Snapshot, out: &mut Proposal) {
    for (scope, why) in &snapshot.unreadable {
        // Of a server only its name and administrator are needed.
        if scope.starts_with("apim:") {
            out.left.insert(Left {
                place: scope.trim_end_matches(':').to_owned(),
                why: format!("could not be read: {why}"),
                next: "give the identity that runs keyless the Reader role, then run init again"
                    .into(),
            });
        }
    }
}

/// Names that are unique among Accesses and say what is reached.
fn name(out: &mut Proposal) {
    out.accesses
        .sort_by_key(|a| (a.gateway.clone(), a.to.order()));
    let mut names = Names::default();
    for access in &mut out.accesses {
        let first = match &access.to {
            Reached::Database(d) => format!("{}-db", d.name),
            Reached::Service(url) => host_label(url),
        };
        let (gateway, apis) = (access.gateway.root_name(), &access.apis);
        let by_gateway = format!("{gateway}-{first}");
        let by_api = apis.iter().next().map(|api| format!("{api}-{first}"));
        let by_api = by_api.unwrap_or_else(|| by_gateway.clone());
        access.name = names.take(&[&first, &by_api, &by_gateway]);
    }
}

/// The word of a host that says most: its first, or two of them if the first is a common one.
fn host_label(url: &str) -> String {
    let host = url.trim_start_matches("https://");
    let host = host.split(':').next().unwrap_or(host);
    let mut labels = host.split('.');
    let first = labels.next().unwrap_or(host);
    match (first, labels.next()) {
        ("api" | "apis" | "www" | "gateway" | "services", Some(second)) => {
            format!("{second}-{first}")
        }
        _ => first.to_owned(),
    }
}

impl Proposal {
    /// The Access to a target, made if there is none yet.
    fn access(
        &mut self,
        gateway: &Address,
        is: impl Fn(&Reached) -> bool,
        new: impl FnOnce() -> Reached,
    ) -> &mut ProposedAccess {
        let known = self
            .accesses
            .iter()
            .position(|a| a.gateway == *gateway && is(&a.to));
        let at = known.unwrap_or_else(|| {
            self.accesses.push(ProposedAccess {
                name: String::new(),
                gateway: gateway.clone(),
                apis: BTreeSet::new(),
                to: new(),
                places: BTreeSet::new(),
                example: None,
            });
            self.accesses.len() - 1
        });
        &mut self.accesses[at]
    }

    fn leave(&mut self, place: &Address, why: &str, next: &str) {
        self.left.insert(Left {
            place: place.to_string(),
            why: why.to_owned(),
            next: next.to_owned(),
        });
    }
}

/// The API that an address lies in, without its revision.
fn api_name(address: &Address) -> Option<&str> {
    let name = address.name_of("api")?;
    Some(name.split(";rev=").next().unwrap_or(name))
}
