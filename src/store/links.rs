//! Links and questions about links. The first half of a space's id names the target, so that a target item is linked once
//! over all spaces.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Datetime, Nullable, Text, Unsigned},
};

use super::{
    Store,
    audit::record,
    convert::{batches, cut, from_word, json, listing, number_cursor, rows, text, utc, word},
    fault, links_note,
    schema::tradesync_links,
    transaction::{Problem, act_once, look, transact},
};
use crate::{
    domain::clock,
    engine::{
        audit,
        link::{Link, LinkState, Noted, whole_of},
        ports::{Acted, Holder, Holding, Idempotency, LinkFilter, Links, Listing, PageRequest, RenderBox},
        space::target_of_space,
    },
    fault::{Code, Fault},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_links)]
struct Row {
    id: u64,
    source_key: String,
    name: String,
    state: String,
    target_key: Option<String>,
    witness: Option<String>,
    candidates: String,
    origin: String,
    written: String,
    source_seen_at: Option<NaiveDateTime>,
    run_id: Option<String>,
    updated_at: NaiveDateTime,
    undone: Option<String>,
    linked_at: Option<NaiveDateTime>,
}

impl Row {
    fn model(self) -> Result<Link, Fault> {
        let candidates: Vec<crate::engine::model::Candidate> = json("candidates", &self.candidates)?;
        let state = from_word(&self.state)?;
        let proposed = (state == LinkState::Proposed).then(|| candidates.first().map(|candidate| candidate.target.clone())).flatten();
        Ok(Link {
            state,
            candidates,
            written: json("written", &self.written)?,
            source: self.source_key,
            name: self.name,
            target: self.target_key.or(proposed),
            witness: self.witness,
            origin: self.origin,
            source_seen_at: self.source_seen_at.map(utc),
            undone: self.undone.as_deref().map(|undone| json("undone", undone)).transpose()?.unwrap_or_default(),
            run: self.run_id,
            linked_at: self.linked_at.map(utc),
            updated_at: utc(self.updated_at),
        })
    }
}

/// Links that have one of these targets by an id that another item carries now (a restored shop gives ids again) let go of it:
/// their source items then count as deleted in the target.
fn let_go(connection: &mut MysqlConnection, space: &str, links: &[Link]) -> Result<(), Problem> {
    let linked = links.iter().filter(|link| link.state == LinkState::Linked);
    let targets: HashMap<&str, &Link> = linked.filter_map(|link| Some((link.target.as_deref()?, link))).collect();
    let keys: Vec<String> = targets.keys().map(|target| (*target).to_owned()).collect();
    for (target, holder) in holders(connection, space, &keys)? {
        let Some(link) = targets.get(target.as_str()) else { continue };
        if !holder.is(space, &link.source) && !holder.holds(link.witness.as_deref()) {
            use tradesync_links::dsl as l;
            diesel::update(l::tradesync_links.filter(l::space.eq(&holder.space)).filter(l::source_key.eq(&holder.source)))
                .set(l::target_key.eq(None::<String>))
                .execute(connection)?;
        }
    }
    Ok(())
}

/// A link as its columns hold it.
struct Written<'a> {
    link: &'a Link,
    candidates: String,
    written: String,
    undone: Option<String>,
}

impl<'a> Written<'a> {
    fn of(link: &'a Link) -> Result<Self, Problem> {
        let undone = if link.undone.is_empty() { None } else { Some(text(&link.undone)?) };
        Ok(Self { link, candidates: text(&link.candidates)?, written: text(&link.written)?, undone })
    }

    fn size(&self) -> usize {
        self.link.name.len() + self.candidates.len() + self.written.len() + self.undone.as_ref().map_or(0, String::len)
    }
}

/// Writes links, one statement for all. `target_key` stands only in real links: the unique key must not see questions.
///
/// A target that another link holds stays there, and the link that wanted it is not written: callers look what stands.
pub(super) fn upsert(connection: &mut MysqlConnection, space: &str, links: &[Link]) -> Result<(), Problem> {
    let_go(connection, space, links)?;
    let now = clock::now().naive_utc();
    // The upsert meets two unique keys. Only a row of the same source may be changed, never that of another one with the same target.
    let own = "space = VALUES(space) AND source_key = VALUES(source_key)";
    let columns = [
        "name",
        "state",
        "target_space",
        "target_key",
        "witness",
        "candidates",
        "origin",
        "written",
        "source_seen_at",
        "run_id",
        "undone",
        "updated_at",
    ];
    let set = columns.map(|column| format!("{column} = IF({own}, VALUES({column}), {column})")).join(", ");
    // Assignments see what those before them have done, so this one comes first.
    let set = format!("linked_at = IF({own} AND NOT (target_key <=> VALUES(target_key)), VALUES(linked_at), linked_at), {set}");
    let written = links.iter().map(Written::of).collect::<Result<Vec<_>, Problem>>()?;
    for batch in batches(&written, 500, Written::size) {
        let statement = format!(
            "INSERT INTO tradesync_links (space, source_key, name, state, target_space, target_key, witness, candidates, origin, written, source_seen_at, run_id, undone, updated_at, linked_at) VALUES {} ON DUPLICATE KEY UPDATE {set}",
            rows(batch.len(), 15)
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for Written { link, candidates, written, undone } in batch {
            let linked = link.state == LinkState::Linked;
            query = query
                .bind::<Text, _>(space)
                .bind::<Text, _>(&link.source)
                .bind::<Text, _>(cut(&link.name, 255))
                .bind::<Text, _>(word(link.state)?)
                .bind::<Text, _>(target_of_space(space))
                .bind::<Nullable<Text>, _>(linked.then(|| link.target.clone()).flatten())
                .bind::<Nullable<Text>, _>(&link.witness)
                .bind::<Text, _>(candidates)
                .bind::<Text, _>(&link.origin)
                .bind::<Text, _>(written)
                .bind::<Nullable<Datetime>, _>(link.source_seen_at.map(|time| time.naive_utc()))
                .bind::<Nullable<Text>, _>(&link.run)
                .bind::<Nullable<Text>, _>(undone)
                .bind::<Datetime, _>(now)
                .bind::<Nullable<Datetime>, _>(linked.then_some(now));
        }
        query.execute(connection)?;
    }
    Ok(())
}

/// Links of these sources, in any state.
pub(super) fn by_sources(connection: &mut MysqlConnection, space: &str, sources: &[String]) -> Result<HashMap<String, Link>, Problem> {
    use tradesync_links::dsl as l;
    let mut found = HashMap::with_capacity(sources.len());
    for batch in sources.chunks(2_000) {
        let links = l::tradesync_links.filter(l::space.eq(space)).select(Row::as_select());
        let rows: Vec<Row> = match batch {
            // In a form that stays prepared.
            [one] => links.filter(l::source_key.eq(one)).load(connection)?,
            _ => links.filter(l::source_key.eq_any(batch)).load(connection)?,
        };
        for row in rows {
            let link = row.model()?;
            found.insert(link.source.clone(), link);
        }
    }
    Ok(found)
}

/// A link in its row, which is locked until the transaction ends.
pub(super) struct Locked {
    id: u64,
    /// As it stands.
    pub(super) link: Link,
}

/// The same as [`by_sources`], locked until the transaction ends: nobody links or unlinks them meanwhile.
pub(super) fn lock_rows(connection: &mut MysqlConnection, space: &str, sources: &[String]) -> Result<HashMap<String, Locked>, Problem> {
    use tradesync_links::dsl as l;
    let mut found = HashMap::with_capacity(sources.len());
    for batch in sources.chunks(2_000) {
        let query = l::tradesync_links.filter(l::space.eq(space)).filter(l::source_key.eq_any(batch));
        for row in query.select(Row::as_select()).for_update().load::<Row>(connection)? {
            let (id, link) = (row.id, row.model()?);
            found.insert(link.source.clone(), Locked { id, link });
        }
    }
    Ok(found)
}

pub(super) fn lock_sources(connection: &mut MysqlConnection, space: &str, sources: &[String]) -> Result<HashMap<String, Link>, Problem> {
    Ok(lock_rows(connection, space, sources)?.into_iter().map(|(source, locked)| (source, locked.link)).collect())
}

/// Writes what was learned of links that keep their target, by the rows that [`lock_rows`] gave. Thousands of them a run, so that no
/// column is sent that cannot have changed.
///
/// Since the rows are there and locked, each meets its own primary key and nothing is inserted: the form is the one that sets many
/// rows to values of their own in one statement on every server that we know.
pub(super) fn refresh(connection: &mut MysqlConnection, run: &str, links: &[(&Locked, Link)]) -> Result<(), Problem> {
    let now = clock::now().naive_utc();
    let mut rows = Vec::with_capacity(links.len());
    for (locked, link) in links {
        rows.push((locked.id, Written::of(link)?));
    }
    for batch in batches(&rows, 1_000, |(_, row)| row.size()) {
        let statement = format!(
            "INSERT INTO tradesync_links (id, space, source_key, state, candidates, origin, updated_at, name, witness, written, source_seen_at, undone) VALUES {} \
             ON DUPLICATE KEY UPDATE name = VALUES(name), witness = VALUES(witness), candidates = '[]', written = VALUES(written), \
             source_seen_at = VALUES(source_seen_at), undone = VALUES(undone), run_id = ?, updated_at = ?",
            vec!["(?,'','','','','',NOW(6),?,?,?,?,?)"; batch.len()].join(",")
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for (id, Written { link, written, undone, .. }) in batch {
            query = query
                .bind::<Unsigned<BigInt>, _>(*id)
                .bind::<Text, _>(cut(&link.name, 255))
                .bind::<Nullable<Text>, _>(&link.witness)
                .bind::<Text, _>(written)
                .bind::<Nullable<Datetime>, _>(link.source_seen_at.map(|time| time.naive_utc()))
                .bind::<Nullable<Text>, _>(undone);
        }
        query.bind::<Text, _>(run).bind::<Datetime, _>(now).execute(connection)?;
    }
    Ok(())
}

/// Source, target, when its state was seen, the run that wrote it.
type HoldingRow = (String, Option<String>, Option<NaiveDateTime>, Option<String>);

/// Of these sources those that are linked: what a guard needs, without what the links remember.
fn holding(connection: &mut MysqlConnection, space: &str, sources: &[String]) -> Result<HashMap<String, Holding>, Problem> {
    use tradesync_links::dsl as l;
    let mut found = HashMap::with_capacity(sources.len());
    for batch in sources.chunks(2_000) {
        let rows: Vec<HoldingRow> = l::tradesync_links
            .filter(l::space.eq(space))
            .filter(l::source_key.eq_any(batch))
            .filter(l::state.eq("linked"))
            .select((l::source_key, l::target_key, l::source_seen_at, l::run_id))
            .load(connection)?;
        found.extend(rows.into_iter().map(|(source, target, seen, run)| (source, Holding { target, source_seen_at: seen.map(utc), run })));
    }
    Ok(found)
}

/// Which of these targets are linked, with the link that has each. A whole item counts as linked with any of its parts: of several the
/// one that was linked first.
pub(super) fn linked_targets(
    connection: &mut MysqlConnection,
    space: &str,
    targets: &[String],
) -> Result<HashMap<String, Holder>, Problem> {
    let mut found = holders(connection, space, targets)?;
    let wholes: Vec<&String> = targets.iter().filter(|target| whole_of(target).is_none() && !found.contains_key(*target)).collect();
    for batch in wholes.chunks(500) {
        // All that begins with `whole#`: `$` comes after `#`.
        let ranges = vec!["(target_key > ? AND target_key < ?)"; batch.len()].join(" OR ");
        let statement =
            format!("SELECT target_key, space, source_key, witness FROM tradesync_links WHERE target_space = ? AND ({ranges}) ORDER BY id");
        let mut query = sql_query(statement).into_boxed::<Mysql>().bind::<Text, _>(target_of_space(space).to_owned());
        for whole in batch {
            query = query.bind::<Text, _>(format!("{whole}#")).bind::<Text, _>(format!("{whole}$"));
        }
        for row in query.load::<PartRow>(connection)? {
            if let Some(whole) = whole_of(&row.target_key) {
                let holder = Holder { space: row.space, source: row.source_key, witness: row.witness };
                found.entry(whole.to_owned()).or_insert(holder);
            }
        }
    }
    Ok(found)
}

#[derive(QueryableByName)]
struct PartRow {
    #[diesel(sql_type = Text)]
    target_key: String,
    #[diesel(sql_type = Text)]
    space: String,
    #[diesel(sql_type = Text)]
    source_key: String,
    #[diesel(sql_type = Nullable<Text>)]
    witness: Option<String>,
}

/// The links that have exactly these targets.
fn holders(connection: &mut MysqlConnection, space: &str, targets: &[String]) -> Result<HashMap<String, Holder>, Problem> {
    use tradesync_links::dsl as l;
    let mut found = HashMap::new();
    for batch in targets.chunks(2_000) {
        let rows: Vec<(Option<String>, String, String, Option<String>)> = l::tradesync_links
            .filter(l::target_space.eq(target_of_space(space)))
            .filter(l::target_key.eq_any(batch))
            .select((l::target_key, l::space, l::source_key, l::witness))
            .load(connection)?;
        found.extend(rows.into_iter().filter_map(|(target, space, source, witness)| Some((target?, Holder { space, source, witness }))));
    }
    Ok(found)
}

fn set(connection: &mut MysqlConnection, space: &str, link: &Link) -> Result<Link, Problem> {
    let target = link.target.clone().unwrap_or_default();
    // Who writes a whole product and who writes one of its sizes would take turns.
    let mut taken = linked_targets(connection, space, std::slice::from_ref(&target))?;
    if let Some(whole) = whole_of(&target) {
        taken.extend(holders(connection, space, &[whole.to_owned()])?);
    }
    if taken.values().any(|holder| !holder.is(space, &link.source) && holder.holds(link.witness.as_deref())) {
        return Err(Fault::new(Code::InUse, format!("the target {target} is linked to another source item; remove that link first")).into());
    }
    upsert(connection, space, std::slice::from_ref(link))?;
    by_sources(connection, space, std::slice::from_ref(&link.source))?
        .remove(&link.source)
        .filter(|stands| stands.target == link.target)
        .ok_or_else(|| Fault::new(Code::InUse, format!("the target {target} was linked to another source item meanwhile")).into())
}

#[async_trait]
impl Links for Store {
    async fn by_sources(&self, space: &str, sources: &[String]) -> Result<HashMap<String, Link>, Fault> {
        let (space, sources) = (space.to_owned(), sources.to_vec());
        self.pool.call(move |connection| look(connection, |connection| by_sources(connection, &space, &sources))).await
    }

    async fn holding(&self, space: &str, sources: &[String]) -> Result<HashMap<String, Holding>, Fault> {
        let (space, sources) = (space.to_owned(), sources.to_vec());
        self.pool.call(move |connection| look(connection, |connection| holding(connection, &space, &sources))).await
    }

    async fn linked_targets(&self, space: &str, targets: &[String]) -> Result<HashMap<String, Holder>, Fault> {
        let (space, targets) = (space.to_owned(), targets.to_vec());
        self.pool.call(move |connection| look(connection, |connection| linked_targets(connection, &space, &targets))).await
    }

    async fn linked(&self, space: &str) -> Result<u64, Fault> {
        use tradesync_links::dsl as l;
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                let count: i64 = l::tradesync_links
                    .filter(l::space.eq(&space))
                    .filter(l::state.eq("linked"))
                    .filter(l::target_space.is_not_null())
                    .count()
                    .get_result(connection)
                    .map_err(fault)?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
            .await
    }

    async fn has_aside(&self, space: &str) -> Result<bool, Fault> {
        use tradesync_links::dsl as l;
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                let aside = l::tradesync_links.filter(l::space.eq(&space)).filter(l::target_space.is_null()).select(l::id).limit(1);
                Ok(aside.first::<u64>(connection).optional().map_err(fault)?.is_some())
            })
            .await
    }

    async fn ask(&self, space: &str, questions: Vec<Link>, closed: Vec<String>) -> Result<(), Fault> {
        use tradesync_links::dsl as l;
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    // A question never replaces a link that a person made meanwhile.
                    let sources: Vec<String> = questions.iter().map(|link| link.source.clone()).collect();
                    let standing = lock_sources(connection, &space, &sources)?;
                    let open: Vec<Link> = questions
                        .iter()
                        .filter(|question| {
                            standing.get(&question.source).is_none_or(|link| {
                                link.state != LinkState::Linked && (link.state != question.state || link.candidates != question.candidates)
                            })
                        })
                        .cloned()
                        .collect();
                    upsert(connection, &space, &open)?;
                    for batch in closed.chunks(1_000) {
                        diesel::delete(
                            l::tradesync_links
                                .filter(l::space.eq(&space))
                                .filter(l::source_key.eq_any(batch))
                                .filter(l::state.ne("linked")),
                        )
                        .execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn release(&self, space: &str, fields: Vec<(String, Vec<String>)>) -> Result<(), Fault> {
        use tradesync_links::dsl as l;
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let sources: Vec<String> = fields.iter().map(|(source, _)| source.clone()).collect();
                    let mut standing = lock_sources(connection, &space, &sources)?;
                    for (source, names) in &fields {
                        let Some(link) = standing.get_mut(source) else { continue };
                        link.undone.retain(|name, _| !names.contains(name));
                        let left = if link.undone.is_empty() { None } else { Some(text(&link.undone)?) };
                        diesel::update(l::tradesync_links.filter(l::space.eq(&space)).filter(l::source_key.eq(source)))
                            .set(l::undone.eq(left))
                            .execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn note(&self, space: &str, run: &str, notes: Vec<Noted>) -> Result<(), Fault> {
        let (space, run) = (space.to_owned(), run.to_owned());
        self.pool.call(move |connection| transact(connection, |connection| links_note::note(connection, &space, &run, &notes))).await
    }

    async fn list(&self, space: &str, filter: LinkFilter, page: PageRequest) -> Result<Listing<Link>, Fault> {
        use tradesync_links::dsl as l;
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                let mut query = l::tradesync_links
                    .filter(l::space.eq(&space))
                    .select(Row::as_select())
                    .order(l::id.desc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(state) = filter.state {
                    query = query.filter(l::state.eq(word(state)?));
                }
                if let Some(cursor) = number_cursor(page.cursor.as_deref())? {
                    query = query.filter(l::id.lt(cursor));
                }
                let rows: Vec<Row> = query.load(connection).map_err(fault)?;
                let page = listing(rows, page.limit, |row| row.id.to_string());
                Ok(Listing { items: page.items.into_iter().map(Row::model).collect::<Result<Vec<_>, _>>()?, next: page.next })
            })
            .await
    }

    async fn set(&self, space: &str, link: Link, key: Option<Idempotency>, render: RenderBox<Link>) -> Result<Acted<Link>, Fault> {
        let space = space.to_owned();
        self.pool
            .call(move |connection| {
                act_once(connection, key.as_ref(), &*render, |connection| {
                    let before = lock_sources(connection, &space, std::slice::from_ref(&link.source))?.remove(&link.source);
                    let after = set(connection, &space, &link)?;
                    record(connection, before.as_ref().map(audit::of_link), Some(audit::of_link(&after)))?;
                    Ok(after)
                })
            })
            .await
    }

    async fn remove(&self, space: &str, source: &str) -> Result<bool, Fault> {
        use tradesync_links::dsl as l;
        let (space, source) = (space.to_owned(), source.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let Some(before) = lock_sources(connection, &space, std::slice::from_ref(&source))?.remove(&source) else {
                        return Ok(false);
                    };
                    record(connection, Some(audit::of_link(&before)), None)?;
                    diesel::delete(l::tradesync_links.filter(l::space.eq(&space)).filter(l::source_key.eq(&source))).execute(connection)?;
                    Ok(true)
                })
            })
            .await
    }
}
