//! The elements that shape a request, wherever they stand: in a section, in `send-request` or in a
//! resolver's `http-request`.

use serde_json::Value;

use super::draft::{Address, Draft, Pairs, set, value_of};
use super::element::Element;
use super::error::PolicyError;
use super::identity;
use super::operation::Match;
use super::text::Texts;

/// Evaluates with one state of the context.
pub struct Builder<'a> {
    pub texts: &'a Texts<'a>,
    pub context: &'a Value,
    pub matched: &'a Match,
}

/// A context variable that an element sets.
pub type Variable = (String, Value);

impl Builder<'_> {
    pub fn value(&self, written: &str) -> Result<Value, PolicyError> {
        self.texts.value(written, self.context)
    }

    pub fn string(&self, written: &str) -> Result<String, PolicyError> {
        self.texts.string(written, self.context)
    }

    pub fn attribute(&self, of: &Element, name: &str) -> Result<Option<String>, PolicyError> {
        let written = of.attribute(name);
        written.map(|written| self.string(written)).transpose()
    }

    pub fn required(&self, of: &Element, name: &'static str) -> Result<String, PolicyError> {
        let value = self.attribute(of, name)?;
        value.ok_or_else(|| PolicyError::missing(&of.name, name))
    }

    /// The texts of an element's children of this name.
    pub fn strings(&self, of: &Element, name: &str) -> Result<Vec<String>, PolicyError> {
        of.all(name).map(|child| self.string(&child.text)).collect()
    }

    /// Changes a draft as an element says; what no element here means is refused.
    pub fn apply(
        &self,
        draft: &mut Draft,
        element: &Element,
    ) -> Result<Option<Variable>, PolicyError> {
        match element.name.as_str() {
            "set-header" => self.set_pairs(&mut draft.headers, element)?,
            "set-query-parameter" => self.set_pairs(&mut draft.query, element)?,
            "set-method" => draft.method = self.string(&element.text)?.to_uppercase(),
            "set-body" => draft.body = self.body(element)?,
            "set-url" => draft.address = Address::Whole(self.string(&element.text)?),
            "set-backend-service" => self.set_backend(draft, element)?,
            "rewrite-uri" => self.rewrite(draft, element)?,
            "authentication-basic" => {
                let user = self.required(element, "username")?;
                let password = self.required(element, "password")?;
                draft.authorize_basic(&user, &password);
            }
            "authentication-managed-identity" => return self.identity(draft, element),
            // A client certificate is not part of what the emulated services look at.
            "authentication-certificate" => {}
            other => {
                let what = format!("The element '{other}'");
                return Err(PolicyError::NotEmulated(what));
            }
        }
        Ok(None)
    }

    pub fn set_pairs(&self, pairs: &mut Pairs, element: &Element) -> Result<(), PolicyError> {
        let name = self.required(element, "name")?;
        let action = self.attribute(element, "exists-action")?;
        let values = self.strings(element, "value")?;
        set(
            pairs,
            &name,
            action.as_deref().unwrap_or("override"),
            values,
        )
    }

    pub fn body(&self, element: &Element) -> Result<Vec<u8>, PolicyError> {
        if element.attribute("template").is_some() {
            let what = "A template in 'set-body'".to_owned();
            return Err(PolicyError::NotEmulated(what));
        }
        Ok(self.string(&element.text)?.into_bytes())
    }

    /// A backend entity is replaced only by another one (Azure: `set-backend-service`, usage notes).
    fn set_backend(&self, draft: &mut Draft, element: &Element) -> Result<(), PolicyError> {
        let path = draft.path().to_owned();
        if let Some(id) = self.attribute(element, "backend-id")? {
            draft.address = Address::Backend { id, path };
            return Ok(());
        }
        let base = self.required(element, "base-url")?;
        if !matches!(draft.address, Address::Backend { .. }) {
            draft.address = Address::Below { base, path };
        }
        Ok(())
    }

    /// A template with the operation's parameters; query parameters that the operation does not
    /// name are kept unless the element says otherwise.
    fn rewrite(&self, draft: &mut Draft, element: &Element) -> Result<(), PolicyError> {
        let mut template = self.required(element, "template")?;
        for (name, value) in &self.matched.parameters {
            template = template.replace(&format!("{{{name}}}"), value);
        }
        let (path, query) = template.split_once('?').unwrap_or((&template, ""));
        let own: Pairs = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let keeps = element.attribute("copy-unmatched-params") != Some("false");
        draft.query.retain(|(name, _)| {
            let matched = self.matched.query.iter();
            let is_matched = matched
                .into_iter()
                .any(|one| one.eq_ignore_ascii_case(name));
            keeps && !is_matched && value_of(&own, name).is_none()
        });
        draft.query.extend(own);
        draft.set_path(path.to_owned());
        Ok(())
    }

    /// Without a variable the token goes into the `Authorization` header.
    fn identity(
        &self,
        draft: &mut Draft,
        element: &Element,
    ) -> Result<Option<Variable>, PolicyError> {
        let resource = self.required(element, "resource")?;
        let client = self.attribute(element, "client-id")?;
        let service = self.texts.service;
        let token = identity::token(self.texts.estate, service, client.as_deref(), &resource);
        let token = match token {
            Err(_) if element.is_set("ignore-error") => return Ok(None),
            token => token?,
        };
        if let Some(name) = element.attribute("output-token-variable-name") {
            return Ok(Some((name.to_owned(), Value::String(token))));
        }
        draft.authorize(format!("Bearer {token}"));
        Ok(None)
    }
}
