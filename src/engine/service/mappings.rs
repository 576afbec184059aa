//! Category mappings: what goes where, what waits, and what could be meant.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{MAX_KEY_CHARS, Scope, Service, is_key};
use crate::{
    domain::clock,
    engine::{
        flow::{Facts, Opened},
        mapping::{
            CATEGORY, Group, Grouping, Mapping, MappingSet, Mappings, TargetGroup,
            proposals::{Proposal, Shelf},
        },
        model::{Connection, Values},
        ports::{Listing, PageRequest},
    },
    fault::{Code, Fault, FieldError, Result},
};

/// Most mappings of a connection: no Billz has as many categories.
const MAX_MAPPINGS: usize = 10_000;
/// Longest name that is kept for people.
const MAX_SOURCE_NAME_CHARS: usize = 1_000;
/// The source's list of groups is asked for anew when it is older. Shorter: each look at the page costs a call of the account's few.
/// Longer: a category that was made just now is not to be seen.
const GROUPS_FRESH: Duration = Duration::from_secs(600);
/// How long a person waits for the source's list; then the former one is shown.
const GROUPS_PATIENCE: Duration = Duration::from_secs(10);

/// A group of the source with where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedGroup {
    /// Key of the source's group; empty = items without any.
    pub source: String,
    /// Its path for people.
    pub source_name: String,
    /// Key of the target's group.
    pub target: String,
    /// Its path for people; `None` when it stands there no more, or the target does not answer.
    pub target_name: Option<String>,
    /// Whether it follows a group above it.
    pub inherited: bool,
}

/// All groups that go somewhere.
pub struct MappedGroups {
    /// Version of what was mapped.
    pub version: u64,
    /// By path.
    pub rows: Vec<MappedGroup>,
}

/// A group of the source that goes nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct UnmappedGroup {
    /// Key of the source's group; empty = items without any.
    pub source: String,
    /// Its path for people.
    pub source_name: String,
    /// How many items wait for it.
    pub count: u64,
    /// Groups of the target with like names, the best first.
    pub proposals: Vec<Proposal>,
}

impl Service {
    /// What is mapped, and what follows from it.
    pub async fn category_mappings(&self, scope: &Scope, connection: &str) -> Result<MappedGroups> {
        let connection = self.connection(scope, connection).await?;
        let (grouping, opened) = self.grouping(&connection)?;
        let set = self.mappings.mappings(&connection.id, CATEGORY).await?;
        self.shown(&connection, grouping, &opened, set, None).await
    }

    /// Replaces what is mapped. Every target must stand in the shop now.
    pub async fn replace_category_mappings(
        &self,
        scope: &Scope,
        connection: &str,
        rows: Vec<(usize, Mapping)>,
        expected: Option<u64>,
    ) -> Result<MappedGroups> {
        let connection = self.connection(scope, connection).await?;
        let (grouping, opened) = self.grouping(&connection)?;
        check_form(&rows)?;
        let targets = grouping.target_groups(&opened).await?;
        let known = |key: &str| targets.iter().any(|group| group.key == key);
        let wrong: Vec<FieldError> = rows
            .iter()
            .filter(|(_, row)| !known(&row.target))
            .map(|(place, row)| {
                let detail = format!(
                    "the shop has no category {}; make it there first, or choose one that GET /connections/{}/category-mappings/unmapped proposes",
                    row.target, connection.id
                );
                FieldError::new(format!("/items/{place}/target"), detail)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Fault::fields(wrong));
        }
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        let set = self.mappings.replace_mappings(&connection.id, CATEGORY, rows, expected).await?;
        self.shown(&connection, grouping, &opened, set, Some(targets)).await
    }

    /// Groups that items wait for, with proposals; those that most wait for come first. With `all`, also the groups that nothing waits for.
    pub async fn unmapped_categories(
        &self,
        scope: &Scope,
        connection: &str,
        all: bool,
        page: PageRequest,
    ) -> Result<Listing<UnmappedGroup>> {
        let connection = self.connection(scope, connection).await?;
        let (grouping, opened) = self.grouping(&connection)?;
        let rows = self.mappings.mappings(&connection.id, CATEGORY).await?.rows;
        let mappings = Mappings::new(rows, self.groups(&connection, grouping, &opened).await?);
        let mut found: Vec<(u64, Group)> =
            self.inbox.waiting(&connection.id, CATEGORY).await?.into_iter().map(|waiting| (waiting.count, waiting.group)).collect();
        if all {
            let waiting: HashMap<&str, u64> = found.iter().map(|(count, group)| (group.key.as_str(), *count)).collect();
            let idle: Vec<(u64, Group)> =
                mappings.groups().filter(|group| !waiting.contains_key(group.key.as_str())).map(|group| (0, group.clone())).collect();
            found.extend(idle);
        }
        // The inbox is of the last run; what has been mapped since waits no more.
        found.retain(|(_, group)| mappings.nearest(group).is_none());
        found.sort_by(|(one, left), (other, right)| (Reverse(one), &left.key).cmp(&(Reverse(other), &right.key)));
        let page = after(found, &page)?;
        let shelf = if page.items.is_empty() { Shelf::new(Vec::new()) } else { Shelf::new(grouping.target_groups(&opened).await?) };
        let items = page.items.into_iter().map(|(count, group)| UnmappedGroup {
            source_name: mappings.name(&group),
            proposals: shelf.like(&mappings.path(&group)),
            source: group.key,
            count,
        });
        Ok(Listing { items: items.collect(), next: page.next })
    }

    /// What the rules must know: what both ends told, and what people mapped and locked.
    pub(super) async fn facts(&self, connection: &Connection, source: Values, target: Values) -> Result<Facts> {
        let rows = self.mappings.mappings(&connection.id, CATEGORY).await?.rows;
        let tree = self.mappings.tree(&connection.id, CATEGORY).await?;
        let mappings = Mappings::new(rows, tree.map(|tree| tree.groups).unwrap_or_default());
        Ok(Facts {
            source,
            target,
            mappings,
            locks: self.lock_store.locks(&connection.id).await?,
            hooks: self.open_hooks(connection).await?,
        })
    }

    fn grouping(&self, connection: &Connection) -> Result<(&dyn Grouping, Opened)> {
        let flow = self.flow_of(connection)?;
        let grouping = flow
            .grouping()
            .ok_or_else(|| Fault::new(Code::NotFound, format!("connections of the flow `{}` have no categories to map", flow.name())))?;
        Ok((grouping, self.open(connection)?))
    }

    /// The source's groups: listed anew if the list has aged. A source that does not answer is no reason to show nothing.
    async fn groups(&self, connection: &Connection, grouping: &dyn Grouping, opened: &Opened) -> Result<Vec<Group>> {
        let kept = self.mappings.tree(&connection.id, CATEGORY).await?;
        let fresh = clock::chrono_duration(clock::scaled(GROUPS_FRESH));
        if let Some(tree) = &kept
            && clock::now() - tree.read_at < fresh
        {
            return Ok(tree.groups.clone());
        }
        let stop = CancellationToken::new();
        let _ends_with_us = stop.clone().drop_guard();
        match tokio::time::timeout(GROUPS_PATIENCE, grouping.source_groups(opened, stop)).await {
            Ok(Ok(Some(groups))) => {
                self.mappings.keep_tree(&connection.id, CATEGORY, groups.clone()).await?;
                return Ok(groups);
            }
            Ok(Ok(None)) => {}
            Ok(Err(fault)) => {
                tracing::warn!(connection.id = %connection.id, error = %fault, "the source's categories could not be listed; the former list is shown")
            }
            Err(_) => tracing::warn!(connection.id = %connection.id, "the source's categories took too long; the former list is shown"),
        }
        Ok(kept.map(|tree| tree.groups).unwrap_or_default())
    }

    async fn shown(
        &self,
        connection: &Connection,
        grouping: &dyn Grouping,
        opened: &Opened,
        set: MappingSet,
        targets: Option<Vec<TargetGroup>>,
    ) -> Result<MappedGroups> {
        let targets = match targets {
            Some(targets) => targets,
            None if set.rows.is_empty() => Vec::new(),
            // Names are a help; what is mapped can be told without them.
            None => grouping.target_groups(opened).await.unwrap_or_else(|fault| {
                tracing::warn!(connection.id = %connection.id, error = %fault, "the shop's categories could not be listed");
                Vec::new()
            }),
        };
        let groups = if set.rows.is_empty() { Vec::new() } else { self.groups(connection, grouping, opened).await? };
        let names: HashMap<&str, String> = targets.iter().map(|group| (group.key.as_str(), group.name())).collect();
        let mappings = Mappings::new(set.rows, groups);
        let row = |source: &str, source_name: String, target: &str, inherited: bool| MappedGroup {
            source: source.to_owned(),
            source_name,
            target: target.to_owned(),
            target_name: names.get(target).cloned(),
            inherited,
        };
        let own = mappings.rows().map(|mapping| {
            let name = mappings.group(&mapping.source).map_or_else(|| mapping.source_name.clone(), |group| mappings.name(group));
            row(&mapping.source, name, &mapping.target, false)
        });
        let following = mappings.groups().filter_map(|group| {
            let found = mappings.nearest(group).filter(|found| found.inherited)?;
            Some(row(&group.key, mappings.name(group), &found.mapping.target, true))
        });
        let mut rows: Vec<MappedGroup> = own.chain(following).collect();
        rows.sort_by(|one, other| (&one.source_name, &one.source).cmp(&(&other.source_name, &other.source)));
        Ok(MappedGroups { version: set.version, rows })
    }
}

/// What is wrong with mappings in themselves.
fn check_form(rows: &[(usize, Mapping)]) -> Result<()> {
    if rows.len() > MAX_MAPPINGS {
        return Err(Fault::field("/items", format!("must hold at most {MAX_MAPPINGS} mappings")));
    }
    let mut errors = Vec::new();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (place, row) in rows {
        let mut wrong = |field: &str, detail: String| errors.push(FieldError::new(format!("/items/{place}/{field}"), detail));
        // The empty key stands for goods without a category.
        if !row.source.is_empty() && !is_key(&row.source) {
            wrong(
                "source",
                format!(
                    "must be a text of 1 to {MAX_KEY_CHARS} characters without blanks at its ends, or empty for goods without a category"
                ),
            );
        } else if let Some(before) = first.get(row.source.as_str()) {
            wrong("source", format!("is mapped twice, first in /items/{before}; a category goes to one category"));
        }
        first.entry(&row.source).or_insert(*place);
        if !is_key(&row.target) {
            wrong("target", "must be the id of a category of the shop".to_owned());
        }
        if row.source_name.chars().count() > MAX_SOURCE_NAME_CHARS {
            wrong("source_name", format!("must have at most {MAX_SOURCE_NAME_CHARS} characters"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Fault::fields(errors)) }
}

/// A page of groups in the order of how many items wait. The cursor is `count:key` of the last row.
fn after(found: Vec<(u64, Group)>, page: &PageRequest) -> Result<Listing<(u64, Group)>> {
    let from = match &page.cursor {
        None => None,
        Some(cursor) => {
            let wrong = || {
                Fault::new(Code::InvalidQuery, "cursor")
                    .with_fields(vec![FieldError::new("?cursor", "must be next_cursor of an earlier answer")])
            };
            let (count, key) = cursor.split_once(':').ok_or_else(wrong)?;
            Some((Reverse(count.parse::<u64>().map_err(|_| wrong())?), key.to_owned()))
        }
    };
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut rest = found.into_iter().filter(|(count, group)| {
        from.as_ref().is_none_or(|(last_count, last_key)| (Reverse(*count), group.key.as_str()) > (*last_count, last_key.as_str()))
    });
    let items: Vec<(u64, Group)> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let next = items.last().filter(|_| more).map(|(count, group)| format!("{count}:{}", group.key));
    Ok(Listing { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_what_waits_follow_one_another() {
        let found: Vec<(u64, Group)> =
            [(9, "b"), (3, "a"), (3, "c"), (0, "d")].map(|(count, key)| (count, Group { key: key.into(), ..Group::default() })).into();
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = after(found.clone(), &PageRequest { limit: 1, cursor }).unwrap();
            seen.extend(page.items.into_iter().map(|(_, group)| group.key));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["b", "a", "c", "d"]);
        assert!(after(found, &PageRequest { limit: 1, cursor: Some("x".into()) }).is_err());
    }
}
