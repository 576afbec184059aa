//! Changes into calls: groups of a hundred, single values where a group did not stick, and an undo that is looked after until it stands.
//!
//! Every call carries absolute values, so that a batch which a dead run had half sent is simply sent again.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    sending::{self, GROUPS, Sending},
    settings::QUANTITY,
    shelf,
    target::Shop,
};
use crate::{
    domain::{clock, number},
    engine::{
        model::{Applied, Change, Op, Reason},
        undo::same,
    },
    fault::{Code, Fault, FaultView, failpoint},
    systems::insales::{MOST_PER_CALL, Sent, Update, Variant, Writer},
};

/// Pauses before each look at what an undo has put back; what does not stand after the last is sent alone.
const LOOKS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];
/// So many groups in one batch may be refused; more is no matter of single values.
const MOST_REFUSED: u32 = 20;

/// One change as a call sees it.
#[derive(Clone, Debug)]
struct Order {
    place: usize,
    update: Update,
    wanted: Value,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// With others; a later run verifies.
    Group,
    /// Alone, answered by what stands there.
    Alone,
    /// With others, and looked after in this run: an undo is what a person waits for.
    LookedAfter,
}

/// A batch of changes, ready to be sent.
pub struct Orders {
    orders: Vec<Order>,
    answers: Vec<Option<Applied>>,
}

impl Orders {
    /// Reads a batch. A variant that is not in the shop any more is answered at once.
    pub fn of(shop: &Shop, batch: &[Change]) -> Result<Self, Fault> {
        let field = shop.field()?;
        let catalogue = shop.catalogue();
        let (mut orders, mut answers) = (Vec::new(), Vec::with_capacity(batch.len()));
        for (place, change) in batch.iter().enumerate() {
            let target = change.body.target.as_deref().ok_or_else(|| Fault::internal("a change without a variant"))?;
            let variant: u64 = target.parse().map_err(|_| Fault::internal(format!("`{target}` is no variant")))?;
            let Some((row, _)) = catalogue.row(variant) else {
                answers.push(Some(gone(variant)));
                continue;
            };
            let Some(quantity) = change.body.fields.iter().find(|field| field.field == QUANTITY) else {
                // Only the link is to remember something.
                answers.push(Some(done(change)));
                continue;
            };
            answers.push(None);
            let way = match change.body.op {
                Op::Restore => Way::LookedAfter,
                _ if tries(change) > GROUPS => Way::Alone,
                _ => Way::Group,
            };
            let update = Update { product: row.product, variant, field, quantity: decimal(change.body.op, &quantity.new)? };
            orders.push(Order { place, update, wanted: quantity.new.clone(), way });
        }
        Ok(Self { orders, answers })
    }

    /// Sends everything; one answer per change, in the order of the batch.
    pub async fn carry_out(mut self, shop: &Shop, writer: &mut Writer) -> Result<Vec<Applied>, Fault> {
        let grouped: Vec<Order> = self.orders.iter().filter(|order| order.way != Way::Alone).cloned().collect();
        let mut refused = 0;
        for group in grouped.chunks(MOST_PER_CALL) {
            self.send(group.to_vec(), shop, writer, &mut refused).await?;
            failpoint::hit("mid-batch");
        }
        let alone: Vec<Order> = self.orders.iter().filter(|order| order.way == Way::Alone).cloned().collect();
        let left = self.look_after(shop, writer).await?;
        for order in alone.into_iter().chain(left) {
            let answer = send_alone(&order, shop, writer).await?;
            self.answer(order.place, answer);
        }
        self.answers.into_iter().map(|answer| answer.ok_or_else(|| Fault::internal("a change got no answer"))).collect()
    }

    fn answer(&mut self, place: usize, answer: Applied) {
        if let Some(slot) = self.answers.get_mut(place) {
            *slot = Some(answer);
        }
    }

    /// Sends one group. One that is refused as a whole is halved until the bad value stands alone: it must not sink its neighbours.
    async fn send(&mut self, group: Vec<Order>, shop: &Shop, writer: &mut Writer, refused: &mut u32) -> Result<(), Fault> {
        let mut waiting = vec![group];
        while let Some(group) = waiting.pop() {
            let updates: Vec<Update> = group.iter().map(|order| order.update.clone()).collect();
            match writer.update_group(&updates).await {
                Ok(sent) => {
                    shop.catalogue().unseen.extend(updates.iter().map(|update| update.variant));
                    for (order, sent) in group.iter().zip(sent) {
                        let answer = match sent {
                            Sent::Queued => order.done(),
                            Sent::Refused(words) => order.refused(&words),
                        };
                        self.answer(order.place, answer);
                    }
                }
                Err(fault) if fault.code == Code::RemoteRejected && *refused < MOST_REFUSED => {
                    *refused += 1;
                    match group.as_slice() {
                        [only] => self.answer(only.place, only.refused(&fault.detail)),
                        several => {
                            let (one, other) = several.split_at(several.len() / 2);
                            waiting.extend([other.to_vec(), one.to_vec()]);
                        }
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Looks at what an undo has put back until it stands; what does not is returned.
    async fn look_after(&self, shop: &Shop, writer: &mut Writer) -> Result<Vec<Order>, Fault> {
        let sent = |order: &&Order| matches!(self.answers.get(order.place), Some(Some(Applied::Done { .. })));
        let mut left: Vec<Order> = self.orders.iter().filter(|order| order.way == Way::LookedAfter).filter(sent).cloned().collect();
        for pause in LOOKS {
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(clock::scaled(pause)).await;
            let mut products: Vec<u64> = left.iter().map(|order| order.update.product).collect();
            products.sort_unstable();
            products.dedup();
            shop.look(writer, &products).await?;
            let catalogue = shop.catalogue();
            left.retain(|order| {
                let stands = catalogue.row(order.update.variant).and_then(|(row, _)| shelf::value(&row.quantity));
                stands.is_none_or(|stands| !same(&stands, &order.wanted))
            });
        }
        Ok(left)
    }
}

impl Order {
    fn done(&self) -> Applied {
        Applied::Done { target: self.update.variant.to_string(), witness: None }
    }

    fn refused(&self, words: &str) -> Applied {
        Applied::Failed { fault: FaultView::from(&Fault::new(Code::BadItem, format!("{QUANTITY}: {words}"))) }
    }
}

/// One value by the route that answers with the variant: a last resort, one call each.
async fn send_alone(order: &Order, shop: &Shop, writer: &mut Writer) -> Result<Applied, Fault> {
    let stands = match writer.update_one(&order.update).await {
        Ok(variant) => variant,
        Err(fault) if fault.code == Code::RemoteRejected && fault.detail.contains("HTTP 404") => return Ok(gone(order.update.variant)),
        Err(fault) if fault.code == Code::RemoteRejected => return Ok(order.refused(&fault.detail)),
        Err(fault) => return Err(fault),
    };
    shop.catalogue().unseen.insert(order.update.variant);
    match field_of(&stands, order) {
        Some(stands) if same(&stands, &order.wanted) => Ok(order.done()),
        stands => {
            let stands = stands.map_or_else(|| "–".to_owned(), |stands| stands.to_string());
            let detail = format!("variant {}: InSales was told {} and keeps {stands}", order.update.variant, order.wanted);
            Ok(Applied::Failed { fault: FaultView::from(&Fault::new(Code::ValueNotKept, detail)) })
        }
    }
}

fn field_of(variant: &Variant, order: &Order) -> Option<Value> {
    use crate::systems::insales::Field;
    let quantity = match order.update.field {
        Field::Whole => variant.quantity.as_ref(),
        Field::Warehouse(index) => variant.warehouses.get(&index),
    };
    quantity.and_then(shelf::value)
}

fn gone(variant: u64) -> Applied {
    Applied::Gone { reason: Reason::new("insales_variant_gone").with("variant", variant) }
}

fn done(change: &Change) -> Applied {
    Applied::Done { target: change.body.target.clone().unwrap_or_default(), witness: None }
}

fn tries(change: &Change) -> u32 {
    let sending = change.body.fields.iter().find(|field| field.field == sending::FIELD);
    let sending: Option<Sending> = sending.and_then(|field| serde_json::from_value(field.new.clone()).ok());
    sending.map_or(1, |sending| sending.tries)
}

/// The value of a change; null only where an undo puts it back.
fn decimal(op: Op, value: &Value) -> Result<Option<Decimal>, Fault> {
    match value {
        Value::Null if op == Op::Restore => Ok(None),
        Value::Number(number) => number::parse_decimal(&number.to_string()).map(Some).ok_or_else(|| unread(value)),
        Value::String(text) => number::parse_decimal(text).map(Some).ok_or_else(|| unread(value)),
        _ => Err(unread(value)),
    }
}

fn unread(value: &Value) -> Fault {
    Fault::internal(format!("the quantity {value} of a change cannot be read back"))
}
