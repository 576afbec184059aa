//! The store of photos (sheet 4.5: public, plain GET): every address answers, and how is written in the address itself.
//!
//! Under [`ROOT`]: `…/<anything>.jpg|png|gif|webp|bmp` is a picture drawn from its path, always the same. Before the name may stand:
//!
//! | part | answer |
//! |---|---|
//! | `broken/` | the first half of a picture |
//! | `page/` | a web page with status 200 |
//! | `huge/` | bytes without end (100 MB) and without `Content-Length` |
//! | `bomb/` | a small PNG of 11,000 × 11,000 points |
//! | `status-<code>/` | that status |
//! | `late-<n>/` | 404 for the first n requests of this address, then the picture |
//! | `inward/` | a redirect to an address of the inner network |
//! | `moved/` | a redirect to the same name without this part |
//!
//! `?bytes=100000` draws a photo of 800 × 600 points and about that many bytes; `?ms=50` waits as long before it answers.

use std::{
    collections::{BTreeMap, HashMap},
    io::Cursor,
    sync::Mutex,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, Scope,
    http::{StatusCode, header},
    web::{self, Bytes, Data},
};
use futures_util::stream;
use image::{
    DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};

use super::{Handle, chance::mix, locked, products::Query};

/// Where the pictures are.
pub const ROOT: &str = "/pictures";

/// What was asked and drawn so far.
#[derive(Default)]
pub struct Pictures {
    asked: Mutex<BTreeMap<String, u64>>,
    drawn: Mutex<HashMap<String, Bytes>>,
    grain: Mutex<HashMap<u64, u8>>,
}

impl Pictures {
    /// How often each path was asked for.
    pub fn asked(&self) -> BTreeMap<String, u64> {
        locked(&self.asked).clone()
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        locked(&self.asked).clear();
    }

    fn draw(&self, path: &str, size: Option<u64>) -> Bytes {
        let key = format!("{path}?{size:?}");
        if let Some(known) = locked(&self.drawn).get(&key) {
            return known.clone();
        }
        let seed = path.bytes().fold(7, |sum, byte| mix(sum ^ u64::from(byte)));
        let drawn = Bytes::from(match size {
            Some(bytes) => photo(seed, self.grain(bytes)),
            None => small(seed, path),
        });
        locked(&self.drawn).insert(key, drawn.clone());
        drawn
    }

    /// How grainy a photo must be to have about this many bytes; found out once.
    fn grain(&self, bytes: u64) -> u8 {
        let mut known = locked(&self.grain);
        *known.entry(bytes).or_insert_with(|| {
            let (mut low, mut high) = (0u8, 255u8);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if (photo(1, middle).len() as u64) < bytes { low = middle } else { high = middle }
            }
            high
        })
    }
}

/// Colours that run from corner to corner, with grain.
fn paint(seed: u64, width: u32, height: u32, grain: u8) -> RgbImage {
    let mut noise = seed | 1;
    RgbImage::from_fn(width, height, |x, y| {
        // Cheap and good enough for grain: xorshift.
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        let step = u64::from(grain) + 1;
        let point = |slope: u64, shift: u32| {
            let base = (u64::from(x) * slope + u64::from(y) * (slope ^ 3) + (seed >> shift)) / 8 % 160;
            u8::try_from(base + (noise >> shift) % step * 95 / 255).unwrap_or(u8::MAX)
        };
        Rgb([point(1, 8), point(2, 16), point(3, 24)])
    })
}

fn photo(seed: u64, grain: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Encoding into memory cannot fail; an empty answer would be seen at once.
    let _ = paint(seed, 800, 600, grain).write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85));
    bytes
}

fn small(seed: u64, path: &str) -> Vec<u8> {
    let format = match path.rsplit('.').next() {
        Some("png") => ImageFormat::Png,
        Some("gif") => ImageFormat::Gif,
        Some("webp") => ImageFormat::WebP,
        Some("bmp") => ImageFormat::Bmp,
        _ => ImageFormat::Jpeg,
    };
    let mut bytes = Cursor::new(Vec::new());
    let _ = DynamicImage::from(paint(seed, 96, 72, 20)).write_to(&mut bytes, format);
    bytes.into_inner()
}

fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = GrayImage::new(11_000, 11_000).write_with_encoder(PngEncoder::new(&mut bytes));
    bytes
}

/// The routes of the store.
pub fn scope() -> Scope {
    web::scope(ROOT).default_service(web::get().to(answer))
}

async fn answer(handle: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let pictures = &handle.inner.pictures;
    let path = request.path().strip_prefix(ROOT).unwrap_or_default().trim_start_matches('/').to_owned();
    let count = {
        let mut asked = locked(&pictures.asked);
        let count = asked.entry(path.clone()).or_default();
        *count += 1;
        *count
    };
    let query = Query::parse(request.query_string());
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    if let Some(ms) = number("ms") {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let (how, name) = path.split_once('/').unwrap_or(("", &path));
    let (how, amount) = how.split_once('-').unwrap_or((how, ""));
    match how {
        "broken" => {
            let whole = pictures.draw(name, number("bytes"));
            HttpResponse::Ok().body(whole.slice(..whole.len() / 2))
        }
        "page" => HttpResponse::Ok().content_type("image/jpeg").body("<html><body>Not here</body></html>"),
        "huge" => {
            let parts = (0..100).map(|_| Ok::<_, actix_web::Error>(Bytes::from(vec![0xff; 1_000_000])));
            HttpResponse::Ok().streaming(stream::iter(parts))
        }
        "bomb" => HttpResponse::Ok().body(bomb()),
        "status" => HttpResponse::build(amount.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or_default()).finish(),
        "late" if count <= amount.parse().unwrap_or(1) => HttpResponse::NotFound().finish(),
        "inward" => HttpResponse::Found().insert_header((header::LOCATION, "http://169.254.169.254/latest/meta-data/")).finish(),
        "moved" => HttpResponse::Found().insert_header((header::LOCATION, format!("{ROOT}/{name}"))).finish(),
        _ => {
            let tag = format!("\"{:016x}\"", path.bytes().fold(1, |sum, byte| mix(sum ^ u64::from(byte))));
            if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
                return HttpResponse::NotModified().finish();
            }
            HttpResponse::Ok().insert_header((header::ETAG, tag)).body(pictures.draw(&path, number("bytes")))
        }
    }
}
