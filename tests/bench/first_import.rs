//! Creating products in OpenCart: our statements of a first import beside plain multi-row INSERTs of the very same rows.
//!
//! Our side checks every value, makes rows hidden first and visible last, reads ids back, and keeps addresses unique; the plain side is
//! given finished text, 1,000 rows a statement, and only has to be taken in by the server.

use std::time::{Duration, Instant};

use diesel::{Connection, MysqlConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use tradesync::{
    db::Ident,
    demo::shop,
    systems::opencart::{Created, NewProduct, Options, SellerAdapter, Writer},
};

/// Products of each import, and rows of one plain statement.
const PRODUCTS: u32 = 10_000;
const ROWS_A_STATEMENT: usize = 1_000;

/// Pairs; the median is reported.
const PAIRS: u32 = 5;

/// Every table that an import fills.
const TABLES: &[&str] = &[
    "oc_product",
    "oc_product_description",
    "oc_product_to_store",
    "oc_product_to_layout",
    "oc_product_to_category",
    "oc_product_attribute",
    "oc_product_special",
    "oc_seo_url",
];

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    words: String,
}

fn words(connection: &mut MysqlConnection, query: &str) -> Vec<String> {
    sql_query(query).load::<Words>(connection).unwrap().into_iter().map(|row| row.words).collect()
}

/// A good as Billz has it: brand, three attributes, a paragraph of description, a special on each third.
fn product(round: u32, number: u32) -> NewProduct {
    NewProduct {
        reference: format!("tradesync:{}", round * PRODUCTS + number),
        model: format!("SKU-{number}"),
        model_fallback: format!("00000000-0000-0000-0000-{number:012}"),
        identifiers: vec![(Ident::new("sku").unwrap(), format!("SKU-{number}")), (Ident::new("ean").unwrap(), format!("478{number:010}"))],
        quantity: i64::from(number % 90),
        price: rust_decimal::Decimal::from(number + 1_000),
        special: number.is_multiple_of(3).then(|| rust_decimal::Decimal::from(number + 900)),
        live: true,
        category_ids: vec![33],
        name: format!("Футболка мужская хлопок {number} / L / Белый"),
        description: "<p>100% хлопок, стирать при 30 °C. Гарантия 12 мес.</p>".repeat(2),
        meta_description: String::new(),
        tag: String::new(),
        manufacturer_id: i64::from(number % 40) + 1,
        image: None,
        weight: None,
        tax_class_id: 0,
        stock_status_id: None,
        attributes: vec![(1, "L".into()), (2, "Белый".into()), (3, "шт".into())],
    }
}

/// The rows that stand in a table, as finished statements.
fn statements(connection: &mut MysqlConnection, table: &str) -> Vec<String> {
    let columns = words(
        connection,
        &format!(
            "SELECT column_name AS words FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
    );
    let quoted: Vec<String> = columns.iter().map(|column| format!("QUOTE(`{column}`)")).collect();
    let rows = words(
        connection,
        &format!("SELECT CONVERT(CONCAT('(', CONCAT_WS(',', {}), ')') USING utf8mb4) AS words FROM {table}", quoted.join(", ")),
    );
    rows.chunks(ROWS_A_STATEMENT)
        .map(|rows| format!("INSERT INTO {table} (`{}`) VALUES {}", columns.join("`, `"), rows.join(",")))
        .collect()
}

fn empty(connection: &mut MysqlConnection) {
    for table in TABLES {
        connection.batch_execute(&format!("TRUNCATE TABLE {table}")).unwrap();
    }
}

/// Our speed over the plain one's, on a database of its own on `server`, which is dropped afterwards.
pub async fn run(server: &str) -> f64 {
    let name = format!("tradesync_bench_import_{}", std::process::id());
    let url = shop::make(server, &name).await.unwrap();
    let mut plain = MysqlConnection::establish(url.expose()).unwrap();
    plain.batch_execute("SET NAMES utf8mb4; SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'").unwrap();
    let options = Options {
        url: url.clone(),
        table_prefix: "oc_".into(),
        store_id: 0,
        cache_dir: None,
        bridge: None,
        seller: SellerAdapter::default(),
    };
    let mut writer = Writer::open(&options, "bench").await.unwrap();
    let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let rate = |took: Duration| f64::from(PRODUCTS) / took.as_secs_f64();
    for pair in 0..=PAIRS {
        empty(&mut plain);
        let products: Vec<NewProduct> = (0..PRODUCTS).map(|number| product(pair, number)).collect();
        let began = Instant::now();
        let created = writer.create(&products, false).await.unwrap();
        writer.settle().await.unwrap();
        let our = began.elapsed();
        assert!(created.iter().all(|created| matches!(created, Created::Done { .. })));
        let finished: Vec<String> = TABLES.iter().flat_map(|table| statements(&mut plain, table)).collect();
        empty(&mut plain);
        let began = Instant::now();
        for statement in &finished {
            plain.batch_execute(statement).unwrap();
        }
        let their = began.elapsed();
        assert_eq!(words(&mut plain, "SELECT CAST(COUNT(*) AS CHAR) AS words FROM oc_product"), [PRODUCTS.to_string()]);
        // The first pair warms both.
        if pair > 0 {
            ratios.push(their.as_secs_f64() / our.as_secs_f64());
            ours.push(rate(our));
            theirs.push(rate(their));
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
    let ratio = median(&mut ratios);
    println!(
        "first import, statements: {ratio:.2} of plain INSERTs of the same rows ({low:.2}-{high:.2}; {:.0} against {:.0} products/s, medians of {PAIRS} pairs, {PRODUCTS} products each)",
        median(&mut ours),
        median(&mut theirs)
    );
    drop(writer);
    plain.batch_execute(&format!("DROP DATABASE {name}")).unwrap();
    ratio
}
