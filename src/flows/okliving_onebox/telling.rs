//! What hooks ask for, into the shop: call by call, order by order. After a refusal of the state machine, and after every lost answer, the order
//! is looked at again, and only what does not stand there yet is sent (facts/okliving.md section 5.2).

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    machine::Machine,
    settings::Settings,
    updates::{self, Call, Known, memory},
};
use crate::{
    domain::clock,
    engine::model::{Applied, Change},
    fault::{Code, Fault, FaultView, failpoint},
    systems::okliving::{Client, Update, Updated, Window},
};

/// An order as it stands in the shop now.
struct Now {
    known: Known,
    note: String,
}

/// Tells the shop; one answer per change, in its order. `again`: an earlier attempt may have got through, so that each order is looked at first.
pub async fn tell(shop: &Client, batch: &[Change], again: bool, settings: &Settings) -> Result<Vec<Applied>, Fault> {
    let mut answers = Vec::with_capacity(batch.len());
    for change in batch {
        answers.push(match one(shop, change, again, settings).await {
            Ok(()) => Applied::Done { target: change.body.target.clone().unwrap_or_default(), witness: None },
            Err(fault) if matches!(fault.code, Code::RemoteRejected) => Applied::Failed { fault: FaultView::from(&fault) },
            Err(fault) => return Err(fault),
        });
        failpoint::hit("mid-batch");
    }
    Ok(answers)
}

fn calls(change: &Change) -> Result<Vec<Call>, Fault> {
    let calls = change.body.fields.iter().find(|field| field.field == memory::CALLS);
    let calls = calls.map(|field| serde_json::from_value(field.new.clone()));
    calls
        .transpose()
        .map(Option::unwrap_or_default)
        .map_err(|error| Fault::internal("the calls of a change cannot be read back").caused_by(error))
}

async fn one(shop: &Client, change: &Change, again: bool, settings: &Settings) -> Result<(), Fault> {
    let id = &change.body.source;
    let mut doubtful = again;
    for call in calls(change)? {
        send(shop, id, call, &mut doubtful, settings).await?;
    }
    Ok(())
}

/// Sends one call until all of it stands, or the shop refuses.
async fn send(shop: &Client, id: &str, call: Call, doubtful: &mut bool, settings: &Settings) -> Result<(), Fault> {
    let mut call = call;
    // Once as it is; once more after a look at what stands.
    for last in [false, true] {
        if *doubtful {
            call = match look(shop, id, settings).await? {
                Some(now) => {
                    let stands = call.note.as_ref().is_some_and(|note| now.note.contains(note.as_str()));
                    let (left, illegal) = updates::left(&call, &now.known, stands);
                    if let Some((machine, state)) = illegal {
                        return rest_then_refuse(shop, id, left, machine, state).await;
                    }
                    left
                }
                // It cannot be looked at: transitions and waybills may be repeated; a note twice is better than none.
                None => call,
            };
        }
        let update = update(id, &call);
        if update.is_empty() {
            *doubtful = false;
            return Ok(());
        }
        match shop.update(&update).await {
            Ok(Updated::Done) => {
                *doubtful = false;
                return Ok(());
            }
            // A part may have been carried out.
            Ok(Updated::Illegal(words)) if last => return Err(refused(&words)),
            Ok(Updated::Refused(words)) => return Err(refused(&words)),
            Ok(Updated::Illegal(_)) => *doubtful = true,
            Err(fault) if matches!(fault.code, Code::RemoteUnavailable | Code::RemoteProtocol) && !last => *doubtful = true,
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// What is possible is sent; the rest is refused by name.
async fn rest_then_refuse(shop: &Client, id: &str, left: Call, machine: Machine, state: &str) -> Result<(), Fault> {
    let update = update(id, &left);
    if !update.is_empty() {
        match shop.update(&update).await? {
            Updated::Done => {}
            Updated::Illegal(words) | Updated::Refused(words) => return Err(refused(&words)),
        }
    }
    Err(refused(&format!("the {} stands at {state}, from where this is not possible", machine.name())))
}

fn update(id: &str, call: &Call) -> Update {
    Update {
        id: id.to_owned(),
        tracking_number: call.tracking_number.clone(),
        delivery: call.delivery.clone(),
        order: call.order.clone(),
        note: call.note.clone(),
    }
}

fn refused(words: &str) -> Fault {
    Fault::new(Code::RemoteRejected, format!("OK Living: {words}"))
}

/// The order as the shop shows it now; `None` = it does not show it.
async fn look(shop: &Client, id: &str, settings: &Settings) -> Result<Option<Now>, Fault> {
    let to = clock::now();
    let window = Window { from: to - clock::chrono_duration(settings.overlap()), to };
    let Some(order) = shop.order(id, window).await? else { return Ok(None) };
    let mapped = settings.map(&order);
    // What we sent ourselves does not count here: the shop is asked.
    let read_at: DateTime<Utc> = to;
    let known = Known::of(
        (mapped.value("order.status"), mapped.value("order.delivery")),
        mapped.value("order.tracking_number"),
        read_at,
        None,
        settings,
    );
    let note = mapped.told.get("order.note").map(|told| told.raw.clone()).unwrap_or_default();
    let note = if note.is_empty() { order.get("note").and_then(Value::as_str).unwrap_or_default().to_owned() } else { note };
    Ok(Some(Now { known, note }))
}
