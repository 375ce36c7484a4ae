//! Graphviz.

use keyless_plan::{Graph, Way};

use super::{COLUMNS, short_ids};

/// The graph in the language of Graphviz.
pub fn dot(graph: &Graph) -> String {
    let ids = short_ids(graph);
    let mut out = String::from(
        "digraph keyless {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
    );
    for (column, _) in COLUMNS {
        let nodes = graph.nodes.iter().filter(|(_, n)| n.column == column);
        let lines: Vec<String> = nodes
            .map(|(id, node)| {
                let colour = match node.way {
                    Way::Plain => "",
                    Way::Key => ", color=red",
                    Way::HeldUp => ", color=orange",
                };
                let label = node.label.replace('\\', "\\\\").replace('"', "\\\"");
                format!("    {} [label=\"{label}\"{colour}];\n", ids[id.as_str()])
            })
            .collect();
        if !lines.is_empty() {
            out.push_str(&format!("  {{ rank=same;\n{}  }}\n", lines.concat()));
        }
    }
    for (from, to) in &graph.edges {
        let (from, to) = (&ids[from.as_str()], &ids[to.as_str()]);
        out.push_str(&format!("  {from} -> {to};\n"));
    }
    out.push_str("}\n");
    out
}
