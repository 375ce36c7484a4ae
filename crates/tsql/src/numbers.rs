//! SQL Server's error numbers: which ones pass by themselves, and what to do about the others.
//! Source: azure-facts C.7 (Microsoft SQL docs, "Database engine events and errors" and
//! "Troubleshoot common errors").

/// Whether the service says "not now": the same call may succeed a little later.
pub fn is_transient(number: u32) -> bool {
    matches!(
        number,
        615 | 4060 | 4221 | 33155 | 40197 | 40501 | 40613 | 49918..=49920
    )
}

/// What to do about an error of this number, as the end of a sentence.
pub fn next_step(number: u32) -> &'static str {
    match number {
        229 | 230 => "grant this permission to the identity that keyless runs as",
        262 | 15247 => "run as a member of db_owner or as the server's Entra admin",
        2759 | 15023 => {
            "compare its SID with the wanted one: the name may belong to a dead identity"
        }
        3902 | 3903 => "the server ended the transaction by itself; read the database again",
        4060 => "check the database's name, that it is online and that this identity may connect",
        15138 => "give its schemas to another owner first (ALTER AUTHORIZATION)",
        15144 | 15421 => "remove the members of the role or what it owns first",
        15151 => "check that the name exists and that this identity may change it",
        15434 => "the login has open sessions: wait for them to end, or end them",
        18456 => {
            "check that the server has an Entra admin, and that this identity is that admin or has \
             a user in the database whose SID is its client id, in the server's tenant"
        }
        33130 => "check the name and the tenant; a new identity may take 15 minutes to appear",
        33131 => "several identities have this display name: create the user by SID",
        33134 => "the server could not look the identity up: create the user by SID",
        33159 => "log in with an Entra token instead of a password",
        37545 => "use the object id of the enterprise application",
        40532 => "check the server's name and its virtual network rules",
        40615 => "add this machine's address to the server's firewall, or use a private endpoint",
        47072 => "use TLS 1.2 or newer",
        47073 => "public access is off: run inside the network, through the private endpoint",
        n if is_transient(n) => "the service is busy or moving the database: try again later",
        _ => "look the number up in the documentation of SQL Server's database engine errors",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_numbers_are_transient_and_refusals_are_not() {
        for number in [615, 4060, 4221, 40197, 40501, 40613, 49918, 49919, 49920] {
            assert!(is_transient(number), "{number}");
        }
        for number in [229, 15023, 15151, 18456, 40532, 40615, 47073, 49917, 49921] {
            assert!(!is_transient(number), "{number}");
        }
    }

    #[test]
    fn every_well_known_number_has_a_step_of_its_own() {
        let unknown = next_step(1);
        let known = [
            229, 4060, 15023, 15138, 15144, 15151, 18456, 33130, 33131, 33134, 33155, 33159, 37545,
            40197, 40501, 40532, 40613, 40615, 47072, 47073, 49918,
        ];
        for number in known {
            assert_ne!(next_step(number), unknown, "{number}");
        }
    }
}
