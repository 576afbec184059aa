//! Undo: what a run wrote goes back where it still stands, and what somebody changed since is left and listed.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::support::{FIRST, Spawn, Stage, change_of};

impl Stage {
    /// Undoes a run and waits for the end of the undo.
    pub async fn undo(&self, run: &Value) -> Value {
        let undo = self.rest.post(&format!("/sync/runs/{}/undo", id(run)), &json!({})).await.ok(202);
        self.rest.wait(id(&undo)).await
    }

    /// The report's lines about a good: `outcome reason`, those that are left first.
    pub async fn lines(&self, run: &Value, good: &str) -> Vec<String> {
        let line = |item: &Value| format!("{} {}", item["outcome"].as_str().unwrap(), item["reason"]["code"].as_str().unwrap());
        self.items(run).await.iter().filter(|item| item["key"] == good).map(line).collect()
    }

    /// A product as the undo must bring it back: everything but what nobody sees (ids of specials, `date_modified`).
    fn product_state(&self, product: i64) -> BTreeMap<&'static str, String> {
        let own = |column: &str| self.database.cell(&format!("SELECT `{column}` FROM oc_product WHERE product_id = {product}"));
        let specials = self.database.words(&format!(
            "SELECT CONCAT_WS(':', customer_group_id, priority, price, date_start, date_end) AS words FROM oc_product_special WHERE product_id = {product} ORDER BY words"
        ));
        BTreeMap::from([("quantity", own("quantity")), ("price", own("price")), ("status", own("status")), ("special", specials.join(" "))])
    }
}

pub fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

/// These disasters are undone after they have happened: the brakes, which would have held them, are off.
pub fn unbraked(mut settings: Value) -> Value {
    let off = ["products_zeroed", "price_jump", "prices_moved", "new_products"].map(|rule| (rule.to_owned(), json!({"on": false})));
    settings["brakes"] = json!({"limits": serde_json::Map::from_iter(off)});
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_import_is_undone_and_the_schedule_does_not_write_it_again() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..3).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(unbraked(json!({}))).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    let [kept, touched, moved] = [0, 1, 2].map(|place| links[&goods[place]]);
    // An admin's own special, with dates and a priority, which the price import takes away.
    stage.database.run(&format!(
        "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({kept}, 1, 3, 600, '2025-01-01', '2099-01-01'), ({kept}, 2, 1, 650, '0000-00-00', '0000-00-00')"
    ));
    let before = [kept, touched, moved].map(|product| stage.product_state(product));
    for good in &goods {
        stage.change(good, json!({"price": {FIRST: "10"}, "stock": {FIRST: "7"}}));
    }
    let wrong = stage.full(&connection, &stream).await;
    let cursor = stage.stream(&connection, &stream).await["cursor"].clone();
    assert_eq!(stage.database.shelf(kept), "7 10 1");
    assert_eq!(stage.database.specials(kept), Vec::<String>::new());
    stage.database.run(&format!("UPDATE oc_product SET price = 12 WHERE product_id = {touched}"));

    let undo = stage.undo(&wrong).await;
    assert_eq!((&undo["state"], &undo["trigger"], &undo["undo_of"]), (&json!("partial"), &json!("undo"), &wrong["id"]), "{undo}");
    assert_eq!((&undo["counts"]["updated"], &undo["counts"]["skipped"]), (&json!(3), &json!(1)), "{undo}");
    assert_eq!(stage.product_state(kept), before[0], "with the special as it stood: dates, priority, groups");
    assert_eq!(stage.database.shelf(touched), "5 12 1");
    assert_eq!(stage.lines(&undo, &goods[1]).await, ["skipped changed_since", "updated undone"]);
    let left = stage.item(&undo, &goods[1]).await;
    assert_eq!((&change_of(&left, "price")["old"], &change_of(&left, "price")["new"]), (&json!("12"), &json!("1000")), "{left}");
    assert!(left["reason"]["text"].as_str().unwrap().contains("price = 12"), "{left}");
    let special = change_of(&stage.item(&undo, &goods[0]).await, "special");
    assert_eq!((&special["old"], &special["new"], &special["rule"]), (&Value::Null, &json!("600"), &json!("undone")));
    let told = stage.stream(&connection, &stream).await;
    assert_eq!((&told["cursor"], &undo["cursor_after"]), (&cursor, &cursor), "an undo moves no cursor");

    // Five minutes later the schedule runs: the undone values are left alone, what a hand wrote is put right as ever.
    let state = stage.product_state(kept);
    let next = stage.full(&connection, &stream).await;
    assert_eq!(stage.lines(&next, &goods[0]).await, ["skipped left_as_undone"]);
    assert!(stage.item(&next, &goods[0]).await["reason"]["text"].as_str().unwrap().contains(id(&undo)));
    assert_eq!((stage.product_state(kept), stage.database.shelf(touched).as_str()), (state, "5 10 1"));
    // Billz moves one value: that one is written, the other is still left alone.
    stage.change(&goods[2], json!({"price": {FIRST: "1100"}}));
    let next = stage.full(&connection, &stream).await;
    assert_eq!(
        (stage.lines(&next, &goods[2]).await, stage.database.shelf(moved).as_str()),
        (vec!["updated changed_but_undone".to_owned()], "5 1100 1")
    );
    // And when it moves back, nothing remembers the undo of the price any more.
    stage.change(&goods[2], json!({"price": {FIRST: "10"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(moved), "5 10 1");

    // A second undo of the run finds what was undone already, and leaves what moved since.
    let second = stage.undo(&wrong).await;
    assert_eq!(stage.lines(&second, &goods[0]).await, ["unchanged already_undone"]);
    assert_eq!(stage.product_state(kept), before[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn created_products_are_hidden_and_an_undo_of_the_undo_shows_them_again() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..3).map(|_| stage.good(json!({"promo": {FIRST: "900"}}))).collect();
    let (connection, stream) = stage.simple(unbraked(json!({}))).await;
    let run = stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    let undo = stage.undo(&run).await;
    assert_eq!((&undo["state"], &undo["counts"]["updated"]), (&json!("succeeded"), &json!(3)), "{undo}");
    assert_eq!(stage.lines(&undo, &goods[0]).await, ["updated undone_by_hiding"]);
    for product in links.values() {
        assert_eq!((stage.database.shelf(*product).as_str(), stage.database.specials(*product).len()), ("5 1000 0", 2));
    }
    assert_eq!(stage.links(&connection).await, links, "they stay linked, or the next run would make them twice");
    // Later runs keep them up to date, and hidden.
    stage.change(&goods[0], json!({"stock": {FIRST: "4"}}));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 1);
    assert_eq!((stage.database.shelf(links[&goods[0]]).as_str(), stage.database.products()), ("4 1000 0", 3));
    let redo = stage.undo(&undo).await;
    assert_eq!((&redo["state"], &redo["counts"]["updated"]), (&json!("succeeded"), &json!(3)), "{redo}");
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM oc_product WHERE status = 1"), 3);
    assert_eq!(stage.full(&connection, &stream).await["counts"]["unchanged"], 3);
    stage.assert_whole("undone and redone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_is_refused_with_the_reason() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(unbraked(json!({}))).await;
    let path = |run: &Value| format!("/sync/runs/{}/undo", id(run));
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let plan = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
    let plan = stage.rest.wait(id(&plan)).await;
    stage.rest.post(&path(&plan), &json!({})).await.problem(409, "nothing-to-undo");
    stage.full(&connection, &stream).await;
    let nothing = stage.full(&connection, &stream).await;
    stage.rest.post(&path(&nothing), &json!({})).await.problem(409, "nothing-to-undo");
    stage.rest.post("/sync/runs/019aa0b2c3d47e5f8a9b0c1d2e3f4a5b/undo", &json!({})).await.problem(404, "not-found");

    // While a run of the stream is live, it and those before it wait.
    stage.change(&good, json!({"price": {FIRST: "2000"}}));
    let changed = stage.full(&connection, &stream).await;
    stage.billz.billz2.set_switches(|switches| switches.latency_ms = 400);
    let live = stage.start(&connection, &stream, "full").await;
    let problem = stage.rest.post(&path(&changed), &json!({})).await.problem(409, "stream-busy");
    assert_eq!(problem["run"], format!("/sync/runs/{live}"));
    let problem = stage.rest.post(&format!("/sync/runs/{live}/undo"), &json!({})).await.problem(409, "stream-busy");
    assert_eq!(problem["run"], format!("/sync/runs/{live}"));
    stage.rest.wait(&live).await;
    stage.billz.billz2.set_switches(|switches| switches.latency_ms = 0);

    // On a bad day a connection is disabled first.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": false})).await.ok(200);
    let once = stage.rest.with_header("Idempotency-Key", "undo-1");
    let undo = once.post(&path(&changed), &json!({})).await.ok(202);
    let twin = once.post(&path(&changed), &json!({})).await;
    assert_eq!((twin.header("idempotency-replayed"), &twin.body["id"]), (Some("true".to_owned()), &undo["id"]));
    assert_eq!(stage.rest.wait(id(&undo)).await["state"], "succeeded");
    assert_eq!(stage.database.shelf(stage.product_of(&connection, &good).await), "5 1000 1");
    // A plan that was approved is undone like any run.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": true})).await.ok(200);
    stage.change(&good, json!({"price": {FIRST: "3000"}}));
    let plan = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
    stage.rest.wait(id(&plan)).await;
    stage.rest.post(&format!("/sync/runs/{}/approve", id(&plan)), &json!({})).await.ok(202);
    let applied = stage.rest.wait(id(&plan)).await;
    assert_eq!(stage.undo(&applied).await["counts"]["updated"], 1);
    // What retention has taken away cannot be put back, nor what it has begun to take away.
    stage.change(&good, json!({"stock": {FIRST: "2"}}));
    let other = stage.good(json!({}));
    let two = stage.full(&connection, &stream).await;
    assert_eq!(two["progress"]["applied"], 2, "{two}");
    stage.database.run(&format!("DELETE FROM tradesync_changes WHERE run_id = '{}' AND source_key = '{other}'", id(&two)));
    stage.rest.post(&path(&two), &json!({})).await.problem(409, "undo-expired");
    stage.database.run("DELETE FROM tradesync_changes");
    stage.rest.post(&path(&applied), &json!({})).await.problem(409, "undo-expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_an_undo_it_comes_to_the_same_end() {
    const GOODS: usize = 4;
    for point in ["after-plan", "after-decide", "after-intent", "mid-batch", "after-effect", "after-record", "before-cursor"] {
        let stage = Stage::without_worker(0).await;
        let goods: Vec<String> = (0..GOODS).map(|_| stage.good(json!({}))).collect();
        let (connection, stream) = stage.simple(unbraked(json!({}))).await;
        let mut worker = stage.worker(&Spawn::default()).await;
        stage.full(&connection, &stream).await;
        let links = stage.links(&connection).await;
        stage.database.run(&format!(
            "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({}, 1, 3, 600, '2025-01-01', '2099-01-01')",
            links[&goods[0]]
        ));
        let before: Vec<_> = goods.iter().map(|good| stage.product_state(links[good])).collect();
        let fresh = stage.good(json!({}));
        for good in &goods {
            stage.change(good, json!({"price": {FIRST: "2000"}, "promo": {FIRST: "1500"}, "stock": {FIRST: "9"}}));
        }
        let run = stage.full(&connection, &stream).await;
        worker.kill();
        let undo = stage.rest.post(&format!("/sync/runs/{}/undo", id(&run)), &json!({})).await.ok(202);
        let mut dies = stage.worker(&Spawn::failing_at(point)).await;
        assert!(dies.ended(Duration::from_secs(30)).await, "{point} was never passed\n{}", dies.output());
        assert!(dies.aborted(), "{point}\n{}", dies.output());
        // A hand that comes while nobody works on it is respected, unless the undo had begun with this product.
        let hand = links[&goods[1]];
        let begun = !matches!(point, "after-plan" | "after-decide");
        if !begun {
            stage.database.run(&format!("UPDATE oc_product SET price = 77 WHERE product_id = {hand}"));
        }
        let _worker = stage.worker(&Spawn::default()).await;
        let ended = stage.rest.wait(id(&undo)).await;
        assert_eq!(ended["state"], if begun { "succeeded" } else { "partial" }, "{point}: {ended}");
        for (good, before) in goods.iter().zip(&before) {
            let mut expected = before.clone();
            if links[good] == hand {
                match point {
                    // A plan that was not finished is made anew: all but the price goes back.
                    "after-plan" => drop(expected.insert("price", "77.0000".into())),
                    // One that was finished leaves the product whole: the next undo takes back the rest.
                    "after-decide" => {
                        assert_eq!(stage.database.shelf(hand), "9 77 1", "{point}");
                        expected = stage.product_state(hand);
                    }
                    _ => {}
                }
            }
            assert_eq!(stage.product_state(links[good]), expected, "{point}");
        }
        assert_eq!(stage.product_state(stage.product_of(&connection, &fresh).await)["status"], "0", "{point}");
        assert_eq!(ended["counts"]["updated"], if point == "after-decide" { GOODS } else { GOODS + 1 }, "{point}: {ended}");
        let next = stage.full(&connection, &stream).await;
        assert_eq!(stage.lines(&next, &goods[0]).await, ["skipped left_as_undone"], "{point}: the link knows of the undo");
    }
}

/// A small generator: a failing seed can be run again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Every field of every good as it stands in the shop.
pub type State = BTreeMap<String, BTreeMap<&'static str, String>>;

/// Runs and undos of a random history, each with what stood before and after it.
pub struct History<'a> {
    stage: &'a Stage,
    seed: u64,
    goods: &'a [String],
    look: &'a dyn Fn() -> State,
    /// Outcomes of items of which nothing was written.
    idle: &'static [&'static str],
    steps: Vec<(Value, State, State)>,
    /// What was done, for the message of a failure.
    pub trail: Vec<String>,
}

impl<'a> History<'a> {
    /// Begins with the run that created every good: before it they were not to be seen.
    pub fn begun(
        stage: &'a Stage,
        seed: u64,
        goods: &'a [String],
        look: &'a dyn Fn() -> State,
        idle: &'static [&'static str],
        first: Value,
    ) -> Self {
        let mut hidden = look();
        hidden.values_mut().for_each(|product| drop(product.insert("status", "0".into())));
        Self { stage, seed, goods, look, idle, steps: vec![(first, hidden, look())], trail: Vec::new() }
    }

    /// How many runs and undos have written something.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether an undo is among them.
    pub fn has_undone(&self) -> bool {
        self.steps.iter().any(|(run, ..)| run["trigger"] == "undo")
    }

    fn keep(&mut self, run: Value, before: State, after: State) {
        if run["progress"]["applied"] != 0 {
            self.steps.push((run, before, after));
        }
    }

    /// A run after a change of this good.
    pub async fn run(&mut self, connection: &str, stream: &str, good: &str) {
        let before = (self.look)();
        let run = self.stage.full(connection, stream).await;
        self.trail.push(format!("run {} after a change of {good}", id(&run)));
        let after = (self.look)();
        self.keep(run, before, after);
    }

    /// Undoes one of them. Each field that it wrote stands as before it where what it wrote still stood, and no other field moves; what was
    /// left is listed.
    pub async fn undo(&mut self, which: usize) {
        let before = (self.look)();
        let (undone, past, wrote) = self.steps[which].clone();
        let undo = self.stage.undo(&undone).await;
        self.trail.push(format!("undo {} of {}", id(&undo), id(&undone)));
        let written = self.stage.items(&undone).await;
        let after = (self.look)();
        let (seed, trail) = (self.seed, self.trail.join("\n"));
        for good in self.goods {
            let fields: Vec<&str> = written
                .iter()
                .filter(|item| item["key"] == *good && !self.idle.contains(&item["outcome"].as_str().unwrap()))
                .flat_map(|item| {
                    let created = item["outcome"] == "created";
                    let names = item["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap());
                    names.filter(move |name| !created || *name == "status").collect::<Vec<_>>()
                })
                .collect();
            let mut left = false;
            for (field, now) in &before[good] {
                let ours = fields.contains(field) && *now == wrote[good][field];
                let expected = if ours { &past[good][field] } else { now };
                left |= fields.contains(field) && *now != wrote[good][field] && *now != past[good][field];
                assert_eq!(&after[good][field], expected, "seed {seed}: {field} of {good}\n{trail}");
            }
            let listed = self.stage.lines(&undo, good).await.contains(&"skipped changed_since".to_owned());
            assert_eq!(listed, left, "seed {seed}: {good} in the report\n{undo}\n{trail}");
        }
        self.keep(undo, before, after);
    }
}

/// Over random sequences of runs, hand edits and undos: an undo brings every field that its run wrote back to what stood before the run,
/// wherever what the run wrote still stands, and touches nothing else; its report lists the rest.
#[tokio::test(flavor = "multi_thread")]
async fn undo_after_run_is_the_state_before_over_random_histories() {
    const GOODS: usize = 5;
    for seed in 1..=4u64 {
        let mut dice = Dice(seed);
        let stage = Stage::empty().await;
        let goods: Vec<String> = (0..GOODS).map(|_| stage.good(json!({}))).collect();
        let settings = [json!({}), json!({"specials": "close"}), json!({"specials_scope": "own"}), json!({"linking": "auto"})];
        let (connection, stream) = stage.simple(unbraked(settings[dice.below(settings.len())].clone())).await;
        let first = stage.full(&connection, &stream).await;
        let links = stage.links(&connection).await;
        let look = || -> State { goods.iter().map(|good| (good.clone(), stage.product_state(links[good]))).collect() };
        let mut history = History::begun(&stage, seed, &goods, &look, &["skipped"], first);
        for _ in 0..10 {
            let good = goods[dice.below(GOODS)].clone();
            let value = (1 + dice.below(4)) * 100;
            match dice.below(8) {
                0 => stage.change(&good, json!({"price": {FIRST: (value + 900).to_string()}})),
                1 => stage.change(&good, json!({"stock": {FIRST: (value / 100).to_string()}})),
                2 => stage.change(&good, json!({"promo": {FIRST: if value == 400 { Value::Null } else { json!(value.to_string()) }}})),
                3 => {
                    let column = ["price", "quantity", "status"][dice.below(3)];
                    let value = if column == "status" { value / 400 } else { value };
                    stage.database.run(&format!("UPDATE oc_product SET {column} = {value} WHERE product_id = {}", links[&good]));
                    history.trail.push(format!("hand: {column} = {value} of {good}"));
                    continue;
                }
                4 => {
                    stage.database.run(&format!(
                        "DELETE FROM oc_product_special WHERE product_id = {0}; INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({0}, 1, 2, {value}, '2025-01-01', '2099-01-01')",
                        links[&good]
                    ));
                    history.trail.push(format!("hand: special {value} of {good}"));
                    continue;
                }
                _ => {}
            }
            if dice.below(2) == 0 {
                history.run(&connection, &stream, &good).await;
            } else {
                let which = dice.below(history.len());
                history.undo(which).await;
            }
        }
    }
}
