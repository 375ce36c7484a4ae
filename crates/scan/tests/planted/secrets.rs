//! Credentials as services and people make them.

use super::Dice;

const HEX: &str = "0123456789abcdef";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A text, and the credential in it.
#[derive(Clone, Debug)]
pub struct Secret {
    pub text: String,
    pub value: String,
    pub opens: Option<String>,
}

impl Secret {
    pub fn bare(value: String) -> Secret {
        Secret {
            text: value.clone(),
            value,
            opens: None,
        }
    }

    /// The same, where the text says which host it is for.
    fn at(self, host: &str) -> Secret {
        Secret {
            opens: Some(host.to_owned()),
            ..self
        }
    }

    pub fn within(text: String, value: String) -> Secret {
        Secret {
            text,
            value,
            opens: None,
        }
    }
}

/// A key of a machine: APIM's 32 digits, a Functions key, a key of a partner.
pub fn machine(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => dice.text(HEX, 32),
        1 => format!("{}==", dice.text(BASE64, 54)),
        2 => format!("sk-{}", dice.text(BASE64, 40)),
        _ => dice.text(BASE64, 43),
    }
}

/// What a person thinks up: words, a digit or two, a sign.
pub fn human(dice: &mut Dice) -> String {
    let words = [
        "Winter",
        "harbour",
        "Tiger",
        "maple",
        "Contoso",
        "blueberry",
    ];
    let (a, b) = (dice.pick(&words), dice.pick(&words));
    let sign = dice.pick(&["!", "#", "-", "_", "."]);
    let number = 10 + dice.roll(9000);
    match dice.roll(3) {
        0 => format!("{a}{number}{sign}"),
        1 => format!("{a}{sign}{b}{number}"),
        _ => format!("{number}{a}{sign}{b}"),
    }
}

pub fn host(dice: &mut Dice) -> String {
    let name = dice.pick(&["orders", "stock", "crm", "billing-eu", "hr2"]);
    let zone = dice.pick(&["contoso.example", "fabrikam.test", "northwind.invalid"]);
    format!("{name}.{zone}")
}

pub fn user(dice: &mut Dice) -> String {
    dice.pick(&["svc_orders", "crmUser", "api-reader", "app7", "integration"])
        .to_owned()
}

/// What stands in `Authorization`.
pub fn authorization(dice: &mut Dice) -> Secret {
    match dice.roll(4) {
        0 => {
            let key = machine(dice);
            let scheme = dice.pick(&["Bearer", "bearer", "ApiKey", "Token"]);
            Secret::within(format!("{scheme} {key}"), key)
        }
        1 => basic(dice),
        2 => {
            let token = jwt(dice);
            Secret::within(format!("Bearer {token}"), token)
        }
        _ => {
            let sign = format!("{}%3D", dice.text(BASE64, 43));
            let sas = format!("sr={}&sig={sign}&se=1893456000&skn=send", host(dice));
            Secret::within(format!("SharedAccessSignature {sas}"), sas)
        }
    }
}

/// `Basic` and the base64 of a login; the credential is its password.
pub fn basic(dice: &mut Dice) -> Secret {
    let (user, password) = (user(dice), human(dice));
    let text = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    Secret::within(text, password)
}

pub fn jwt(dice: &mut Dice) -> String {
    let part = |text: String| base64(text.as_bytes()).replace('=', "");
    let body = format!("{{\"sub\":\"{}\",\"n\":{}}}", user(dice), dice.roll(9999));
    let header = part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".to_owned());
    format!("{header}.{}.{}", part(body), dice.text(BASE64, 43))
}

/// A URL with a key in its query, or a login before its host.
pub fn url(dice: &mut Dice) -> Secret {
    let host = host(dice);
    let key = format!("{}%3D", dice.text(BASE64, 40));
    let name = dice.pick(&[
        "code",
        "sig",
        "key",
        "api_key",
        "subscription-key",
        "client_secret",
    ]);
    let of = match dice.roll(3) {
        0 => Secret::within(format!("https://{host}/api/v1?{name}={key}&page=2"), key),
        1 => Secret::within(format!("https://{host}/t?sv=2023-11-03&{name}={key}"), key),
        _ => {
            let password = human(dice).replace('#', "x");
            let user = user(dice);
            Secret::within(format!("https://{user}:{password}@{host}/a"), password)
        }
    };
    of.at(&host)
}

/// The connection string of SQL Server in one of its many spellings.
pub fn sql(dice: &mut Dice) -> Secret {
    let host = format!(
        "{}.database.windows.net",
        dice.pick(&["orders-sql", "crm2", "hr"])
    );
    let server = dice.pick(&[
        "Server",
        "Data Source",
        "addr",
        "ADDRESS",
        "Network Address",
    ]);
    let database = dice.pick(&["Database", "Initial Catalog"]);
    let uid = dice.pick(&["User ID", "uid", "User", "UID"]);
    let pwd = dice.pick(&["Password", "Pwd", "PASSWORD", "pwd"]);
    let (user, value) = (user(dice), human(dice));
    let written = match dice.roll(4) {
        0 => format!("'{value}'"),
        1 => format!("\"{value}\""),
        _ => value.clone(),
    };
    let at = dice
        .pick(&["tcp:{},1433", "{}", "tcp:{}", "{},1433"])
        .replace("{}", &host);
    let gap = dice.pick(&["", " "]);
    let text = format!(
        "{server}={gap}{at};{database}={gap}orders;{uid}={user};{pwd}{gap}={gap}{written};Encrypt=True"
    );
    Secret {
        text,
        value,
        opens: Some(host),
    }
}

/// Text that says itself what it holds: a pair, a form, JSON, a connection string of a service.
pub fn telling(dice: &mut Dice) -> Secret {
    let host = host(dice);
    let key = format!("{}=", dice.text(BASE64, 43));
    let word = human(dice);
    let within = |text: String, value: &str| Secret::within(text, value.to_owned());
    match dice.roll(12) {
        0 => within(
            format!("grant_type=client_credentials&client_secret={word}&scope=x"),
            &word,
        ),
        1 => within(
            format!("{{\"user\":\"app\",\"password\":\"{word}\"}}"),
            &word,
        ),
        2 => within(
            format!("AccountEndpoint=https://{host}:443/;AccountKey={key};Database=d"),
            &key,
        )
        .at(&host),
        3 => within(
            format!(
                "Endpoint=sb://{host}/;SharedAccessKeyName=send;SharedAccessKey={key};EntityPath=q"
            ),
            &key,
        )
        .at(&host),
        4 => within(
            format!(
                "DefaultEndpointsProtocol=https;AccountName=stock;AccountKey={key};EndpointSuffix=core.windows.net"
            ),
            &key,
        )
        .at("stock.core.windows.net"),
        5 => within(format!("{host}:6380,password={key},ssl=True"), &key).at(&host),
        6 => within(
            format!("jdbc:sqlserver://{host}:1433;database=d;user=app;password={word};"),
            &word,
        )
        .at(&host),
        7 => url(dice),
        8 => within(format!("{{\"clientSecret\": \"{word}\", \"n\": 1}}"), &word),
        9 => {
            let of = sql(dice);
            let text = format!("the old one was {} (until March)", of.text);
            Secret { text, ..of }
        }
        10 => {
            let url = url(dice);
            let text = format!("{{\"next\": \"{}\", \"page\": 2}}", url.text);
            Secret { text, ..url }
        }
        _ => sql(dice),
    }
}

/// Base64 by hand, so that no line of it is the scanner's.
pub fn base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = format!("{LETTERS}0123456789+/").chars().collect();
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| usize::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let shown = i <= chunk.len();
            out.push(if shown {
                alphabet[bits >> (18 - 6 * i) & 63]
            } else {
                '='
            });
        }
    }
    out
}
