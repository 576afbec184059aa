//! API keys: only their hashes are stored.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    Store,
    audit::record,
    convert::{json, text, utc},
    fault,
    schema::tradesync_api_keys,
    transaction::transact,
};
use crate::{
    domain::clock,
    engine::{
        audit,
        ports::{ApiKey, ApiKeys, Role},
    },
    fault::Fault,
};

#[derive(Queryable, Insertable, Selectable)]
#[diesel(table_name = tradesync_api_keys)]
struct Row {
    id: String,
    name: String,
    hash: String,
    role: String,
    flows: Option<String>,
    owner: Option<String>,
    delegate: bool,
    created_at: NaiveDateTime,
    revoked_at: Option<NaiveDateTime>,
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Reader => "reader",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

fn role_of(word: &str) -> Result<Role, Fault> {
    match word {
        "reader" => Ok(Role::Reader),
        "operator" => Ok(Role::Operator),
        "admin" => Ok(Role::Admin),
        other => Err(Fault::internal(format!("`{other}` is no role that we know"))),
    }
}

impl Row {
    fn model(self) -> Result<ApiKey, Fault> {
        Ok(ApiKey {
            role: role_of(&self.role)?,
            flows: self.flows.as_deref().map(|flows| json("flows", flows)).transpose()?,
            id: self.id,
            name: self.name,
            hash: self.hash,
            owner: self.owner,
            delegate: self.delegate,
            created_at: utc(self.created_at),
            revoked_at: self.revoked_at.map(utc),
        })
    }
}

#[async_trait]
impl ApiKeys for Store {
    async fn by_hash(&self, hash: &str) -> Result<Option<ApiKey>, Fault> {
        use tradesync_api_keys::dsl as keys;
        let hash = hash.to_owned();
        self.pool
            .call(move |connection| {
                let row: Option<Row> = keys::tradesync_api_keys
                    .filter(keys::hash.eq(&hash))
                    .filter(keys::revoked_at.is_null())
                    .select(Row::as_select())
                    .first(connection)
                    .optional()
                    .map_err(fault)?;
                row.map(Row::model).transpose()
            })
            .await
    }

    async fn create(&self, key: ApiKey) -> Result<(), Fault> {
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let row = Row {
                        id: key.id.clone(),
                        name: key.name.clone(),
                        hash: key.hash.clone(),
                        role: role_word(key.role).to_owned(),
                        flows: key.flows.as_ref().map(text).transpose()?,
                        owner: key.owner.clone(),
                        delegate: key.delegate,
                        created_at: key.created_at.naive_utc(),
                        revoked_at: None,
                    };
                    diesel::insert_into(tradesync_api_keys::table).values(&row).execute(connection)?;
                    record(connection, None, Some(audit::of_key(&key)))
                })
            })
            .await
    }

    async fn list(&self) -> Result<Vec<ApiKey>, Fault> {
        self.pool
            .call(|connection| {
                let rows: Vec<Row> = tradesync_api_keys::table
                    .order(tradesync_api_keys::id.desc())
                    .select(Row::as_select())
                    .load(connection)
                    .map_err(fault)?;
                rows.into_iter().map(Row::model).collect()
            })
            .await
    }

    async fn revoke(&self, id: &str) -> Result<bool, Fault> {
        use tradesync_api_keys::dsl as keys;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let live = keys::tradesync_api_keys.find(&id).filter(keys::revoked_at.is_null());
                    let Some(row): Option<Row> = live.select(Row::as_select()).for_update().first(connection).optional()? else {
                        return Ok(false);
                    };
                    record(connection, Some(audit::of_key(&row.model()?)), None)?;
                    diesel::update(live).set(keys::revoked_at.eq(Some(clock::now().naive_utc()))).execute(connection)?;
                    Ok(true)
                })
            })
            .await
    }
}
