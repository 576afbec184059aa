//! Updates against a real server.

use std::time::{Duration, Instant};

use super::{
    Ending, Product, ProductUpdate, Reader, Scope, SpecialWish, Want, Writer, Written,
    testing::{ADDED, Kit, change, money},
};
use crate::fault::Code;

fn changed(written: &Written) -> Option<&Product> {
    match written {
        Written::Changed { now } => Some(now),
        _ => None,
    }
}

#[tokio::test]
async fn each_row_is_written_or_told_apart() {
    let mut kit = Kit::new();
    let options = kit.seller_options();
    for id in 1..=6 {
        kit.product(id, "x", 10, "100");
        kit.run(&format!("INSERT INTO oc_ms_product VALUES ({id}, {}, 1, 1)", if id == 5 { 7 } else { 42 }));
    }
    kit.run("UPDATE oc_product SET quantity = 9 WHERE product_id = 2");
    kit.run("DELETE FROM oc_product WHERE product_id = 3");
    kit.run("UPDATE oc_product SET date_added = '2025-05-05 05:05:05' WHERE product_id = 4");
    kit.run("UPDATE oc_product SET quantity = 8, price = 120 WHERE product_id = 6");
    let mut writer = Writer::open(&options, "c1").await.unwrap();
    let mut rows: Vec<ProductUpdate> = (1..=6).map(|id| change(id, (10, 8), ("100", "120.5"))).collect();
    rows[5].price = Some((money("100"), money("120")));
    rows.push(change(7, (10, 3_000_000_000), ("1", "2")));
    rows.push(change(1, (8, 7), ("1", "2")));
    let written = writer.update(&rows).await.unwrap();
    assert_eq!(written[0], Written::Done);
    assert!(changed(&written[1]).is_some_and(|now| now.quantity == 9 && now.price == money("100") && now.owned), "{:?}", written[1]);
    assert_eq!(written[2..6], [Written::Gone, Written::Replaced, Written::Foreign, Written::Done]);
    assert!(
        matches!(written[6], Written::Failed { field: "quantity", .. })
            && matches!(written[7], Written::Failed { field: "product_id", .. })
    );
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product WHERE product_id = 3"), "0", "no ghost");
    assert_eq!(kit.cell("SELECT CONCAT(quantity, ' ', price) FROM oc_product WHERE product_id = 1"), "8 120.5000");
    for untouched in [4, 5] {
        assert_eq!(
            kit.cell(&format!("SELECT CONCAT(quantity, ' ', price, ' ', date_modified) FROM oc_product WHERE product_id = {untouched}")),
            format!("10 100.0000 {ADDED}")
        );
    }
    // The same batch again finds its own work done, within the same second as well.
    let again = writer.update(&rows[..1]).await.unwrap();
    assert_eq!(again, [Written::Done]);
    // And the shop's clock is the shop's.
    let offset = kit.cell("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), date_modified) FROM oc_product WHERE product_id = 1");
    assert!(["299", "300"].contains(&offset.as_str()), "{offset} minutes from UTC, Tashkent is 300");
}

#[tokio::test]
async fn fields_without_a_wish_are_left_alone_and_status_is_written() {
    let mut kit = Kit::new();
    for id in 1..=3 {
        kit.product(id, "x", 10, "100");
    }
    let none = |id| ProductUpdate { product_id: id, date_added: ADDED.into(), quantity: None, price: None, status: None, special: None };
    let rows = [
        ProductUpdate { quantity: Some((10, 0)), ..none(1) },
        ProductUpdate { price: Some((money("100"), money("99.99"))), ..none(2) },
        ProductUpdate { status: Some((true, false)), ..none(3) },
    ];
    let mut writer = kit.writer().await;
    assert_eq!(writer.update(&rows).await.unwrap(), vec![Written::Done; 3]);
    assert_eq!(
        kit.cell("SELECT GROUP_CONCAT(quantity, '|', price, '|', status ORDER BY product_id) FROM oc_product"),
        "0|100.0000|1,10|99.9900|1,10|100.0000|0"
    );
}

#[tokio::test]
async fn innodb_tables_and_a_bare_user_work_as_well() {
    let mut kit = Kit::new();
    for id in 1..=450 {
        kit.product(id, "x", 10, "100");
    }
    for table in ["oc_product", "oc_product_special"] {
        kit.run(&format!("ALTER TABLE {table} ENGINE=InnoDB"));
    }
    let user = kit.database.clone();
    kit.run(&format!(
        "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'p'; GRANT SELECT, INSERT, UPDATE, DELETE ON {}.* TO {user}@'127.0.0.1'",
        kit.database
    ));
    let mut address = url::Url::parse(kit.url().expose()).unwrap();
    address.set_username(&user).unwrap();
    address.set_password(Some("p")).unwrap();
    let mut options = kit.options();
    options.url = crate::db::DatabaseUrl::parse(address.as_str()).unwrap();
    let mut writer = Writer::open(&options, "c1").await.unwrap();
    let wish = SpecialWish { groups: vec![1], want: Want::Price(money("90")), ending: Ending::Remove, scope: Scope::All };
    let rows: Vec<ProductUpdate> =
        (1..=450).map(|id| ProductUpdate { special: Some(wish.clone()), ..change(id, (10, 8), ("100", "120.0001")) }).collect();
    assert_eq!(writer.update(&rows).await.unwrap(), vec![Written::Done; 450]);
    assert_eq!(writer.update(&rows).await.unwrap(), vec![Written::Done; 450]);
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product WHERE quantity = 8 AND price = 120.0001"), "450");
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product_special WHERE price = 90"), "450");
    kit.run("UPDATE oc_product SET price = 120.0002 WHERE product_id = 7");
    let rows: Vec<ProductUpdate> = (1..=20).map(|id| change(id, (8, 9), ("120.0001", "5"))).collect();
    let written = writer.update(&rows).await.unwrap();
    assert!(changed(&written[6]).is_some() && written.iter().filter(|row| **row == Written::Done).count() == 19);
    kit.run(&format!("DROP USER {user}@'127.0.0.1'"));
}

#[tokio::test]
async fn specials_are_edited_inserted_closed_and_removed() {
    let mut kit = Kit::new();
    for id in 1..=5 {
        kit.product(id, "x", 10, "100");
    }
    kit.run("DELETE FROM oc_customer_group WHERE customer_group_id > 2");
    kit.special(1, 1, 1, "95", "0000-00-00", "0000-00-00");
    kit.special(2, 1, 1, "70", "0000-00-00", "0000-00-00");
    kit.special(3, 1, 1, "70", "0000-00-00", "0000-00-00");
    kit.special(4, 1, 1, "70", "0000-00-00", "0000-00-00");
    kit.special(4, 2, 1, "66", "0000-00-00", "0000-00-00");
    let wish = |want: Want, ending: Ending, scope: Scope| Some(SpecialWish { groups: vec![1, 2], want, ending, scope });
    let rows = [
        ProductUpdate { special: wish(Want::Price(money("80")), Ending::Remove, Scope::All), ..change(1, (10, 10), ("100", "100")) },
        ProductUpdate { special: wish(Want::None, Ending::Remove, Scope::All), ..change(2, (10, 10), ("100", "100")) },
        ProductUpdate { special: wish(Want::None, Ending::Close, Scope::All), ..change(3, (10, 10), ("100", "100")) },
        ProductUpdate { special: wish(Want::None, Ending::Remove, Scope::Own(vec![money("66")])), ..change(4, (10, 10), ("100", "100")) },
        ProductUpdate {
            special: wish(Want::Price(money("80")), Ending::Remove, Scope::All),
            date_added: "2020-01-01 00:00:00".into(),
            ..change(5, (10, 10), ("100", "100"))
        },
    ];
    let mut writer = kit.writer().await;
    let written = writer.update(&rows).await.unwrap();
    assert_eq!(written, [Written::Done, Written::Done, Written::Done, Written::Done, Written::Replaced]);
    let rows_of = "SELECT GROUP_CONCAT(product_id, ':', customer_group_id, '=', price + 0, ' ', date_end ORDER BY product_id, customer_group_id) FROM oc_product_special";
    let yesterday = (writer.shop().await.unwrap().today.pred_opt().unwrap()).to_string();
    assert_eq!(kit.cell(rows_of), format!("1:1=80.0000 0000-00-00,1:2=80.0000 0000-00-00,3:1=70.0000 {yesterday},4:1=70.0000 0000-00-00"));
    assert_eq!(
        kit.cell("SELECT product_special_id FROM oc_product_special WHERE product_id = 1 AND customer_group_id = 1"),
        "1",
        "edited in place"
    );
    assert_eq!(writer.update(&rows[..4]).await.unwrap(), vec![Written::Done; 4]);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let mut kit = Kit::new();
    kit.product(1, "x", 10, "100");
    let mut reader = Reader::open(&kit.options()).await.unwrap();
    let refused = reader.run(super::sql::Sql::new("UPDATE oc_product SET quantity = 1")).await;
    assert!(refused.is_err());
    assert_eq!(kit.cell("SELECT quantity FROM oc_product"), "10");
    assert_eq!(reader.products(&[1, 2]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_next_writer_ends_the_former_one_and_a_lost_session_stays_lost() {
    let mut kit = Kit::new();
    kit.product(1, "x", 10, "100");
    let mut dead = kit.writer().await;
    let began = Instant::now();
    let mut next = kit.writer().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for _ in 0..2 {
        let fault = dead.update(&[change(1, (10, 5), ("100", "100"))]).await.unwrap_err();
        assert_eq!(fault.code, Code::TargetUnavailable, "{fault}");
    }
    assert_eq!(next.update(&[change(1, (10, 4), ("100", "100"))]).await.unwrap(), [Written::Done]);
    // Another connection's lock is another one.
    let mut other = Writer::open(&kit.options(), "c2").await.unwrap();
    assert!(other.shop().await.is_ok() && next.shop().await.is_ok());
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let mut kit = Kit::new();
    let wrong = super::Options { table_prefix: "shop_".into(), ..kit.options() };
    let fault = Reader::open(&wrong).await.err().unwrap();
    assert!(fault.code == Code::TargetSchema && fault.detail.contains("shop_product"), "{fault}");
    let mut seller = kit.seller_options();
    seller.seller.seller_column = Some("vendor_id".into());
    let fault = Reader::open(&seller).await.err().unwrap();
    assert!(fault.code == Code::TargetSchema && fault.detail.contains("vendor_id"), "{fault}");
    let mut seller = kit.seller_options();
    seller.seller.seller_value = Some("42 OR 1=1".into());
    assert_eq!(Reader::open(&seller).await.err().unwrap().code, Code::ConfigInvalid);
}

/// Facts: behind one slow SELECT a plain UPDATE made a storefront's read wait 11.6 s.
#[tokio::test]
async fn a_slow_select_beside_our_update_makes_no_other_reader_wait() {
    let mut kit = Kit::new();
    for id in 1..=60 {
        kit.product(id, "x", 10, "100");
    }
    let mut writer = kit.writer().await;
    // Warm: temporary tables are there.
    writer.update(&[change(60, (10, 10), ("100", "100"))]).await.unwrap();
    let mut slow = Kit::reader(&kit);
    let slow = std::thread::spawn(move || slow("SELECT COUNT(*) FROM oc_product WHERE SLEEP(0.04) = 0"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let update = tokio::spawn(async move {
        let began = Instant::now();
        let special = SpecialWish { groups: vec![1], want: Want::Price(money("90")), ending: Ending::Remove, scope: Scope::All };
        let written = writer.update(&[ProductUpdate { special: Some(special), ..change(1, (10, 8), ("100", "100")) }]).await.unwrap();
        (written, began.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut storefront = Kit::reader(&kit);
    let began = Instant::now();
    storefront("SELECT COUNT(*) FROM oc_product");
    storefront("SELECT COUNT(*) FROM oc_product WHERE quantity = 10");
    let waited = began.elapsed();
    let (written, took) = update.await.unwrap();
    slow.join().unwrap();
    assert_eq!(written, [Written::Done]);
    assert!(waited < Duration::from_millis(500), "a reader waited {waited:?}");
    assert!(took > Duration::from_millis(700), "our update did not meet the slow SELECT: {took:?}");
}
