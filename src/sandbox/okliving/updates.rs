//! `update-order` (sheet 5): waybill number and note first, then the delivery's transition, then the order's. A call can be carried out by half.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    Done, Handle, Order, Step, Switches, Write,
    machine::Machine,
    routes::error,
};

/// All actions that the document lists, legal or not at the moment.
const DELIVERY: [&str; 6] = ["reopen", "ship", "ship_partially", "cancel", "retour", "retour_partially"];
const ORDER: [&str; 4] = ["reopen", "process", "cancel", "complete"];

impl Handle {
    pub(super) fn update(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let Some(sent) = body.pointer("/args/order").filter(|sent| sent.is_object()).cloned() else {
            return error(400, "FRAMEWORK__MISSING_REQUEST_PARAMETER", "Bad Request", "Parameter \"args.order\" is missing.");
        };
        let id = match sent.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let at = self.now();
        let mut orders = locked(&self.inner.orders);
        let (reply, applied) = match orders.get_mut(&id) {
            Some(order) => self.apply(order, &sent, at, switches),
            None => (refused("CONTENT__ORDER_NOT_FOUND", &format!("Order with id {id} could not be found."), switches), Vec::new()),
        };
        locked(&self.inner.writes).push(Write { at, id, sent, status: reply.status, applied });
        reply
    }

    fn apply(&self, order: &mut Order, sent: &Value, at: DateTime<Utc>, switches: &Switches) -> (Reply, Vec<String>) {
        let mut draft = order.clone();
        let mut applied = Vec::new();
        let verdict = changed(&mut draft, sent, at, switches, &mut applied);
        if verdict.is_err() && !switches.half_applied {
            applied.clear();
        } else if draft != *order {
            draft.updated = at;
            *order = draft;
        }
        let reply = match (verdict, switches.reply) {
            (Err((code, text)), _) => refused(code, &text, switches),
            (Ok(()), Done::Success) => Reply::json(200, &json!({"success": true})),
            (Ok(()), Done::Empty) => Reply::json(200, &json!({})),
            (Ok(()), Done::StatusOk) => Reply::json(200, &json!({"status": "ok"})),
            (Ok(()), Done::Data) => Reply::json(200, &json!({"data": {"id": order.id}})),
            (Ok(()), Done::NoContent) => Reply::empty(204),
        };
        (reply, applied)
    }
}

fn refused(code: &str, text: &str, switches: &Switches) -> Reply {
    if switches.error_in_200 { Reply::json(200, &json!({"success": false, "error": text})) } else { error(400, code, "Bad Request", text) }
}

fn changed(
    order: &mut Order,
    sent: &Value,
    at: DateTime<Utc>,
    switches: &Switches,
    applied: &mut Vec<String>,
) -> Result<(), (&'static str, String)> {
    if let Some(number) = sent.get("tracking_number") {
        let number = number.as_str().unwrap_or_default().trim();
        if !number.is_empty() {
            order.tracking_number = Some(number.to_owned());
        } else if switches.empty_erases {
            order.tracking_number = None;
        }
        applied.push("tracking_number".to_owned());
    }
    if let Some(note) = sent.get("note") {
        let note = note.as_str().unwrap_or_default();
        if switches.note_replaces || order.note.is_empty() {
            order.note = note.to_owned();
        } else {
            order.note = format!("{}\n{note}", order.note);
        }
        applied.push("note".to_owned());
    }
    let action = |machine: &str| sent.pointer(&format!("/statuses/{machine}")).map(|action| action.as_str().unwrap_or_default().to_owned());
    if let Some(action) = action("delivery") {
        order.delivery = step(order.delivery, &action, &DELIVERY, at, switches, &mut order.steps, applied)?;
    }
    if let Some(action) = action("order") {
        order.order = step(order.order, &action, &ORDER, at, switches, &mut order.steps, applied)?;
    }
    Ok(())
}

/// The state after one transition.
fn step<M: Machine>(
    from: M,
    action: &str,
    known: &[&str],
    at: DateTime<Utc>,
    switches: &Switches,
    steps: &mut Vec<Step>,
    applied: &mut Vec<String>,
) -> Result<M, (&'static str, String)> {
    if !known.contains(&action) {
        return Err(("SYSTEM__STATE_MACHINE_INVALID_ENTITY_ID", format!("The action \"{action}\" is unknown to {}.", M::NAME)));
    }
    match from.after(action) {
        Ok(to) => {
            steps.push(Step { at, machine: M::NAME.to_owned(), action: action.to_owned(), from: from.word(), to: to.word() });
            applied.push(format!("{}:{action}", M::NAME));
            Ok(to)
        }
        // To where it is already: nothing happens, and nobody is told.
        Err(_) if from.is_repeated(action) && !switches.repeat_illegal => {
            applied.push(format!("={}:{action}", M::NAME));
            Ok(from)
        }
        Err(possible) => {
            let (from, machine) = (from.word(), M::NAME);
            let text = format!(
                "Illegal transition \"{action}\" from state \"{from}\" of {machine}.state. Possible transitions are: {}",
                possible.join(", ")
            );
            Err(("SYSTEM__ILLEGAL_STATE_TRANSITION", text))
        }
    }
}
