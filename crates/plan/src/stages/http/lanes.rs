//! The lanes of a gateway: for each API revision, operation and resolver the documents that its
//! calls run through, and where they end.
//!
//! Only operations with a policy of their own have a lane of their own: all others of a revision
//! take the same way.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Entity, Live, Snapshot};
use keyless_policy::Document;
use keyless_scan::{
    Leads, Resolved, Section, Sender, To, includes, inherits, leads_to, resolve, targets,
};

/// Everything about one gateway's calls, as a snapshot has it.
pub(crate) struct Lanes {
    pub gateway: Address,
    pub lanes: Vec<Lane>,
    documents: BTreeMap<Address, Document>,
    /// Documents that could not be read or are malformed, and why.
    broken: BTreeMap<Address, String>,
    /// Named values by display name: where they are, and what they say if that was read.
    values: BTreeMap<String, (Address, Option<String>)>,
    /// The URLs of APIs and backends.
    urls: BTreeMap<Address, String>,
    /// The members of pools of backends.
    pools: BTreeMap<Address, Vec<Address>>,
}

/// One way through the gateway.
pub(crate) struct Lane {
    /// The revision of the API.
    pub api: Address,
    pub part: Part,
    /// The documents that calls run through, innermost first.
    pub links: Vec<Link>,
    pub ends: Vec<End>,
}

/// Which calls of the revision take it.
pub(crate) enum Part {
    /// These operations, which have no policy of their own, or all that a GraphQL API takes.
    Api(BTreeSet<String>),
    Operation(String),
    Resolver(String),
}

/// A document in effect for a lane.
pub(crate) struct Link {
    pub document: Address,
    /// What it does in an inbound section acts on the call.
    pub inbound: bool,
    pub backend: bool,
    /// It also stands where answers are made, as fragments may.
    pub outbound: bool,
    /// How far out it stands; a fragment stands with the document that includes it.
    pub level: usize,
    /// It acts on every call of the lane, not only under a condition or by one product.
    pub always: bool,
}

/// Where a call may end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// The API's own URL.
    Service,
    Backend(Address),
    /// A URL that a policy says.
    Url(String),
    /// Nobody can tell.
    Unknown,
}

/// Whether a lane leads to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leading {
    Yes,
    No,
    /// There and elsewhere.
    Mixed,
    Unknown,
}

impl Lane {
    /// The thing whose calls take it.
    pub fn address(&self) -> Address {
        match &self.part {
            Part::Api(_) => self.api.clone(),
            Part::Operation(name) => self.api.child("operation", name),
            Part::Resolver(name) => self.api.child("resolver", name),
        }
    }

    /// The API without its revision.
    pub fn api_name(&self) -> &str {
        let name = self.api.last().1;
        name.split(";rev=").next().unwrap_or(name)
    }

    pub fn is_current(&self) -> bool {
        !self.api.last().1.contains(";rev=")
    }

    pub fn link(&self, document: &Address) -> Option<&Link> {
        self.links.iter().find(|l| l.document == *document)
    }

    /// Whether credentials that this document adds to a call reach the lane's end.
    pub fn carries(&self, document: &Address) -> bool {
        self.link(document).is_some_and(|l| l.inbound || l.backend)
    }

    /// Whether it ends, or may, at this backend or, for an API, at its URL.
    pub fn ends_at(&self, place: &Address) -> bool {
        let own = *place == self.api && self.ends.contains(&End::Service);
        own || self.ends.contains(&End::Backend(place.clone()))
    }
}

impl Lanes {
    pub fn of(world: &Snapshot, gateway: &Address) -> Self {
        let mut out = Self {
            gateway: gateway.clone(),
            lanes: Vec::new(),
            documents: BTreeMap::new(),
            broken: BTreeMap::new(),
            values: BTreeMap::new(),
            urls: BTreeMap::new(),
            pools: BTreeMap::new(),
        };
        let mut apis: Vec<Address> = Vec::new();
        let mut products: BTreeMap<String, Vec<Address>> = BTreeMap::new();
        let inside = world.entities.range(gateway.clone()..);
        for (address, entity) in
            inside.take_while(|(a, _)| a.as_str().starts_with(gateway.as_str()))
        {
            if address.root() != *gateway {
                continue;
            }
            match address.last() {
                ("policy" | "policyFragment", _) => out.read(address, entity),
                ("namedValue", _) => out.value(address, entity),
                ("backend", _) => out.backend(address, entity),
                ("api", name) => match address.parent() {
                    Some(parent) if parent.last().0 == "product" => {
                        products.entry(name.to_owned()).or_default().push(parent);
                    }
                    Some(parent) if parent == *gateway => {
                        let url = entity.text("/properties/serviceUrl").unwrap_or_default();
                        out.urls.insert(address.clone(), url.to_owned());
                        apis.push(address.clone());
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        for scope in world
            .unreadable
            .iter()
            .filter(|(s, _)| s.ends_with("/policy"))
        {
            if let Ok(address) = scope.0.parse() {
                out.broken.insert(address, scope.1.clone());
            }
        }
        for api in apis {
            let name = api.last().1.split(";rev=").next().unwrap_or_default();
            let products = products.get(name).map(Vec::as_slice).unwrap_or_default();
            let lanes = out.of_api(world, &api, products);
            out.lanes.extend(lanes);
        }
        out
    }

    fn read(&mut self, address: &Address, entity: &Entity) {
        let text = entity.text("/properties/value").unwrap_or_default();
        match Document::parse(text) {
            Ok(document) => {
                self.documents.insert(address.clone(), document);
            }
            Err(error) => {
                self.broken.insert(address.clone(), error.to_string());
            }
        }
    }

    fn value(&mut self, address: &Address, entity: &Entity) {
        if let Some(name) = entity.text("/properties/displayName") {
            let value = entity.text("/properties/value").map(str::to_owned);
            let found = (address.clone(), value);
            self.values.insert(name.to_owned(), found);
        }
    }

    fn backend(&mut self, address: &Address, entity: &Entity) {
        let url = entity.text("/properties/url").unwrap_or_default();
        self.urls.insert(address.clone(), url.to_owned());
        let members = entity.body.pointer("/properties/pool/services");
        let ids = members.and_then(|m| m.as_array()).into_iter().flatten();
        let ids = ids.filter_map(|m| m.get("id")?.as_str()?.rsplit('/').next());
        let members: Vec<Address> = ids.map(|id| self.gateway.child("backend", id)).collect();
        if !members.is_empty() {
            self.pools.insert(address.clone(), members);
        }
    }

    fn of_api(&self, world: &Snapshot, api: &Address, products: &[Address]) -> Vec<Lane> {
        let mut out = Vec::new();
        let mut plain = BTreeSet::new();
        for (operation, _) in world.children(api, "operation") {
            let policy = operation.part("policy");
            let name = operation.last().1.to_owned();
            if self.documents.contains_key(&policy) || self.broken.contains_key(&policy) {
                out.push(self.lane(api, Part::Operation(name), Some(policy), products));
            } else {
                plain.insert(name);
            }
        }
        for (resolver, _) in world.children(api, "resolver") {
            let name = resolver.last().1.to_owned();
            let document = resolver.part("policy");
            let links = self.of_resolver(document);
            let (api, part) = (api.clone(), Part::Resolver(name));
            out.push(Lane {
                api,
                part,
                links,
                ends: vec![],
            });
        }
        let all_have_their_own =
            plain.is_empty() && out.iter().any(|l| matches!(l.part, Part::Operation(_)));
        if !all_have_their_own {
            out.push(self.lane(api, Part::Api(plain), None, products));
        }
        out
    }

    /// A resolver sends nothing but requests of its own; what a fragment in it does is told of as if
    /// it acted on a call, which then leads nowhere.
    fn of_resolver(&self, document: Address) -> Vec<Link> {
        let read = self.documents.get(&document);
        let included = read.map(includes).unwrap_or_default().into_iter();
        let fragments = included.map(|one| self.fragment(&one.fragment));
        let fragments = fragments.map(|fragment| (fragment, true));
        let all = std::iter::once((document, false)).chain(fragments);
        all.map(|(document, inbound)| Link {
            document,
            inbound,
            backend: false,
            outbound: false,
            level: 0,
            always: true,
        })
        .collect()
    }

    /// Goes from the innermost document outwards, as far as each takes in the next.
    fn lane(&self, api: &Address, part: Part, own: Option<Address>, products: &[Address]) -> Lane {
        let scopes = own.into_iter().chain([api.part("policy")]);
        let mut scopes: Vec<(Address, bool)> = scopes.map(|a| (a, true)).collect();
        scopes.extend(products.iter().map(|p| (p.part("policy"), false)));
        scopes.push((self.gateway.part("policy"), true));
        let mut lane = Lane {
            api: api.clone(),
            part,
            links: Vec::new(),
            ends: Vec::new(),
        };
        let (mut inbound, mut backend, mut decided) = (true, true, false);
        for (level, (document, always)) in scopes.into_iter().enumerate() {
            let joined = |inbound, backend, always| Link {
                document: document.clone(),
                inbound,
                backend,
                outbound: false,
                level,
                always,
            };
            if self.broken.contains_key(&document) {
                lane.join(joined(inbound, backend, always));
            }
            let Some(read) = self.documents.get(&document) else {
                continue;
            };
            lane.join(joined(inbound, backend, always));
            for one in includes(read) {
                let document = self.fragment(&one.fragment);
                let inbound = inbound && one.section == Section::Inbound;
                let backend = backend && one.section == Section::Backend;
                let always = always && one.condition.is_none();
                lane.join(Link {
                    document,
                    inbound,
                    backend,
                    outbound: matches!(one.section, Section::Outbound | Section::OnError),
                    level,
                    always,
                });
            }
            // Whether an outer document has the last word depends on where `<base />` stands, and an
            // inherited backend cannot be overridden by a URL (azure-facts B.4): so the ends of all
            // count, and a call that may go two ways is told of.
            if inbound || backend {
                decided |= self.ends(read, &mut lane.ends) && always;
            }
            if always {
                inbound &= inherits(read, Section::Inbound);
                backend &= inherits(read, Section::Backend);
            }
        }
        if !decided {
            lane.ends.push(End::Service);
        }
        lane.ends = self.spread(lane.ends);
        lane
    }

    /// The fragment of this id, whatever its case: Azure's rule is not known, so both are one.
    fn fragment(&self, id: &str) -> Address {
        let exact = self.gateway.child("policyFragment", id);
        if self.documents.contains_key(&exact) {
            return exact;
        }
        let like = |a: &&Address| {
            let (word, name) = a.last();
            word == "policyFragment" && name.eq_ignore_ascii_case(id)
        };
        self.documents.keys().find(like).cloned().unwrap_or(exact)
    }

    /// Adds where a document and its fragments send calls. True when none goes anywhere else.
    fn ends(&self, document: &Document, out: &mut Vec<End>) -> bool {
        let mut decided = false;
        for one in includes(document) {
            let fragment = self.fragment(&one.fragment);
            if let Some(fragment) = self.documents.get(&fragment) {
                let (inside, all) = self.own_ends(fragment);
                decided |= all && one.condition.is_none();
                out.extend(inside);
            }
        }
        let (own, all) = self.own_ends(document);
        out.extend(own);
        decided || all
    }

    /// Where a document itself sends calls: of several that hold always, the last.
    fn own_ends(&self, document: &Document) -> (Vec<End>, bool) {
        let mut out = Vec::new();
        let mut decided = false;
        for target in targets(document) {
            if target.sender != Sender::BackendService {
                continue;
            }
            if target.condition.is_none() {
                decided = true;
                out.clear();
            }
            out.push(self.end(target.to));
        }
        (out, decided)
    }

    fn end(&self, to: To) -> End {
        match to {
            To::Url { text, .. } => End::Url(text),
            To::Backend { id } => {
                let address = self.gateway.child("backend", &self.resolved(&id));
                match self.urls.contains_key(&address) {
                    true => End::Backend(address),
                    false => End::Unknown,
                }
            }
        }
    }

    /// The ends with the members of pools in place of the pools, each once.
    fn spread(&self, ends: Vec<End>) -> Vec<End> {
        let mut out = BTreeSet::new();
        for end in ends {
            let members = match &end {
                End::Backend(address) => self.pools.get(address),
                _ => None,
            };
            match members {
                Some(members) => out.extend(members.iter().cloned().map(End::Backend)),
                None => {
                    out.insert(end);
                }
            }
        }
        out.into_iter().collect()
    }

    /// Whether calls of a lane run through the inbound section of their API's policy, or would if
    /// it had one.
    pub fn runs_through_api(&self, lane: &Lane) -> bool {
        match lane.part {
            Part::Api(_) => true,
            Part::Operation(_) => self
                .document(&lane.address().part("policy"))
                .is_some_and(|d| inherits(d, Section::Inbound)),
            Part::Resolver(_) => false,
        }
    }

    /// What acts on a lane's calls after the inbound section of the document at `address`, and in
    /// which sections: that of documents further in, and every backend section.
    /// Where in a document a fragment stands is not looked at.
    pub fn after<'a>(
        &self,
        lane: &'a Lane,
        address: &Address,
    ) -> Vec<(&'a Link, Vec<&'static str>)> {
        let level = match lane.link(address) {
            Some(link) if link.inbound || link.backend => link.level,
            None if *address == lane.api.part("policy") && self.runs_through_api(lane) => {
                usize::from(matches!(lane.part, Part::Operation(_)))
            }
            _ => return Vec::new(),
        };
        let is_fragment = address.last().0 == "policyFragment";
        let acting = |link: &'a Link| {
            let inner = link.level < level || (link.level == level && is_fragment);
            let own = is_fragment && link.document == *address;
            let mut sections = Vec::new();
            sections.extend((link.inbound && inner).then_some("inbound"));
            sections.extend(link.backend.then_some("backend"));
            (!own && !sections.is_empty()).then_some((link, sections))
        };
        lane.links.iter().filter_map(acting).collect()
    }

    /// Whether calls of the lane go to `url`. An end without a URL is none.
    pub fn leads(&self, lane: &Lane, url: &str) -> Leading {
        let mut found = Vec::new();
        for end in &lane.ends {
            let text = match end {
                End::Unknown => return Leading::Unknown,
                End::Url(text) => text,
                End::Service => &self.urls[&lane.api],
                End::Backend(address) => self.urls.get(address).map_or("", String::as_str),
            };
            if !text.is_empty() {
                found.push(self.leads_to(text, url));
            }
        }
        let any = |leads| found.contains(&leads);
        match (any(Leads::Unknown), any(Leads::Yes), any(Leads::No)) {
            (true, _, _) => Leading::Unknown,
            (_, true, true) => Leading::Mixed,
            (_, true, false) => Leading::Yes,
            (_, false, _) => Leading::No,
        }
    }

    pub fn leads_to(&self, text: &str, url: &str) -> Leads {
        leads_to(text, url, |name| self.lookup(name))
    }

    fn lookup(&self, name: &str) -> Live<String> {
        match self.values.get(name) {
            Some((_, Some(value))) => Live::Present(value.clone()),
            Some((_, None)) => Live::Unreadable("its value is secret".into()),
            None => Live::Absent,
        }
    }

    /// A text with what named values say in it, as far as that was read.
    pub fn resolved(&self, text: &str) -> String {
        let seen = |name: &str| match self.lookup(name) {
            Live::Present(value) => Live::Present(value),
            _ => Live::Present(format!("{{{{{name}}}}}")),
        };
        match resolve(text, seen) {
            Resolved::Text(whole) => whole,
            Resolved::Unreadable(_) => text.to_owned(),
        }
    }

    pub fn document(&self, address: &Address) -> Option<&Document> {
        self.documents.get(address)
    }

    /// The other documents that calls run through which run through this one.
    pub fn beside(&self, address: &Address) -> Vec<&Document> {
        let mine = self.lanes.iter().filter(|l| l.link(address).is_some());
        let links = mine.flat_map(|l| &l.links);
        let others: BTreeSet<&Address> = links.map(|l| &l.document).collect();
        let others = others.into_iter().filter(|a| *a != address);
        others.filter_map(|a| self.document(a)).collect()
    }

    /// Why a document could not be looked into.
    pub fn broken(&self, address: &Address) -> Option<&str> {
        self.broken.get(address).map(String::as_str)
    }

    /// The named value that policies call `{{name}}`.
    pub fn value_address(&self, name: &str) -> Option<&Address> {
        self.values.get(name).map(|(address, _)| address)
    }
}

impl Lane {
    /// A document that calls run through twice is one link.
    fn join(&mut self, link: Link) {
        let known = self.links.iter_mut().find(|l| l.document == link.document);
        let Some(known) = known else {
            self.links.push(link);
            return;
        };
        known.inbound |= link.inbound;
        known.backend |= link.backend;
        known.outbound |= link.outbound;
        known.always |= link.always;
    }
}
