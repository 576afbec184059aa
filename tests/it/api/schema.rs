//! Our tables: migrations there and back, and the same picture in the code.

use std::collections::BTreeMap;

use diesel::RunQueryDsl;
use tradesync::store::migrate;

use crate::support::{Database, database::server};

fn ours(database: &Database) -> Vec<String> {
    database.words("SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync\\_%' ORDER BY table_name")
}

/// Every table as the server would make it again.
fn definitions(database: &Database) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Made {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "Create Table")]
        text: String,
    }
    let mut connection = database.connect();
    let show = |table: &String| diesel::sql_query(format!("SHOW CREATE TABLE `{table}`")).get_result::<Made>(&mut connection).unwrap().text;
    ours(database).iter().map(show).collect()
}

/// The tables of `src/store/schema.rs`: name -> (column, nullable).
fn in_code() -> BTreeMap<String, Vec<(String, bool)>> {
    let mut tables = BTreeMap::<String, Vec<(String, bool)>>::new();
    let mut table = String::new();
    for line in include_str!("../../../src/store/schema.rs").lines().map(str::trim) {
        if line.starts_with("tradesync_") {
            table = line.split_once(' ').unwrap().0.to_owned();
        } else if let Some((column, kind)) = line.split_once(" -> ").filter(|_| !line.starts_with("diesel::")) {
            tables.entry(table.clone()).or_default().push((column.to_owned(), kind.starts_with("Nullable<")));
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_down_and_up_again_to_the_same_tables() {
    let database = Database::make(&format!("ts_{}_schema", std::process::id())).await;
    let shop = |database: &Database| {
        database.words("SELECT CONCAT(table_name, table_rows) AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'oc\\_%' ORDER BY 1")
    };
    let before = shop(&database);
    let mut connection = database.connect();
    let ran = migrate::up(&mut connection).unwrap();
    assert!(ran.len() >= 7 && migrate::up(&mut connection).unwrap().is_empty());
    let first = definitions(&database);
    assert!(first.iter().all(|made| made.contains("ENGINE=InnoDB")), "{first:?}");
    migrate::down(&mut connection).unwrap();
    assert_eq!(ours(&database), Vec::<String>::new());
    assert_eq!(migrate::up(&mut connection).unwrap(), ran);
    assert_eq!(definitions(&database), first);
    assert_eq!(shop(&database), before);

    let code = in_code();
    assert!(code.len() >= 12);
    for (table, columns) in &code {
        let stands = database
            .words(&format!("SELECT CONCAT(column_name, ' ', is_nullable) AS words FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"));
        let told =
            columns.iter().map(|(column, nullable)| format!("{column} {}", if *nullable { "YES" } else { "NO" })).collect::<Vec<_>>();
        assert_eq!(stands, told, "{table}");
    }
    // Tables that diesel does not know are used by plain SQL only, and are these.
    let unknown = ours(&database).into_iter().filter(|table| !code.contains_key(table)).collect::<Vec<_>>();
    assert_eq!(unknown, ["tradesync_limits", "tradesync_migrations"]);
    assert!(server().starts_with("mysql://"));
}
