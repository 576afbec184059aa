//! The state machines of Shopware (sheet 5.2): what is sent are transitions, not states.

use serde::{Deserialize, Serialize};

/// State of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// New.
    #[default]
    Open,
    /// Being worked on.
    InProgress,
    /// Done.
    Completed,
    /// Called off.
    Cancelled,
}

/// State of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not sent.
    #[default]
    Open,
    /// Sent.
    Shipped,
    /// Sent in part.
    ShippedPartially,
    /// Come back.
    Returned,
    /// Come back in part.
    ReturnedPartially,
    /// Called off.
    Cancelled,
}

/// Where an action leads from here, or what would be possible. An action to the present state is done already.
pub trait Machine: Copy + PartialEq + Serialize + 'static {
    /// `order` or `delivery`.
    const NAME: &'static str;
    /// From, action, to.
    const TRANSITIONS: &'static [(Self, &'static str, Self)];

    /// The state after an action; refused with the actions that are possible.
    fn after(self, action: &str) -> Result<Self, Vec<&'static str>> {
        let own = Self::TRANSITIONS.iter().filter(|(from, ..)| *from == self);
        if let Some((_, _, to)) = own.clone().find(|(_, name, _)| *name == action) {
            return Ok(*to);
        }
        Err(own.map(|(_, name, _)| *name).collect())
    }

    /// Whether an action leads to the present state from somewhere: repeating it changes nothing.
    fn is_repeated(self, action: &str) -> bool {
        Self::TRANSITIONS.iter().any(|(_, name, to)| *name == action && *to == self)
    }

    /// The state's name on the wire.
    fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl Machine for OrderState {
    const NAME: &'static str = "order";
    const TRANSITIONS: &'static [(Self, &'static str, Self)] = &[
        (Self::Open, "process", Self::InProgress),
        (Self::Open, "cancel", Self::Cancelled),
        (Self::InProgress, "complete", Self::Completed),
        (Self::InProgress, "cancel", Self::Cancelled),
        (Self::Completed, "reopen", Self::Open),
        (Self::Cancelled, "reopen", Self::Open),
    ];
}

impl Machine for DeliveryState {
    const NAME: &'static str = "delivery";
    const TRANSITIONS: &'static [(Self, &'static str, Self)] = &[
        (Self::Open, "ship", Self::Shipped),
        (Self::Open, "ship_partially", Self::ShippedPartially),
        (Self::Open, "cancel", Self::Cancelled),
        (Self::ShippedPartially, "ship", Self::Shipped),
        (Self::ShippedPartially, "retour", Self::Returned),
        (Self::ShippedPartially, "retour_partially", Self::ReturnedPartially),
        (Self::ShippedPartially, "cancel", Self::Cancelled),
        (Self::ShippedPartially, "reopen", Self::Open),
        (Self::Shipped, "retour", Self::Returned),
        (Self::Shipped, "retour_partially", Self::ReturnedPartially),
        (Self::Shipped, "cancel", Self::Cancelled),
        (Self::Shipped, "reopen", Self::Open),
        (Self::ReturnedPartially, "retour", Self::Returned),
        (Self::ReturnedPartially, "reopen", Self::Open),
        (Self::Returned, "reopen", Self::Open),
        (Self::Cancelled, "reopen", Self::Open),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_transitions() {
        assert_eq!(OrderState::Open.after("process"), Ok(OrderState::InProgress));
        assert_eq!(OrderState::Open.after("complete"), Err(vec!["process", "cancel"]));
        assert!(OrderState::InProgress.is_repeated("process") && !OrderState::InProgress.is_repeated("cancel"));
        assert_eq!(DeliveryState::Shipped.after("retour_partially"), Ok(DeliveryState::ReturnedPartially));
        assert_eq!(DeliveryState::Cancelled.after("ship"), Err(vec!["reopen"]));
        assert_eq!(DeliveryState::ShippedPartially.word(), "shipped_partially");
    }
}
