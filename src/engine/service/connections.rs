//! Connections: make, change, delete, check, discover.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{CHANGE_ATTEMPTS, OWNER_FORM, Scope, Service, check_name, is_flow_name, is_owner, merge, no_items};
use crate::{
    domain::{clock, ids, text::Lang},
    engine::{
        flow::{Check, Discovered, Flow, StreamNames},
        model::{Connection, Stream},
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
        space::{link_space, target_of_space},
    },
    fault::{Code, Fault, FieldError, Result},
};

/// What a new connection is made of.
pub struct NewConnection {
    /// Its flow.
    pub flow: String,
    /// A name for people.
    pub name: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// Whether it may start runs.
    pub enabled: bool,
    /// Settings; what is absent or null has its default.
    pub settings: Value,
    /// Secrets by name; null = not given.
    pub secrets: BTreeMap<String, Option<SecretString>>,
}

/// What a patch says. The outer `None` = absent, the inner = null.
#[derive(Default)]
pub struct ConnectionPatch {
    /// Only to be repeated: a connection's flow never changes.
    pub flow: Option<Option<String>>,
    /// New name.
    pub name: Option<Option<String>>,
    /// New owner; null = nobody's.
    pub owner: Option<Option<String>>,
    /// Null = enabled.
    pub enabled: Option<Option<bool>>,
    /// RFC 7396 patch; null = all defaults.
    pub settings: Option<Value>,
    /// Value = set, `"set"` = unchanged, null = delete; null as a whole deletes all.
    pub secrets: Option<Option<BTreeMap<String, Option<SecretString>>>>,
}

impl Service {
    /// Visible connections, newest first.
    pub async fn list_connections(&self, scope: &Scope, flow: Option<String>, page: PageRequest) -> Result<Listing<Connection>> {
        if scope.is_empty() || flow.as_deref().is_some_and(|flow| !is_flow_name(flow) || !scope.sees_flow(flow)) {
            return Ok(no_items());
        }
        let mut filter = scope.filter();
        if let Some(flow) = flow {
            filter.flows = Some(vec![flow]);
        }
        self.connections.list(filter, page).await
    }

    /// Makes a connection, with its fixed streams if its flow has such.
    pub async fn create_connection(
        &self,
        scope: &Scope,
        new: NewConnection,
        key: Option<Idempotency>,
        render: RenderBox<Connection>,
    ) -> Result<Acted<Connection>> {
        let Some(flow) = self.flow(&new.flow) else {
            return Err(Fault::field("/flow", format!("unknown flow; there are: {}", self.flow_names(scope))));
        };
        if !scope.sees_flow(flow.name()) {
            return Err(Fault::new(Code::Forbidden, format!("this key may not make connections of `{}`", flow.name())));
        }
        let owner = new.owner.or_else(|| scope.owner.clone());
        let mut errors = Vec::new();
        check_owner(owner.as_deref(), &mut errors);
        may_own(scope, owner.as_deref(), &errors)?;
        check_name(&new.name, &mut errors);
        let id = ids::fresh();
        let secrets = merge::merge_secrets(&self.sealer, &id, flow.secret_names(), &BTreeMap::new(), Some(&new.secrets), &mut errors)?;
        let now = clock::now();
        let mut connection = Connection {
            id,
            flow: flow.name().to_owned(),
            name: new.name.trim().to_owned(),
            owner,
            enabled: new.enabled,
            source_system: flow.source_system(&new.settings).to_owned(),
            settings: merge::merge(&json!({}), &new.settings),
            secrets,
            link_space: String::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        self.check_settings(flow, &connection, errors)?;
        connection.link_space = self.space(flow, &connection)?;
        let streams = match flow.stream_names() {
            StreamNames::Free => Vec::new(),
            StreamNames::Fixed(names) => {
                names.iter().map(|name| super::streams::fresh(&connection.id, name, name)).collect::<Vec<Stream>>()
            }
        };
        let schedules = self.first_schedules(flow.default_schedule(), &streams).await?;
        self.connections.create(connection, streams, schedules, key, render).await
    }

    /// Changes a connection by an RFC 7396 patch. `expected` is the version of `If-Match`.
    pub async fn patch_connection(&self, scope: &Scope, id: &str, patch: &ConnectionPatch, expected: Option<u64>) -> Result<Connection> {
        let mut attempt = 1;
        loop {
            let before = self.connection(scope, id).await?;
            require_version(before.version, expected)?;
            let after = self.patched(scope, &before, patch).await?;
            match self.connections.update(after, before.version).await {
                Err(fault) if fault.code == Code::PreconditionFailed && expected.is_none() && attempt < CHANGE_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn patched(&self, scope: &Scope, before: &Connection, patch: &ConnectionPatch) -> Result<Connection> {
        let flow = self.flow_of(before)?;
        let mut errors = Vec::new();
        let mut after = before.clone();
        if patch.flow.as_ref().is_some_and(|named| named.as_deref() != Some(before.flow.as_str())) {
            errors.push(FieldError::new("/flow", "the flow of a connection cannot be changed; make a new connection"));
        }
        match &patch.name {
            Some(Some(name)) => {
                check_name(name, &mut errors);
                after.name = name.trim().to_owned();
            }
            Some(None) => errors.push(FieldError::new("/name", "must not be null")),
            None => {}
        }
        if let Some(owner) = &patch.owner {
            check_owner(owner.as_deref(), &mut errors);
            may_own(scope, owner.as_deref(), &errors)?;
            after.owner.clone_from(owner);
        }
        if let Some(enabled) = patch.enabled {
            after.enabled = enabled.unwrap_or(true);
        }
        match &patch.settings {
            Some(Value::Null) => after.settings = json!({}),
            Some(settings) => after.settings = merge::merge(&before.settings, settings),
            None => {}
        }
        let (stored, said) = match &patch.secrets {
            Some(None) => (BTreeMap::new(), None),
            Some(Some(said)) => (before.secrets.clone(), Some(said)),
            None => (before.secrets.clone(), None),
        };
        after.secrets = merge::merge_secrets(&self.sealer, &before.id, flow.secret_names(), &stored, said, &mut errors)?;
        self.check_settings(flow, &after, errors)?;
        flow.source_system(&after.settings).clone_into(&mut after.source_system);
        after.link_space = self.space(flow, &after)?;
        if after.link_space != before.link_space && !self.sets_links_aside(flow, before, &after).await? {
            let linked = self.links.linked(&before.link_space).await?;
            if linked > 0 {
                return Err(Fault::new(
                    Code::InUse,
                    format!(
                        "{linked} links stand between this source account and this target; make a new connection for other ones, or remove the links first"
                    ),
                ));
            }
        }
        Ok(after)
    }

    /// Deletes a connection. Its links stay for a successor.
    pub async fn delete_connection(&self, scope: &Scope, id: &str, expected: Option<u64>) -> Result<()> {
        let connection = self.connection(scope, id).await?;
        require_version(connection.version, expected)?;
        self.connections.delete(&connection.id).await
    }

    /// Calls the remotes and changes nothing; what was found is told in the reader's language where the flow speaks it.
    pub async fn check_connection(&self, scope: &Scope, id: &str, lang: Lang) -> Result<Vec<Check>> {
        let connection = self.connection(scope, id).await?;
        let flow = self.flow_of(&connection)?;
        match self.open(&connection) {
            Ok(opened) => Ok(flow.check_in(&opened, lang).await),
            Err(fault) => Ok(vec![Check { name: "secrets".to_owned(), ok: false, detail: fault.detail }]),
        }
    }

    /// Asks the remotes what is not known about them; changes nothing.
    pub async fn probe_connection(&self, scope: &Scope, id: &str) -> Result<Vec<Check>> {
        let connection = self.connection(scope, id).await?;
        Ok(self.flow_of(&connection)?.probe(&self.open(&connection)?).await)
    }

    /// What streams the remote offers; nothing is stored.
    pub async fn discover(&self, scope: &Scope, id: &str) -> Result<Vec<Discovered>> {
        let connection = self.connection(scope, id).await?;
        let known = self.connections.offered(&connection.id).await?;
        self.flow_of(&connection)?.discover(&self.open(&connection)?, known).await
    }

    /// A source in place of its predecessor, or back again where the predecessor's links wait: ids are unrelated, so links are set aside and
    /// goods are recognised anew. Owner and target stay.
    async fn sets_links_aside(&self, flow: &std::sync::Arc<dyn Flow>, before: &Connection, after: &Connection) -> Result<bool> {
        if before.owner != after.owner || target_of_space(&before.link_space) != target_of_space(&after.link_space) {
            return Ok(false);
        }
        if flow.succeeds(&before.settings, &after.settings) {
            return Ok(true);
        }
        Ok(flow.succeeds(&after.settings, &before.settings) && self.links.has_aside(&after.link_space).await?)
    }

    fn check_settings(&self, flow: &std::sync::Arc<dyn Flow>, connection: &Connection, mut errors: Vec<FieldError>) -> Result<()> {
        let names = connection.secrets.keys().map(String::as_str).collect::<Vec<_>>();
        if let Err(wrong) = flow.validate(&connection.settings, &names) {
            for error in wrong {
                if !errors.iter().any(|known| known.pointer == error.pointer) {
                    errors.push(error);
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Fault::fields(errors)) }
    }

    /// Where links live: (source account, target, owner), whichever connection stands on it.
    fn space(&self, flow: &std::sync::Arc<dyn Flow>, connection: &Connection) -> Result<String> {
        let identity = flow.identity(&self.open(connection)?)?;
        Ok(link_space(&format!("{} {}", flow.name(), identity.source), &identity.target, connection.owner.as_deref()))
    }
}

fn check_owner(owner: Option<&str>, errors: &mut Vec<FieldError>) {
    if owner.is_some_and(|owner| !is_owner(owner)) {
        errors.push(FieldError::new("/owner", format!("must have the form {OWNER_FORM}")));
    }
}

/// A caller narrowed to one owner makes nothing for another.
fn may_own(scope: &Scope, owner: Option<&str>, errors: &[FieldError]) -> Result<()> {
    if errors.iter().any(|error| error.pointer == "/owner") || (scope.sees_owner(owner) && !scope.is_empty()) {
        return Ok(());
    }
    Err(Fault::new(Code::Forbidden, "this request is narrowed to one owner and may not give a connection to another"))
}

/// `If-Match`.
pub(super) fn require_version(stands: u64, expected: Option<u64>) -> Result<()> {
    match expected {
        Some(version) if version != stands => {
            Err(Fault::new(Code::PreconditionFailed, format!("If-Match names version {version}, but version {stands} stands now")))
        }
        _ => Ok(()),
    }
}
