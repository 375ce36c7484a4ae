//! A database whose catalogue was not read: the reason that a person can act on, and the next step.

use keyless_model::{Address, Live};

use crate::draft::{Draft, Input, id_of};
use crate::phase::Phase;

/// How many databases of a server are named.
const NAMED: usize = 8;

/// Why nothing can be planned in the database, and what to do. `why` is what the read says.
pub(crate) fn database(
    input: Input,
    draft: &Draft,
    database: &Address,
    why: String,
) -> (String, String) {
    let server = database.root();
    let admin = server.part("entraAdmin");
    let set = id_of(Phase::Identify, &admin);
    if draft.has(&set) {
        let why = format!("the database is readable after {set}");
        return (why, "apply, then plan again".into());
    }
    match input.live.get(&server) {
        Live::Present(_) => {}
        Live::Absent => {
            let next = "correct the id in its SqlServer document";
            return ("the server does not exist".into(), next.into());
        }
        Live::Unreadable(why) => {
            let next = "give the identity that plans the Reader role on the server";
            return (why, next.into());
        }
    }
    // Every database that the server lists is in the snapshot, read or not.
    let listed = !matches!(input.live.get(database), Live::Unreadable(_));
    if listed && !input.live.databases.contains_key(database) {
        let why = format!(
            "the server has no database of the name {}",
            database.last().1
        );
        return (why, right_name(input, &server));
    }
    if matches!(input.live.get(&admin), Live::Absent) {
        let why = "the server has no Entra administrator, and without one it takes no token";
        let next = format!(
            "declare `entraAdmin` in the SqlServer document {}, then plan again",
            server.root_name()
        );
        return (why.into(), next);
    }
    let next = "mend that, then plan again; to read it takes a user there with VIEW SECURITY \
                DEFINITION";
    (why, next.into())
}

fn right_name(input: Input, server: &Address) -> String {
    let all = input.live.databases.keys().filter(|d| d.root() == *server);
    let names: Vec<&str> = all.map(|d| d.last().1).take(NAMED + 1).collect();
    let more = if names.len() > NAMED {
        " and others"
    } else {
        ""
    };
    match names[..] {
        [] => "correct the name in the manifests, or make the database".into(),
        _ => format!(
            "correct the name in the manifests: there are {}{more}",
            names[..names.len().min(NAMED)].join(", ")
        ),
    }
}
