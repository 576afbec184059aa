//! The page inside OneBox (requirement, points 1 to 3 "в автоматичному діянні"): seen working in a real browser, framed by OneBox and by nobody else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    okliving_onebox::{Desk, TOKEN, TTN},
    support::{ADMIN_KEY, Browser, Rest},
};

/// The address of a link that an administrator makes.
async fn link(desk: &Desk, body: Value) -> String {
    let made = desk.stage.rest.post(&format!("/connections/{}/page-links", desk.connection), &body).await.ok(201);
    made["url"].as_str().unwrap().to_owned()
}

fn path(desk: &Desk, url: &str) -> String {
    url.strip_prefix(&desk.stage.rest.base).expect("the address that the caller used").to_owned()
}

async fn runs(desk: &Desk) -> Vec<Value> {
    desk.stage.rest.all(&format!("/sync/runs?connection={}&stream=orders", desk.connection)).await
}

/// A form was sent: the page that answers it shows this sooner or later.
async fn until(browser: &Browser, selector: &str, text: &str) {
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let shown = browser.text(selector).await;
        if shown == text {
            return;
        }
        assert!(Instant::now() < end, "{selector} shows {shown}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What OneBox opens under "My Custom Apps".
async fn open_in_onebox(desk: &Desk, browser: &Browser, url: &str) {
    desk.onebox().set_app(url);
    browser.open(&format!("{}/_sandbox/onebox/app", desk.stage.billz.onebox_url)).await;
    browser.enter_frame("#app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_opens_inside_onebox_tries_and_saves_a_mapping_and_fetches_orders() {
    let desk = Desk::new(json!({})).await;
    let orders = desk.shop().place(2, 7);
    desk.well().await;
    let truth = desk.shop().get(&orders[0]).unwrap();
    let url = format!("{}&lang=uk", link(&desk, json!({"may_change": true})).await);
    let browser = Browser::start().await;
    open_in_onebox(&desk, &browser, &url).await;
    assert_eq!(browser.text("h1").await, "OK Living в OneBox: OK Living");
    assert!(browser.text("#languages").await.contains("Русский"));
    // The guide's pictures are these.
    browser.resize(960, 860).await;
    browser.screenshot("onebox-page.png").await;

    // A stored order through the mapping: value and where it came from.
    browser.write("#order", &orders[0]).await;
    browser.click("#try").await;
    let taker = truth.recipient.as_ref().unwrap_or(&truth.customer);
    let digits: String = taker.phone.chars().filter(char::is_ascii_digit).collect();
    let phone = browser.text("#fields tr[data-target='recipient.phone'] .value").await;
    assert!(phone.len() == 12 && phone.ends_with(&digits[digits.len() - 9..]), "{phone} is not {}", taker.phone);
    assert_eq!(browser.text("#fields tr[data-target='recipient.phone'] .from").await, "/recipient/phone");

    browser.click("#tried").await;
    browser.screenshot("onebox-page-try.png").await;
    browser.resize(1280, 2400).await;

    // Another mapping is tried before it is used, and then saved.
    let other = json!({"recipient.phone": {"from": ["/customer/phone"]}}).to_string();
    browser.write("#mapping", &other).await;
    browser.click("#try").await;
    until(&browser, "#fields tr[data-target='recipient.phone'] .from", "/customer/phone").await;
    let settings = |connection: Value| connection["settings"]["mapping"].clone();
    let connection = format!("/connections/{}", desk.connection);
    assert_eq!(settings(desk.stage.rest.get(&connection).await.ok(200)), Value::Null, "a try changes nothing");
    browser.click("#save").await;
    assert!(browser.text("#saved").await.starts_with("Збережено"));
    assert_eq!(settings(desk.stage.rest.get(&connection).await.ok(200)), json!({"recipient.phone": {"from": ["/customer/phone"]}}));
    until(&browser, "#mapping-now tr[data-target='recipient.phone'] .from", "/customer/phone").await;
    let audit = desk.stage.rest.all(&format!("/audit?connection={}&key=page-link", desk.connection)).await;
    assert_eq!(audit.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>(), ["connections.change"]);

    // The button fetches orders.
    let before = runs(&desk).await.len();
    let placed = desk.shop().place(1, 9);
    browser.click("#pull").await;
    assert!(browser.text("#pulled").await.starts_with("Замовлення завантажуються"));
    let until = Instant::now() + Duration::from_secs(60);
    while desk.onebox().by_externalid(&format!("okl-{}", placed[0])).is_empty() {
        assert!(Instant::now() < until, "the order did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(runs(&desk).await.len() > before);

    // No key is in the browser, and nothing leaves for anywhere else.
    let requested = browser.requested().await;
    let own = |url: &String| [&desk.stage.rest.base, &desk.stage.billz.onebox_url].iter().any(|base| url.starts_with(&format!("{base}/")));
    assert!(requested.iter().filter(|url| url.starts_with("http")).all(own), "{requested:?}");
    assert!(!requested.iter().any(|url| url.contains(ADMIN_KEY)));
    let complaints: Vec<String> = browser.complaints().await.into_iter().filter(|text| !text.contains("favicon")).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_on_the_page_works_when_it_is_pasted_into_onebox() {
    let desk = Desk::new(json!({})).await;
    let order = desk.shop().place(1, 7).remove(0);
    desk.well().await;
    let browser = Browser::start().await;
    open_in_onebox(&desk, &browser, &format!("{}&lang=ru", link(&desk, json!({})).await)).await;
    let mut actions = Vec::new();
    for number in 1..=9 {
        let title = browser.text(&format!("#recipe-{number} h3")).await;
        let get = browser.text(&format!("#recipe-{number} .get")).await;
        let (post, body) = (browser.text(&format!("#recipe-{number} .post")).await, browser.text(&format!("#recipe-{number} .body")).await);
        assert!(get.starts_with(&desk.hook_url()) && post == desk.hook_url(), "{get} {post}");
        actions.push((title, get, post, body));
    }
    let titles: Vec<&str> = actions.iter().map(|(title, ..)| title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Загрузить заказы сейчас",
            "Отправить номер накладной (ТТН)",
            "Изменить статус в магазине: cancel",
            "Изменить статус в магазине: complete",
            "Изменить статус в магазине: part",
            "Изменить статус в магазине: process",
            "Изменить статус в магазине: ship",
            "Изменить статус в магазине: действие этапа 58",
            "Отправить комментарий"
        ]
    );
    // A manager pastes them: the waybill by GET, the others by POST.
    use tradesync::sandbox::onebox::{Action, Form};
    let pasted = |number: usize, key: &str, get: bool| {
        let (_, address, post, body) = &actions[number];
        let fields = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect::<Vec<_>>();
        let (url, method, body, fields) = if get { (address, "GET", Form::Query, Vec::new()) } else { (post, "POST", Form::Form, fields) };
        Action { key: key.to_owned(), stage: None, url: url.clone(), method: method.to_owned(), body, fields }
    };
    desk.onebox().set_actions(vec![pasted(0, "pull", true), pasted(1, "ttn", true), pasted(6, "ship", false), pasted(8, "comment", false)]);
    let sent = desk.sent(&order);
    desk.onebox().edit(sent.id, |order| (order.delivery_note, order.comments) = (TTN.to_owned(), "Їде".to_owned()));
    for key in ["ttn", "ship", "comment"] {
        assert!(desk.onebox().press(sent.id, key));
        desk.onebox().hooks_idle().await;
    }
    desk.settled().await;
    let told = desk.shop().get(&order).unwrap();
    assert_eq!((told.tracking_number.as_deref(), told.note.as_str()), (Some(TTN), "Їде"));
    assert_eq!(told.steps.iter().map(|step| step.action.as_str()).collect::<Vec<_>>(), ["ship", "process"]);
    // The pull names no order, so any order of OneBox may start it.
    let placed = desk.shop().place(1, 9);
    assert!(desk.onebox().press(sent.id, "pull"));
    desk.onebox().hooks_idle().await;
    let answer: Value = serde_json::from_str(&desk.onebox().hooks().last().unwrap().answer).unwrap();
    desk.stage.rest.wait(answer["run"].as_str().unwrap()).await;
    desk.sent(&placed[0]);
    assert!(desk.onebox().hooks().iter().all(|hook| hook.status == 200), "{:?}", desk.onebox().hooks());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_frame_it_and_a_link_is_worth_what_it_says() {
    let desk = Desk::new(json!({})).await;
    let nobody: Rest = desk.stage.rest.with_key("");
    let (show, change) = (link(&desk, json!({"days": 1})).await, link(&desk, json!({"may_change": true})).await);
    let page = nobody.get(&path(&desk, &show)).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.ends_with(&format!("frame-ancestors {}", desk.stage.billz.onebox_url)) && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert_eq!((page.status, page.header("x-frame-options"), page.header("referrer-policy").as_deref()), (200, None, Some("no-referrer")));
    assert!(page.text.contains(TOKEN) && !page.text.contains("id=\"save\""), "it shows what is pasted, and no button to save");
    for secret in [crate::support::OKLIVING_SECRET, crate::support::ONEBOX_PASSWORD] {
        assert!(!page.text.contains(secret));
    }
    // A link to look with saves nothing; a changed one opens nothing.
    let form = |link: &str, action: &str, more: &str| {
        let link = link.split_once("link=").unwrap().1;
        (format!("link={link}&lang=en&action={action}{more}")).into_bytes()
    };
    let saved = nobody.send(reqwest::Method::POST, "/pages/okliving-onebox", Some(form(&show, "save", "&mapping=%7B%7D"))).await;
    assert!(saved.status == 403 && saved.text.contains("changes nothing"), "{}", saved.text);
    let forged = change.replace(".change.", ".show.");
    let closed = nobody.get(&path(&desk, &forged)).await;
    assert!(
        closed.status == 404
            && !closed.text.contains(TOKEN)
            && closed.header("content-security-policy").unwrap().ends_with("frame-ancestors 'none'")
    );
    nobody.get("/pages/okliving-onebox").await.problem(404, "not-found");
    // A wrong mapping is told by its place, and nothing is saved.
    let version = page.text.split_once("name=\"version\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let wrong = |version: &str| {
        form(&change, "save", &format!("&version={version}&mapping=%7B%22recipient.tel%22%3A%7B%22from%22%3A%5B%22%2Fa%22%5D%7D%7D"))
    };
    let refused = nobody.send(reqwest::Method::POST, "/pages/okliving-onebox", Some(wrong(&version))).await;
    assert!(refused.status == 422 && refused.text.contains("/settings/mapping/recipient.tel"), "{} {}", refused.status, refused.text);
    let late = nobody.send(reqwest::Method::POST, "/pages/okliving-onebox", Some(wrong("1"))).await;
    assert!(late.status == 412 && late.text.contains("id=\"fault\""), "somebody else changed it meanwhile: {} {}", late.status, late.text);
    // The token is replaced: its links are gone with it.
    let secrets = json!({"secrets": {"hook_token": "another-hook-token-012345"}});
    desk.stage.rest.patch(&format!("/connections/{}", desk.connection), &secrets).await.ok(200);
    assert_eq!(nobody.get(&path(&desk, &show)).await.status, 404);
    // And in a browser: another site gets an empty frame.
    let again = link(&desk, json!({})).await;
    let browser = Browser::start().await;
    browser.open(&format!("data:text/html,<iframe id='app' src='{again}'></iframe>")).await;
    assert!(browser.requested().await.contains(&again), "the frame asked for the page");
    browser.enter_frame("#app").await;
    let shown = browser.text("body").await;
    assert!(!shown.contains("OK Living"), "the page was framed: {shown}");
}
