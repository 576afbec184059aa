//! Pictures of Billz into the shop: fetched behind the SSRF guard, proven to be pictures, stored in the shop's folder or handed to
//! the bridge, and shown at their products.

use std::{collections::HashMap, path::Path, sync::LazyLock};

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Parts, pictures,
    settings::Settings,
    target::{ended, product_id},
    variants::Place,
};
use crate::{
    domain::picture::{self, MOST_PIXELS, Picture, Unfit},
    engine::{
        flow::Opened,
        model::{Applied, Reason},
        pictures::{Fetched, Gallery, Show, Stored},
    },
    fault::{Code, Fault, failpoint},
    remote::{
        Http,
        foreign::{Foreign, Got, Missed, Validators},
        guard::Guard,
    },
    systems::opencart::{self, Bridge, Forget, ImageFolder, ProductPictures, Reader, Writer, bridge},
};

/// What we ask for; servers that look at it give what the shop needs no conversion of.
const ACCEPT: &str = "image/jpeg,image/png,image/gif,image/webp;q=0.8,image/*;q=0.5";

/// Pictures decoded at once in this process: each may take 4 bytes for every one of [`MOST_PIXELS`].
static DECODERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Where files go.
enum Keeper {
    Folder(ImageFolder),
    Bridge(Bridge),
    /// The settings name a place that there is not, in words: products are none the worse for it.
    Nowhere(String),
}

/// Pictures of one connection.
pub struct BillzGallery {
    place: String,
    keeper: Keeper,
    /// Asked once: a folder that is not there, or a bridge that does not answer, need not be found out for each picture.
    ready: OnceCell<Result<(), String>>,
    foreign: Foreign,
    max_bytes: u64,
    shop: opencart::Options,
    connection: String,
}

fn keeper(root: Option<&Path>, settings: &Settings, opened: &Opened, http: &Http) -> Option<Keeper> {
    if let Some(dir) = &settings.images.dir {
        let folder = ImageFolder::new(root, dir).map(Keeper::Folder);
        return Some(folder.unwrap_or_else(|detail| Keeper::Nowhere(format!("images.dir: {detail}"))));
    }
    let url = settings.opencart.bridge_url.as_deref()?;
    let bridge = bridge::bridge(url, opened.secrets.get("bridge_secret"), http).map(Keeper::Bridge);
    Some(bridge.unwrap_or_else(|fault| Keeper::Nowhere(fault.detail)))
}

impl Keeper {
    fn place(&self) -> String {
        match self {
            Self::Folder(folder) => format!("folder {}", folder.place()),
            Self::Bridge(bridge) => format!("bridge {}", bridge.place()),
            Self::Nowhere(_) => "nowhere".to_owned(),
        }
    }

    /// Whether it can take pictures; `Err` says why not.
    async fn prepare(&self) -> Result<(), String> {
        match self {
            Self::Folder(folder) => blocking(folder.clone(), |folder| folder.prepare()).await.unwrap_or_else(Err),
            Self::Bridge(bridge) => bridge.ping().await.map_err(|fault| format!("the bridge: {}", fault.detail)),
            Self::Nowhere(detail) => Err(detail.clone()),
        }
    }

    /// The outer error is a cancel.
    async fn store(&self, picture: Picture, stop: &CancellationToken) -> Result<Result<String, String>, Fault> {
        match self {
            Self::Folder(folder) => {
                let stored = blocking(folder.clone(), move |folder| folder.store(&picture)).await;
                Ok(stored.and_then(|stored| stored.map_err(|error| error.to_string())))
            }
            Self::Bridge(bridge) => match bridge.store(&picture, stop).await {
                Err(fault) if matches!(fault.code, Code::Cancelled | Code::Stopping) => Err(fault),
                stored => Ok(stored.map_err(|fault| format!("the bridge: {}", fault.detail))),
            },
            Self::Nowhere(detail) => Ok(Err(detail.clone())),
        }
    }
}

/// Work with the disk or the processor, away from the threads that wait for the network.
async fn blocking<A: Send + 'static, T: Send + 'static>(with: A, work: impl FnOnce(A) -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(move || work(with)).await.map_err(|_| "a task ended unexpectedly".to_owned())
}

/// The row of a connection's check: where pictures go and whether they can, in words.
pub async fn check(parts: &Parts, settings: &Settings, opened: &Opened) -> Result<Reason, String> {
    match keeper(parts.image_root.as_deref(), settings, opened, &parts.http) {
        None => Ok(Reason::new("check_pictures_none")),
        Some(keeper) => {
            keeper.prepare().await?;
            Ok(Reason::new("check_pictures").with("place", keeper.place()))
        }
    }
}

impl BillzGallery {
    /// The gallery of these settings; `None` where pictures have no place.
    pub fn new(parts: &Parts, settings: &Settings, opened: &Opened, shop: opencart::Options) -> Result<Option<Self>, Fault> {
        let Some(keeper) = keeper(parts.image_root.as_deref(), settings, opened, &parts.http) else { return Ok(None) };
        let digest = Sha256::digest(format!("{}\n{}", shop.identity(), keeper.place()));
        Ok(Some(Self {
            place: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            keeper,
            ready: OnceCell::new(),
            foreign: Foreign::new(Guard::new(&settings.images.allow_hosts))?,
            max_bytes: settings.images.max_bytes,
            shop,
            connection: opened.connection.clone(),
        }))
    }

    /// Fetches and stores; the inner error is the picture's own failure.
    async fn bring(&self, address: &str, known: Option<&Stored>, stop: &CancellationToken) -> Result<Result<Fetched, Reason>, Fault> {
        if let Err(detail) = self.ready.get_or_init(|| self.keeper.prepare()).await {
            return Ok(Err(Reason::new("picture_not_stored").with("detail", detail)));
        }
        let Ok(url) = Url::parse(address) else { return Ok(Err(Reason::new("picture_address"))) };
        let validators = known.map(|stored| Validators { etag: stored.etag.clone(), last_modified: stored.last_modified.clone() });
        let (bytes, validators) = match self.foreign.fetch(&url, ACCEPT, self.max_bytes, validators.as_ref(), stop).await? {
            Ok(Got::Content { bytes, validators }) => (bytes, validators),
            Ok(Got::NotModified) => return Ok(Ok(Fetched::Unchanged)),
            Err(missed) => return Ok(Err(self.missed(missed))),
        };
        let place = DECODERS.acquire().await.map_err(|_| Fault::new(Code::Stopping, "the service is stopping"))?;
        let checked = blocking(bytes, picture::check).await.unwrap_or_else(|detail| Err(Unfit::Unreadable(detail)));
        drop(place);
        let picture = match checked {
            Ok(picture) => picture,
            Err(unfit) => return Ok(Err(unfit_reason(unfit))),
        };
        let hash = picture.hash.clone();
        let stored = self.keeper.store(picture, stop).await?;
        Ok(stored
            .map(|path| Fetched::Stored(Stored { hash, path, etag: validators.etag, last_modified: validators.last_modified }))
            .map_err(|detail| Reason::new("picture_not_stored").with("detail", detail)))
    }

    fn missed(&self, missed: Missed) -> Reason {
        match missed {
            Missed::Refused(refused) => Reason::new("picture_host_refused").with("host", refused.host).with("why", refused.why),
            Missed::TooLarge => Reason::new("picture_too_large").with("most", self.max_bytes),
            Missed::Status(status) => Reason::new("picture_missing").with("status", status),
            Missed::Unavailable(detail) => Reason::new("picture_unavailable").with("detail", detail),
        }
    }
}

fn unfit_reason(unfit: Unfit) -> Reason {
    match unfit {
        Unfit::Type(kind) => Reason::new("picture_type").with("type", kind),
        Unfit::TooManyPixels { width, height } => {
            Reason::new("picture_too_many_pixels").with("size", format!("{width}×{height}")).with("most", MOST_PIXELS)
        }
        Unfit::Unreadable(detail) => Reason::new("picture_unreadable").with("detail", detail),
    }
}

#[async_trait]
impl Gallery for BillzGallery {
    fn place(&self) -> &str {
        &self.place
    }

    async fn holds(&self, path: &str) -> bool {
        match &self.keeper {
            Keeper::Folder(folder) => {
                blocking((folder.clone(), path.to_owned()), |(folder, path)| folder.holds(&path)).await.unwrap_or(false)
            }
            // The bridge is not asked: nobody but the shop's owner takes files away there.
            Keeper::Bridge(_) => true,
            Keeper::Nowhere(_) => false,
        }
    }

    async fn fetch(&self, address: &str, known: Option<&Stored>, stop: &CancellationToken) -> Result<Fetched, Fault> {
        let brought = self.bring(address, known, stop).await?;
        if let Ok(Fetched::Stored(_)) = &brought {
            failpoint::hit("picture-file-written");
        }
        // The address stands in the report beside the reason, and in its sentence.
        Ok(brought.unwrap_or_else(|reason| Fetched::Failed(reason.with("address", address))))
    }

    async fn standing(&self, targets: &[String]) -> Result<HashMap<String, Value>, Fault> {
        if targets.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = targets.iter().map(|target| product_id(target)).collect::<Result<Vec<_>, _>>()?;
        let found = Reader::open(&self.shop).await?.standing_pictures(&ids).await?;
        Ok(found.iter().map(|(id, standing)| (id.to_string(), pictures::value(standing))).collect())
    }

    async fn show(&self, shows: &[Show]) -> Result<Vec<Applied>, Fault> {
        if shows.is_empty() {
            return Ok(Vec::new());
        }
        let wishes = shows
            .iter()
            .map(|show| {
                Ok(ProductPictures {
                    product_id: product_id(&show.target)?,
                    date_added: show.witness.clone().unwrap_or_default(),
                    pictures: show.paths.clone(),
                    ours: show.ours.clone(),
                })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let mut writer = Writer::open(&self.shop, &self.connection).await?;
        // A family shows the pictures of its first size: the others' would take turns with them.
        let values: Vec<u64> = shows.iter().filter_map(|show| Place::of(&show.target)).map(|place| place.value_id).collect();
        let first = writer.first_values(&values).await?;
        let decides = |show: &Show| Place::of(&show.target).is_none_or(|place| first.contains(&place.value_id));
        let shown: Vec<bool> = shows.iter().map(decides).collect();
        let wishes: Vec<ProductPictures> = wishes.into_iter().zip(&shown).filter(|(_, shown)| **shown).map(|(wish, _)| wish).collect();
        let mut written = writer.show_pictures(&wishes).await?.into_iter();
        if let Err(fault) = writer.clear_cache(Forget::default()).await {
            tracing::warn!(connection.id = %self.connection, error = %fault, "the shop's caches could not be cleared; pictures show when they expire");
        }
        let done = |show: &Show| Applied::Done { target: show.target.clone(), witness: show.witness.clone() };
        let answer = |(show, shown): (&Show, bool)| {
            let written = if shown { written.next().and_then(ended) } else { None };
            written.unwrap_or_else(|| done(show))
        };
        Ok(shows.iter().zip(shown).map(answer).collect())
    }
}
