//! Requirement 4.1: «загрузить картинки товара на kmall.uz». Fetched once, proven to be pictures, shown in Billz's order, and never in
//! the way of prices.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{BILLZ_KEY, FIRST, Setup, Spawn, Stage, change_of};

/// A stage whose service may write below a folder of its own; the folder goes with it.
pub struct Shop {
    pub stage: Stage,
    pub root: PathBuf,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

impl Shop {
    pub async fn new() -> Self {
        Self::spawned(Spawn::default()).await
    }

    /// Its first process is spawned like this.
    pub async fn spawned(spawn: Spawn) -> Self {
        let root = std::env::temp_dir().join(format!("tradesync-pictures-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(root.join("image/catalog/billz")).unwrap();
        let spawn = spawn.with("TRADESYNC_IMAGE_ROOT", root.to_str().unwrap());
        let stage = Stage::with(Setup { products: 0, spawn, ..Setup::default() }).await;
        let photos = format!("{}/pictures", stage.billz.url);
        stage.billz.billz2.set_switches(|switches| switches.photos = photos);
        Self { stage, root }
    }

    /// A process that may write there, too.
    pub fn spawn(&self, spawn: Spawn) -> Spawn {
        spawn.with("TRADESYNC_IMAGE_ROOT", self.root.to_str().unwrap())
    }

    /// Settings with pictures: the sandbox's host is in a private network, so it has to be allowed.
    pub fn settings(over: Value) -> Value {
        let mut settings = json!({"images": {"dir": "image/catalog/billz", "allow_hosts": ["127.0.0.1"], "max_bytes": 1_000_000}});
        for (name, value) in over.as_object().unwrap() {
            settings[name] = value.clone();
        }
        settings
    }

    pub fn good(&self, photos: &[&str]) -> String {
        self.stage.good(json!({"photos": photos}))
    }

    /// Main picture and gallery of a product, as the shop would show them.
    pub fn shown(&self, product: i64) -> Vec<String> {
        let mut pictures =
            self.stage.database.words(&format!("SELECT IFNULL(image, '') AS words FROM oc_product WHERE product_id = {product}"));
        pictures.extend(self.stage.database.words(&format!(
            "SELECT image AS words FROM oc_product_image WHERE product_id = {product} ORDER BY sort_order, product_image_id"
        )));
        pictures
    }

    /// Every file in the shop's folder, by its path in the shop.
    pub fn files(&self) -> BTreeSet<String> {
        fn walk(folder: &Path, image: &Path, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, image, found);
                } else {
                    found.insert(path.strip_prefix(image).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.root.join("image/catalog"), &self.root.join("image"), &mut found);
        found
    }

    fn asked(&self) -> BTreeMap<String, u64> {
        self.stage.billz.billz2.pictures().asked()
    }

    /// The pause after a failure is over.
    pub fn time_passes(&self) {
        self.stage.database.run(
            "UPDATE tradesync_pictures SET next_at = UTC_TIMESTAMP(6) WHERE next_at IS NOT NULL;
             UPDATE tradesync_picture_wishes SET next_at = UTC_TIMESTAMP(6) WHERE next_at IS NOT NULL",
        );
    }

    async fn failures(&self, run: &Value, good: &str) -> Vec<String> {
        let items = self.stage.items(run).await;
        let of = items.iter().filter(|item| item["key"] == good && item["outcome"] == "failed");
        of.map(|item| item["reason"]["code"].as_str().unwrap().to_owned()).collect()
    }
}

fn endings(pictures: &[String]) -> Vec<&str> {
    pictures.iter().map(|path| path.rsplit('.').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn main_picture_and_gallery_come_in_the_order_of_billz_and_each_picture_once() {
    let shop = Shop::new().await;
    let all = shop.good(&["one.jpg", "two.png", "three.gif", "four.webp", "moved/one.jpg"]);
    let twin = shop.good(&["one.jpg"]);
    let none = shop.good(&[]);
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let run = shop.stage.full(&connection, &stream).await;
    assert_eq!(run["pictures"], json!({"fetched": 5, "failed": 0, "shown": 2, "waiting": 0}), "{run}");
    let item = shop.stage.item(&run, &all).await;
    let change = change_of(&item, "images");
    assert!(change["new"][0].as_str().unwrap().ends_with("/pictures/one.jpg") && change["new"].as_array().unwrap().len() == 5, "{item}");
    let links = shop.stage.links(&connection).await;
    let shown = shop.shown(links[&all]);
    // The fifth is the first by another address: the same content is one picture.
    assert_eq!(endings(&shown), ["jpg", "png", "gif", "jpg"], "webp becomes jpg: {shown:?}");
    assert_eq!(shop.shown(links[&twin]), shown[..1]);
    assert_eq!(shop.shown(links[&none]), [""]);
    assert_eq!(shop.files(), shown.iter().cloned().collect(), "each once, and nothing unfinished");
    assert_eq!(image::open(shop.root.join("image").join(&shown[3])).unwrap().width(), 96);
    let asked = shop.asked();
    assert_eq!((asked["two.png"], asked["one.jpg"]), (1, 2), "one of the two by the redirect");
    // A second run knows all that.
    let again = shop.stage.full(&connection, &stream).await;
    assert_eq!((&again["counts"]["unchanged"], &again["pictures"]["fetched"]), (&json!(3), &json!(0)));
    assert_eq!((shop.asked(), shop.shown(links[&all])), (asked, shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_picture_is_named_and_holds_up_neither_its_product_nor_the_other_pictures() {
    let shop = Shop::new().await;
    let cases = [
        ("broken/a.jpg", "picture_unreadable"),
        ("page/a.jpg", "picture_type"),
        ("huge/a.jpg", "picture_too_large"),
        ("bomb/a.png", "picture_too_many_pixels"),
        ("status-404/a.jpg", "picture_missing"),
        ("inward/a.jpg", "picture_host_refused"),
        ("http://[::ffff:10.0.0.1]/a.jpg", "picture_host_refused"),
        ("ftp://127.0.0.1/a.jpg", "picture_host_refused"),
        ("http://nowhere.invalid/a.jpg", "picture_unavailable"),
    ];
    let goods: Vec<(String, &str)> = cases.iter().map(|(photo, reason)| (shop.good(&[photo, "good.jpg"]), *reason)).collect();
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let run = shop.stage.sync(&connection, &stream, "full").await;
    let bad = cases.len() as u64;
    assert_eq!(
        (&run["state"], &run["counts"]["created"], &run["counts"]["failed"]),
        (&json!("partial"), &json!(bad), &json!(bad)),
        "{run}"
    );
    assert_eq!(run["pictures"], json!({"fetched": bad + 1, "failed": bad, "shown": bad, "waiting": bad}));
    let links = shop.stage.links(&connection).await;
    for (good, reason) in &goods {
        assert_eq!(shop.failures(&run, good).await, [*reason]);
        assert_eq!((shop.stage.database.shelf(links[good]), shop.shown(links[good]).len()), ("5 1000 1".into(), 1), "{reason}");
    }
    let waiting = || shop.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_retries");
    assert_eq!(waiting(), cases.len() as i64);
    // Not at each run: the pauses grow. (On a slow machine the first one, of 3 s here, may be over by itself.)
    shop.stage.database.run(
        "UPDATE tradesync_pictures SET next_at = next_at + INTERVAL 1 HOUR; UPDATE tradesync_picture_wishes SET next_at = next_at + INTERVAL 1 HOUR",
    );
    let asked = shop.asked();
    let next = shop.stage.full(&connection, &stream).await;
    assert_eq!((&next["counts"]["failed"], &next["pictures"]["fetched"], shop.asked()), (&json!(0), &json!(0), asked.clone()));
    assert_eq!(waiting(), cases.len() as i64, "what waits for its next try stays in the retry list");
    shop.time_passes();
    let later = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&later["counts"]["failed"], shop.asked()["status-404/a.jpg"]), (&json!(bad), 2));
    // A person who asks for one item does not wait.
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "items": [goods[4].0]});
    let run = shop.stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    let run = shop.stage.rest.wait(&run).await;
    assert_eq!((&run["pictures"]["fetched"], shop.asked()["status-404/a.jpg"]), (&json!(1), 3));
    // After the last pause it is given up.
    shop.stage.database.run("UPDATE tradesync_pictures SET attempts = 8 WHERE reason IS NOT NULL");
    shop.time_passes();
    let last = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!(last["pictures"]["waiting"], 0);
    let (asked, after) = (shop.asked(), shop.stage.full(&connection, &stream).await);
    assert_eq!((&after["pictures"]["fetched"], shop.asked()), (&json!(0), asked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_comes_late_takes_its_place() {
    let shop = Shop::new().await;
    let good = shop.good(&["late-1/main.jpg", "second.png", "third.gif"]);
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!(shop.failures(&run, &good).await, ["picture_missing"]);
    let product = shop.stage.product_of(&connection, &good).await;
    assert_eq!(endings(&shop.shown(product)), ["png", "gif"]);
    shop.time_passes();
    let run = shop.stage.full(&connection, &stream).await;
    assert_eq!(
        (&run["pictures"], endings(&shop.shown(product))),
        (&json!({"fetched": 1, "failed": 0, "shown": 1, "waiting": 0}), vec!["jpg", "png", "gif"])
    );
    assert_eq!(shop.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_retries"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_holds_pictures_that_were_wished_for_before_it() {
    let shop = Shop::new().await;
    let good = shop.good(&["late-1/a.jpg"]);
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    shop.stage.sync(&connection, &stream, "full").await;
    let product = shop.stage.product_of(&connection, &good).await;
    for lock in [json!({"source": good}), json!({"target": product.to_string(), "fields": ["images"]})] {
        shop.stage.lock(&connection, json!([lock])).await;
        shop.time_passes();
        let run = shop.stage.full(&connection, &stream).await;
        assert_eq!((&run["pictures"]["fetched"], shop.shown(product)), (&json!(0), vec![String::new()]), "{run}");
    }
    // Fields that are locked for all products are so where they stand: what we make has its pictures, late ones as well.
    shop.stage.lock(&connection, json!([{"fields": ["images"]}])).await;
    let new = shop.good(&["b.jpg", "late-1/c.jpg"]);
    shop.time_passes();
    shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!(endings(&shop.shown(product)), ["jpg"], "it has waited since before the lock");
    shop.time_passes();
    shop.stage.full(&connection, &stream).await;
    assert_eq!(endings(&shop.shown(shop.stage.product_of(&connection, &new).await)), ["jpg", "jpg"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_products_keep_their_pictures_unless_update_fields_says_otherwise() {
    let shop = Shop::new().await;
    let good = shop.good(&["a.jpg", "b.png"]);
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    shop.stage.full(&connection, &stream).await;
    let product = shop.stage.product_of(&connection, &good).await;
    let before = shop.shown(product);
    // A person adds a picture of their own.
    shop.stage
        .database
        .run(&format!("INSERT INTO oc_product_image (product_id, image, sort_order) VALUES ({product}, 'catalog/own.jpg', 9)"));
    shop.stage.change(&good, json!({"photos": ["c.gif", "b.png", "d.jpg"]}));
    shop.stage.full(&connection, &stream).await;
    assert_eq!(shop.shown(product), [&before[..], &["catalog/own.jpg".to_owned()]].concat(), "creation only, by default");

    let follow = json!({"settings": {"update_fields": ["quantity", "price", "special", "images"]}});
    shop.stage.rest.patch(&format!("/connections/{connection}"), &follow).await.ok(200);
    let run = shop.stage.full(&connection, &stream).await;
    assert_eq!(run["counts"]["updated"], 1);
    let shown = shop.shown(product);
    assert_eq!((endings(&shown), &shown[1], shown[3].as_str()), (vec!["gif", "png", "jpg", "jpg"], &before[1], "catalog/own.jpg"));
    assert_eq!(shop.asked()["b.png"], 1, "known pictures are not fetched again");
    assert_eq!(shop.stage.full(&connection, &stream).await["counts"]["unchanged"], 1);

    // facts/billz-1.md: pictures may be absent; the shop keeps those that it has.
    shop.stage.change(&good, json!({"photos": [], "price": {FIRST: "1100"}}));
    shop.stage.full(&connection, &stream).await;
    assert_eq!(shop.shown(product), shown);
    // A main picture that a person chose stays the main one.
    shop.stage.database.run(&format!("UPDATE oc_product SET image = 'catalog/chosen.jpg' WHERE product_id = {product}"));
    shop.stage.change(&good, json!({"photos": ["e.jpg"]}));
    shop.stage.full(&connection, &stream).await;
    let shown = shop.shown(product);
    assert_eq!((shown[0].as_str(), shown.len(), shown[2].as_str()), ("catalog/chosen.jpg", 3, "catalog/own.jpg"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_products_come_without_pictures_and_get_them_once_there_is_one() {
    let shop = Shop::new().await;
    let good = shop.good(&["a.jpg"]);
    let (connection, stream) = shop.stage.simple(json!({})).await;
    let run = shop.stage.full(&connection, &stream).await;
    let change = change_of(&shop.stage.item(&run, &good).await, "images");
    assert_eq!((&change["rule"], &change["new"]), (&json!("pictures_off"), &json!([])));
    let row = |answer: Value| answer["checks"].as_array().unwrap().iter().find(|row| row["name"] == "pictures").cloned().unwrap();
    let path = format!("/connections/{connection}");
    let check = row(shop.stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200));
    assert!(check["ok"] == true && check["detail"].as_str().unwrap().contains("images.dir"), "{check}");

    shop.stage.rest.patch(&path, &json!({"settings": Shop::settings(json!({}))})).await.ok(200);
    assert_eq!(row(shop.stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200))["ok"], true);
    let run = shop.stage.full(&connection, &stream).await;
    let product = shop.stage.product_of(&connection, &good).await;
    assert_eq!((&run["counts"]["updated"], endings(&shop.shown(product))), (&json!(1), vec!["jpg"]));

    // A folder that is away (a disk that was not mounted) fails the pictures, not the products.
    std::fs::rename(shop.root.join("image/catalog/billz"), shop.root.join("image/away")).unwrap();
    let check = row(shop.stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200));
    assert!(check["ok"] == false && check["detail"].as_str().unwrap().contains("cannot be opened"), "{check}");
    let late = shop.good(&["b.jpg"]);
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["counts"]["created"], shop.failures(&run, &late).await), (&json!(1), vec!["picture_not_stored".to_owned()]));
    assert!(!shop.asked().contains_key("b.jpg"), "nothing is fetched that cannot be kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_must_lie_under_the_image_root() {
    let shop = Shop::new().await;
    let (connection, _) = shop.stage.simple(json!({})).await;
    for (images, pointer) in [
        (json!({"dir": "/etc"}), "/settings/images/dir"),
        (json!({"dir": "../image/catalog"}), "/settings/images/dir"),
        (json!({"dir": "image/cache"}), "/settings/images/dir"),
        (json!({"allow_hosts": ["pictures.example/a"]}), "/settings/images/allow_hosts/0"),
        (json!({"max_bytes": 0}), "/settings/images/max_bytes"),
    ] {
        let answer = shop.stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"images": images}})).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer, "{images}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxs_own_host_is_refused_unless_it_is_allowed() {
    let shop = Shop::new().await;
    let good = shop.good(&["a.jpg"]);
    let (connection, stream) = shop.stage.simple(json!({"images": {"dir": "image/catalog/billz"}})).await;
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((shop.failures(&run, &good).await, shop.asked().len()), (vec!["picture_host_refused".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_addresses_and_fetches_nothing_until_it_is_approved() {
    let shop = Shop::new().await;
    let good = shop.good(&["a.jpg"]);
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let id = shop.stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    let run = shop.stage.rest.wait(&id).await;
    let change = change_of(&shop.stage.item(&run, &good).await, "images");
    assert!(change["new"][0].as_str().unwrap().ends_with("/pictures/a.jpg"), "{change}");
    assert_eq!((shop.asked().len(), shop.files().len(), shop.stage.database.products()), (0, 0, 0));
    shop.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    let run = shop.stage.rest.wait(&id).await;
    assert_eq!((&run["state"], shop.files().len()), (&json!("succeeded"), 1), "{run}");
}

/// What the PHP side will be: it checks what `docs/bridge.md` says, by arithmetic of its own.
async fn bridge(secret: &'static str) -> (String, Arc<Mutex<BTreeMap<String, Vec<u8>>>>, Arc<Mutex<BTreeSet<String>>>) {
    let files: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    let cleared: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (kept, caches) = (web::Data::from(files.clone()), web::Data::from(cleared.clone()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/index.php?route=extension/module/tradesync", listener.local_addr().unwrap());
    async fn take(
        request: HttpRequest,
        body: web::Bytes,
        files: web::Data<Mutex<BTreeMap<String, Vec<u8>>>>,
        cleared: web::Data<Mutex<BTreeSet<String>>>,
        secret: web::Data<&'static str>,
    ) -> HttpResponse {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (action, path, content) = (header("x-tradesync-action"), header("x-tradesync-path"), header("x-tradesync-content-sha256"));
        let time: i64 = header("x-tradesync-timestamp").parse().unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("v1\n{action}\n{time}\n{path}\n{content}").as_bytes());
        if (chrono::Utc::now().timestamp() - time).abs() > 300
            || header("x-tradesync-signature") != format!("v1={}", hex(&mac.finalize().into_bytes()))
        {
            return HttpResponse::Unauthorized().json(json!({"error": "Подпись не подходит"}));
        }
        let hash = hex(&Sha256::digest(&body));
        if hash != content || (action == "put-picture" && !path.starts_with(&format!("catalog/tradesync/{}/{}.", &hash[..2], &hash[..32])))
        {
            return HttpResponse::UnprocessableEntity().json(json!({"error": "path"}));
        }
        if action == "put-picture" {
            files.lock().unwrap().insert(path, body.to_vec());
        } else if action == "clear-cache" {
            cleared.lock().unwrap().insert(path);
        }
        HttpResponse::Ok().json(json!({"ok": true}))
    }
    let server = HttpServer::new(move || {
        App::new()
            .app_data(kept.clone())
            .app_data(caches.clone())
            .app_data(web::Data::new(secret))
            .app_data(web::PayloadConfig::new(50_000_000))
            .default_service(web::post().to(take))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
    (url, files, cleared)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_disk_is_not_reached_pictures_go_through_the_bridge() {
    let shop = Shop::new().await;
    let (url, files, cleared) = bridge("bridge-secret-1").await;
    let good = shop.good(&["a.jpg", "b.webp"]);
    let settings = shop.stage.settings(json!({"images": {"allow_hosts": ["127.0.0.1"]}, "opencart": {"bridge_url": url}}));
    let body = |secrets: Value| json!({"flow": "billz-opencart", "name": "Test", "owner": "seller:42", "enabled": true, "settings": settings, "secrets": secrets});
    let connection =
        shop.stage.rest.post("/connections", &body(json!({"secret": BILLZ_KEY, "bridge_secret": "another"}))).await.ok(201)["id"]
            .as_str()
            .unwrap()
            .to_owned();
    let stream = shop.stage.streams(&connection, 1).await.remove(0);
    // A wrong secret is said by the check and in the report, in the bridge's own words.
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["counts"]["created"], shop.failures(&run, &good).await), (&json!(1), vec!["picture_not_stored".to_owned()]));
    let items = shop.stage.items(&run).await;
    assert!(items.iter().any(|item| item["reason"]["text"].as_str().unwrap().contains("Подпись не подходит")), "{items:?}");
    let path = format!("/connections/{connection}");
    let ok = |answer: Value| answer["checks"].as_array().unwrap().iter().find(|row| row["name"] == "pictures").unwrap()["ok"].clone();
    assert_eq!(ok(shop.stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200)), false);

    shop.stage.rest.patch(&path, &json!({"secrets": {"bridge_secret": "bridge-secret-1"}})).await.ok(200);
    assert_eq!(ok(shop.stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200)), true);
    shop.time_passes();
    let run = shop.stage.full(&connection, &stream).await;
    let shown = shop.shown(shop.stage.product_of(&connection, &good).await);
    assert_eq!((endings(&shown), shop.files().len()), (vec!["jpg", "jpg"], 0), "{run}");
    assert_eq!(files.lock().unwrap().keys().cloned().collect::<BTreeSet<_>>(), shown.into_iter().collect());
    // The shop forgets what it has cached, so that prices and pictures show at once.
    assert!(cleared.lock().unwrap().iter().any(|names| names.starts_with("product")), "{:?}", cleared.lock().unwrap());
    assert!(!shop.stage.service.output().contains("bridge-secret-1"));
}

/// Killed at any point of the pictures: no doubles, nothing missing, the same run comes to its end.
async fn killed_at(point: &str) {
    let mut shop = Shop::new().await;
    let photos = ["a.jpg", "b.png", "c.webp"];
    let goods: Vec<String> = (0..4).map(|_| shop.good(&photos)).collect();
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let (dying, living) = (shop.spawn(Spawn::failing_at(point)), shop.spawn(Spawn::default()));
    shop.stage.restart(&dying).await;
    let run = shop.stage.start(&connection, &stream, "full").await;
    assert!(shop.stage.service.ended(Duration::from_secs(30)).await && shop.stage.service.aborted(), "{point} was never passed");
    let links_before = shop.stage.database.products();
    assert_eq!(links_before, 4, "prices and products do not wait for pictures");
    shop.stage.restart(&living).await;
    let run = shop.stage.rest.wait(&run).await;
    assert_eq!(
        (&run["state"], &run["counts"]["created"], &run["pictures"]["waiting"]),
        (&json!("succeeded"), &json!(4), &json!(0)),
        "{run}"
    );
    let links = shop.stage.links(&connection).await;
    let shown = shop.shown(links[&goods[0]]);
    assert_eq!(endings(&shown), ["jpg", "png", "jpg"]);
    for good in &goods {
        assert_eq!(shop.shown(links[good]), shown, "{point}");
    }
    // What a killed process was still writing is hidden, and swept after an hour.
    let files: BTreeSet<String> = shop.files().into_iter().filter(|file| !file.contains("/.tradesync-")).collect();
    assert_eq!(files, shown.into_iter().collect(), "{point}: each file once");
    let again = shop.stage.full(&connection, &stream).await;
    assert_eq!((&again["counts"]["unchanged"], &again["pictures"]["fetched"]), (&json!(4), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_file_was_written_before_its_row() {
    killed_at("picture-file-written").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_when_pictures_had_come_but_were_not_recorded() {
    killed_at("pictures-stored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_shops_rows_before_their_record() {
    killed_at("pictures-shown").await;
}

#[test]
fn every_point_of_pictures_is_killed_at() {
    let points: Vec<&&str> = tradesync::fault::failpoint::POINTS.iter().filter(|point| point.starts_with("picture")).collect();
    assert_eq!(points, [&"picture-file-written", &"pictures-stored", &"pictures-shown"]);
}

/// A picture store that is down, or answers every address with an error page: what customers see stays until the pictures come, or a
/// person says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_unreadable_pictures_takes_no_picture_away_until_they_come_or_a_person_agrees() {
    let shop = Shop::new().await;
    let goods: Vec<String> = (0..6).map(|_| shop.good(&["a.jpg", "b.png"])).collect();
    let limits = json!({"unreadable_pictures": {"from": 6, "share": "0.4"}});
    let settings = Shop::settings(json!({
        "update_fields": ["quantity", "price", "special", "images"], "brakes": {"limits": limits},
    }));
    let (connection, stream) = shop.stage.simple(settings).await;
    shop.stage.full(&connection, &stream).await;
    let links = shop.stage.links(&connection).await;
    let before = shop.shown(links[&goods[0]]);
    for (number, good) in goods.iter().enumerate() {
        let photos = json!([format!("late-2/{number}.jpg"), "c.gif"]);
        shop.stage.change(good, json!({"photos": photos, "price": {FIRST: "1020"}}));
    }
    let fresh = shop.good(&["late-2/new.jpg", "c.gif"]);
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!(
        (&run["state"], &run["counts"]["held"], &run["counts"]["failed"]),
        (&json!("awaiting_approval"), &json!(6), &json!(7)),
        "{run}"
    );
    let brake = &run["brakes"][0];
    assert_eq!((&brake["rule"], &brake["count"], &brake["of"]), (&json!("unreadable_pictures"), &json!(7), &json!(8)), "{run}");
    assert!(brake["text"].as_str().unwrap().contains("7 of 8 pictures"), "{brake}");
    for good in &goods {
        assert_eq!(
            (shop.shown(links[good]), shop.stage.database.shelf(links[good])),
            (before.clone(), "5 1020 1".into()),
            "prices went on"
        );
    }
    assert_eq!(endings(&shop.shown(shop.stage.product_of(&connection, &fresh).await)), ["gif"], "a new product loses nothing");
    let events = || shop.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_events");
    assert_eq!(events(), 1);
    let held: Vec<Value> = shop.stage.items(&run).await.into_iter().filter(|item| item["outcome"] == "held").collect();
    assert_eq!((held.len(), &held[0]["reason"]["code"]), (6, &json!("brake")));

    // They are tried again, and still fail.
    shop.time_passes();
    let again = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&again["state"], &again["counts"]["held"]), (&json!("awaiting_approval"), &json!(6)), "{again}");
    assert_eq!((shop.shown(links[&goods[0]]), events()), (before.clone(), 1), "the same is not told twice");
    // A person wants what there is, before they are tried again.
    shop.stage.database.run(
        "UPDATE tradesync_pictures SET next_at = next_at + INTERVAL 1 HOUR; UPDATE tradesync_picture_wishes SET next_at = next_at + INTERVAL 1 HOUR",
    );
    let id = again["id"].as_str().unwrap();
    shop.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    let applied = shop.stage.rest.wait(id).await;
    assert_eq!((&applied["state"], &applied["counts"]["held"]), (&json!("partial"), &json!(0)), "{applied}");
    for good in &goods {
        assert_eq!(endings(&shop.shown(links[good])), ["gif"]);
    }
    // And when they come, they take their places by themselves.
    shop.time_passes();
    let last = shop.stage.full(&connection, &stream).await;
    assert_eq!((endings(&shop.shown(links[&goods[0]])), &last["brakes"]), (vec!["jpg", "gif"], &json!([])), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_given_up_hold_nothing_back_for_ever() {
    let shop = Shop::new().await;
    let good = shop.good(&["a.jpg"]);
    let settings = Shop::settings(json!({
        "update_fields": ["quantity", "price", "special", "images"],
        "brakes": {"limits": {"unreadable_pictures": {"from": 1, "share": "0.1"}}},
    }));
    let (connection, stream) = shop.stage.simple(settings).await;
    shop.stage.full(&connection, &stream).await;
    let product = shop.stage.product_of(&connection, &good).await;
    shop.stage.change(&good, json!({"photos": ["status-404/gone.jpg", "c.gif"]}));
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], endings(&shop.shown(product))), (&json!("awaiting_approval"), vec!["jpg"]), "{run}");
    shop.stage.database.run("UPDATE tradesync_pictures SET attempts = 8 WHERE reason IS NOT NULL");
    shop.time_passes();
    let run = shop.stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], endings(&shop.shown(product))), (&json!("partial"), vec!["gif"]), "{run}");
}

/// A worker with one place is at the pictures of a first import when another seller's run comes: prices and stock go first, and the
/// pictures go on by themselves, in a run of their own.
#[tokio::test(flavor = "multi_thread")]
async fn pictures_make_room_for_prices_of_others_and_go_on_by_themselves() {
    const GOODS: usize = 80;
    let shop = Shop::spawned(Spawn::default().with("TRADESYNC_RUNS_PER_WORKER", "1")).await;
    for number in 0..GOODS {
        shop.good(&[&format!("slow-{number}.jpg?ms=600")]);
    }
    let (connection, stream) = shop.stage.simple(Shop::settings(json!({}))).await;
    let first = shop.stage.start(&connection, &stream, "full").await;
    let limit = std::time::Instant::now() + Duration::from_secs(30);
    while shop.asked().is_empty() {
        assert!(std::time::Instant::now() < limit);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let at_work = shop.stage.rest.get(&format!("/sync/runs/{first}")).await.ok(200);
    assert_eq!((&at_work["state"], &at_work["phase"]), (&json!("running"), &json!("pictures")), "{at_work}");
    let (other, of_other) = shop.stage.seller(json!({})).await;
    let prices = shop.stage.sync(&other, &of_other, "full").await;
    assert_eq!(prices["counts"]["created"], json!(GOODS), "{prices}");
    let left = shop.stage.rest.get(&format!("/sync/runs/{first}")).await.ok(200);
    assert_eq!(left["state"], "succeeded", "{left}");
    assert!(left["pictures"]["waiting"].as_u64() > Some(0), "{left}");

    let with_picture = "SELECT COUNT(*) AS number FROM oc_product WHERE image LIKE 'catalog/billz/%'";
    while shop.stage.database.number(with_picture) < i64::try_from(GOODS).unwrap() || shop.stage.live_runs() > 0 {
        assert!(std::time::Instant::now() < limit, "{} have a picture", shop.stage.database.number(with_picture));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let runs = shop.stage.rest.all(&format!("/sync/runs?connection={connection}")).await;
    let last = &runs[0];
    assert_eq!(
        (&last["trigger"], &last["state"], &last["pictures"]["waiting"]),
        (&json!("pictures"), &json!("succeeded"), &json!(0)),
        "{last}"
    );
    assert_eq!(last["counts"]["created"], 0);
    assert!(shop.asked().values().all(|times| *times == 1), "each picture was fetched once");
    // What only shows pictures is no run of the stream's own: cursor, clock and last run are the first one's.
    let seen = shop.stage.stream(&connection, &stream).await;
    assert_eq!((&seen["last_run"], &seen["last_synced_at"]), (&json!(first), &left["started_at"]));
}
