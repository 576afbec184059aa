//! Claims of names that are to become dictionary rows of targets.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use diesel::{MysqlConnection, prelude::*, sql_query, sql_types::Text};

use super::{
    Store,
    schema::tradesync_claims,
    transaction::{Problem, transact},
};
use crate::{
    engine::claims::{Claim, Claims},
    fault::Fault,
};

/// Names in one statement.
const BATCH: usize = 500;

fn standing(
    connection: &mut MysqlConnection,
    target: &str,
    kind: &str,
    keys: &[String],
) -> Result<HashMap<String, Option<String>>, Problem> {
    use tradesync_claims::dsl as c;
    Ok(c::tradesync_claims
        .filter(c::target.eq(target))
        .filter(c::kind.eq(kind))
        .filter(c::claim_key.eq_any(keys))
        .select((c::claim_key, c::item))
        .load::<(String, Option<String>)>(connection)?
        .into_iter()
        .collect())
}

#[async_trait]
impl Claims for Store {
    async fn claim(&self, target: &str, kind: &str, keys: &[String]) -> Result<HashMap<String, Claim>, Fault> {
        let (target, kind, keys) = (target.to_owned(), kind.to_owned(), keys.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let mut claims = HashMap::with_capacity(keys.len());
                    for keys in keys.chunks(BATCH) {
                        let mut before = standing(connection, &target, &kind, keys)?;
                        let missing: HashSet<&String> = keys.iter().filter(|key| !before.contains_key(*key)).collect();
                        let mut fresh = HashSet::new();
                        for key in missing {
                            // One by one, since only the count tells whether it was us: names of dictionaries are few.
                            let won = sql_query("INSERT IGNORE INTO tradesync_claims (target, kind, claim_key, item, claimed_at) VALUES (?, ?, ?, NULL, UTC_TIMESTAMP(6))")
                                .bind::<Text, _>(&target)
                                .bind::<Text, _>(&kind)
                                .bind::<Text, _>(key)
                                .execute(connection)?;
                            if won > 0 {
                                fresh.insert(key.clone());
                            } else {
                                before.extend(standing(connection, &target, &kind, std::slice::from_ref(key))?);
                            }
                        }
                        claims.extend(keys.iter().map(|key| {
                            let claim = match before.remove(key) {
                                _ if fresh.contains(key) => Claim::Fresh,
                                Some(Some(item)) => Claim::Settled(item),
                                Some(None) | None => Claim::Open,
                            };
                            (key.clone(), claim)
                        }));
                    }
                    Ok(claims)
                })
            })
            .await
    }

    async fn settle(&self, target: &str, kind: &str, made: &[(String, String)]) -> Result<(), Fault> {
        use tradesync_claims::dsl as c;
        let (target, kind, made) = (target.to_owned(), kind.to_owned(), made.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    for (key, item) in &made {
                        diesel::update(c::tradesync_claims.find((&target, &kind, key))).set(c::item.eq(item)).execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
