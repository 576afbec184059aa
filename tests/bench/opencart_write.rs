//! Writing prices and stock into OpenCart: our guarded `UPDATE … JOIN` beside a plain multi-row upsert of the same rows.
//!
//! Figures are ratios of pairs run one after the other: absolute speeds of a busy machine say nothing (facts section 11).

use std::time::{Duration, Instant};

use diesel::{Connection, MysqlConnection, RunQueryDsl, connection::SimpleConnection, sql_query};
use tradesync::{
    db::DatabaseUrl,
    systems::opencart::{Options, ProductUpdate, SellerAdapter, SpecialWish, Want, Writer, Written},
};

/// Products written in each run, and rows of one statement of the upsert.
const ROWS: u64 = 10_000;
const ROWS_A_STATEMENT: u64 = 1_000;

/// Pairs; the median is reported.
const PAIRS: usize = 11;

const ADDED: &str = "2025-01-02 03:04:05";

fn price(id: u64, round: i64) -> rust_decimal::Decimal {
    rust_decimal::Decimal::new(i64::try_from(id).unwrap() * 100 + round, 2)
}

fn upserts(round: i64) -> Vec<String> {
    (0..ROWS / ROWS_A_STATEMENT)
        .map(|part| {
            let rows: Vec<String> = (part * ROWS_A_STATEMENT + 1..=(part + 1) * ROWS_A_STATEMENT)
                .map(|id| format!("({id},{},{},NOW())", round, price(id, round)))
                .collect();
            format!(
                "INSERT INTO oc_product (product_id, quantity, price, date_modified) VALUES {} ON DUPLICATE KEY UPDATE quantity=VALUES(quantity), price=VALUES(price), date_modified=VALUES(date_modified)",
                rows.join(",")
            )
        })
        .collect()
}

fn updates(round: i64, special: bool) -> Vec<ProductUpdate> {
    (1..=ROWS)
        .map(|product_id| ProductUpdate {
            product_id,
            date_added: ADDED.into(),
            quantity: Some((round - 1, round)),
            price: Some((price(product_id, round - 1), price(product_id, round))),
            status: None,
            special: special.then(|| SpecialWish {
                groups: vec![1],
                want: Want::Price(price(product_id, round - 1)),
                ending: tradesync::systems::opencart::Ending::Remove,
                scope: tradesync::systems::opencart::Scope::All,
            }),
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rate(took: Duration) -> f64 {
    ROWS as f64 / took.as_secs_f64()
}

/// The name of the figure, our speed over the upsert's, and the least that is asked of it.
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// Median of the pairs' ratios.
    pub ratio: f64,
    /// The least.
    pub least: f64,
}

/// Runs on a database of its own on `server` (`mysql://user:password@host:port/`), which is dropped afterwards.
pub async fn run(server: &str) -> Vec<Figure> {
    let server = format!("{}/", server.trim_end_matches('/'));
    let database = format!("tradesync_bench_{}", std::process::id());
    let mut first = MysqlConnection::establish(&format!("{server}information_schema")).expect("the server answers");
    first.batch_execute(&format!("DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database} DEFAULT CHARACTER SET utf8")).unwrap();
    let url = format!("{server}{database}");
    let mut plain = MysqlConnection::establish(&url).unwrap();
    plain.batch_execute("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'").unwrap();
    for file in ["schema.sql", "seed.sql"] {
        let text = std::fs::read_to_string(format!("{}/src/sandbox/opencart/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for statement in text.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            plain.batch_execute(statement).unwrap();
        }
    }
    let rows: Vec<String> = (1..=ROWS + 19)
        .map(|id| format!("({id},'m{id}','s{id}','','','','','','',5,0,0,0,{},1,'{ADDED}','{ADDED}')", price(id, 0)))
        .collect();
    for rows in rows.chunks(1_000) {
        plain
            .batch_execute(&format!(
                "INSERT INTO oc_product (product_id, model, sku, upc, ean, jan, isbn, mpn, location, stock_status_id, manufacturer_id, tax_class_id, quantity, price, status, date_added, date_modified) VALUES {}",
                rows.join(",")
            ))
            .unwrap();
    }
    let options = Options {
        url: DatabaseUrl::parse(&url).unwrap(),
        table_prefix: "oc_".into(),
        store_id: 0,
        cache_dir: None,
        bridge: None,
        seller: SellerAdapter::default(),
    };
    let mut writer = Writer::open(&options, "bench").await.unwrap();

    let mut round = 0;
    let mut figures = Vec::new();
    for (name, special, seller, least) in [
        ("quantity and price", false, false, 0.5),
        ("the same, of one seller by a link table", false, true, 0.5),
        ("the same with a special each", true, false, 0.0),
    ] {
        if seller {
            plain.batch_execute("CREATE TABLE oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL) ENGINE=MyISAM; INSERT INTO oc_ms_product SELECT product_id, 42 FROM oc_product").unwrap();
        }
        let adapter = SellerAdapter {
            link_table: Some("oc_ms_product".into()),
            product_column: Some("product_id".into()),
            seller_column: Some("seller_id".into()),
            seller_value: Some("42".into()),
            ..SellerAdapter::default()
        };
        let options = Options { seller: if seller { adapter } else { SellerAdapter::default() }, ..options.clone() };
        drop(writer);
        writer = Writer::open(&options, "bench").await.unwrap();
        let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..PAIRS + 1 {
            round += 1;
            let statements = upserts(round);
            let began = Instant::now();
            for statement in statements {
                sql_query(statement).execute(&mut plain).unwrap();
            }
            let upsert = began.elapsed();
            round += 1;
            let rows = updates(round, special);
            let began = Instant::now();
            let written = writer.update(&rows).await.unwrap();
            let update = began.elapsed();
            assert!(written.iter().all(|row| *row == Written::Done));
            // The first pair warms both.
            if pair > 0 {
                ratios.push(upsert.as_secs_f64() / update.as_secs_f64());
                ours.push(rate(update));
                theirs.push(rate(upsert));
            }
        }
        let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        let ratio = median(ratios);
        println!(
            "opencart writes, {name}: {ratio:.2} of a plain upsert ({low:.2}-{high:.2}; {:.0} against {:.0} rows/s, medians of {PAIRS} pairs, {ROWS} rows each)",
            median(ours),
            median(theirs)
        );
        figures.push(Figure { name, ratio, least });
    }
    drop(writer);
    plain.batch_execute(&format!("DROP DATABASE {database}")).unwrap();
    figures
}
