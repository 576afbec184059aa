//! What goes where, and by which rules: the product. A new flow is a folder here and one line in [`all`].
//!
//! | flow | from -> to | folder |
//! |---|---|---|
//! | `bitrix24-otmechalka` | contacts and won deals of Bitrix24 -> clients and tickets of otmechalka, with a status back | [`bitrix24_otmechalka`] |
//! | `billz-opencart` | Billz tills -> OpenCart's database | [`billz_opencart`] |
//! | `kaktus-insales` | Kaktus' warehouse -> InSales' stock | [`kaktus_insales`] |
//! | `okliving-onebox` | OK Living's orders -> OneBox, and their states back | [`okliving_onebox`] |

mod address;
pub mod billz_opencart;
pub mod bitrix24_otmechalka;
pub mod kaktus_insales;
pub mod okliving_onebox;

use std::sync::Arc;

use crate::{
    engine::{claims::Claims, flow::Flow, hooks::Hooks},
    remote::{Http, ports::Limits},
};

/// What flows are built with.
#[derive(Clone)]
pub struct Parts {
    /// Talks HTTP.
    pub http: Http,
    /// Limits shared by all processes.
    pub limits: Arc<dyn Limits>,
    /// Names of dictionary rows that are about to be made, shared by all processes.
    pub claims: Arc<dyn Claims>,
    /// What remotes have told us by hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Which outgoing address this process has (`TRADESYNC_EGRESS`).
    pub egress: String,
    /// Our own database's address: the shop's database where a connection names none.
    pub database_url: secrecy::SecretString,
    /// Below which pictures may be written (`TRADESYNC_IMAGE_ROOT`).
    pub image_root: Option<std::path::PathBuf>,
}

/// Every flow of this binary.
pub fn all(parts: &Parts) -> Vec<Arc<dyn Flow>> {
    vec![
        Arc::new(billz_opencart::BillzOpencartFlow::new(parts.clone())),
        Arc::new(bitrix24_otmechalka::Bitrix24OtmechalkaFlow::new(parts.clone())),
        Arc::new(kaktus_insales::KaktusInsalesFlow::new(parts.clone())),
        Arc::new(okliving_onebox::OklivingOneboxFlow::new(parts.clone())),
    ]
}
