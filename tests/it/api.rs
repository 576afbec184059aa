//! The REST contract, over HTTP, against the real service on a real database (design.md section 4).
//!
//! - [`access`]: keys, roles, owners; [`bodies`]: what can be wrong with a request; [`idempotency`]; [`patches`]: `ETag`, RFC 7396, secrets
//! - [`lists`]: pages; [`remotes`]: check and discover; [`reports`]: what runs tell, in which words
//! - [`operation`]: health, roles of processes, configuration; [`schema`]: migrations

mod access;
mod bodies;
mod idempotency;
mod lists;
mod operation;
mod patches;
mod remotes;
mod reports;
mod schema;

use serde_json::{Value, json};

use crate::support::{BILLZ_KEY, Setup, Spawn, Stage};

/// A service that executes nothing: what is queued stays queued.
fn api_only() -> Spawn {
    Spawn { variables: vec![("TRADESYNC_ROLE".to_owned(), "api".to_owned())], ..Spawn::default() }
}

/// A stage whose runs stay queued.
async fn quiet_stage() -> Stage {
    Stage::with(Setup { products: 20, spawn: api_only(), ..Setup::default() }).await
}

/// A body that makes a connection.
fn connection_of(owner: &str) -> Value {
    json!({"flow": "billz-opencart", "name": "Shop", "owner": owner, "settings": {}, "secrets": {"secret": BILLZ_KEY}})
}

fn id(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}

fn sync_body(connection: &str, stream: &str) -> Value {
    json!({"connection": connection, "stream": stream, "mode": "full"})
}
