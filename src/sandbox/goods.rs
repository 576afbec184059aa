//! The goods that the simulated Kaktus and InSales have in common, so that there is something to match. Same number, same barcode.
//!
//! Most goods are a product with three sizes on both sides. Every fourth is three products in Kaktus («1 вариант = 1 товар»). Some are odd, each
//! in one way ([`Oddity`]).

/// Sizes of one good.
pub const SIZES: [&str; 3] = ["S", "M", "L"];

/// What is odd about a good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// Nothing.
    None,
    /// InSales knows no barcode of it.
    WithoutBarcode,
    /// In InSales its sizes all have one barcode.
    DoubledInInsales,
    /// In Kaktus its sizes all have one barcode.
    DoubledInKaktus,
    /// InSales does not track its stock.
    Unlimited,
    /// InSales sells it as a bundle.
    Bundle,
    /// Kaktus has it out of use.
    Inactive,
    /// Kaktus tells no stock of it.
    WithoutStock,
    /// Kaktus holds it in two warehouses.
    TwoWarehouses,
    /// Kaktus does not know it.
    OnlyInInsales,
    /// InSales does not know it.
    OnlyInKaktus,
}

/// What is odd about the good of this number: one of 50 in each way, so that ten goods are enough for none and 60 for all.
pub const fn oddity(number: u64) -> Oddity {
    match number % 50 {
        17 => Oddity::WithoutBarcode,
        19 => Oddity::DoubledInInsales,
        22 => Oddity::DoubledInKaktus,
        25 => Oddity::Unlimited,
        29 => Oddity::Bundle,
        31 => Oddity::Inactive,
        34 => Oddity::WithoutStock,
        37 => Oddity::TwoWarehouses,
        41 => Oddity::OnlyInInsales,
        43 => Oddity::OnlyInKaktus,
        _ => Oddity::None,
    }
}

/// Whether each size is a product of its own in Kaktus.
pub const fn apart(number: u64) -> bool {
    number % 4 == 3
}

/// The barcode of a size; every fifth begins with zeros.
pub fn barcode(number: u64, size: usize) -> String {
    let digits = number * 10 + size as u64;
    if number.is_multiple_of(5) { format!("00{digits:08}") } else { format!("46{digits:011}") }
}

/// The name of a good.
pub fn name(number: u64) -> String {
    format!("Футболка {number}")
}

/// How many pieces there are at first.
pub const fn pieces(number: u64, size: usize) -> i64 {
    ((number * 7 + size as u64 * 3) % 23) as i64 + 1
}
