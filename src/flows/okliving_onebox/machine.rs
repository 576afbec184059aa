//! The state machines of an order and of its delivery in the shop (facts/okliving.md section 5.2). `statuses` of an update are actions, not
//! states: what an action may do depends on where the machine stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// Of the order.
    Order,
    /// Of its delivery.
    Delivery,
}

/// An action on a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryAction {
    /// Open it again.
    Reopen,
    /// All of it is on its way.
    Ship,
    /// A part is on its way.
    ShipPartially,
    /// It will not be delivered.
    Cancel,
    /// All of it came back.
    Retour,
    /// A part came back.
    RetourPartially,
}

/// An action on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// Open it again.
    Reopen,
    /// Work on it has begun.
    Process,
    /// It is called off.
    Cancel,
    /// It is done.
    Complete,
}

impl DeliveryAction {
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reopen => "reopen",
            Self::Ship => "ship",
            Self::ShipPartially => "ship_partially",
            Self::Cancel => "cancel",
            Self::Retour => "retour",
            Self::RetourPartially => "retour_partially",
        }
    }
}

impl OrderAction {
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reopen => "reopen",
            Self::Process => "process",
            Self::Cancel => "cancel",
            Self::Complete => "complete",
        }
    }
}

/// (from, action, to)
type Transition = (&'static str, &'static str, &'static str);

const ORDER: &[Transition] = &[
    ("open", "process", "in_progress"),
    ("in_progress", "complete", "completed"),
    ("open", "cancel", "cancelled"),
    ("in_progress", "cancel", "cancelled"),
    ("completed", "reopen", "open"),
    ("cancelled", "reopen", "open"),
];

const DELIVERY: &[Transition] = &[
    ("open", "ship", "shipped"),
    ("open", "ship_partially", "shipped_partially"),
    ("open", "cancel", "cancelled"),
    ("shipped_partially", "ship", "shipped"),
    ("shipped", "retour", "returned"),
    ("shipped_partially", "retour", "returned"),
    ("shipped", "retour_partially", "returned_partially"),
    ("shipped_partially", "retour_partially", "returned_partially"),
    ("shipped", "cancel", "cancelled"),
    ("shipped_partially", "cancel", "cancelled"),
    ("returned_partially", "retour", "returned"),
    ("cancelled", "reopen", "open"),
    ("shipped", "reopen", "open"),
    ("shipped_partially", "reopen", "open"),
    ("returned", "reopen", "open"),
    ("returned_partially", "reopen", "open"),
];

/// (state, action): the machine has gone past what the action would do, on the only way there is.
const ORDER_PAST: &[(&str, &str)] = &[("completed", "process")];
const DELIVERY_PAST: &[(&str, &str)] = &[
    ("shipped", "ship_partially"),
    ("returned", "ship"),
    ("returned", "ship_partially"),
    ("returned", "retour_partially"),
    ("returned_partially", "ship"),
    ("returned_partially", "ship_partially"),
];

/// What an action would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It leads to this state.
    To(&'static str),
    /// The machine stands there already.
    Done,
    /// The machine has gone past it.
    Past,
    /// Not from here. A person has to say what is meant.
    Illegal,
}

impl Machine {
    /// Its name in an update and in orders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Delivery => "delivery",
        }
    }

    fn transitions(self) -> &'static [Transition] {
        match self {
            Self::Order => ORDER,
            Self::Delivery => DELIVERY,
        }
    }

    /// The state that an action leads to, wherever it is legal.
    pub fn target(self, action: &str) -> Option<&'static str> {
        self.transitions().iter().find(|(_, known, _)| *known == action).map(|(_, _, to)| *to)
    }

    /// A state of this machine by its word.
    pub fn state(self, word: &str) -> Option<&'static str> {
        self.transitions().iter().flat_map(|(from, _, to)| [*from, *to]).find(|state| *state == word)
    }

    /// What an action would do from a state.
    pub fn step(self, state: &str, action: &str) -> Step {
        let past = match self {
            Self::Order => ORDER_PAST,
            Self::Delivery => DELIVERY_PAST,
        };
        if self.target(action) == Some(state) {
            return Step::Done;
        }
        match self.transitions().iter().find(|(from, known, _)| *from == state && *known == action) {
            Some((_, _, to)) => Step::To(to),
            None if past.contains(&(state, action)) => Step::Past,
            None => Step::Illegal,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_machines_are_those_of_the_sheet() {
        for (machine, state, action, step) in [
            (Machine::Order, "open", "process", Step::To("in_progress")),
            (Machine::Order, "open", "complete", Step::Illegal),
            (Machine::Order, "in_progress", "complete", Step::To("completed")),
            (Machine::Order, "completed", "complete", Step::Done),
            (Machine::Order, "completed", "process", Step::Past),
            (Machine::Order, "cancelled", "process", Step::Illegal),
            (Machine::Order, "completed", "cancel", Step::Illegal),
            (Machine::Order, "completed", "reopen", Step::To("open")),
            (Machine::Order, "in_progress", "reopen", Step::Illegal),
            (Machine::Delivery, "open", "ship", Step::To("shipped")),
            (Machine::Delivery, "shipped", "ship", Step::Done),
            (Machine::Delivery, "shipped", "ship_partially", Step::Past),
            (Machine::Delivery, "returned", "ship", Step::Past),
            (Machine::Delivery, "cancelled", "ship", Step::Illegal),
            (Machine::Delivery, "open", "retour", Step::Illegal),
            (Machine::Delivery, "returned_partially", "retour", Step::To("returned")),
            (Machine::Delivery, "open", "reopen", Step::Done),
        ] {
            assert_eq!(machine.step(state, action), step, "{} {state} {action}", machine.name());
        }
    }

    #[test]
    fn an_action_leads_to_one_state_only() {
        for machine in [Machine::Order, Machine::Delivery] {
            for (_, action, to) in machine.transitions() {
                assert_eq!(machine.target(action), Some(*to), "{action}");
                assert_eq!(machine.state(to), Some(*to));
            }
        }
        assert_eq!(Machine::Order.state("shipped"), None);
    }

    proptest! {
        #[test]
        fn a_repeated_action_never_does_anything(place in 0usize..6, action in 0usize..6) {
            for machine in [Machine::Order, Machine::Delivery] {
                let transitions = machine.transitions();
                let (state, action) = (transitions[place % transitions.len()].0, transitions[action % transitions.len()].1);
                if let Step::To(next) = machine.step(state, action) {
                    prop_assert_eq!(machine.step(next, action), Step::Done);
                }
            }
        }
    }
}
