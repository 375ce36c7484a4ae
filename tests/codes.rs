//! Every code that the program can print is one that `keyless explain` describes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyless_model::codes;

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// `"KL0123"` in a text, without the quotes.
fn quoted_codes(text: &str) -> BTreeSet<String> {
    let pieces = text.split('"');
    let code = |piece: &&str| {
        let digits = piece.strip_prefix("KL");
        // 9999 is what tests ask for when they want a code that does not exist.
        digits.is_some_and(|d| d.len() == 4 && d.bytes().all(|b| b.is_ascii_digit()) && d != "9999")
    };
    pieces.filter(code).map(str::to_owned).collect()
}

#[test]
fn every_code_in_the_source_is_explained() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut used = BTreeSet::new();
    for name in fs::read_dir(crates).unwrap() {
        let (folder, mut files) = (name.unwrap().path().join("src"), Vec::new());
        // The emulator shares nothing with the product, its codes neither.
        if folder.is_dir() && !folder.parent().unwrap().ends_with("emulator") {
            sources(&folder, &mut files);
        }
        for file in files {
            used.extend(quoted_codes(&fs::read_to_string(file).unwrap()));
        }
    }
    assert!(used.len() > 50, "{used:?}");
    let unknown: Vec<&String> = used.iter().filter(|c| codes::find(c).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn no_code_is_left_without_words() {
    for code in codes::CODES {
        let long = code.about.split_whitespace().count();
        assert!(long >= 5, "{} says too little: {}", code.code, code.about);
    }
}
