//! The graph of who reaches what: for Graphviz, for Markdown, and as a picture.

mod dot;
mod mermaid;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

use keyless_plan::{Column, Graph};

/// The columns, from left to right, with their headings.
const COLUMNS: [(Column, &str); 6] = [
    (Column::Caller, "callers"),
    (Column::Api, "API"),
    (Column::Policy, "policy with a key"),
    (Column::Identity, "identity"),
    (Column::Role, "role or audience"),
    (Column::Target, "target"),
];

/// A short id for each node, in the order of their long ones.
fn short_ids(graph: &Graph) -> std::collections::BTreeMap<&str, String> {
    let ids = graph.nodes.keys().enumerate();
    ids.map(|(i, id)| (id.as_str(), format!("n{i}"))).collect()
}

#[cfg(test)]
mod tests {
    use keyless_plan::{Node, Way};

    use super::*;

    fn graph() -> Graph {
        let mut out = Graph::default();
        for (id, column, label, way) in [
            ("a", Column::Api, "orders \"&<x>\"", Way::Plain),
            ("i", Column::Identity, "contoso (system)", Way::Plain),
            ("t", Column::Target, "sql:s/db:d", Way::HeldUp),
        ] {
            let label = label.to_owned();
            let ways = [1].into();
            let node = Node {
                column,
                label,
                way,
                ways,
            };
            out.nodes.insert(id.into(), node);
        }
        out.edges.insert(("a".into(), "i".into()));
        out.edges.insert(("i".into(), "t".into()));
        out
    }

    #[test]
    fn every_form_has_every_node_and_edge_and_no_label_is_markup() {
        let (dot, mermaid, svg) = (dot(&graph()), mermaid(&graph()), svg(&graph()));
        assert_eq!(dot.matches(" -> ").count(), 2, "{dot}");
        assert_eq!(mermaid.matches(" --> ").count(), 2, "{mermaid}");
        assert_eq!(svg.matches("<path ").count(), 2, "{svg}");
        assert!(dot.contains(r#"orders \"&<x>\""#), "{dot}");
        assert!(mermaid.contains("orders #quot;#amp;#lt;x#gt;#quot;"));
        assert!(svg.contains("orders &quot;&amp;&lt;x&gt;&quot;"), "{svg}");
    }

    #[test]
    fn an_empty_graph_is_a_whole_document() {
        assert!(svg(&Graph::default()).ends_with("</svg>\n"));
        assert!(dot(&Graph::default()).ends_with("}\n"));
    }
}
