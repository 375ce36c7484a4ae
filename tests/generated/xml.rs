//! Policy texts.

/// A policy whose `inbound` has these elements.
pub fn inbound(elements: &str) -> String {
    format!(
        "<policies>\n  <inbound>\n    <base />\n    {elements}\n  </inbound>\n  \
         <backend><base /></backend>\n  <outbound><base /></outbound>\n  \
         <on-error><base /></on-error>\n</policies>"
    )
}

/// The same for the whole gateway, which inherits nothing.
pub fn whole(elements: &str) -> String {
    format!(
        "<policies>\n  <inbound>\n    {elements}\n  </inbound>\n  <backend>\n    \
         <forward-request />\n  </backend>\n  <outbound />\n  <on-error />\n</policies>"
    )
}

pub fn header(name: &str, value: &str) -> String {
    format!(
        "<set-header name=\"{name}\" exists-action=\"override\">\n      <value>{value}</value>\n    \
         </set-header>"
    )
}

pub fn query(name: &str, value: &str) -> String {
    header(name, value).replace("set-header", "set-query-parameter")
}

pub fn basic(user: &str, password: &str) -> String {
    format!("<authentication-basic username=\"{user}\" password=\"{password}\" />")
}

/// A comment that remembers the password of long ago.
pub fn memory(old: Option<String>) -> String {
    old.map(|old| format!("<!-- Password={old}; until May -->\n    "))
        .unwrap_or_default()
}

/// The element in both branches of a decision.
pub fn branches(element: &str) -> String {
    format!(
        "<choose>\n    <when condition=\"@(context.Request.Method == \"GET\")\">\n    {element}\n    \
         </when>\n    <otherwise>\n    {element}\n    </otherwise>\n    </choose>"
    )
}
