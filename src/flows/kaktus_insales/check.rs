//! What a check of a connection says: calls that change nothing, each a row.

use super::settings::Settings;
use crate::{
    engine::flow::Check,
    fault::{Code, Fault},
    systems::{insales, kaktus},
};

fn row(name: &str, answer: Result<String, Fault>) -> Check {
    match answer {
        Ok(detail) => Check { name: name.into(), ok: true, detail },
        Err(fault) => Check { name: name.into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
    }
}

/// Login and first page.
pub async fn kaktus(client: Result<kaktus::Client, Fault>, settings: &Settings) -> Vec<Check> {
    let client = match client {
        Ok(client) => client,
        Err(fault) => return vec![row("kaktus.settings", Err(fault))],
    };
    let login = client.login().await.map(|()| "Kaktus accepts login and password.".to_owned());
    let mut rows = vec![row("kaktus.login", login)];
    if rows.iter().any(|row| !row.ok) {
        return rows;
    }
    match client.products(0).await {
        Ok(page) => {
            let variants: Vec<_> = page.rows.iter().flatten().flat_map(|product| &product.variants).collect();
            rows.push(row("kaktus.products", Ok(format!("{} products; {} variants on the first page.", page.total, variants.len()))));
            let field = &settings.kaktus.quantity_field;
            let told = variants.iter().flat_map(|variant| &variant.stock).filter(|stock| stock.quantity.is_some()).count();
            rows.push(row(
                "kaktus.stock",
                if told > 0 || variants.is_empty() {
                    Ok(format!("{told} stock rows of the first page have the field {field}."))
                } else {
                    Err(Fault::new(
                        Code::ConfigInvalid,
                        format!("kaktus.quantity_field: no stock row of the first page has the field {field}."),
                    ))
                },
            ));
            let coded = variants.iter().filter(|variant| !variant.barcodes.is_empty()).count();
            rows.push(row(
                "kaktus.barcodes",
                if coded > 0 || variants.is_empty() {
                    Ok(format!("{coded} variants of the first page have a barcode."))
                } else {
                    Err(Fault::new(Code::ConfigInvalid, "no variant of the first page has a barcode, so nothing could be matched."))
                },
            ));
        }
        Err(fault) => rows.push(row("kaktus.products", Err(fault))),
    }
    rows
}

/// Count and warehouses.
pub async fn insales(reader: Result<insales::Reader, Fault>, settings: &Settings) -> Vec<Check> {
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(fault) => return vec![row("insales.settings", Err(fault))],
    };
    let count = reader.count().await.map(|count| {
        let calls = count.div_ceil(u64::from(insales::PAGE_SIZE)) + 2;
        format!("{count} products: a sweep takes about {calls} calls of the {} in 5 minutes.", insales::LIMIT)
    });
    let mut rows = vec![row("insales.products", count)];
    if rows.iter().any(|row| !row.ok) {
        return rows;
    }
    let warehouses = reader.warehouses().await.and_then(|found| warehouse(&found, settings.insales.warehouse));
    rows.push(row("insales.warehouse", warehouses));
    if let Some(usage) = reader.usage() {
        rows.push(row("insales.budget", Ok(format!("{} of {} requests of the present 5 minutes are used.", usage.used, usage.limit))));
    }
    rows
}

fn warehouse(found: &[insales::Warehouse], wanted: Option<u8>) -> Result<String, Fault> {
    let named = |warehouse: &insales::Warehouse| format!("{} ({})", warehouse.array_index, warehouse.title);
    let listed = found.iter().map(named).collect::<Vec<_>>().join(", ");
    match (wanted, found) {
        (Some(index), _) => match found.iter().find(|warehouse| warehouse.array_index == index) {
            Some(warehouse) => Ok(format!("Stock goes to the warehouse {}.", named(warehouse))),
            None => Err(Fault::new(
                Code::ConfigInvalid,
                format!("insales.warehouse: there is none with the array_index {index}; there are: {listed}."),
            )),
        },
        (None, [] | [_]) => Ok("The shop has one warehouse.".to_owned()),
        (None, _) => Err(Fault::new(
            Code::ConfigInvalid,
            format!("insales.warehouse: the shop has several warehouses; set the array_index of the one that takes the stock: {listed}."),
        )),
    }
}
