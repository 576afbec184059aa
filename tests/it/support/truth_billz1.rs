//! What the shop's tables must hold by what the simulated Billz 1 knows. Written from the requirement, not from our rules' code.

use rust_decimal::Decimal;
use tradesync::sandbox::billz1::catalogue::Product;

use super::Stage;

/// `quantity price special` of a product, as the requirement's section 4.2 has it; `None` where it is no good for this shop.
fn expected(product: &Product, streams: &[u64], linked: bool) -> Option<(i64, Decimal, Option<Decimal>)> {
    let decimal = |value: &dyn std::fmt::Display| value.to_string().parse::<Decimal>().unwrap();
    let nothing = decimal(&0);
    let first = streams.first()?;
    let stocked = |office: &u64| product.offices.get(office).filter(|offer| decimal(&offer.stock) != nothing);
    // Offices without stock are not listed, so the company's word counts for them.
    let (price, discount) = match stocked(first) {
        Some(offer) => (decimal(&offer.price), decimal(&offer.discount)),
        None => (decimal(&product.price), decimal(&product.discount)),
    };
    let elsewhere =
        product.offices.keys().any(|office| stocked(office).is_some()) && !streams.iter().any(|office| stocked(office).is_some());
    if price < decimal(&2) || (elsewhere && !linked) {
        return None;
    }
    let stock: Decimal = streams.iter().filter_map(stocked).map(|offer| decimal(&offer.stock)).sum();
    let special = (discount > nothing).then(|| (price - discount).round());
    Some((stock.floor().to_string().parse().unwrap(), price, special))
}

impl Stage {
    /// Fails unless the shop's tables are what Billz 1 says. The first stream is the one that was synchronised last.
    pub async fn must_be_true_of_billz1(&self, connection: &str, streams: &[String], when: &str) {
        let streams: Vec<u64> = streams.iter().map(|stream| stream.parse().unwrap()).collect();
        let links = self.links(connection).await;
        let mut right = 0;
        for product in self.billz.billz1.products(0, usize::MAX) {
            let linked = links.get(&product.id.to_string());
            let found = linked.map(|target| {
                let row = |column: &str| self.database.cell(&format!("SELECT {column} FROM oc_product WHERE product_id = {target}"));
                let special = self.database.cell(&format!("SELECT MIN(price) FROM oc_product_special WHERE product_id = {target}"));
                let number = |text: String| text.parse::<Decimal>().unwrap().normalize();
                (row("quantity").parse::<i64>().unwrap(), number(row("price")), (!special.is_empty()).then(|| number(special)))
            });
            let expected = expected(&product, &streams, linked.is_some())
                .map(|(stock, price, special)| (stock, price.normalize(), special.map(|special| special.normalize())));
            match (found, expected) {
                // A junk row leaves a product as it was.
                (Some(_), None) => {}
                (found, expected) => {
                    assert_eq!(found, expected, "{when}: {product:?}");
                    right += u32::from(found.is_some());
                }
            }
        }
        assert!(right > 30, "{when}: only {right} products are in the shop");
    }
}
