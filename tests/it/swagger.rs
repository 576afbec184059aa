//! Swagger UI, seen working in a real browser.

use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, Browser, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_works_in_chromium_without_leaving_the_machine() {
    let stage = Stage::new().await;
    let connection = stage.connect(json!({})).await;
    let base = stage.rest.base.clone();
    let browser = Browser::start().await;
    browser.open(&format!("{base}/docs/")).await;

    browser.click(".auth-wrapper button.authorize").await;
    browser.write(".modal-ux .auth-container input", ADMIN_KEY).await;
    browser.click(".modal-ux .auth-btn-wrapper button.authorize").await;
    browser.click(".modal-ux .auth-btn-wrapper button.btn-done").await;

    let operation = "#operations-Connections-list_connections";
    browser.click(&format!("{operation} .opblock-summary-control")).await;
    browser.click(&format!("{operation} button.execute")).await;
    let status = browser.text(&format!("{operation} .live-responses-table tr.response .response-col_status")).await;
    let body = browser.text(&format!("{operation} .live-responses-table tr.response .highlight-code")).await;
    let picture = browser.screenshot("swagger-ui.png").await;
    assert!(status.starts_with("200"), "the page shows {status:?}, see {}", picture.display());
    assert!(body.contains(&connection) && body.contains("\"next_cursor\": null"), "the page shows {body}");
    let answered: Value = serde_json::from_str(body.get(body.find('{').unwrap()..=body.rfind('}').unwrap()).unwrap()).unwrap();
    assert_eq!(answered["items"][0]["secrets"], json!({"secret": "set"}));

    let requested = browser.requested().await;
    // The browser's first page, a new tab, is made of chrome:// addresses: they are inside the browser.
    let own = |url: &String| {
        url.starts_with(&format!("{base}/")) || url.starts_with("data:") || url.starts_with("blob:") || url.starts_with("chrome://")
    };
    assert!(requested.iter().any(|url| url.contains("swagger-ui") && url.ends_with(".js")), "{requested:?}");
    assert!(requested.iter().any(|url| url.starts_with(&format!("{base}/connections"))), "{requested:?}");
    assert!(requested.iter().all(own), "requests left the machine: {requested:?}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
