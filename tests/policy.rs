//! `keyless policy`: files in, files out, and exit codes that a pipeline can rely on. No emulator:
//! these verbs ask nothing of Azure.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const RESOLVER: &str = "<sql-data-source>
    <connection-info>
        <!-- of the order desk -->
        <connection-string>Server=tcp:sql-a.example,1433;Database=orders;User ID=app;Password=planted-canary-1;Encrypt=true</connection-string>
    </connection-info>
    <request>
        <sql-statement>SELECT 1</sql-statement>
    </request>
</sql-data-source>
";

const API: &str = "<policies>
    <inbound>
        <base />
        <set-header name=\"Authorization\" exists-action=\"override\">
            <value>Basic YXBwOnBsYW50ZWQtY2FuYXJ5LTI=</value>
        </set-header>
        <rate-limit calls=\"5\" renewal-period=\"60\" />
    </inbound>
</policies>
";

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let (out, err) = (output.stdout, output.stderr);
        let said = Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    #[track_caller]
    fn exits(self, code: i32) -> Said {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Said {
        let found = self.out.contains(text) || self.err.contains(text);
        assert!(found, "“{text}” is not in\n{}\n{}", self.out, self.err);
        self
    }

    /// No part of a credential is shown.
    #[track_caller]
    fn tells_no_secret(self) -> Said {
        for secret in ["planted-canary", "YXBwOnBs"] {
            assert!(!self.out.contains(secret) && !self.err.contains(secret));
        }
        self
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command.arg("policy").args(arguments).current_dir(folder);
    command
}

fn keyless(folder: &TempDir, arguments: &[&str]) -> Said {
    Said::of(command(folder.path(), arguments).output().unwrap())
}

fn with_input(folder: &TempDir, arguments: &[&str], input: &[u8]) -> Said {
    let mut child = command(folder.path(), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Said::of(child.wait_with_output().unwrap())
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn file(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn fmt_lays_out_and_check_only_looks() {
    let flat = API.replace("    ", "").replace('\n', "\r\n");
    let folder = folder(&[("flat.xml", &flat), ("good.xml", API)]);
    keyless(&folder, &["fmt", "--check", "flat.xml", "good.xml"])
        .exits(2)
        .says("flat.xml: would change");
    assert_eq!(file(&folder, "flat.xml"), flat);
    keyless(&folder, &["fmt", "flat.xml", "good.xml"]).exits(0);
    assert_eq!(file(&folder, "flat.xml"), API.replace('\n', "\r\n"));
    assert_eq!(file(&folder, "good.xml"), API);
    keyless(&folder, &["fmt", "--check", "flat.xml", "good.xml"]).exits(0);
    let said = with_input(&folder, &["fmt", "-"], flat.as_bytes()).exits(0);
    assert_eq!(said.out, API.replace('\n', "\r\n"));
    let said = keyless(&folder, &["fmt", "--check", "--format", "json", "good.xml"]).exits(0);
    said.says("keyless.policy-fmt/1").says("\"changed\": false");
}

#[test]
fn diff_tells_equal_cosmetic_and_different_apart() {
    let cosmetic = API.replace("    ", "\t").replace(
        "calls=\"5\" renewal-period=\"60\"",
        "renewal-period='60' calls='5'",
    );
    let other = API.replace("\"5\"", "\"6\"");
    let folder = folder(&[("a.xml", API), ("b.xml", &cosmetic), ("c.xml", &other)]);
    keyless(&folder, &["diff", "a.xml", "a.xml"])
        .exits(0)
        .says("same text");
    keyless(&folder, &["diff", "a.xml", "b.xml"])
        .exits(0)
        .says("cosmetic");
    let said = keyless(&folder, &["diff", "b.xml", "c.xml"]).exits(2);
    assert_eq!(
        said.out,
        "/policies/inbound/rate-limit: attribute calls\n  - 5\n  + 6\n"
    );
    with_input(&folder, &["diff", "-", "c.xml"], API.as_bytes()).exits(2);
    let said = keyless(&folder, &["diff", "--format", "json", "a.xml", "c.xml"]).exits(2);
    said.says("\"verdict\": \"different\"")
        .says("\"attribute\": \"calls\"");
    keyless(&folder, &["diff", "-", "-"])
        .exits(1)
        .says("KL0309");
}

#[test]
fn diff_shows_no_credential_and_still_tells_that_one_changed() {
    let other = RESOLVER.replace("canary-1", "canary-2");
    let folder = folder(&[("a.xml", RESOLVER), ("b.xml", &other)]);
    let said = keyless(&folder, &["diff", "a.xml", "b.xml"])
        .exits(2)
        .tells_no_secret();
    said.says("connection-string: text")
        .says("Database=orders")
        .says("‹credential");
}

#[test]
fn lint_finds_credentials_and_misplaced_statements() {
    let misplaced = "<policies><outbound><authentication-managed-identity resource=\"x\"/></outbound></policies>";
    let folder = folder(&[
        ("r.xml", RESOLVER),
        ("m.xml", misplaced),
        ("good.xml", "<fragment><trace/></fragment>"),
    ]);
    keyless(&folder, &["lint", "good.xml"])
        .exits(0)
        .says("0 findings");
    keyless(&folder, &["lint", "r.xml"])
        .exits(2)
        .says("KL0401 r.xml:4:9")
        .tells_no_secret();
    keyless(&folder, &["lint", "m.xml", "good.xml"])
        .exits(2)
        .says("KL0606 m.xml:1:21")
        .says("move it into inbound\n\n1 finding.");
    let said = keyless(&folder, &["lint", "--format", "json", "r.xml"])
        .exits(2)
        .tells_no_secret();
    said.says("keyless.policy-lint/1")
        .says("\"rule\": \"KL0401\"")
        .says("\"line\": 4");
}

#[test]
fn fix_takes_the_password_out_of_a_data_source_and_nothing_else() {
    let folder = folder(&[("r.xml", RESOLVER)]);
    let expect = RESOLVER
        .replace(
            "<connection-string>",
            "<connection-string use-managed-identity=\"true\">",
        )
        .replace("User ID=app;Password=planted-canary-1;", "");
    keyless(&folder, &["fix", "--check", "r.xml"])
        .exits(2)
        .says("would fix")
        .tells_no_secret();
    assert_eq!(file(&folder, "r.xml"), RESOLVER);
    let said = keyless(&folder, &["fix", "--stdout", "r.xml"]).exits(0);
    assert_eq!(said.out, expect);
    assert_eq!(file(&folder, "r.xml"), RESOLVER);
    let said = keyless(&folder, &["fix", "r.xml"])
        .exits(0)
        .tells_no_secret();
    said.says("a user of orders on sql-a.example");
    assert_eq!(file(&folder, "r.xml"), expect);
    keyless(&folder, &["lint", "r.xml"]).exits(0);
    keyless(&folder, &["fix", "--check", "r.xml"])
        .exits(0)
        .says("nothing to fix");
    assert_eq!(
        with_input(&folder, &["fix", "-"], RESOLVER.as_bytes())
            .exits(0)
            .out,
        expect
    );
}

#[test]
fn fix_asks_for_a_token_once_it_is_told_what_for() {
    let folder = folder(&[("a.xml", API)]);
    keyless(&folder, &["fix", "a.xml"])
        .exits(2)
        .says("--audience")
        .tells_no_secret();
    assert_eq!(file(&folder, "a.xml"), API);
    let id = "0c0ffee0-0000-4000-8000-000000000001";
    let told = [
        "fix",
        "a.xml",
        "--audience",
        "api://orders",
        "--client-id",
        id,
    ];
    keyless(&folder, &told)
        .exits(0)
        .says("a token of the managed identity")
        .tells_no_secret();
    let header = &API[API.find("<set-header").unwrap()..API.find("        <rate-limit").unwrap()];
    let token = format!(
        "<authentication-managed-identity resource=\"api://orders\" client-id=\"{id}\" />\n"
    );
    assert_eq!(file(&folder, "a.xml"), API.replace(header, &token));
}

#[test]
fn fix_takes_no_blank_audience_and_no_client_id_that_is_none() {
    let folder = folder(&[("a.xml", API)]);
    let cases: [(&[&str], &str); 3] = [
        (&["--audience", ""], "--audience"),
        (&["--audience", " "], "--audience"),
        (
            &["--audience", "api://x", "--client-id", "foo"],
            "not a GUID",
        ),
    ];
    for (options, why) in cases {
        let arguments = [&["fix", "a.xml"], options].concat();
        keyless(&folder, &arguments)
            .exits(1)
            .says("KL0104")
            .says(why);
        assert_eq!(file(&folder, "a.xml"), API);
    }
}

#[test]
fn fix_says_why_it_leaves_what_one_document_does_not_decide() {
    let inbound = |inside: &str| format!("<policies><inbound>{inside}</inbound></policies>");
    let header = "<set-header name=\"x-functions-key\"><value>planted-canary-3-abcdefghijkl9876</value></set-header>";
    let request =
        format!("<send-request><set-url>https://b.example</set-url>{header}</send-request>");
    let own = "<set-header name=\"Authorization\"><value>@(context.Variables[\"t\"])</value></set-header>";
    let reference = "<sql-data-source><connection-info><connection-string>{{orders-db}}</connection-string>\
                     </connection-info></sql-data-source>";
    let cases = [
        (inbound(&format!("{header}{request}")), "--at PATH"),
        (
            inbound(&format!("{header}{own}")),
            "another element sets Authorization",
        ),
        (
            format!("<policies><backend>{header}</backend></policies>"),
            "inbound only",
        ),
        (
            format!("<fragment>{header}</fragment>"),
            "where the fragment is included",
        ),
        (reference.to_owned(), "{{orders-db}}"),
    ];
    for (text, why) in cases {
        let folder = folder(&[("p.xml", &text)]);
        let said = keyless(&folder, &["fix", "p.xml", "--audience", "api://x"]).exits(2);
        said.says(why).tells_no_secret();
        assert_eq!(file(&folder, "p.xml"), text);
    }
    let folder = folder(&[("p.xml", &inbound(&format!("{header}{request}")))]);
    let at = [
        "fix",
        "p.xml",
        "--audience",
        "api://x",
        "--at",
        "/policies/inbound/send-request",
    ];
    // The other key is still there, and said to be.
    keyless(&folder, &at)
        .exits(2)
        .says("a token of the managed identity")
        .tells_no_secret();
    assert_eq!(file(&folder, "p.xml").matches("planted").count(), 1);
    keyless(&folder, &["fix", "p.xml", "--at", "/policies/x"])
        .exits(1)
        .says("no such element");
}

#[test]
fn bad_files_get_one_clear_message_each() {
    let long = format!("<a>{}</a>", "planted-canary ".repeat(700_000));
    let deep = "<a>".repeat(100_000);
    let files: [(&str, &str); 6] = [
        ("open.xml", "<a>\n  <b c=\"@(f(\"planted-canary)\"/>\n</a>"),
        (
            "laughs.xml",
            "<!DOCTYPE a [<!ENTITY b \"planted-canary\">]><a>&b;</a>",
        ),
        ("surrogate.xml", "<a>&#xD800;</a>"),
        ("nul.xml", "<a>\u{0}</a>"),
        ("long.xml", &long),
        ("deep.xml", &deep),
    ];
    let folder = folder(&files);
    let places = [
        "open.xml:2:",
        "laughs.xml:1:1",
        "surrogate.xml:1:4",
        "nul.xml:1:4",
        "KL0112",
        "deep.xml:1:769",
    ];
    for ((name, _), place) in files.iter().zip(places) {
        for verb in ["fmt", "lint", "fix"] {
            keyless(&folder, &[verb, name])
                .exits(1)
                .says(place)
                .tells_no_secret();
        }
        keyless(&folder, &["diff", name, name])
            .exits(1)
            .says(place)
            .tells_no_secret();
    }
    std::fs::write(folder.path().join("latin.xml"), b"<a>\n \xe9</a>").unwrap();
    keyless(&folder, &["lint", "latin.xml"])
        .exits(1)
        .says("latin.xml:2:2")
        .says("UTF-8");
    keyless(&folder, &["lint", "."])
        .exits(1)
        .says("is a folder");
    keyless(&folder, &["fmt", "gone.xml"])
        .exits(1)
        .says("cannot be read");
    // One bad file does not hide what is wrong with the next.
    std::fs::write(folder.path().join("r.xml"), RESOLVER).unwrap();
    keyless(&folder, &["lint", "open.xml", "r.xml"])
        .exits(1)
        .says("open.xml:2:")
        .says("KL0401");
}
