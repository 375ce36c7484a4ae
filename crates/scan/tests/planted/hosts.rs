//! Documents to plant into: made up, and public ones where a checkout of them stands beside ours.
//! The public ones are no part of the project; without them the made-up ones have to do.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Dice, Spelling, decoys};

/// A document in two halves, between which something is planted.
pub struct Host {
    pub name: String,
    pub before: String,
    pub after: String,
    pub spelling: Spelling,
}

/// The name of every made-up document.
pub const MADE_UP: &str = "made up";

/// What makes a document `rawxml`: it is no XML.
const RAW: &str = "<set-variable name=\"many\" value=\"@(context.Request.Body.As<string>().Length > 1 && true)\" />\n";

/// A made-up document, nested and full of what is no credential.
pub fn made_up(dice: &mut Dice, spelling: Spelling) -> Host {
    let wraps = [
        (
            "<choose><when condition=\"@(context.Api.Id == &quot;a&quot;)\">\n",
            "\n</when></choose>",
        ),
        (
            "<choose><when condition=\"@(true)\"><set-status code=\"200\" /></when><otherwise>\n",
            "\n</otherwise></choose>",
        ),
        (
            "<retry condition=\"@(false)\" count=\"2\" interval=\"1\">\n",
            "\n</retry>",
        ),
        (
            "<limit-concurrency key=\"k\" max-count=\"3\">\n",
            "\n</limit-concurrency>",
        ),
        ("<wait for=\"all\">\n", "\n</wait>"),
    ];
    let raw = spelling == Spelling::Raw;
    let root = dice.pick(&[
        (
            "<policies>\n<inbound>\n<base />\n",
            "\n</inbound>\n<backend><base /></backend>\n</policies>\n",
        ),
        (
            "<policies><inbound><base /></inbound><outbound>\n",
            "\n</outbound></policies>",
        ),
        ("<policies><on-error>\n", "\n</on-error></policies>"),
        ("<fragment>\n", "\n</fragment>"),
    ]);
    let (mut before, mut after) = (root.0.to_owned(), root.1.to_owned());
    if raw {
        before.push_str(RAW);
    }
    for _ in 0..dice.roll(4) {
        let (open, close) = dice.pick(&wraps);
        before.push_str(&if raw {
            open.replace("&quot;", "\"")
        } else {
            open.to_owned()
        });
        after = format!("{close}{after}");
    }
    before.push_str(&decoys::some(dice, spelling, 4));
    after = format!("\n{}{after}", decoys::some(dice, spelling, 4));
    let crlf = dice.roll(4) == 0;
    let ends = |text: String| {
        if crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    };
    Host {
        name: MADE_UP.into(),
        before: ends(before),
        after: ends(after),
        spelling,
    }
}

/// The public documents, with their paths; none where there is no checkout.
fn public() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/policies");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "xml") {
                let text = fs::read_to_string(&path).expect("a sample is UTF-8");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// Documents that hold no credential, with a name: made-up ones, and the public ones.
pub fn clean(dice: &mut Dice) -> Vec<(String, String)> {
    let spellings = [Spelling::Xml, Spelling::Raw].into_iter().cycle().take(100);
    let hosts = spellings.map(|spelling| made_up(dice, spelling));
    let made = hosts.map(|host| (host.name, host.before + &host.after));
    let named = |(path, text): (PathBuf, String)| (path.display().to_string(), text);
    made.chain(public().into_iter().map(named)).collect()
}

/// The public documents that can be planted into, before the end of their root.
pub fn published() -> Vec<Host> {
    let host = |(path, text): (PathBuf, String)| {
        let document = keyless_policy::Document::parse(&text).ok()?;
        let spelling = match document.needs_rawxml() {
            true => Spelling::Raw,
            false => Spelling::Xml,
        };
        let (before, after) = text.split_at(text.rfind("</")?);
        Some(Host {
            name: path.display().to_string(),
            before: format!("{before}\n"),
            after: format!("\n{after}"),
            spelling,
        })
    };
    public().into_iter().filter_map(host).collect()
}
