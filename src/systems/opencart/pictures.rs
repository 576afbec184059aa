//! Pictures of products: the main one in `product.image`, the others as rows of `product_image` (facts section 2 and 6).
//!
//! Only rows that are ours are moved or taken away; what a person put there stays. New rows come before old ones go, so the
//! storefront never sees a product without its pictures. Each step is safe to repeat: it is planned on what stands there.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    batch::Layout,
    session::{Reader, Writer},
    sql::{Sql, Value},
    update::{Written, by_product},
};
use crate::fault::Fault;

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;

/// The pictures that a product is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductPictures {
    /// Which product.
    pub product_id: u64,
    /// Tells it from a later one with the same id.
    pub date_added: String,
    /// Paths below the shop's `image/`, the main one first. Empty changes nothing.
    pub pictures: Vec<String>,
    /// Paths that we may have put there earlier: these may be moved and taken away.
    pub ours: Vec<String>,
}

/// All pictures of a product as they stand, whoever put them there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The main one; empty where there is none.
    pub main: String,
    /// The others with their `sort_order`, in its order.
    pub gallery: Vec<(String, i64)>,
}

/// Pictures that are to stand again as they stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturesAgain {
    /// Which product.
    pub product_id: u64,
    /// Tells it from a later one with the same id.
    pub date_added: String,
    /// As they stood.
    pub standing: Standing,
}

/// A row of `product_image`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: u64,
    image: String,
    sort_order: i64,
}

/// What has to be done for one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plan {
    main: String,
    insert: Vec<(String, i64)>,
    remove: Vec<u64>,
    order: Vec<(u64, i64)>,
}

/// What has to be done for one product, and which.
struct Planned {
    product_id: u64,
    date_added: String,
    /// Its main picture until now.
    main: String,
    plan: Plan,
}

impl Plan {
    fn changes(&self, main: &str) -> bool {
        self.main != main || !self.insert.is_empty() || !self.remove.is_empty() || !self.order.is_empty()
    }
}

/// What leads from `rows` to the gallery as it stood: rows that still show the same picture are kept.
fn plan_again(wish: &Standing, rows: &[Row]) -> Plan {
    let mut plan = Plan { main: wish.main.clone(), ..Plan::default() };
    let mut missing: Vec<&(String, i64)> = wish.gallery.iter().collect();
    let mut rest: Vec<&Row> = Vec::new();
    for row in rows {
        match missing.iter().position(|(image, place)| *image == row.image && *place == row.sort_order) {
            Some(at) => drop(missing.remove(at)),
            None => rest.push(row),
        }
    }
    for row in rest {
        match missing.iter().position(|(image, _)| *image == row.image) {
            Some(at) => plan.order.push((row.id, missing.remove(at).1)),
            None => plan.remove.push(row.id),
        }
    }
    plan.insert = missing.into_iter().cloned().collect();
    plan
}

/// A main picture that a person chose stays; ours then all go to the gallery.
fn plan(wish: &ProductPictures, main: &str, rows: &[Row]) -> Plan {
    let ours = |image: &str| wish.ours.iter().chain(&wish.pictures).any(|path| path == image);
    let Some(first) = wish.pictures.first() else { return Plan { main: main.to_owned(), ..Plan::default() } };
    let (main, gallery) = if main.is_empty() || ours(main) {
        (first.clone(), wish.pictures.get(1..).unwrap_or_default())
    } else {
        (main.to_owned(), wish.pictures.as_slice())
    };
    let mut plan = Plan { main, ..Plan::default() };
    let mut standing = HashSet::new();
    for row in rows.iter().filter(|row| ours(&row.image)) {
        match gallery.iter().position(|path| *path == row.image).and_then(|place| i64::try_from(place).ok()) {
            Some(place) if standing.insert(row.image.as_str()) => {
                if row.sort_order != place {
                    plan.order.push((row.id, place));
                }
            }
            _ => plan.remove.push(row.id),
        }
    }
    let missing = gallery.iter().zip(0..).filter(|(path, _)| !standing.contains(path.as_str()));
    plan.insert = missing.map(|(path, place)| (path.clone(), place)).collect();
    plan
}

#[derive(QueryableByName)]
struct ProductRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    date_added: String,
    #[diesel(sql_type = Text)]
    image: String,
    #[diesel(sql_type = BigInt)]
    owned: i64,
}

#[derive(QueryableByName)]
struct ImageRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    image: String,
    #[diesel(sql_type = BigInt)]
    sort_order: i64,
}

const MAIN: Layout = Layout {
    name: "tradesync_batch_picture",
    columns: &[
        ("product_id", "BIGINT", "SIGNED"),
        ("date_added", "DATETIME", "DATETIME"),
        ("old_image", "VARCHAR(255)", "CHAR(255)"),
        ("image", "VARCHAR(255)", "CHAR(255)"),
    ],
    key: Some("product_id"),
};

impl Reader {
    /// The pictures of these products; those that are gone are absent from the answer.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn standing_pictures(&mut self, ids: &[u64]) -> Result<HashMap<u64, Standing>, Fault> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(IDS_A_QUERY) {
            found.extend(self.pictures(ids).await?.into_iter().map(|(id, (product, rows))| {
                let mut gallery: Vec<(String, i64)> = rows.into_iter().map(|row| (row.image, row.sort_order)).collect();
                // Rows of one place have no order but that of their ids, which every save gives anew.
                gallery.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
                (id, Standing { main: product.image, gallery })
            }));
        }
        Ok(found)
    }

    async fn pictures(&mut self, ids: &[u64]) -> Result<HashMap<u64, (ProductRow, Vec<Row>)>, Fault> {
        let mut sql = Sql::new(
            "SELECT CAST(p.`product_id` AS SIGNED) AS product_id, CAST(p.`date_added` AS CHAR(19)) AS date_added, CAST(IFNULL(p.`image`, '') AS CHAR) AS image, CAST(",
        );
        self.seller.condition(&mut sql);
        sql.push(&format!(" AS SIGNED) AS owned FROM {} p WHERE p.`product_id` IN (", self.tables.product));
        sql.bind_list(ids.iter().copied()).push(")");
        let products = self.rows::<ProductRow>(sql).await?;
        let mut sql = Sql::new(format!(
            "SELECT CAST(i.`product_image_id` AS SIGNED) AS id, CAST(i.`product_id` AS SIGNED) AS product_id, CAST(IFNULL(i.`image`, '') AS CHAR) AS image, \
             CAST(i.`sort_order` AS SIGNED) AS sort_order FROM {} i WHERE i.`product_id` IN (",
            self.tables.image
        ));
        sql.bind_list(ids.iter().copied()).push(") ORDER BY i.`sort_order`, i.`product_image_id`");
        let id = |number: i64| u64::try_from(number).unwrap_or_default();
        let rows = self.rows::<ImageRow>(sql).await?.into_iter();
        let mut rows = by_product(
            rows.map(|row| (id(row.product_id), Row { id: id(row.id), image: row.image, sort_order: row.sort_order })).collect(),
        );
        Ok(products
            .into_iter()
            .map(|product| {
                let key = id(product.product_id);
                (key, (product, rows.remove(&key).unwrap_or_default()))
            })
            .collect())
    }
}

impl Writer {
    /// Shows these pictures at their products; one answer each, in the same order. Safe to repeat.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been written: repeat the same call.
    pub async fn show_pictures(&mut self, wishes: &[ProductPictures]) -> Result<Vec<Written>, Fault> {
        self.write_planned(wishes, |wish| (wish.product_id, &wish.date_added), plan).await
    }

    async fn write_planned<T>(
        &mut self,
        wishes: &[T],
        of: impl Fn(&T) -> (u64, &String),
        plan: impl Fn(&T, &str, &[Row]) -> Plan,
    ) -> Result<Vec<Written>, Fault> {
        let mut answers = Vec::with_capacity(wishes.len());
        if wishes.is_empty() {
            return Ok(answers);
        }
        self.prepare_batch(&MAIN).await?;
        for wishes in wishes.chunks(self.batch_rows()) {
            let standing = self.pictures(&wishes.iter().map(|wish| of(wish).0).collect::<Vec<_>>()).await?;
            let mut plans = Vec::new();
            for wish in wishes {
                let (product_id, date_added) = of(wish);
                answers.push(match standing.get(&product_id) {
                    None => Written::Gone,
                    Some((product, _)) if product.date_added != *date_added => Written::Replaced,
                    Some((product, _)) if product.owned == 0 => Written::Foreign,
                    Some((product, rows)) => {
                        let plan = plan(wish, &product.image, rows);
                        if plan.changes(&product.image) {
                            plans.push(Planned { product_id, date_added: date_added.clone(), main: product.image.clone(), plan });
                        }
                        Written::Done
                    }
                });
            }
            if !plans.is_empty() {
                self.write_pictures(&plans).await?;
            }
        }
        Ok(answers)
    }

    /// Puts all pictures of these products as they stood, over whatever stands there; one answer each, in the same order. Safe to repeat.
    ///
    /// Errors: as [`Writer::show_pictures`].
    pub async fn put_pictures_again(&mut self, wishes: &[PicturesAgain]) -> Result<Vec<Written>, Fault> {
        self.write_planned(wishes, |wish| (wish.product_id, &wish.date_added), |wish, _, rows| plan_again(&wish.standing, rows)).await
    }

    async fn write_pictures(&mut self, plans: &[Planned]) -> Result<(), Fault> {
        let image = self.tables.image.clone();
        let mut inserts = Vec::new();
        for Planned { product_id, plan, .. } in plans {
            for (path, place) in &plan.insert {
                inserts.push(BTreeMap::from([
                    ("product_id", Value::from(*product_id)),
                    ("image", path.as_str().into()),
                    ("sort_order", Value::Int(*place)),
                ]));
            }
        }
        if !inserts.is_empty() {
            self.put("INSERT", &image, &inserts, None).await?;
        }
        let rows = plans
            .iter()
            .map(|Planned { product_id, date_added, main, plan }| {
                vec![Value::from(*product_id), date_added.as_str().into(), main.as_str().into(), plan.main.as_str().into()]
            })
            .collect();
        let batch = self.batch(&MAIN, &["product_id", "date_added", "old_image", "image"], rows).await?;
        let mut sql = Sql::new("UPDATE ");
        sql.append(&batch);
        sql.push(&format!(
            " STRAIGHT_JOIN {} p ON p.`product_id` = b.`product_id` SET p.`image` = b.`image`, p.`date_modified` = NOW() \
             WHERE p.`date_added` = b.`date_added` AND IFNULL(p.`image`, '') IN (b.`old_image`, b.`image`) AND ",
            self.tables.product
        ));
        self.seller.condition(&mut sql);
        self.run(sql).await?;
        let order: Vec<(u64, i64)> = plans.iter().flat_map(|planned| planned.plan.order.iter().copied()).collect();
        if !order.is_empty() {
            let mut sql = Sql::new(format!("UPDATE {image} SET `sort_order` = CASE `product_image_id`"));
            for (id, place) in &order {
                sql.push(" WHEN ").bind(*id).push(" THEN ").bind(*place);
            }
            sql.push(" ELSE `sort_order` END WHERE `product_image_id` IN (").bind_list(order.iter().map(|(id, _)| *id)).push(")");
            self.run(sql).await?;
        }
        let remove: Vec<u64> = plans.iter().flat_map(|planned| planned.plan.remove.iter().copied()).collect();
        if !remove.is_empty() {
            let mut sql = Sql::new(format!("DELETE FROM {image} WHERE `product_image_id` IN ("));
            // An id that was given to another row since then would have another product.
            sql.bind_list(remove).push(") AND `product_id` IN (").bind_list(plans.iter().map(|planned| planned.product_id)).push(")");
            self.run(sql).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::testing::{ADDED, Kit},
        *,
    };

    fn wish(pictures: &[&str], ours: &[&str]) -> ProductPictures {
        let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        ProductPictures { product_id: 1, date_added: ADDED.into(), pictures: own(pictures), ours: own(ours) }
    }

    fn rows(images: &[&str]) -> Vec<Row> {
        images.iter().zip(1u64..).map(|(image, id)| Row { id, image: (*image).into(), sort_order: id as i64 - 1 }).collect()
    }

    /// The state after a plan: main picture and gallery in its order.
    fn after(plan: &Plan, standing: &[Row]) -> (String, Vec<Row>) {
        let mut rows: Vec<Row> = standing.iter().filter(|row| !plan.remove.contains(&row.id)).cloned().collect();
        for row in &mut rows {
            if let Some((_, place)) = plan.order.iter().find(|(id, _)| *id == row.id) {
                row.sort_order = *place;
            }
        }
        rows.extend(plan.insert.iter().zip(100..).map(|((image, place), id)| Row { id, image: image.clone(), sort_order: *place }));
        rows.sort_by_key(|row| (row.sort_order, row.id));
        (plan.main.clone(), rows)
    }

    #[test]
    fn peoples_own_pictures_stay() {
        let plan = plan(&wish(&["c", "d"], &["a", "b"]), "person", &rows(&["a", "mine", "b"]));
        assert_eq!(plan, Plan { main: "person".into(), insert: vec![("c".into(), 0), ("d".into(), 1)], remove: vec![1, 3], order: vec![] });
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        assert!(!plan(&wish(&[], &["a", "b"]), "a", &rows(&["b"])).changes("a"));
    }

    proptest! {
        #[test]
        fn after_a_plan_ours_stand_in_order_and_a_second_plan_is_empty(
            pictures in proptest::sample::subsequence(vec!["a", "b", "c", "d", "e"], 1..=5).prop_shuffle(),
            main in proptest::sample::select(vec!["", "a", "x", "old"]),
            standing in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "old", "person", "x"]), 0..6),
        ) {
            let (wish, standing) = (wish(&pictures, &["old"]), rows(&standing));
            let first = plan(&wish, main, &standing);
            let (shown, gallery) = after(&first, &standing);
            let ours: Vec<&str> = gallery.iter().map(|row| row.image.as_str()).filter(|image| pictures.contains(image)).collect();
            let is_theirs = |image: &str| !image.is_empty() && image != "old" && !pictures.contains(&image);
            let expected = if is_theirs(main) { &pictures[..] } else { &pictures[1..] };
            prop_assert_eq!(&shown, if is_theirs(main) { main } else { pictures[0] });
            prop_assert_eq!(ours, expected);
            let theirs = |rows: &[Row]| rows.iter().filter(|row| is_theirs(&row.image)).cloned().collect::<Vec<_>>();
            let (mut before, mut now) = (theirs(&standing), theirs(&gallery));
            before.sort_by_key(|row| row.id);
            now.sort_by_key(|row| row.id);
            prop_assert_eq!(before, now, "people's own rows are as they were");
            prop_assert!(!plan(&wish, &shown, &gallery).changes(&shown));
        }
    }

    proptest! {
        #[test]
        fn pictures_stand_again_as_they_stood_whatever_stands_there(
            main in "[abc]?",
            stood in proptest::collection::vec(("[abcd]", 0i64..4), 0..6),
            stands in proptest::collection::vec(("[abcd]", 0i64..4), 0..6),
        ) {
            let rows: Vec<Row> = stands.iter().zip(1u64..).map(|((image, place), id)| Row { id, image: image.clone(), sort_order: *place }).collect();
            let mut wish = Standing { main, gallery: stood };
            let plan = plan_again(&wish, &rows);
            let (shown, gallery) = after(&plan, &rows);
            let mut found: Vec<(String, i64)> = gallery.into_iter().map(|row| (row.image, row.sort_order)).collect();
            found.sort();
            wish.gallery.sort();
            prop_assert_eq!((&shown, &found), (&wish.main, &wish.gallery));
            // Rows that show the same in the same place are left alone.
            let mut missing = wish.gallery.clone();
            let same = stands.iter().filter(|row| missing.iter().position(|other| other == *row).map(|at| missing.remove(at)).is_some()).count();
            prop_assert_eq!(plan.remove.len() + plan.order.len(), rows.len() - same);
        }
    }

    #[tokio::test]
    async fn each_product_is_written_or_told_apart() {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        for id in 1..=4 {
            kit.product(id, "x", 1, "1");
            kit.run(&format!("INSERT INTO oc_ms_product VALUES ({id}, {}, 1, 1)", if id == 4 { 7 } else { 42 }));
        }
        kit.run("UPDATE oc_product SET date_added = '2025-05-05 05:05:05' WHERE product_id = 3");
        kit.run("UPDATE oc_product SET image = 'catalog/hand.jpg' WHERE product_id = 2");
        kit.run("INSERT INTO oc_product_image (product_id, image, sort_order) VALUES (2, 'catalog/own.jpg', 5)");
        let mut writer = Writer::open(&options, "c1").await.unwrap();
        let wish = |product_id: u64, pictures: &[&str], ours: &[&str]| ProductPictures { product_id, ..wish(pictures, ours) };
        let wishes: Vec<_> = (1..=5).map(|id| wish(id, &["catalog/a.jpg", "catalog/b.jpg", "catalog/c.jpg"], &[])).collect();
        for _ in 0..2 {
            let written = writer.show_pictures(&wishes).await.unwrap();
            assert_eq!(written, [Written::Done, Written::Done, Written::Replaced, Written::Foreign, Written::Gone]);
            let shown = |kit: &mut Kit, id: u64| {
                (
                    kit.cell(&format!("SELECT image FROM oc_product WHERE product_id = {id}")),
                    kit.cell(&format!(
                        "SELECT GROUP_CONCAT(image ORDER BY sort_order, product_image_id) FROM oc_product_image WHERE product_id = {id}"
                    )),
                )
            };
            assert_eq!(shown(&mut kit, 1), ("catalog/a.jpg".into(), "catalog/b.jpg,catalog/c.jpg".into()));
            assert_eq!(shown(&mut kit, 2), ("catalog/hand.jpg".into(), "catalog/a.jpg,catalog/b.jpg,catalog/c.jpg,catalog/own.jpg".into()));
            assert_eq!((shown(&mut kit, 3).1, shown(&mut kit, 4).1, shown(&mut kit, 5).1), Default::default());
        }
        let next = [wish(1, &["catalog/c.jpg", "catalog/d.jpg"], &["catalog/a.jpg", "catalog/b.jpg", "catalog/c.jpg"])];
        assert_eq!(writer.show_pictures(&next).await.unwrap(), [Written::Done]);
        assert_eq!(kit.cell("SELECT CONCAT(p.image, ' ', GROUP_CONCAT(i.image)) FROM oc_product p JOIN oc_product_image i USING (product_id) WHERE p.product_id = 1"), "catalog/c.jpg catalog/d.jpg");
        assert_ne!(kit.cell("SELECT date_modified FROM oc_product WHERE product_id = 1"), ADDED);
    }
}
