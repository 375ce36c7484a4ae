//! The places of a policy in which a credential may stand (azure-facts B.5 rows 25 to 30, and the
//! elements of B.4 that send, keep or show a text).

use super::csharp::FORMS;
use super::secrets::{
    Secret, authorization, base64, basic, human, machine, sql, telling, url, user,
};
use super::{Dice, Plant, Spelling};

/// Where in an element its text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Text,
    Attribute,
}

/// One place: its row, where the text stands, and a function for what stands there, with the policy
/// before and behind it.
struct Place {
    row: &'static str,
    at: At,
    make: fn(&mut Dice) -> (String, Secret, &'static str),
}

const fn text(row: &'static str, make: fn(&mut Dice) -> (String, Secret, &'static str)) -> Place {
    let at = At::Text;
    Place { row, at, make }
}

const fn attribute(
    row: &'static str,
    make: fn(&mut Dice) -> (String, Secret, &'static str),
) -> Place {
    let at = At::Attribute;
    Place { row, at, make }
}

const KEY_HEADERS: [&str; 8] = [
    "x-functions-key",
    "api-key",
    "X-API-Key",
    "Ocp-Apim-Subscription-Key",
    "aeg-sas-key",
    "x-auth-token",
    "apikey",
    "X-Client-Secret",
];
const OWN_HEADERS: [&str; 6] = [
    "X-Partner-Secret",
    "x-contoso-shared-secret",
    "X-Legacy-Password",
    "crm-passphrase",
    "X-Partner-ApiKey",
    "x-service-credential",
];
const PARAMETERS: [&str; 8] = [
    "code",
    "sig",
    "key",
    "api_key",
    "subscription-key",
    "access_token",
    "client_secret",
    "apikey",
];

fn header(name: &str) -> String {
    format!("<set-header name=\"{name}\" exists-action=\"override\">\n<value>")
}

fn own(dice: &mut Dice) -> (String, Secret, &'static str) {
    let secret = if dice.roll(2) == 0 {
        machine(dice)
    } else {
        human(dice)
    };
    let head = header(dice.pick(&OWN_HEADERS));
    (head, Secret::bare(secret), HEADER_END)
}

const HEADER_END: &str = "</value></set-header>";
const PLACES: [Place; 36] = [
    attribute("authentication-basic", |d| {
        let head = format!("<authentication-basic username=\"{}\" password=\"", user(d));
        (head, Secret::bare(human(d)), "\" />")
    }),
    attribute("proxy", |d| {
        let head = "<proxy url=\"http://p.invalid:8080\" username=\"u\" password=\"".to_owned();
        (head, Secret::bare(human(d)), "\" />")
    }),
    attribute("certificate, password", |d| {
        let head = "<authentication-certificate body=\"@(context.Variables.GetValueOrDefault<byte[]>(&quot;pfx&quot;))\" password=\"";
        (head.to_owned(), Secret::bare(human(d)), "\" />")
    }),
    attribute("certificate, body", |d| {
        let pfx = base64(format!("0{}", d.text("abcdefgh#+*0123456789", 900)).as_bytes());
        (
            "<authentication-certificate body=\"".to_owned(),
            Secret::bare(pfx),
            "\" />",
        )
    }),
    text("Authorization header", |d| {
        (header("Authorization"), authorization(d), HEADER_END)
    }),
    text("key header", |d| {
        let secret = if d.roll(3) == 0 { human(d) } else { machine(d) };
        (
            header(d.pick(&KEY_HEADERS)),
            Secret::bare(secret),
            HEADER_END,
        )
    }),
    text("header of its own name", own),
    text("any header, telling text", |d| {
        (header("x-forwarded-login"), basic(d), HEADER_END)
    }),
    text("query parameter", |d| {
        let name = d.pick(&PARAMETERS);
        let head = format!("<set-query-parameter name=\"{name}\"><value>");
        (
            head,
            Secret::bare(machine(d)),
            "</value></set-query-parameter>",
        )
    }),
    text("query parameter of its own name", |d| {
        let name = d.pick(&["partner_secret", "shop-password", "x-apikey"]);
        let head = format!("<set-query-parameter name=\"{name}\"><value>");
        (
            head,
            Secret::bare(human(d)),
            "</value></set-query-parameter>",
        )
    }),
    text("send-request, URL", |d| {
        (
            "<send-request mode=\"new\" response-variable-name=\"r1\"><set-url>".to_owned(),
            url(d),
            "</set-url></send-request>",
        )
    }),
    text("send-request, header", |d| {
        let head = header("Authorization");
        (
            format!(
                "<send-request mode=\"new\" response-variable-name=\"r2\"><set-url>https://h.invalid</set-url>{head}"
            ),
            authorization(d),
            "</value></set-header></send-request>",
        )
    }),
    text("send-request, body", |d| {
        ("<send-request mode=\"new\" response-variable-name=\"r3\"><set-method>POST</set-method><set-body>".to_owned(), telling(d), "</set-body></send-request>")
    }),
    text("send-one-way-request, URL", |d| {
        (
            "<send-one-way-request mode=\"new\"><set-url>".to_owned(),
            url(d),
            "</set-url></send-one-way-request>",
        )
    }),
    attribute("rewrite-uri", |d| {
        let key = machine(d).replace('=', "");
        let name = d.pick(&["code", "sig", "key", "api_key"]);
        let path = d.pick(&["/api/orders", "/{id}/lines", "/v2"]);
        let of = Secret::within(format!("{path}?a=1&{name}={key}"), key);
        (
            "<rewrite-uri template=\"".to_owned(),
            of,
            "\" copy-unmatched-params=\"true\" />",
        )
    }),
    attribute("set-backend-service", |d| {
        (
            "<set-backend-service base-url=\"".to_owned(),
            url(d),
            "\" />",
        )
    }),
    attribute("find-and-replace", |d| {
        (
            "<find-and-replace from=\"http://old\" to=\"".to_owned(),
            url(d),
            "\" />",
        )
    }),
    attribute("set-variable", |d| {
        (
            "<set-variable name=\"v1\" value=\"".to_owned(),
            telling(d),
            "\" />",
        )
    }),
    attribute("set-variable, SQL", |d| {
        (
            "<set-variable name=\"v2\" value=\"".to_owned(),
            sql(d),
            "\" />",
        )
    }),
    attribute("set-variable, named a key", |d| {
        let name = d.pick(&[
            "apiKey",
            "client-secret",
            "crmPassword",
            "functionKey",
            "partner_secret",
        ]);
        (
            format!("<set-variable name=\"{name}\" value=\""),
            Secret::bare(machine(d)),
            "\" />",
        )
    }),
    attribute("cache-store-value", |d| {
        (
            "<cache-store-value key=\"crm-login\" duration=\"60\" value=\"".to_owned(),
            telling(d),
            "\" />",
        )
    }),
    attribute("cache-lookup-value, default", |d| {
        (
            "<cache-lookup-value key=\"k\" variable-name=\"c\" default-value=\"".to_owned(),
            telling(d),
            "\" />",
        )
    }),
    text("set-body", |d| {
        ("<set-body>".to_owned(), telling(d), "</set-body>")
    }),
    text("return-response, body", |d| {
        (
            "<return-response><set-status code=\"200\" reason=\"OK\" /><set-body>".to_owned(),
            telling(d),
            "</set-body></return-response>",
        )
    }),
    text("return-response, header", |d| {
        (
            format!("<return-response>{}", header("api-key")),
            Secret::bare(machine(d)),
            "</value></set-header></return-response>",
        )
    }),
    text("log-to-eventhub", |d| {
        (
            "<log-to-eventhub logger-id=\"hub\">".to_owned(),
            telling(d),
            "</log-to-eventhub>",
        )
    }),
    text("trace", |d| {
        (
            "<trace source=\"orders\"><message>".to_owned(),
            telling(d),
            "</message></trace>",
        )
    }),
    attribute("trace, metadata", |d| {
        (
            "<trace source=\"o\"><message>m</message><metadata name=\"m\" value=\"".to_owned(),
            telling(d),
            "\" /></trace>",
        )
    }),
    attribute("emit-metric", |d| {
        (
            "<emit-metric name=\"m\"><dimension name=\"login\" value=\"".to_owned(),
            telling(d),
            "\" /></emit-metric>",
        )
    }),
    text("validate-jwt, signing key", |d| {
        (
            "<validate-jwt header-name=\"Authorization\"><issuer-signing-keys><key>".to_owned(),
            Secret::bare(base64(d.text("abcXYZ019", 33).as_bytes())),
            "</key></issuer-signing-keys></validate-jwt>",
        )
    }),
    text("validate-jwt, decryption key", |d| {
        (
            "<validate-jwt header-name=\"Authorization\"><decryption-keys><key>".to_owned(),
            Secret::bare(base64(d.text("abcXYZ019", 33).as_bytes())),
            "</key></decryption-keys></validate-jwt>",
        )
    }),
    text("check-header", |d| {
        let head = format!(
            "<check-header name=\"{}\" failed-check-httpcode=\"401\" failed-check-error-message=\"no\" ignore-case=\"false\"><value>",
            d.pick(&KEY_HEADERS)
        );
        (head, Secret::bare(machine(d)), "</value></check-header>")
    }),
    text("sql-data-source", |d| {
        (
            "<sql-data-source><connection-info><connection-string>".to_owned(),
            sql(d),
            "</connection-string></connection-info></sql-data-source>",
        )
    }),
    text("cosmosdb-data-source", |d| {
        let key = format!("{}==", d.text("ABCDEFabcdef0123456789+", 86));
        let of = Secret::within(
            format!("AccountEndpoint=https://c.invalid:443/;AccountKey={key};Database=d"),
            key,
        );
        (
            "<cosmosdb-data-source><connection-info><connection-string>".to_owned(),
            of,
            "</connection-string></connection-info></cosmosdb-data-source>",
        )
    }),
    text("http-data-source", |d| {
        (
            format!(
                "<http-data-source><http-request><set-method>GET</set-method><set-url>https://h.invalid/q</set-url>{}",
                header("x-functions-key")
            ),
            Secret::bare(machine(d)),
            "</value></set-header></http-request></http-data-source>",
        )
    }),
    text("an element that nobody knows", |d| {
        (
            "<contoso-step><setting>".to_owned(),
            telling(d),
            "</setting></contoso-step>",
        )
    }),
];

/// Every place with its text spelled out, and written in each form of C#.
pub fn plants(dice: &mut Dice, spelling: Spelling) -> Vec<Plant> {
    let mut out = Vec::new();
    for place in &PLACES {
        for style in 0..LITERALS.len() {
            out.push(literal(dice, place, style));
        }
        for (name, form) in FORMS {
            let (head, of, tail) = (place.make)(dice);
            let code = form(dice, &of.text);
            let written = written(&code, place.at, spelling);
            let head = if spelling == Spelling::Raw {
                head.replace("&quot;", "\"")
            } else {
                head
            };
            out.push(plant(place.row, name, format!("{head}{written}{tail}"), of));
        }
    }
    out.extend((0..24).map(|_| comment(dice)));
    out.extend((0..24).map(|_| encoded(dice, spelling)));
    out.extend((0..24).map(|_| remembered(dice, spelling)));
    out.extend((0..32).map(|turn| named(dice, spelling, turn)));
    out
}

fn plant(row: &'static str, form: &str, xml: String, of: Secret) -> Plant {
    Plant {
        row,
        form: form.to_owned(),
        xml,
        secret: of.value,
        opens: of.opens,
    }
}

/// A way to write a text in XML.
type Literal = (&'static str, fn(&mut Dice, &str, At) -> String);

const LITERALS: [Literal; 4] = [
    ("as it is", |_, s, at| escaped(s, at)),
    ("entities by name", |_, s, _| {
        escaped(s, At::Attribute)
            .replace('\'', "&apos;")
            .replace('>', "&gt;")
    }),
    ("entities by number", numbered),
    ("CDATA, or blanks around", |_, s, at| match at {
        At::Text => format!("<![CDATA[{s}]]>"),
        At::Attribute => escaped(s, at),
    }),
];

fn literal(dice: &mut Dice, place: &Place, style: usize) -> Plant {
    let (head, of, tail) = (place.make)(dice);
    let (name, write) = LITERALS[style];
    let written = write(dice, &of.text, place.at);
    plant(place.row, name, format!("{head}{written}{tail}"), of)
}

fn escaped(s: &str, at: At) -> String {
    let s = s.replace('&', "&amp;").replace('<', "&lt;");
    match at {
        At::Text => s,
        At::Attribute => s.replace('"', "&quot;"),
    }
}

fn numbered(dice: &mut Dice, s: &str, at: At) -> String {
    let marked = dice.roll(s.chars().count());
    let one = |(i, c): (usize, char)| match (i == marked, i % 2) {
        (true, 0) => format!("&#{};", u32::from(c)),
        (true, _) => format!("&#x{:x};", u32::from(c)),
        (false, _) => escaped(&c.to_string(), at),
    };
    s.chars().enumerate().map(one).collect()
}

/// An expression as the document has it.
fn written(code: &str, at: At, spelling: Spelling) -> String {
    match spelling {
        Spelling::Xml => escaped(code, at),
        Spelling::Raw => code.to_owned(),
    }
}

/// Something commented out.
fn comment(dice: &mut Dice) -> Plant {
    let (inside, of) = match dice.roll(3) {
        0 => {
            let of = telling(dice);
            (format!(" old: {} ", of.text), of)
        }
        1 => {
            let of = sql(dice);
            (
                format!(
                    "<connection-string>{}</connection-string>",
                    escaped(&of.text, At::Text)
                ),
                of,
            )
        }
        _ => {
            let of = basic(dice);
            (
                format!(
                    "<set-header name=\"Authorization\"><value>{}</value></set-header>",
                    of.text
                ),
                of,
            )
        }
    };
    plant(
        "comment",
        "",
        format!("<!-- {} -->", inside.replace("--", "-")),
        of,
    )
}

/// A login that the policy itself encodes.
fn encoded(dice: &mut Dice, spelling: Spelling) -> Plant {
    let (user, password) = (user(dice), human(dice));
    let utf8 = dice.pick(&[
        "Encoding.UTF8",
        "System.Text.Encoding.ASCII",
        "Encoding.GetEncoding(\"ISO-8859-1\")",
    ]);
    let code = match dice.roll(4) {
        0 => format!(
            "@(\"Basic \" + Convert.ToBase64String({utf8}.GetBytes(\"{user}:{password}\")))"
        ),
        1 => format!(
            "@(\"Basic \" + Convert.ToBase64String({utf8}.GetBytes(\"{user}\" + \":\" + \"{password}\")))"
        ),
        2 => format!(
            "@($\"Basic {{Convert.ToBase64String({utf8}.GetBytes(\"{user}:{password}\"))}}\")"
        ),
        _ => format!(
            "@{{ var u = \"{user}\"; var p = \"{password}\"; var bytes = {utf8}.GetBytes($\"{{u}}:{{p}}\"); return \"Basic \" + Convert.ToBase64String(bytes); }}"
        ),
    };
    let xml = format!(
        "{}{}{HEADER_END}",
        header("Authorization"),
        written(&code, At::Text, spelling)
    );
    plant("login that is encoded", "", xml, Secret::bare(password))
}

/// A credential that comes through a variable of the call.
fn remembered(dice: &mut Dice, spelling: Spelling) -> Plant {
    let key = if dice.roll(2) == 0 {
        machine(dice)
    } else {
        human(dice)
    };
    let read = dice.pick(&[
        "(string)context.Variables[\"part\"]",
        "context.Variables.GetValueOrDefault<string>(\"part\", \"\")",
        "context.Variables.GetValueOrDefault<string>(\"part\")",
    ]);
    let (a, b) = key.split_at(key.len() / 2);
    let (value, send) = match dice.roll(3) {
        0 => (escaped(&key, At::Attribute), format!("@({read})")),
        1 => (escaped(a, At::Attribute), format!("@({read} + \"{b}\")")),
        _ => (
            written(&format!("@(\"{a}\" + \"{b}\")"), At::Attribute, spelling),
            format!("@($\"{{{read}}}\")"),
        ),
    };
    let send = written(&send, At::Text, spelling);
    let xml = format!(
        "<set-variable name=\"part\" value=\"{value}\" />{}{send}{HEADER_END}",
        header("api-key")
    );
    plant("through a variable", "", xml, Secret::bare(key))
}

/// A credential beside its name, in objects and variables of C#.
fn named(dice: &mut Dice, spelling: Spelling, turn: usize) -> Plant {
    let key = if dice.roll(2) == 0 {
        machine(dice)
    } else {
        human(dice)
    };
    let name = dice.pick(&["password", "client_secret", "api_key", "refresh_token"]);
    let key = match name {
        "refresh_token" => machine(dice),
        _ => key,
    };
    let code = match turn % 8 {
        0 => format!("@(new JObject(new JProperty(\"{name}\", \"{key}\")).ToString())"),
        1 => {
            format!("@{{ var o = new JObject(); o[\"{name}\"] = \"{key}\"; return o.ToString(); }}")
        }
        2 => format!("@(new JObject {{ [\"id\"] = 7, [\"{name}\"] = \"{key}\" }}.ToString())"),
        3 => format!("@(JsonConvert.SerializeObject(new {{ id = 7, {name} = \"{key}\" }}))"),
        4 => format!(
            "@{{ var d = new Dictionary<string, string> {{ {{ \"id\", \"7\" }}, {{ \"{name}\", \"{key}\" }} }}; return f(d); }}"
        ),
        5 => format!(
            "@{{ var d = new Dictionary<string, string>(); d.Add(\"{name}\", \"{key}\"); return f(d); }}"
        ),
        6 => {
            format!("@{{ var {name} = \"{key}\"; return context.Variables.ContainsKey({name}); }}")
        }
        _ => format!("@($\"{{{{\\\"{name}\\\":\\\"{{\"{key}\"}}\\\"}}}}\")"),
    };
    let xml = format!(
        "<set-body>{}</set-body>",
        written(&code, At::Text, spelling)
    );
    plant("beside its name in C#", "", xml, Secret::bare(key))
}
