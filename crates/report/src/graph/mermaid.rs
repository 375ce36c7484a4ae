//! Mermaid, which Markdown on most forges draws.

use keyless_plan::{Graph, Way};

use super::{COLUMNS, short_ids};

/// The graph as a Mermaid flowchart.
pub fn mermaid(graph: &Graph) -> String {
    let ids = short_ids(graph);
    let mut out = String::from("flowchart LR\n");
    for (column, title) in COLUMNS {
        let mut nodes = graph.nodes.iter().filter(|(_, n)| n.column == column);
        let Some(first) = nodes.next() else { continue };
        out.push_str(&format!("  subgraph {}\n", title.replace(' ', "_")));
        for (id, node) in std::iter::once(first).chain(nodes) {
            let class = match node.way {
                Way::Plain => "",
                Way::Key => ":::key",
                Way::HeldUp => ":::heldUp",
            };
            out.push_str(&format!(
                "    {}[\"{}\"]{class}\n",
                ids[id.as_str()],
                escaped(&node.label)
            ));
        }
        out.push_str("  end\n");
    }
    for (from, to) in &graph.edges {
        let (from, to) = (&ids[from.as_str()], &ids[to.as_str()]);
        out.push_str(&format!("  {from} --> {to}\n"));
    }
    out.push_str("  classDef key stroke:#c00\n  classDef heldUp stroke:#d80\n");
    out
}

/// Mermaid's own entities (Mermaid documentation, "Entity codes to escape characters").
fn escaped(label: &str) -> String {
    let mut out = String::new();
    for c in label.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '&' => out.push_str("#amp;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '#' => out.push_str("#35;"),
            c => out.push(c),
        }
    }
    out
}
