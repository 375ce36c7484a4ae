//! Connection strings, in the spellings that SQL clients take, and the resolvers that use them.

use serde_json::json;

use crate::generated::databases::Server;
use crate::generated::sketch::Sketch;

/// The named values that hold a connection string or its password, and whether one is hidden.
#[derive(Default)]
pub struct Used {
    pub values: Vec<String>,
    pub hidden: bool,
    /// A stale revision comes with the older user.
    pub older: bool,
}

/// Where one resolver leads, and as whom.
pub struct Way<'a> {
    pub server: &'a Server,
    pub database: &'a str,
    pub user: &'a str,
    pub password: &'a str,
}

/// How one resolver finds its connection string.
pub fn connection(sketch: &mut Sketch, way: &Way, used: &mut Used) -> String {
    let password = quoted(way.password);
    match sketch.chance.below(5) {
        0 => {
            let text = spelled(sketch, way, &password);
            let (reference, id) = sketch.named_value(false, &text);
            used.values.push(id);
            reference
        }
        1 => {
            let text = spelled(sketch, way, &password);
            let (reference, id) = sketch.named_value(true, &text);
            used.values.push(id);
            used.hidden = true;
            reference
        }
        2 => {
            let (reference, id) = sketch.named_value(true, &password);
            used.values.push(id);
            spelled(sketch, way, &reference)
        }
        _ => spelled(sketch, way, &password),
    }
}

/// A connection string in one of the spellings that the client takes.
fn spelled(sketch: &mut Sketch, way: &Way, password: &str) -> String {
    let host = format!("{}.database.localhost", way.server.name);
    let (name, user) = (way.database, way.user);
    let login = quoted(user);
    match sketch.chance.below(6) {
        0 => format!(
            "Server=tcp:{host},1433;Initial Catalog={name};User ID={login};Password={password};Encrypt=True;"
        ),
        1 => format!("Data Source={host};Database={name};UID={login};PWD={password}"),
        2 => format!(
            "Address={host},1433;database = {name};User={login};Password={password};Persist Security Info=False"
        ),
        3 => format!(
            "Addr=tcp:{host};Initial Catalog=\"{name}\";user id={login};pwd={password};Connection Timeout=30;"
        ),
        4 => format!(
            "PASSWORD={password};Network Address={host};INITIAL CATALOG='{name}';User Id={login};Application Name=edge"
        ),
        _ => {
            let user = quoted(&format!("{user}@{}", way.server.name));
            format!(
                " ; Server = {host} ; Database = {name} ; Uid = {user} ; Pwd = {password} ; MultipleActiveResultSets=False"
            )
        }
    }
}

/// A value of a connection string, in quotes where it needs them.
fn quoted(value: &str) -> String {
    match value.contains([';', '"', '\'', '=', ' ', '{']) {
        true if value.contains('"') => format!("'{}'", value.replace('\'', "''")),
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}

pub fn resolver(sketch: &mut Sketch, revision: &str, number: usize, connection: &str) {
    let scope = format!("/apis/{revision}/resolvers/q-{number}");
    let named =
        json!({ "displayName": format!("Thing {number}"), "path": format!("Query/thing{number}") });
    sketch.apim(&scope[1..], named);
    let flag = if sketch.chance.once_in(4) {
        " use-managed-identity=\"false\""
    } else {
        ""
    };
    let text = format!(
        "<!-- one thing -->\n<sql-data-source>\n  <connection-info>\n    \
         <connection-string{flag}>{connection}</connection-string>\n  </connection-info>\n  \
         <request single-result=\"true\">\n    \
         <sql-statement>SELECT id, label FROM dbo.Things WHERE id = @id</sql-statement>\n    \
         <parameters>\n      <parameter name=\"@id\" sql-type=\"int\">\
         @(context.GraphQL.Arguments[\"id\"])</parameter>\n    </parameters>\n  </request>\n\
         </sql-data-source>"
    );
    sketch.policy(&scope, &text);
}
