//! The shop's database of the demo and the tests: OpenCart's schema and our own seed rows.

use std::path::{Path, PathBuf};

use diesel::{
    Connection, MysqlConnection, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Integer, Text},
};

use crate::{
    db::{DatabaseUrl, Ident},
    fault::{Code, Fault},
    sandbox::billz2::{Handle, catalogue::Kind, changes::Truth, fixed::Fixed},
};

const SCHEMA: &str = include_str!("../sandbox/opencart/schema.sql");
const SEED: &str = include_str!("../sandbox/opencart/seed.sql");

fn failed(what: &str) -> impl Fn(diesel::result::Error) -> Fault + '_ {
    move |error| Fault::new(Code::DatabaseUnavailable, what.to_owned()).caused_by(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| Fault::internal("a database task ended unexpectedly").caused_by(panic))?
}

fn connect(url: &str) -> Result<MysqlConnection, Fault> {
    MysqlConnection::establish(url)
        .map_err(|error| Fault::new(Code::DatabaseUnavailable, "the database server did not answer").caused_by(error))
}

/// The shop's folder for pictures, below the image root.
pub const IMAGES: &str = "image/catalog/billz";

/// Makes the shop's picture folder anew under `var/`; returns the image root.
pub fn image_folder() -> Result<PathBuf, Fault> {
    let made = std::env::current_dir().and_then(|here| {
        let root = here.join("var/demo-shop");
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        std::fs::create_dir_all(root.join(IMAGES))?;
        Ok(root)
    });
    made.map_err(|error| Fault::internal("the demo's picture folder could not be made under var/").caused_by(error))
}

/// How many files stand in a folder and below it.
pub fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count_files(&entry.path()) } else { 1 }).sum()
}

/// Drops and makes the database `name` on the server, with schema and seed; returns its address.
pub async fn make(server: &str, name: &str) -> Result<DatabaseUrl, Fault> {
    let url = DatabaseUrl::parse(&format!("{}/{name}", server.trim_end_matches('/')))?;
    let (server, made) = (server.trim_end_matches('/').to_owned() + "/", url.clone());
    let name = Ident::new(name)?;
    blocking(move || {
        let mut connection = connect(&server)?;
        connection
            .batch_execute(&format!(
                "DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
            ))
            .map_err(failed("the database could not be made"))?;
        let mut connection = connect(made.expose())?;
        sql_query("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'")
            .execute(&mut connection)
            .map_err(failed("the session could not be set"))?;
        for statement in SCHEMA.split(";\n").chain(SEED.split(";\n")).map(str::trim).filter(|statement| !statement.is_empty()) {
            connection.batch_execute(statement).map_err(failed("the schema could not be loaded"))?;
        }
        Ok(())
    })
    .await?;
    Ok(url)
}

/// Puts some goods of Billz into the shop as an old Excel import would have: with article numbers, stale prices and no link.
pub async fn fill_from_excel(url: &DatabaseUrl, billz: &Handle) -> Result<usize, Fault> {
    let all = billz.products(0, usize::MAX);
    let alone = |value: &str, of: fn(&Truth) -> &str| all.iter().filter(|other| of(other) == value).count() == 1;
    // As a price list of last month has it: a twentieth below today's. Prices in another currency would be a guess.
    let stale = |product: &Truth| {
        let price = product.shops.values().filter(|shop| matches!(shop.currency.as_str(), "" | "UZS")).find_map(|shop| shop.price)?;
        Some(Fixed::thousandths(price.as_thousandths() / 20 * 19).to_string())
    };
    let goods: Vec<(String, String, String)> = all
        .iter()
        .filter(|product| product.kind == Kind::Goods && !product.sku.is_empty())
        .filter(|product| alone(&product.sku, |other| &other.sku) && alone(&product.barcode, |other| &other.barcode))
        .filter_map(|product| Some((product.sku.clone(), product.name.clone(), stale(product)?)))
        .take(12)
        .collect();
    let (address, filled) = (url.clone(), goods.len());
    blocking(move || {
        let mut connection = connect(address.expose())?;
        sql_query("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'").execute(&mut connection).map_err(failed("the session could not be set"))?;
        for (place, (sku, name, price)) in goods.iter().enumerate() {
            let id = i32::try_from(place).unwrap_or_default() + 100;
            sql_query(
                "INSERT INTO oc_product (product_id, model, sku, upc, ean, jan, isbn, mpn, location, quantity, stock_status_id, manufacturer_id, price, tax_class_id, status, date_added, date_modified) \
                 VALUES (?, ?, ?, '', '', '', '', '', '', 1, 7, 0, ?, 0, 1, '2024-05-01 10:00:00', '2024-05-01 10:00:00')",
            )
            .bind::<Integer, _>(id)
            .bind::<Text, _>(sku)
            .bind::<Text, _>(sku)
            .bind::<Text, _>(price)
            .execute(&mut connection)
            .map_err(failed("a product could not be put into the shop"))?;
            for language in [1, 2, 3] {
                sql_query("INSERT INTO oc_product_description (product_id, language_id, name, description, tag, meta_title, meta_description, meta_keyword) VALUES (?, ?, ?, '', '', ?, '', '')")
                    .bind::<Integer, _>(id)
                    .bind::<Integer, _>(language)
                    .bind::<Text, _>(name)
                    .bind::<Text, _>(name)
                    .execute(&mut connection)
                    .map_err(failed("a product could not be named"))?;
            }
            sql_query("INSERT INTO oc_product_to_store (product_id, store_id) VALUES (?, 0)").bind::<Integer, _>(id).execute(&mut connection).map_err(failed("a product could not be shown"))?;
        }
        Ok(())
    })
    .await?;
    Ok(filled)
}
