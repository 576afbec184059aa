//! Chance that can be repeated: the same seed gives the same catalogue, byte for byte, on every machine.
//!
//! Our own twenty lines (SplitMix64) rather than a crate, so that an upgrade never changes the demo's data.

use uuid::{Builder, Uuid};

/// A stream of numbers fixed by its seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream for a seed and a purpose; different purposes never share numbers.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed ^ mix(purpose)))
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    /// A number in `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True in `percent` of cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items; `None` only when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(items.len()).unwrap_or(u64::MAX));
        items.get(usize::try_from(at).unwrap_or(0))
    }
}

/// SplitMix64's finaliser: a good scramble of 64 bits.
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// What an id belongs to, so that product 7 and shop 7 differ.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Kind {
    /// The company.
    Company = 1,
    /// The user behind an integration key.
    User,
    /// A shop.
    Shop,
    /// A product row.
    Product,
    /// A category.
    Category,
    /// A brand.
    Brand,
    /// A promotion.
    Promo,
    /// A supplier.
    Supplier,
    /// A custom field.
    Field,
    /// An attribute or its value.
    Attribute,
    /// A measurement unit.
    Unit,
    /// A parent that is never listed.
    Orphan,
    /// Things that are only shown, such as exchange rates.
    Other,
}

/// The id of thing number `number` under this seed: a valid version 4 UUID that is always the same.
pub fn id(seed: u64, kind: Kind, number: u64) -> Uuid {
    let high = mix(seed ^ mix((kind as u64) << 48 ^ number));
    let low = mix(high ^ 0xA5A5_5A5A_0F0F_F0F0);
    Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid()
}
