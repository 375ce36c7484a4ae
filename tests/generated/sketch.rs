//! An estate while it is made up: the entities of its seed, the documents of its manifests, and
//! what has to be true of it in the end.

use serde_json::{Value, json};

use crate::generated::chance::Chance;
use crate::generated::names::{self, Names};

pub struct Sketch {
    pub chance: Chance,
    pub names: Names,
    /// The id of the resource group.
    pub group: String,
    /// The gateway's own name, and its document's.
    pub service: String,
    pub gateway: String,
    pub tenant: String,
    pub admins: String,
    /// The client may look at secret named values (`--inspect-secrets`).
    pub inspects: bool,
    pub resources: Vec<Value>,
    pub services: Vec<Value>,
    pub traffic: Vec<Value>,
    pub sql: Vec<Value>,
    pub documents: Vec<Value>,
    pub user_identities: Vec<String>,
    /// Named values that no Access answers for yet.
    values: Vec<String>,
    pub expected: Expected,
}

/// What has to be true in the end.
#[derive(Default)]
pub struct Expected {
    pub secrets: Vec<String>,
    pub logins: Vec<Login>,
    /// Services that are called with a token.
    pub hosts: Vec<String>,
    /// Beginnings of the addresses under which no credential is left.
    pub clean: Vec<String>,
    /// Accesses that are held up in the end, for their documents ask for no more.
    pub waiting: Vec<String>,
    /// Accesses without `retire`.
    pub unretired: Vec<String>,
}

/// Whether `retire` lets nothing of the old way stand.
pub fn drops(retire: Option<&Value>) -> bool {
    retire.is_some_and(|r| r.get("drop") != Some(&json!(false)))
}

/// An old SQL login in a database.
pub struct Login {
    pub server: String,
    pub database: String,
    pub user: String,
    pub password: String,
    /// Whether it is closed in the end. None where another Access still needs it elsewhere: then
    /// what of it is closed here is the planner's choice.
    pub closed: Option<bool>,
}

/// An API of the gateway.
#[derive(Clone)]
pub struct Api {
    pub id: String,
    /// Whether it has a revision that is not the current one.
    pub draft: bool,
    /// Nobody calls that one any more: what it sends is refused.
    pub stale: bool,
    /// The subscription that callers come with.
    pub subscription: Option<String>,
}

impl Api {
    /// The revisions of it, as ids.
    pub fn revisions(&self) -> Vec<String> {
        let draft = self.draft.then(|| format!("{};rev=2", self.id));
        std::iter::once(self.id.clone()).chain(draft).collect()
    }
}

impl Sketch {
    pub fn new(number: u64) -> Self {
        let mut chance = Chance::of(number);
        let mut names = Names::new(&mut chance);
        let group = format!(
            "/subscriptions/{}/resourceGroups/{}",
            chance.guid(),
            chance.pick(&["Edge_Group", "rg.west-1", "PROD", "net(work)"])
        );
        let gateway = names.word();
        let word = names.word();
        Self {
            service: names::root(&mut chance, &word),
            tenant: chance.guid(),
            admins: chance.guid(),
            inspects: chance.once_in(2),
            gateway,
            group,
            names,
            chance,
            resources: Vec::new(),
            services: Vec::new(),
            traffic: Vec::new(),
            sql: Vec::new(),
            documents: Vec::new(),
            user_identities: Vec::new(),
            values: Vec::new(),
            expected: Expected::default(),
        }
    }

    /// A secret that is searched for in all that the program writes.
    pub fn secret(&mut self) -> String {
        let secret = format!("planted-{}", self.chance.hex(14));
        self.expected.secrets.push(secret.clone());
        secret
    }

    /// A password with signs that connection strings and statements have to quote.
    pub fn password(&mut self) -> String {
        let tail = *self
            .chance
            .pick(&["", "", "!", ";x", "'q", "\"q", "=)", "{a}", " z"]);
        let password = format!("planted-{}{tail}", self.chance.hex(10));
        self.expected.secrets.push(password.clone());
        password
    }

    /// Something of the resource group, by the rest of its id.
    pub fn resource(&mut self, id: &str, properties: Value) {
        let id = format!("{}/providers/{id}", self.group);
        let body = json!({ "location": "westeurope", "properties": properties });
        self.resources.push(json!({ "id": id, "body": body }));
    }

    /// Something of the gateway.
    pub fn apim(&mut self, rest: &str, properties: Value) {
        let id = format!("Microsoft.ApiManagement/service/{}/{rest}", self.service);
        self.resource(&id, properties);
    }

    /// The policy of a scope such as `/apis/tides`, as `xml` or `rawxml`, with either line end.
    pub fn policy(&mut self, scope: &str, text: &str) {
        let properties = self.policy_body(text);
        let rest = format!("{scope}/policies/policy");
        self.apim(&rest[1..], properties);
    }

    pub fn policy_body(&mut self, text: &str) -> Value {
        // Quotes in an expression are written plainly in rawxml only.
        let plain = !text.contains("=\"@");
        let format = if plain && self.chance.once_in(3) {
            "xml"
        } else {
            "rawxml"
        };
        let text = match self.chance.once_in(3) {
            true => text.replace('\n', "\r\n"),
            false => text.to_owned(),
        };
        json!({ "format": format, "value": text })
    }

    /// A named value; gives the reference to it, and its resource name.
    pub fn named_value(&mut self, secret: bool, value: &str) -> (String, String) {
        let word = self.names.word();
        let display = names::value(&mut self.chance, &word);
        let id = format!("{word}-{}", self.chance.hex(4));
        let properties = json!({ "displayName": display, "secret": secret, "value": value });
        self.apim(&format!("namedValues/{id}"), properties);
        self.values.push(id.clone());
        (format!("{{{{{display}}}}}"), id)
    }

    /// An API and, perhaps, a revision of it that nobody looks at.
    pub fn api(&mut self, graphql: bool, url: Option<&str>) -> Api {
        let word = self.names.word();
        let (draft, deep) = (self.chance.once_in(3), self.chance.once_in(3));
        let id = names::id(&mut self.chance, &word);
        let keyed = !graphql && self.chance.once_in(5);
        let api = Api {
            draft,
            stale: self.chance.once_in(3),
            subscription: keyed.then(|| self.subscription(&word, &format!("/apis/{id}"))),
            id,
        };
        let mut properties = json!({
            "displayName": names::display(&mut self.chance, &word),
            "path": if deep { format!("{word}/v1") } else { word.clone() },
            "protocols": ["https"],
            "type": if graphql { "graphql" } else { "http" },
            "subscriptionRequired": keyed,
        });
        if let Some(url) = url {
            properties["serviceUrl"] = json!(url);
        }
        self.apim(&format!("apis/{}", api.id), properties.clone());
        if draft {
            properties["apiRevision"] = json!("2");
            properties["isCurrent"] = json!(false);
            self.apim(&format!("apis/{};rev=2", api.id), properties);
        }
        api
    }

    /// A subscription to an API or a product.
    pub fn subscription(&mut self, word: &str, scope: &str) -> String {
        let id = format!("{word}-callers");
        let properties = json!({
            "displayName": "Callers", "scope": scope, "state": "active",
            "primaryKey": self.secret(), "secondaryKey": self.secret(),
        });
        self.apim(&format!("subscriptions/{id}"), properties);
        id
    }

    pub fn document(&mut self, kind: &str, name: &str, spec: Value) {
        self.documents.push(json!({
            "apiVersion": "keyless.dev/v1alpha1",
            "kind": kind,
            "metadata": { "name": name },
            "spec": spec,
        }));
    }

    /// `retire` of an Access; None switches only. Whether a person gives the evidence is left to
    /// chance where `sessions` can be asked for.
    pub fn retire(&mut self, sessions: bool) -> Option<Value> {
        if self.chance.once_in(7) {
            return None;
        }
        let mut retire = json!({ "after": "${{ var.soak }}" });
        if self.chance.once_in(3) {
            retire["disabledFor"] = json!("36h");
        }
        if self.chance.once_in(4) {
            retire["drop"] = json!(false);
        }
        if sessions {
            let approval = self.chance.once_in(3);
            retire["evidence"] = json!([if approval { "approval" } else { "sessions" }]);
        }
        Some(retire)
    }

    /// Named values made since the last Access are this one's, and go when it drops what is left.
    pub fn answered(&mut self, retire: Option<&Value>) {
        let values = std::mem::take(&mut self.values);
        if drops(retire) {
            values
                .iter()
                .for_each(|id| self.clean(&format!("namedValue:{id}")));
        }
    }

    /// No credential is to be left in this part of the gateway.
    pub fn clean(&mut self, part: &str) {
        let address = format!("apim:{}/{part}", self.gateway);
        self.expected.clean.push(address);
    }

    /// The APIs of an Access: by name, or all of them where nothing speaks against it.
    pub fn choice(&mut self, apis: &[Api], all: bool) -> Value {
        if all && self.chance.once_in(3) {
            return json!("*");
        }
        apis.iter().map(|a| json!({ "name": a.id })).collect()
    }
}
