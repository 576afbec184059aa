//! Hooks: a token names a connection, the flow reads what was given, and it is stored before it is answered.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};

use super::{Scope, Service, sync::SyncRequest};
use crate::{
    engine::{
        flow::Flow,
        hooks::{Given, Hook, NewHook, by_item},
        model::{Connection, Mode, Run, Trigger},
        ports::{Acted, ConnectionFilter, PageRequest, StoredAnswer},
        secrets,
    },
    fault::{Code, Fault, Result},
};

/// Name of the secret that holds the tokens of a connection: one or two, comma-separated.
pub const TOKEN: &str = "hook_token";
/// The shortest token: what is shorter can be guessed.
pub const SHORTEST_TOKEN: usize = 16;
/// A token that is not known is looked for among all connections at most so often: guesses must not cost us the database.
const REBUILT: Duration = Duration::from_millis(200);
/// Connections looked at together.
const PAGE: u32 = 200;

/// Which connection a token belongs to, as far as this process knows. Only a hint: the connection's own secret is asked every time.
#[derive(Default)]
pub struct Tokens {
    known: Mutex<Known>,
    /// One looks for them at a time, and the others wait for what it finds: a hook that is turned away does not come again.
    building: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    connections: HashMap<String, String>,
    built: Option<Instant>,
}

/// A hook that was stored.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its number; `None` if it only started a run.
    pub id: Option<u64>,
    /// The run that it started, or that was at work already.
    pub run: Option<String>,
    /// It is stored, but cannot be carried out as it is.
    pub refused: Option<Fault>,
}

impl Tokens {
    fn find(&self, hash: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).connections.get(hash).cloned()
    }

    /// Whether they may be looked for again; whoever is told so does it.
    fn may_rebuild(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let may = known.built.is_none_or(|built| built.elapsed() >= REBUILT);
        if may {
            known.built = Some(Instant::now());
        }
        may
    }

    fn replace(&self, connections: HashMap<String, String>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).connections = connections;
    }
}

/// The tokens of a secret.
pub fn tokens(secret: &SecretString) -> Vec<SecretString> {
    secret.expose_secret().split(',').map(str::trim).filter(|token| !token.is_empty()).map(SecretString::from).collect()
}

impl Service {
    /// Stores a hook. Not found for a token that no connection of the flow has; the flow's own errors for one that names nothing.
    pub async fn receive_hook(&self, flow: &str, token: &SecretString, given: &Given) -> Result<Received> {
        let absent = || Fault::new(Code::NotFound, "no connection of this flow has this hook token");
        let flow = self.flow(flow).filter(|flow| flow.hook_stream().is_some()).ok_or_else(absent)?;
        let stream = flow.hook_stream().ok_or_else(absent)?;
        let connection = self.hooked(&**flow, token).await?.ok_or_else(absent)?;
        let opened = self.open(&connection)?;
        if let Some(stream) = flow.started_by(&opened, given)? {
            return Ok(Received { id: None, run: Some(self.run_for_hook(&connection, stream).await?), refused: None });
        }
        let heard = flow.hear(&opened, given)?;
        let refused = heard.refused.clone();
        let id = self.hooks.receive(NewHook { connection: connection.id, stream: stream.to_owned(), heard }).await?;
        Ok(Received { id: Some(id), run: None, refused })
    }

    /// Starts a run of a stream that a remote asks for; one that is at work already is as good. Its id.
    pub async fn run_for_hook(&self, connection: &Connection, stream: &str) -> Result<String> {
        let request = SyncRequest {
            connection: connection.id.clone(),
            stream: stream.to_owned(),
            mode: Mode::Incremental,
            dry_run: false,
            items: None,
        };
        let render = Box::new(|_: &Run| StoredAnswer { status: 202, location: None, body: String::new() });
        match self.start_sync(&Scope::all(), &connection.flow, request, Trigger::Webhook, None, render).await {
            Ok(Acted::Fresh(run)) => Ok(run.id),
            Ok(Acted::Replayed(_)) => Err(Fault::internal("a run without a key was answered from a stored answer")),
            Err(fault) if fault.code == Code::StreamBusy => {
                let at = fault.resource.unwrap_or_default();
                Ok(at.rsplit('/').next().unwrap_or_default().to_owned())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Open hooks of a connection by item, without taking them up.
    pub(super) async fn open_hooks(&self, connection: &Connection) -> Result<HashMap<String, Vec<Hook>>> {
        match self.flow_of(connection)?.hook_stream() {
            Some(stream) => Ok(by_item(self.hooks.open(&connection.id, stream).await?)),
            None => Ok(HashMap::new()),
        }
    }

    async fn hooked(&self, flow: &dyn Flow, token: &SecretString) -> Result<Option<Connection>> {
        if token.expose_secret().len() < SHORTEST_TOKEN {
            return Ok(None);
        }
        let hash = self.sealer.lookup_hash(token);
        if self.hook_tokens.find(&hash).is_none() {
            let _one = self.hook_tokens.building.lock().await;
            if self.hook_tokens.find(&hash).is_none() && self.hook_tokens.may_rebuild() {
                self.rebuild_tokens().await?;
            }
        }
        let Some(id) = self.hook_tokens.find(&hash) else { return Ok(None) };
        let Some(connection) = self.connections.get(&id).await?.filter(|found| found.flow == flow.name()) else { return Ok(None) };
        // A token may have been taken away since it was last looked for.
        let own =
            self.open(&connection)?.secrets.get(TOKEN).is_some_and(|secret| tokens(secret).iter().any(|own| secrets::same(own, token)));
        Ok(own.then_some(connection))
    }

    async fn rebuild_tokens(&self) -> Result<()> {
        let flows: Vec<String> = self.flows.iter().filter(|flow| flow.hook_stream().is_some()).map(|flow| flow.name().to_owned()).collect();
        let filter = ConnectionFilter { flows: Some(flows), owner: Scope::all().owner };
        let (mut found, mut cursor) = (HashMap::new(), None);
        loop {
            let page = self.connections.list(filter.clone(), PageRequest { limit: PAGE, cursor }).await?;
            for connection in page.items {
                // One whose secrets cannot be opened has no hooks; its runs tell of it.
                let Ok(opened) = self.open(&connection) else { continue };
                let own = opened.secrets.get(TOKEN).map(tokens).unwrap_or_default();
                found.extend(own.iter().map(|token| (self.sealer.lookup_hash(token), connection.id.clone())));
            }
            cursor = page.next;
            if cursor.is_none() {
                self.hook_tokens.replace(found);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_one_token_or_two() {
        let of = |text: &str| tokens(&SecretString::from(text)).iter().map(|token| token.expose_secret().to_owned()).collect::<Vec<_>>();
        assert_eq!(of("first-token , second-token,"), ["first-token", "second-token"]);
        assert!(of(" ,").is_empty());
    }

    #[test]
    fn guesses_do_not_read_the_database_again_and_again() {
        let tokens = Tokens::default();
        assert!(tokens.may_rebuild() && !tokens.may_rebuild());
        tokens.replace(HashMap::from([("hash".to_owned(), "connection".to_owned())]));
        assert_eq!(tokens.find("hash").as_deref(), Some("connection"));
    }
}
