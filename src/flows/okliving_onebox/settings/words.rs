//! Settings that are one word of several.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::text::Lang;

/// How the login of OK Living is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OklivingTokenBody)]
pub enum TokenBody {
    /// As Shopware takes it.
    Json,
    /// As the requirement's PHP sample writes it.
    Form,
}

/// How pages of orders are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrdersPaging)]
pub enum Paging {
    /// One answer holds everything.
    None,
    /// `${page}` and `${limit}`.
    Page,
    /// `${offset}` and `${limit}`.
    Offset,
    /// `${cursor}`.
    Cursor,
}

/// How times are written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RequestTimes)]
pub enum Times {
    /// `2026-03-14 11:00:00` in the shop's zone.
    Local,
    /// With its offset, in UTC.
    Iso,
}

/// How OneBox's password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OneboxPasswordForm)]
pub enum PasswordForm {
    /// As it stands on the employee's card.
    Plain,
    /// Its md5, for older boxes.
    Md5,
}

/// What the root of a body to OneBox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OneboxBodyRoot)]
pub enum BodyRoot {
    /// A list.
    Array,
    /// An object with numbers as keys.
    IndexedObject,
}

/// Which field of OneBox shows an order's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OneboxContentField)]
pub enum ContentField {
    /// `content`
    Content,
    /// `comments`
    Comments,
    /// `description`
    Description,
}

impl ContentField {
    /// Its name in OneBox.
    pub fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Comments => "comments",
            Self::Description => "description",
        }
    }
}

/// A language of texts in OneBox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OneboxLanguage)]
pub enum Language {
    /// Ukrainian.
    Uk,
    /// Russian.
    Ru,
    /// English.
    En,
    /// Uzbek.
    Uz,
}

impl Language {
    /// The same as our texts know it.
    pub fn lang(self) -> Lang {
        match self {
            Self::Uk => Lang::Uk,
            Self::Ru => Lang::Ru,
            Self::En => Lang::En,
            Self::Uz => Lang::Uz,
        }
    }
}

/// A field of an order in OneBox that a person may keep for himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OneboxOrderField)]
pub enum UpdateField {
    /// Name of the recipient.
    Clientname,
    /// His phone.
    Clientphone,
    /// Where the parcel goes.
    Clientaddress,
    /// Lines.
    Products,
    /// Total.
    Sum,
    /// The order's text.
    Content,
}

impl UpdateField {
    /// All of them, as locks name them.
    pub const NAMES: &[&str] = &["clientname", "clientphone", "clientaddress", "products", "sum", "content"];
}

impl std::fmt::Display for UpdateField {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Clientname => "clientname",
            Self::Clientphone => "clientphone",
            Self::Clientaddress => "clientaddress",
            Self::Products => "products",
            Self::Sum => "sum",
            Self::Content => "content",
        })
    }
}
