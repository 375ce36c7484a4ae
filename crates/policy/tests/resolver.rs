//! The edit that keyless exists for: a resolver leaves its password behind.

use keyless_policy::{Change, Document, Edit, LineKind, canonical, diff, references, same};

const BEFORE: &str = r#"<sql-data-source>
    <connection-info>
        <!-- orders -->
        <connection-string>Server=tcp:sql-a.example;Database=orders;User ID=app;Password={{pw}};</connection-string>
    </connection-info>
    <request single-result="true">
        <sql-statement>SELECT id FROM dbo.orders WHERE id &lt; @id</sql-statement>
        <parameters><parameter sql-type="Int" name="@id">@(int.Parse(context.GraphQL.Arguments["id"].ToString()))</parameter></parameters>
    </request>
</sql-data-source>
"#;

#[test]
fn a_resolver_is_switched_by_two_splices() {
    let document = Document::parse(BEFORE).unwrap();
    assert_eq!(references(BEFORE)[0].name, "pw");
    let place = document
        .elements()
        .into_iter()
        .find(|element| element.name() == "connection-string")
        .unwrap();
    let path = place.path();
    assert_eq!(
        path.as_str(),
        "/sql-data-source/connection-info/connection-string"
    );
    let identity = "Server=tcp:sql-a.example;Database=orders;";
    let flag = Change::SetAttribute {
        name: "use-managed-identity".into(),
        value: "true".into(),
    };
    let edits = [
        Edit {
            path: path.clone(),
            change: flag,
        },
        Edit {
            path: path.clone(),
            change: Change::SetText(identity.into()),
        },
    ];
    let after = document.edit(&edits).unwrap();
    let expect = BEFORE
        .replace(
            "<connection-string>",
            "<connection-string use-managed-identity=\"true\">",
        )
        .replace("User ID=app;Password={{pw}};", "");
    assert_eq!(after, expect);
    assert!(references(&after).is_empty());
    assert!(!same(BEFORE, &after));

    let lines = diff(BEFORE, &after, 1);
    let kinds: Vec<LineKind> = lines.iter().map(|line| line.kind).collect();
    use LineKind::{Added, Kept, Removed, Skipped};
    assert_eq!(kinds, [Skipped(2), Kept, Removed, Added, Kept, Skipped(5)]);
    assert!(
        lines[3]
            .pieces
            .iter()
            .any(|(marked, text)| *marked && text.contains("managed"))
    );
    assert!(
        !lines[3]
            .pieces
            .iter()
            .any(|(marked, text)| *marked && text.contains("orders"))
    );
}

#[test]
fn the_service_may_reformat_what_it_was_sent() {
    let reformatted = BEFORE
        .replace("\n    ", "\r\n\t")
        .replace("sql-type=\"Int\" name=\"@id\"", "name='@id' sql-type='Int'")
        .replace("<!-- orders -->", "")
        .replace("[\"id\"]", "[ &quot;id&quot; ]");
    assert_eq!(canonical(BEFORE), canonical(&reformatted));
}
