//! What OpenCart's own model does to save one product: the statements of `editProduct` as traced (facts, section 2), replayed one
//! by one over a rich catalogue (two categories, two pictures, four attributes, a size option on half, a special on a third).

use std::time::Instant;

use diesel::{MysqlConnection, RunQueryDsl, connection::SimpleConnection, sql_query};

const CHILDREN: &[&str] = &[
    "attribute",
    "option",
    "option_value",
    "recurring",
    "discount",
    "special",
    "image",
    "to_download",
    "to_category",
    "filter",
    "reward",
    "to_layout",
];

/// Gives products `1..=count` of the shop everything that a rich catalogue has.
pub fn enrich(connection: &mut MysqlConnection, ids: &[i64]) {
    for chunk in ids.chunks(500) {
        let rows = |row: &dyn Fn(i64) -> Vec<String>| chunk.iter().flat_map(|id| row(*id)).collect::<Vec<_>>().join(",");
        let mut insert = |into: &str, rows: String| {
            if !rows.is_empty() {
                connection.batch_execute(&format!("INSERT IGNORE INTO {into} VALUES {rows}")).unwrap();
            }
        };
        insert("oc_product_to_category (product_id, category_id)", rows(&|id| vec![format!("({id},20)"), format!("({id},24)")]));
        insert(
            "oc_product_image (product_id, image, sort_order)",
            rows(&|id| vec![format!("({id},'catalog/a{id}.jpg',0)"), format!("({id},'catalog/b{id}.jpg',1)")]),
        );
        insert(
            "oc_product_attribute (product_id, attribute_id, language_id, text)",
            rows(&|id| {
                (1..=4).flat_map(|attribute| (1..=3).map(move |language| format!("({id},{attribute},{language},'value')"))).collect()
            }),
        );
        insert(
            "oc_product_option (product_option_id, product_id, option_id, value, required)",
            rows(&|id| if id % 2 == 0 { vec![format!("({id},{id},11,'',1)")] } else { Vec::new() }),
        );
        insert(
            "oc_product_option_value (product_option_id, product_id, option_id, option_value_id, quantity, subtract, price, price_prefix, points, points_prefix, weight, weight_prefix)",
            rows(&|id| {
                if id % 2 == 0 {
                    (1..=5).map(|value| format!("({id},{id},11,{value},3,1,0,'+',0,'+',0,'+')")).collect()
                } else {
                    Vec::new()
                }
            }),
        );
    }
}

/// Saves each of these products as the admin's form does; returns products per second.
pub fn replay(connection: &mut MysqlConnection, ids: &[i64]) -> f64 {
    let mut run = |statement: String| {
        sql_query(statement).execute(connection).unwrap();
    };
    let began = Instant::now();
    for id in ids {
        run(format!(
            "UPDATE oc_product SET model = 'm{id}', sku = 's{id}', upc = '', ean = '', jan = '', isbn = '', mpn = '', location = '', quantity = '7', minimum = '1', subtract = '1', \
             stock_status_id = '7', date_available = '2020-01-01', manufacturer_id = '0', shipping = '1', price = '1234.0000', points = '0', weight = '0', weight_class_id = '1', \
             length = '0', width = '0', height = '0', length_class_id = '1', status = '1', tax_class_id = '0', sort_order = '0', date_modified = NOW() WHERE product_id = '{id}'"
        ));
        run(format!("UPDATE oc_product SET image = 'catalog/a{id}.jpg' WHERE product_id = '{id}'"));
        run(format!("DELETE FROM oc_product_description WHERE product_id = '{id}'"));
        for language in 1..=3 {
            run(format!(
                "INSERT INTO oc_product_description SET product_id = '{id}', language_id = '{language}', name = 'Product {id}', description = 'text', tag = '', meta_title = 'Product {id}', meta_description = '', meta_keyword = ''"
            ));
        }
        run(format!("DELETE FROM oc_product_to_store WHERE product_id = '{id}'"));
        run(format!("INSERT INTO oc_product_to_store SET product_id = '{id}', store_id = '0'"));
        for child in CHILDREN {
            run(format!("DELETE FROM oc_product_{child} WHERE product_id = '{id}'"));
        }
        for attribute in 1..=4 {
            run(format!("DELETE FROM oc_product_attribute WHERE product_id = '{id}' AND attribute_id = '{attribute}'"));
            for language in 1..=3 {
                run(format!(
                    "INSERT INTO oc_product_attribute SET product_id = '{id}', attribute_id = '{attribute}', language_id = '{language}', text = 'value'"
                ));
            }
        }
        if id % 2 == 0 {
            run(format!(
                "INSERT INTO oc_product_option SET product_option_id = '{id}', product_id = '{id}', option_id = '11', required = '1', value = ''"
            ));
            for value in 1..=5 {
                run(format!(
                    "INSERT INTO oc_product_option_value SET product_option_id = '{id}', product_id = '{id}', option_id = '11', option_value_id = '{value}', quantity = '3', subtract = '1', price = '0', price_prefix = '+', points = '0', points_prefix = '+', weight = '0', weight_prefix = '+'"
                ));
            }
        }
        if id % 3 == 0 {
            run(format!(
                "INSERT INTO oc_product_special SET product_id = '{id}', customer_group_id = '1', priority = '1', price = '1000', date_start = '0000-00-00', date_end = '0000-00-00'"
            ));
        }
        for picture in ["a", "b"] {
            run(format!("INSERT INTO oc_product_image SET product_id = '{id}', image = 'catalog/{picture}{id}.jpg', sort_order = '0'"));
        }
        for category in [20, 24] {
            run(format!("INSERT INTO oc_product_to_category SET product_id = '{id}', category_id = '{category}'"));
        }
        run(format!("DELETE FROM oc_product_related WHERE product_id = '{id}'"));
        run(format!("DELETE FROM oc_product_related WHERE related_id = '{id}'"));
        run(format!("DELETE FROM oc_seo_url WHERE query = 'product_id={id}'"));
        run(format!("INSERT INTO oc_product_to_layout SET product_id = '{id}', store_id = '0', layout_id = '0'"));
    }
    ids.len() as f64 / began.elapsed().as_secs_f64()
}
