//! Names as people give them: dots, dashes, mixed case, other alphabets, quotes and brackets.

use crate::generated::chance::Chance;

const WORDS: [&str; 44] = [
    "harbor", "tide", "pier", "keel", "lamp", "buoy", "crane", "dock", "ferry", "gull", "hull",
    "isle", "jetty", "knot", "lock", "mast", "net", "oar", "port", "quay", "reef", "sail", "tug",
    "wave", "yard", "anchor", "beacon", "cargo", "delta", "ebb", "fjord", "galley", "helm",
    "inlet", "kelp", "lagoon", "marina", "narrows", "pilot", "rudder", "shoal", "tanker", "vessel",
    "wharf",
];

/// Hands out each word once, so that no two things share a name.
pub struct Names(Vec<String>);

impl Names {
    pub fn new(chance: &mut Chance) -> Self {
        let words = WORDS.iter().map(|w| (*w).to_owned());
        let more = WORDS.iter().map(|w| format!("{w}side"));
        Self(chance.shuffled(&words.chain(more).collect::<Vec<_>>()))
    }

    /// A word in lower case, which is a document's name.
    pub fn word(&mut self) -> String {
        self.0.pop().expect("a word is left")
    }
}

/// A gateway, server or identity of Azure's: letters, digits and dashes.
pub fn root(chance: &mut Chance, word: &str) -> String {
    match chance.below(4) {
        0 => format!("{word}-{}", chance.between(1, 99)),
        1 => format!("prod-{word}-we"),
        2 => format!("{word}{:02}", chance.between(1, 99)),
        _ => format!("x-{word}"),
    }
}

/// The id of an API, a backend, a fragment or a product.
pub fn id(chance: &mut Chance, word: &str) -> String {
    match chance.below(6) {
        0 => format!("{}.{}", capital(word), chance.between(1, 9)),
        1 => format!("{word}-v{}", chance.between(2, 9)),
        2 => format!("{}Service", capital(word)),
        3 => format!("my_{word}"),
        4 => word.to_uppercase(),
        _ => word.to_owned(),
    }
}

/// What people read.
pub fn display(chance: &mut Chance, word: &str) -> String {
    match chance.below(5) {
        0 => format!("Übersicht {word} – ältere"),
        1 => format!("{word} 港湾"),
        2 => format!("L'API \"{word}\" & co"),
        _ => capital(word),
    }
}

/// The display name of a named value: letters, digits, dots, dashes and underscores.
pub fn value(chance: &mut Chance, word: &str) -> String {
    match chance.below(3) {
        0 => format!("Conn.{}", capital(word)),
        1 => format!("{word}_{}", chance.between(1, 9)),
        _ => format!("{word}-value"),
    }
}

/// A SQL login or user.
pub fn login(chance: &mut Chance, word: &str) -> String {
    match chance.below(5) {
        0 => format!("svc]{word}"),
        1 => format!("{word}'s app"),
        2 => capital(word),
        3 => format!("{word}.app"),
        _ => format!("{word}_app"),
    }
}

/// A database.
pub fn database(chance: &mut Chance, word: &str) -> String {
    match chance.below(4) {
        0 => format!("{} Data", capital(word)),
        1 => format!("{word}.db"),
        2 => word.to_uppercase(),
        _ => word.to_owned(),
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}
