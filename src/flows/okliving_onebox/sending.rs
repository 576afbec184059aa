//! Orders into OneBox: looked up by our key right before they are sent, and again after every answer that is lost or proves nothing. An order
//! is never sent twice blindly (facts/onebox.md section 6).

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::{process, settings::Settings};
use crate::{
    domain::clock,
    engine::{
        locks,
        model::{Applied, Change, Op, Reason},
    },
    fault::{Code, Fault, FaultView, failpoint},
    systems::onebox::{Found, MOST_PER_LOOK, Stored, Writer},
};

/// Pauses before the looks after a lost answer: an order shows itself some seconds after it was made.
const LOOKS: [Duration; 4] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// Sends a batch; one answer per change, in its order. Ends with a fault when OneBox does not answer at all: the same run goes on later, and
/// finds what got through.
pub async fn send(onebox: &Writer, batch: &[Change], settings: &Settings) -> Result<Vec<Applied>, Fault> {
    let mut answers = Vec::with_capacity(batch.len());
    for part in batch.chunks(MOST_PER_LOOK) {
        let keys: Vec<String> = part.iter().map(|change| process::external_id(&change.body.source, settings)).collect();
        let standing = onebox.by_externalid(&keys, &[]).await?;
        answers.extend(send_part(onebox, part, &standing, settings).await?);
    }
    Ok(answers)
}

/// Orders of one buyer go one after another: their card is found or made with the first.
async fn send_part(
    onebox: &Writer,
    part: &[Change],
    standing: &HashMap<String, Found>,
    settings: &Settings,
) -> Result<Vec<Applied>, Fault> {
    let parallel = u64::from(settings.onebox.parallel.max(1));
    let mut lanes: Vec<Vec<(usize, &Change)>> = vec![Vec::new(); usize::try_from(parallel).unwrap_or(1)];
    for (place, change) in part.iter().enumerate() {
        let mut hasher = DefaultHasher::new();
        buyer_of(change).hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % parallel).unwrap_or_default();
        if let Some(lane) = lanes.get_mut(lane) {
            lane.push((place, change));
        }
    }
    let mut sending = Vec::with_capacity(lanes.len());
    for lane in lanes {
        sending.push(send_lane(onebox, lane, standing, settings));
    }
    let sent = join_all(sending).await;
    let mut all: Vec<(usize, Applied)> = Vec::with_capacity(part.len());
    for answers in sent {
        all.extend(answers?);
    }
    all.sort_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, answer)| answer).collect())
}

async fn send_lane(
    onebox: &Writer,
    lane: Vec<(usize, &Change)>,
    standing: &HashMap<String, Found>,
    settings: &Settings,
) -> Result<Vec<(usize, Applied)>, Fault> {
    let mut answers = Vec::with_capacity(lane.len());
    for (place, change) in lane {
        let key = process::external_id(&change.body.source, settings);
        answers.push((place, one(onebox, change, standing.get(&key), settings).await?));
        failpoint::hit("mid-batch");
    }
    Ok(answers)
}

/// What tells one buyer from another: his card, else the order itself.
fn buyer_of(change: &Change) -> String {
    let card = change.body.fields.iter().find(|field| field.field == "client").map(|field| &field.new);
    let part = |name: &str| card.and_then(|card| card.get(name)).map(Value::to_string);
    part("phones").or_else(|| part("externalid")).unwrap_or_else(|| change.body.source.clone())
}

async fn one(onebox: &Writer, change: &Change, standing: Option<&Found>, settings: &Settings) -> Result<Applied, Fault> {
    let creates = change.body.op == Op::Send;
    match (creates, standing) {
        // Made before, by a call whose answer was lost.
        (true, Some(found)) => Ok(done(found)),
        (true, None) => create(onebox, change, settings).await,
        (false, Some(found)) => update(onebox, change, found, settings).await,
        (false, None) => Ok(Applied::Gone { reason: Reason::new("onebox_order_gone") }),
    }
}

async fn create(onebox: &Writer, change: &Change, settings: &Settings) -> Result<Applied, Fault> {
    let key = &change.body.source;
    let body = process::body(&change.body.fields, None, key, settings);
    let stored = match onebox.store(body.clone()).await {
        Ok(Stored::PhoneTaken(_)) => onebox.store(with_other_card(onebox, body).await?).await,
        stored => stored,
    };
    match stored {
        Ok(Stored::As(id)) => Ok(Applied::Done { target: id, witness: None }),
        Ok(Stored::Refused(words) | Stored::PhoneTaken(words)) => Ok(refused(&words)),
        Ok(Stored::Unproven) => match look(onebox, key, settings).await? {
            Some(found) => Ok(done(&found)),
            None => Ok(failed(Fault::new(
                Code::ValueNotKept,
                "OneBox said that the order is stored, and does not show it; the next run looks again",
            ))),
        },
        Err(fault) if is_lost(&fault) => match look(onebox, key, settings).await {
            Ok(Some(found)) => Ok(done(&found)),
            // It may still come to be: only a later look tells.
            Ok(None) => Ok(failed(fault)),
            Err(_) => Err(fault),
        },
        Err(fault) => Err(fault),
    }
}

/// The order with the contact that has the phone, or without a card: a duplicate phone must not drop an order. The recipient stays as it is.
async fn with_other_card(onebox: &Writer, mut body: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let phone = body.get("client").and_then(|card| card.pointer("/phones/0")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    match onebox.contact_by_phone(&digits).await? {
        Some(contact) => drop(body.insert("client".to_owned(), json!({ "userid": contact }))),
        None => drop(body.remove("client")),
    }
    Ok(body)
}

async fn update(onebox: &Writer, change: &Change, found: &Found, settings: &Settings) -> Result<Applied, Fault> {
    let free: Vec<_> = change.body.fields.iter().filter(|field| !locks::is_kept(field)).cloned().collect();
    let body = process::body(&free, Some(&found.id), &change.body.source, settings);
    // The same values once more do no harm: lines are replaced, not added.
    for last in [false, true] {
        match onebox.store(body.clone()).await {
            Ok(Stored::As(_) | Stored::Unproven) => return Ok(done(found)),
            Ok(Stored::Refused(words) | Stored::PhoneTaken(words)) => return Ok(refused(&words)),
            Err(fault) if is_lost(&fault) && !last => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::internal("an update was neither done nor failed"))
}

/// Looks for an order until it shows itself.
async fn look(onebox: &Writer, key: &str, settings: &Settings) -> Result<Option<Found>, Fault> {
    let external = process::external_id(key, settings);
    for pause in LOOKS {
        tokio::time::sleep(clock::scaled(pause)).await;
        let found = onebox.by_externalid(std::slice::from_ref(&external), &[]).await?.remove(&external);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Orders that a dead run had begun to make: those that stand are done.
pub async fn look_for(onebox: &Writer, creations: &[Change], settings: &Settings) -> Result<Vec<Option<Applied>>, Fault> {
    let keys: Vec<String> = creations.iter().map(|change| process::external_id(&change.body.source, settings)).collect();
    let found = onebox.by_externalid(&keys, &[]).await?;
    Ok(keys.iter().map(|key| found.get(key).map(done)).collect())
}

fn done(found: &Found) -> Applied {
    Applied::Done { target: found.id.clone(), witness: None }
}

fn refused(words: &str) -> Applied {
    failed(Fault::new(Code::RemoteRejected, format!("OneBox: {words}")))
}

fn failed(fault: Fault) -> Applied {
    Applied::Failed { fault: FaultView::from(&fault) }
}

/// Whether a fault leaves open what became of a write.
fn is_lost(fault: &Fault) -> bool {
    matches!(fault.code, Code::RemoteUnavailable | Code::RemoteProtocol)
}
