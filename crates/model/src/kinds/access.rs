//! `Access`: the intent that a gateway's APIs reach a database or a service with an identity.

use crate::kind::{Kind, Level, Property, Shape, may, must};

pub(crate) const KIND: Kind = Kind {
    name: "Access",
    level: Level::Intent,
    summary: "These APIs reach this database, with this role and nothing more, or this HTTP service \
              as an identity of the gateway. From it and from what is live, keyless derives which \
              credentials, policies, users and grants must change, and in which order.",
    arm: None,
    spec: SPEC,
    fields: &[],
    example: "apiVersion: keyless.dev/v1alpha1
kind: Access
metadata: { name: orders-read }
spec:
  from:
    gateway: contoso
    apis: [{ name: orders }]
  to: { server: orders-sql, database: orders }
  role: reader
  retire: { after: 7d, evidence: [sessions] }
",
};

const SPEC: &[Property] = &[
    must("from", Shape::Object(FROM), "Who reaches the target."),
    may(
        "identity",
        Shape::Either(&[Shape::Word(&["system"]), Shape::Object(USER)]),
        "system",
        "Which identity is used: the system-assigned one, which is the only one for SQL, or a \
         user-assigned one of the gateway.",
    ),
    must(
        "to",
        Shape::Object(TO),
        "What is reached: `{ server, database }` or `{ url, audience, accepts }`.",
    ),
    may(
        "role",
        Shape::Word(&["reader", "writer", "executor", "custom"]),
        "",
        "Needed for SQL, and only there. `reader` may SELECT; `writer` SELECT, INSERT, UPDATE, DELETE; `executor` EXECUTE; \
         `custom` what `grants` lists.",
    ),
    may(
        "schemas",
        Shape::List(&Shape::Name),
        "[dbo]",
        "Where the role applies; for SQL only, not with `custom`.",
    ),
    may(
        "grants",
        Shape::List(&Shape::Object(GRANT)),
        "[]",
        "For `custom` only.",
    ),
    may(
        "replaces",
        Shape::Either(&[
            Shape::Word(&["derive"]),
            Shape::List(&Shape::Object(REPLACED)),
        ]),
        "derive",
        "Which credentials become needless: found in what is live, or only these.",
    ),
    may(
        "prove",
        Shape::Object(PROVE),
        "",
        "How the new path is tried before the switch; left out, a person approves.",
    ),
    may(
        "retire",
        Shape::Object(RETIRE),
        "",
        "When the old credential goes; left out, it stays and is reported as pending.",
    ),
    may(
        "callers",
        Shape::Object(CALLERS),
        "",
        "Who may call these APIs, in every revision of them: a `validate-azure-ad-token` element \
         comes first in their policies, once a person says that every caller sends such a token.",
    ),
    may("rowLevel", LATER, "", "Not in this version."),
    may("expires", LATER, "", "Not in this version."),
];

const LATER: Shape = Shape::Later("it is planned for a later version");

const FROM: &[Property] = &[
    must(
        "gateway",
        Shape::Document("Gateway"),
        "The gateway's document.",
    ),
    must(
        "apis",
        Shape::Either(&[Shape::Word(&["*"]), Shape::List(&Shape::Object(API))]),
        "The APIs, or `\"*\"` for all.",
    ),
    may(
        "workload",
        Shape::Later("workloads come with a later version"),
        "",
        "Not in this version.",
    ),
];

const API: &[Property] = &[
    must(
        "name",
        Shape::Name,
        "The API's name in Azure; its current revision is switched.",
    ),
    may(
        "resolvers",
        SELECTION,
        "\"*\"",
        "Only these resolvers; `[]` for none.",
    ),
    may(
        "operations",
        SELECTION,
        "\"*\"",
        "Only these operations; `[]` for none. One of the two left out is `[]`.",
    ),
];

const SELECTION: Shape = Shape::Either(&[Shape::Word(&["*"]), Shape::List(&Shape::Name)]);

const USER: &[Property] = &[must(
    "user",
    Shape::Document("ManagedIdentity"),
    "A user-assigned identity that the gateway has; for HTTP only.",
)];

const TO: &[Property] = &[
    may(
        "server",
        Shape::Document("SqlServer"),
        "",
        "The server's document. With `database`.",
    ),
    may("database", Shape::Name, "", "The database's own name."),
    may(
        "url",
        Shape::Text,
        "",
        "Where the HTTP service lives: https, its host and, if it shares the host, the beginning \
         of the path. With `audience`.",
    ),
    may(
        "audience",
        Shape::Text,
        "",
        "What a token for the service is asked for, such as `api://orders`.",
    ),
    may(
        "accepts",
        Shape::List(&Shape::Word(&["key", "token"])),
        "[]",
        "What the service takes today. Without `token` nothing is switched; with both, callers \
         move without a gap.",
    ),
];

const GRANT: &[Property] = &[
    must("permission", Shape::Text, "Such as `SELECT`."),
    must(
        "on",
        Shape::Text,
        "`DATABASE`, `SCHEMA::name` or `OBJECT::schema.name`.",
    ),
    may(
        "columns",
        Shape::List(&Shape::Name),
        "[]",
        "Only these columns of the object.",
    ),
    may(
        "state",
        Shape::Word(&["grant", "deny"]),
        "grant",
        "Whether it is given or denied.",
    ),
];

const REPLACED: &[Property] = &[
    may(
        "namedValue",
        Shape::Name,
        "",
        "A named value of the gateway.",
    ),
    may(
        "sqlLogin",
        Shape::Name,
        "",
        "A login of the server; for SQL only.",
    ),
    may(
        "sqlUser",
        Shape::Name,
        "",
        "A user of the database; for SQL only.",
    ),
    may(
        "backend",
        Shape::Name,
        "",
        "A backend of the gateway; for HTTP only.",
    ),
];

const PROVE: &[Property] = &[
    may(
        "canary",
        Shape::Word(&["none", "revision", "url"]),
        "none",
        "`revision` sends the request to a non-current revision that already uses the identity, \
         `url` to a place that somebody else has set up; `none` asks a person.",
    ),
    may(
        "request",
        Shape::Object(REQUEST),
        "",
        "What is sent; needed by `revision` and `url`.",
    ),
    may(
        "auth",
        Shape::Object(AUTH),
        "",
        "How the request authenticates as a caller, in one of three ways.",
    ),
];

const REQUEST: &[Property] = &[
    may(
        "method",
        Shape::Word(&["GET", "POST"]),
        "POST",
        "The HTTP method.",
    ),
    may(
        "path",
        Shape::Text,
        "",
        "Below the API's own path, such as `/graphql`; empty is the path itself.",
    ),
    may(
        "url",
        Shape::Text,
        "",
        "The whole https URL instead of `path`; needed by `canary: url`.",
    ),
    may("body", Shape::Text, "", "The request body, as JSON."),
    may(
        "expect",
        Shape::Object(EXPECT),
        "",
        "What counts as success.",
    ),
];

const EXPECT: &[Property] = &[
    may(
        "status",
        Shape::Integer { min: 100, max: 599 },
        "200",
        "The HTTP status.",
    ),
    may(
        "noGraphqlErrors",
        Shape::Bool,
        "true",
        "The answer has no `errors`.",
    ),
];

const AUTH: &[Property] = &[
    may(
        "header",
        Shape::Text,
        "",
        "The header that carries the key. With `env`.",
    ),
    may(
        "env",
        Shape::Text,
        "",
        "The environment variable that holds the key.",
    ),
    may(
        "subscription",
        Shape::Name,
        "",
        "A subscription of the gateway, instead: its key is read when it is needed.",
    ),
    may(
        "audience",
        Shape::Text,
        "",
        "Instead: a token of the identity that applies, for this audience.",
    ),
];

const CALLERS: &[Property] = &[
    must(
        "audiences",
        Shape::List(&Shape::Text),
        "What the caller's token is for: one of these, such as `api://orders-gateway`.",
    ),
    may(
        "tenant",
        Shape::Guid,
        "",
        "The Entra tenant of the callers; left out, that of the gateway.",
    ),
    may(
        "clientIds",
        Shape::List(&Shape::Guid),
        "[]",
        "Only these applications; left out, any of the tenant.",
    ),
    may(
        "claims",
        Shape::List(&Shape::Object(CLAIM)),
        "[]",
        "What the token must say besides.",
    ),
];

const CLAIM: &[Property] = &[
    must("name", Shape::Text, "Such as `roles`."),
    must(
        "values",
        Shape::List(&Shape::Text),
        "What the claim must hold.",
    ),
    may(
        "match",
        Shape::Word(&["all", "any"]),
        "all",
        "Whether it must hold all of them, or one.",
    ),
];

const RETIRE: &[Property] = &[
    must("after", Shape::Duration, "The soak after the switch."),
    may(
        "disabledFor",
        Shape::Duration,
        "after",
        "The soak after the old way in is closed, before anything irreversible.",
    ),
    may(
        "evidence",
        Shape::List(&Shape::Word(&["audit", "sessions", "approval"])),
        "[audit, sessions]",
        "What must be clean; `approval` asks a person. For HTTP it is `[approval]`, and nothing else.",
    ),
    may(
        "drop",
        Shape::Bool,
        "true",
        "Drop users, logins and named values in the end.",
    ),
];
