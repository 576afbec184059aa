//! The fields of contacts and deals: which there are, and what `crm.<entity>.fields` says about them (sheet 4.4).

use serde_json::{Map, Value, json};

use super::entity::Kind;

/// Surname of the pupil.
pub const PUPIL_LAST_NAME: &str = "UF_CRM_57AD7FAF7E6C4";
/// First name of the pupil.
pub const PUPIL_FIRST_NAME: &str = "UF_CRM_1608028374";
/// Products of a contact: 404 classroom, 410 online, 430 known to nobody else.
pub const PRODUCT: &str = "UF_CRM_58D15BB9CA8F4";
/// Branches: of a contact 48, 12708 and 348; of a deal 186, 12706 and 580.
pub const BRANCH: &str = "UF_CRM_1470852549";
/// Birthday of the pupil.
pub const BIRTHDATE: &str = "UF_CRM_1607943642";
/// Day of the sale.
pub const SALE_DATE: &str = "UF_CRM_58D1057919A6F";
/// How a deal was paid: 450 cash, 452 card, 454 transfer.
pub const PAYMENT: &str = "UF_CRM_1490347942";
/// "Статус синхронизации", of contacts and deals alike.
pub const STATUS: &str = "UF_CRM_1700000000001";
/// A user field that the integration does not know.
pub const STRANGER: &str = "UF_CRM_1470854727";

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its code.
    pub code: String,
    /// `string`, `enumeration` ...
    pub kind: &'static str,
    /// Updates of it are dropped.
    pub read_only: bool,
    /// It holds a list.
    pub multiple: bool,
    /// A user field.
    pub dynamic: bool,
    /// What people read.
    pub label: String,
    /// The values of a list: id and name.
    pub items: Vec<(u64, String)>,
}

fn plain(code: &str, kind: &'static str) -> Field {
    let read_only =
        matches!(code, "ID" | "DATE_CREATE" | "DATE_MODIFY" | "MODIFY_BY_ID" | "CREATED_BY_ID" | "STAGE_SEMANTIC_ID" | "MOVED_TIME")
            || code.starts_with("HAS_");
    let multiple = kind == "crm_multifield";
    Field { code: code.to_owned(), kind, read_only, multiple, dynamic: false, label: code.to_owned(), items: Vec::new() }
}

fn user(code: &str, kind: &'static str, label: &str) -> Field {
    Field { code: code.to_owned(), kind, read_only: false, multiple: false, dynamic: true, label: label.to_owned(), items: Vec::new() }
}

fn list(code: &str, multiple: bool, label: &str, items: &[(u64, &str)]) -> Field {
    let items = items.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
    Field { multiple, items, ..user(code, "enumeration", label) }
}

/// The fields of a new portal.
pub fn of(kind: Kind) -> Vec<Field> {
    let both = [
        ("ID", "integer"),
        ("TYPE_ID", "crm_status"),
        ("LEAD_ID", "crm_lead"),
        ("SOURCE_ID", "crm_status"),
        ("COMMENTS", "string"),
        ("ASSIGNED_BY_ID", "user"),
        ("CREATED_BY_ID", "user"),
        ("MODIFY_BY_ID", "user"),
        ("DATE_CREATE", "datetime"),
        ("DATE_MODIFY", "datetime"),
        ("ORIGIN_ID", "string"),
    ];
    let own: &[(&str, &'static str)] = match kind {
        Kind::Contact => &[
            ("HONORIFIC", "crm_status"),
            ("NAME", "string"),
            ("SECOND_NAME", "string"),
            ("LAST_NAME", "string"),
            ("PHOTO", "file"),
            ("POST", "string"),
            ("BIRTHDATE", "date"),
            ("EXPORT", "char"),
            ("HAS_PHONE", "char"),
            ("HAS_EMAIL", "char"),
            ("PHONE", "crm_multifield"),
            ("EMAIL", "crm_multifield"),
        ],
        Kind::Deal => &[
            ("TITLE", "string"),
            ("STAGE_ID", "crm_status"),
            ("STAGE_SEMANTIC_ID", "string"),
            ("CATEGORY_ID", "crm_category"),
            ("PROBABILITY", "integer"),
            ("CURRENCY_ID", "crm_currency"),
            ("OPPORTUNITY", "double"),
            ("CONTACT_ID", "crm_contact"),
            ("COMPANY_ID", "crm_company"),
            ("BEGINDATE", "date"),
            ("CLOSEDATE", "date"),
            ("MOVED_TIME", "datetime"),
            ("OPENED", "char"),
            ("CLOSED", "char"),
            ("ADDITIONAL_INFO", "string"),
        ],
    };
    let mut all: Vec<Field> = both.iter().chain(own).map(|(code, kind)| plain(code, kind)).collect();
    all.extend(match kind {
        Kind::Contact => vec![
            user(PUPIL_LAST_NAME, "string", "Фамилия ученика"),
            user(PUPIL_FIRST_NAME, "string", "Имя ученика"),
            user(BIRTHDATE, "date", "Дата рождения ученика"),
            list(PRODUCT, true, "Продукт", &[(404, "Обучение шахматам"), (410, "Онлайн школа"), (430, "Лагерь")]),
            list(BRANCH, true, "Филиал", &[(48, "Гоголевский"), (12_708, "Сколково"), (348, "Выездной")]),
            list(STRANGER, true, "Откуда узнали", &[(62, "Сайт"), (64, "Знакомые")]),
            user(STATUS, "string", "Статус синхронизации"),
        ],
        Kind::Deal => vec![
            user(SALE_DATE, "date", "Дата продажи"),
            list(BRANCH, true, "Филиал", &[(186, "Гоголевский"), (12_706, "Сколково"), (580, "Выездной")]),
            list(PAYMENT, false, "Способ оплаты", &[(450, "Наличные"), (452, "Карта"), (454, "Перевод")]),
            list(STRANGER, true, "Откуда узнали", &[(62, "Сайт"), (64, "Знакомые")]),
            user(STATUS, "string", "Статус синхронизации"),
        ],
    });
    all
}

/// What `crm.<entity>.fields` says about one field. The title of a user field is its code; what people read stands in the labels.
pub fn described(field: &Field, max_length: usize) -> Value {
    let mut all = Map::new();
    for (name, value) in [
        ("type", json!(field.kind)),
        ("isRequired", json!(false)),
        ("isReadOnly", json!(field.read_only)),
        ("isImmutable", json!(false)),
        ("isMultiple", json!(field.multiple)),
        ("isDynamic", json!(field.dynamic)),
        ("title", json!(field.code)),
    ] {
        all.insert(name.to_owned(), value);
    }
    if field.kind == "crm_status" {
        all.insert("statusType".to_owned(), json!(field.code));
    }
    if field.dynamic {
        for name in ["listLabel", "formLabel", "filterLabel"] {
            all.insert(name.to_owned(), json!(field.label));
        }
        let settings = if field.kind == "string" {
            json!({"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": max_length, "DEFAULT_VALUE": ""})
        } else {
            json!({})
        };
        all.insert("settings".to_owned(), settings);
        if field.kind == "enumeration" {
            let items: Vec<Value> = field.items.iter().map(|(id, name)| json!({"ID": id.to_string(), "VALUE": name})).collect();
            all.insert("items".to_owned(), json!(items));
        }
    }
    Value::Object(all)
}
