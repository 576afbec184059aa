//! 100,000 rows.

use std::time::Instant;

use super::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_page_through() {
    let started = Instant::now();
    let shop = Shop::open(100_000).await;
    let made = started.elapsed();
    let started = Instant::now();
    let mut bytes = 0;
    for page in 1..=334 {
        let body = shop.try_get(&format!("/v2/products?limit=300&page={page}")).await.unwrap().bytes().await.unwrap();
        assert!(body.starts_with(b"{\"count\":100000,\"products\":[{"));
        bytes += body.len();
    }
    // No bound on time: a busy machine must not fail a test. The figure is for people who run it with --nocapture.
    eprintln!("100,000 rows: made in {made:?}, paged in {:?}, {} MB", started.elapsed(), bytes / 1_000_000);
    let end = shop.try_get("/v2/products?limit=300&page=335").await.unwrap().text().await.unwrap();
    assert_eq!(end, "{\"count\":100000,\"products\":null}");
}
