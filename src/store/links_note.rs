//! What runs note of links beside their changes. The port's side is in [`super::links`].

use diesel::{MysqlConnection, prelude::*};

use super::{
    links::{lock_sources, upsert},
    schema::tradesync_links,
    transaction::Problem,
};
use crate::{
    domain::clock,
    engine::link::{Link, LinkState, Note, Noted},
};

/// Writes notes down. A link that a person made or took away meanwhile stays as it is.
pub(super) fn note(connection: &mut MysqlConnection, space: &str, run: &str, notes: &[Noted]) -> Result<(), Problem> {
    use tradesync_links::dsl as l;
    let sources: Vec<String> = notes.iter().map(|noted| noted.source.clone()).collect();
    let mut standing = lock_sources(connection, space, &sources)?;
    let (mut written, mut parted) = (Vec::new(), Vec::new());
    for noted in notes {
        let linked = standing.remove(&noted.source).filter(|link| link.state == LinkState::Linked);
        match (&noted.note, linked) {
            (Note::Linked(target), None) => written.push(noticed(noted, target, run)),
            (Note::Learned(values), Some(mut link)) => {
                for (name, value) in values {
                    if value.is_null() {
                        link.written.remove(name);
                    } else {
                        link.written.insert(name.clone(), value.clone());
                    }
                }
                written.push(link);
            }
            (Note::Parted(target), Some(link)) if link.target.as_ref() == Some(target) => parted.push(&noted.source),
            (Note::Nothing | Note::Linked(_) | Note::Learned(_) | Note::Parted(_), _) => {}
        }
    }
    upsert(connection, space, &written)?;
    for batch in parted.chunks(1_000) {
        let rows = l::tradesync_links.filter(l::space.eq(space)).filter(l::source_key.eq_any(batch.iter().copied()));
        diesel::delete(rows.filter(l::state.eq("linked"))).execute(connection)?;
    }
    Ok(())
}

/// The link of an item that was found to be as it should be.
fn noticed(noted: &Noted, target: &str, run: &str) -> Link {
    Link {
        source: noted.source.clone(),
        name: noted.name.clone(),
        state: LinkState::Linked,
        target: Some(target.to_owned()),
        witness: None,
        candidates: Vec::new(),
        origin: "auto".to_owned(),
        written: Default::default(),
        source_seen_at: Some(noted.seen_at),
        undone: Default::default(),
        run: Some(run.to_owned()),
        linked_at: None,
        updated_at: clock::now(),
    }
}
