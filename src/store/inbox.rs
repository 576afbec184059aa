//! Items that wait for a mapping of one of their groups: one row for each item and group.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    Store,
    convert::rows,
    fault,
    runs_queue::still_held,
    schema::tradesync_inbox,
    transaction::{Problem, transact},
};
use crate::{
    engine::mapping::{Group, Inbox, Span, Waiting, WaitingGroup},
    fault::Fault,
};

/// The rows of a span, by item and group.
fn standing(connection: &mut MysqlConnection, id: &str, kind: &str, span: &Span) -> Result<HashMap<(String, String), Group>, Problem> {
    use tradesync_inbox::dsl as i;
    let mut query = i::tradesync_inbox
        .filter(i::connection_id.eq(id))
        .filter(i::kind.eq(kind))
        .select((i::source_key, i::group_key, i::group_name, i::group_parent))
        .into_boxed();
    match span {
        Span::Keys(after, up_to) => {
            if let Some(after) = after {
                query = query.filter(i::source_key.gt(after));
            }
            if let Some(up_to) = up_to {
                query = query.filter(i::source_key.le(up_to));
            }
        }
        Span::Only(keys) => query = query.filter(i::source_key.eq_any(keys)),
    }
    let found: Vec<(String, String, String, Option<String>)> = query.load(connection)?;
    Ok(found.into_iter().map(|(source, key, name, parent)| ((source, key.clone()), Group { key, name, parent })).collect())
}

fn settle(connection: &mut MysqlConnection, id: &str, kind: &str, span: &Span, waiting: &[Waiting]) -> Result<(), Problem> {
    use tradesync_inbox::dsl as i;
    let mut gone = standing(connection, id, kind, span)?;
    let mut fresh: Vec<(&str, &Group)> = Vec::new();
    for item in waiting {
        for group in &item.groups {
            let known = gone.remove(&(item.source.clone(), group.key.clone()));
            if known.is_none_or(|known| known != *group) {
                fresh.push((&item.source, group));
            }
        }
    }
    let mut by_group: HashMap<String, Vec<String>> = HashMap::new();
    for (source, group) in gone.into_keys() {
        by_group.entry(group).or_default().push(source);
    }
    for (group, sources) in by_group {
        let of_group = i::tradesync_inbox.filter(i::connection_id.eq(id)).filter(i::kind.eq(kind)).filter(i::group_key.eq(group));
        diesel::delete(of_group.filter(i::source_key.eq_any(sources))).execute(connection)?;
    }
    for batch in fresh.chunks(500) {
        let statement = format!(
            "INSERT INTO tradesync_inbox (connection_id, kind, source_key, group_key, group_name, group_parent) VALUES {} \
             ON DUPLICATE KEY UPDATE group_name = VALUES(group_name), group_parent = VALUES(group_parent)",
            rows(batch.len(), 6)
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for (source, group) in batch {
            query = query
                .bind::<Text, _>(id)
                .bind::<Text, _>(kind)
                .bind::<Text, _>(*source)
                .bind::<Text, _>(&group.key)
                .bind::<Text, _>(&group.name)
                .bind::<Nullable<Text>, _>(&group.parent);
        }
        query.execute(connection)?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    group_key: String,
    #[diesel(sql_type = Text)]
    group_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    group_parent: Option<String>,
    #[diesel(sql_type = BigInt)]
    items: i64,
}

#[async_trait]
impl Inbox for Store {
    async fn settle(&self, connection: &str, kind: &str, run: &str, fence: u64, span: Span, waiting: Vec<Waiting>) -> Result<(), Fault> {
        let (id, kind, run) = (connection.to_owned(), kind.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    still_held(connection, &run, fence)?;
                    settle(connection, &id, &kind, &span, &waiting)
                })
            })
            .await
    }

    async fn waiting(&self, connection: &str, kind: &str) -> Result<Vec<WaitingGroup>, Fault> {
        let (id, kind) = (connection.to_owned(), kind.to_owned());
        self.pool
            .call(move |connection| {
                // Items may tell one group differently while the source is being edited: any of its names will do.
                let found: Vec<CountRow> = sql_query(
                    "SELECT group_key, MAX(group_name) AS group_name, MAX(group_parent) AS group_parent, COUNT(*) AS items \
                     FROM tradesync_inbox WHERE connection_id = ? AND kind = ? GROUP BY group_key",
                )
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&kind)
                .load(connection)
                .map_err(fault)?;
                let group = |row: CountRow| WaitingGroup {
                    group: Group { key: row.group_key, name: row.group_name, parent: row.group_parent },
                    count: u64::try_from(row.items).unwrap_or_default(),
                };
                Ok(found.into_iter().map(group).collect())
            })
            .await
    }
}
