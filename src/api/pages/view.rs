//! The page as HTML. Whatever is not ours is escaped by maud.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::{
    domain::text::{self, Lang},
    engine::{page::Recipe, service::page_links::Visit},
    fault::{Code, Fault},
};

/// Names of the languages, as their speakers write them.
const LANGUAGES: [(Lang, &str); 4] = [(Lang::Uk, "Українська"), (Lang::Ru, "Русский"), (Lang::En, "English"), (Lang::Uz, "Oʻzbekcha")];

const STYLE: &str = "
body{font:15px/1.45 system-ui,sans-serif;color:#1f2328;margin:0 auto;max-width:1080px;padding:16px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px;border-bottom:1px solid #d8dee4;padding-bottom:4px}h3{font-size:15px;margin:16px 0 4px}
nav a{margin-right:12px}p{margin:6px 0}table{border-collapse:collapse;width:100%}td,th{border:1px solid #d8dee4;padding:4px 8px;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#f6f8fa;font-weight:600}code,textarea{font:13px/1.4 ui-monospace,monospace}textarea,input[type=text]{width:100%;box-sizing:border-box;padding:6px;border:1px solid #8c959f;border-radius:4px}
label{display:block;margin:10px 0 2px;font-weight:600}button{margin:10px 8px 0 0;padding:6px 14px;border:1px solid #1f6feb;border-radius:4px;background:#1f6feb;color:#fff;font:inherit;cursor:pointer}
button.plain{background:#fff;color:#1f6feb}.muted{color:#59636e}.bad{background:#ffebe9;border:1px solid #d1242f;border-radius:4px;padding:8px}.good{background:#dafbe1;border:1px solid #1a7f37;border-radius:4px;padding:8px}
tr.bad td{background:#ffebe9}.line{display:grid;grid-template-columns:190px 1fr;gap:8px;align-items:center;margin:2px 0}.line textarea{overflow-wrap:anywhere;resize:vertical}
";

/// A try of the mapping.
pub struct Tried {
    order: String,
    fields: Vec<TriedField>,
    problems: Vec<String>,
    sent: Vec<(String, String)>,
}

struct TriedField {
    target: String,
    value: String,
    from: String,
    raw: String,
    fine: bool,
    notes: String,
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rows<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn member(value: &Value, name: &str) -> String {
    value.get(name).map(word).unwrap_or_default()
}

impl Tried {
    /// From the answer of the mapping test.
    pub fn of(answer: &Value) -> Self {
        let field = |row: &Value| TriedField {
            target: member(row, "target"),
            value: member(row, "value"),
            from: member(row, "from"),
            raw: member(row, "raw"),
            fine: row.get("fine").and_then(Value::as_bool).unwrap_or(true),
            notes: rows(row, "notes").map(|note| member(note, "text")).collect::<Vec<_>>().join(" "),
        };
        let unusable = answer.get("unusable").filter(|problem| !problem.is_null());
        Self {
            order: member(answer, "order"),
            fields: rows(answer, "fields").map(field).collect(),
            problems: unusable.into_iter().chain(rows(answer, "problems")).map(|problem| member(problem, "text")).collect(),
            sent: rows(answer, "onebox").map(|row| (member(row, "field"), member(row, "value"))).collect(),
        }
    }
}

/// All that the page shows.
pub struct Shown {
    lang: Lang,
    flow: String,
    link: String,
    origin: String,
    name: String,
    enabled: bool,
    may_change: bool,
    version: u64,
    settings: Vec<(String, String)>,
    secrets: Vec<String>,
    mapping: Value,
    recipes: Vec<Recipe>,
    /// Orders that are offered for a try.
    pub orders: Vec<String>,
    /// The order that is tried.
    pub order: String,
    /// What stands in the field of the mapping.
    pub draft: String,
    /// What the try made of it.
    pub tried: Option<Tried>,
    /// The run that was started.
    pub run: Option<String>,
    /// The mapping was saved.
    pub saved: bool,
    /// What went wrong.
    pub fault: Option<Fault>,
}

impl Shown {
    /// A page without anything on it yet.
    pub fn of(lang: Lang, flow: &str, link: &str, origin: &str) -> Self {
        Self {
            lang,
            flow: flow.to_owned(),
            link: link.to_owned(),
            origin: origin.to_owned(),
            name: String::new(),
            enabled: true,
            may_change: false,
            version: 0,
            settings: Vec::new(),
            secrets: Vec::new(),
            mapping: Value::Null,
            recipes: Vec::new(),
            orders: Vec::new(),
            order: String::new(),
            draft: String::new(),
            tried: None,
            run: None,
            saved: false,
            fault: None,
        }
    }

    /// The connection as it stands now. What the visitor may do is only ever widened: a page drawn after saving keeps it.
    pub fn now(&mut self, visit: &Visit) {
        self.name.clone_from(&visit.connection.name);
        self.enabled = visit.connection.enabled;
        self.may_change |= visit.may_change;
        self.version = visit.connection.version;
        self.settings.clear();
        flat("", &visit.facts.settings, visit.facts.mapping_name, &mut self.settings);
        self.secrets = visit.connection.secrets.keys().cloned().collect();
        self.mapping.clone_from(&visit.facts.mapping);
        self.recipes.clone_from(&visit.facts.recipes);
    }

    fn say(&self, code: &str) -> String {
        say(self.lang, code)
    }
}

/// Settings by their paths; the mapping has a table of its own.
fn flat(prefix: &str, value: &Value, but: &str, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members.iter().filter(|(name, _)| !prefix.is_empty() || *name != but) {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flat(&path, value, but, all);
            }
        }
        other => all.push((prefix.to_owned(), word(other))),
    }
}

fn say(lang: Lang, code: &str) -> String {
    text::sentence(lang, code, &BTreeMap::new())
}

fn document(lang: Lang, title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// A page that says only why nothing is shown.
pub fn closed(lang: Lang, code: &str) -> String {
    let title = say(lang, "page_title");
    document(lang, &title, &html! { h1 { (title) } p .bad #fault { (say(lang, code)) } })
}

/// The whole page.
pub fn page(shown: &Shown) -> String {
    let title = shown.say("page_title");
    let body = html! {
        nav #languages {
            @for (lang, name) in LANGUAGES {
                a href=(format!("/pages/{}?lang={}&link={}", shown.flow, lang.tag(), shown.link)) { (name) }
            }
        }
        h1 { (title) ": " (shown.name) }
        @if !shown.enabled { p .bad { (shown.say("page_disabled")) } }
        @if let Some(fault) = &shown.fault { (failure(shown.lang, fault)) }
        (recipes(shown))
        (tester(shown))
        (mapping(shown))
        (settings(shown))
    };
    document(shown.lang, &title, &body)
}

fn failure(lang: Lang, fault: &Fault) -> Markup {
    html! {
        div .bad #fault {
            p { @if fault.code == Code::PreconditionFailed { (say(lang, "page_changed")) } @else { (fault.detail) } }
            @if !fault.fields.is_empty() {
                ul { @for field in &fault.fields { li { code { (field.pointer) } " " (field.detail) } } }
            }
        }
    }
}

/// Fields that every form carries.
fn hidden(shown: &Shown) -> Markup {
    html! {
        input type="hidden" name="link" value=(shown.link);
        input type="hidden" name="lang" value=(shown.lang.tag());
    }
}

fn address(shown: &Shown) -> String {
    format!("/pages/{}", shown.flow)
}

fn recipes(shown: &Shown) -> Markup {
    html! {
        h2 { (shown.say("page_recipes")) }
        p { (shown.say("page_recipes_how")) }
        @if shown.recipes.is_empty() { p .bad { (shown.say("page_no_token")) } }
        @for (number, recipe) in shown.recipes.iter().enumerate() {
            div .recipe id=(format!("recipe-{}", number + 1)) {
                h3 { (text::sentence(shown.lang, recipe.title, &recipe.params)) }
                div .line { span { b { "GET" } (shown.say("page_recipe_get")) } textarea .get readonly rows="2" { (shown.origin) (recipe.get) } }
                div .line { span { b { "POST" } (shown.say("page_recipe_post")) } textarea .post readonly rows="1" { (shown.origin) (recipe.post) } }
                div .line { span { (shown.say("page_recipe_body")) } textarea .body readonly rows="1" { (recipe.body) } }
            }
        }
        p .muted { (shown.say("page_recipes_secret")) }
        form method="post" action=(address(shown)) {
            (hidden(shown))
            input type="hidden" name="action" value="pull";
            button #pull { (shown.say("page_pull")) }
        }
        @if let Some(run) = &shown.run {
            p .good #pulled { (text::sentence(shown.lang, "page_pulled", &BTreeMap::from([("run".to_owned(), run.clone())]))) }
        }
    }
}

fn tester(shown: &Shown) -> Markup {
    html! {
        h2 { (shown.say("page_try")) }
        p { (shown.say("page_try_how")) }
        form method="post" action=(address(shown)) {
            (hidden(shown))
            input type="hidden" name="version" value=(shown.version);
            label for="order" { (shown.say("page_order")) }
            input #order type="text" name="order" list="orders" value=(shown.order) autocomplete="off";
            datalist #orders { @for order in &shown.orders { option value=(order) {} } }
            label for="mapping" { (shown.say("page_draft")) }
            textarea #mapping name="mapping" rows="6" placeholder="{\"recipient.phone\": {\"from\": [\"/recipient/phone\", \"/tel\"]}}" { (shown.draft) }
            button #try name="action" value="try" { (shown.say("page_try_button")) }
            @if shown.may_change { button .plain #save name="action" value="save" { (shown.say("page_save")) } }
        }
        @if shown.saved { p .good #saved { (shown.say("page_saved")) } }
        @if let Some(tried) = &shown.tried { (outcome(shown, tried)) }
    }
}

fn outcome(shown: &Shown, tried: &Tried) -> Markup {
    html! {
        h3 #tried { (shown.say("page_order")) " " (tried.order) }
        @if tried.problems.is_empty() {
            p .good { (shown.say("page_try_fine")) }
        } @else {
            div .bad #problems { ul { @for problem in &tried.problems { li { (problem) } } } }
        }
        table #fields {
            tr { @for head in ["page_target", "page_value", "page_from", "page_raw", "page_notes"] { th { (shown.say(head)) } } }
            @for field in &tried.fields {
                tr .bad[!field.fine] data-target=(field.target) {
                    td { code { (field.target) } } td .value { (field.value) } td .from { code { (field.from) } } td { (field.raw) } td { (field.notes) }
                }
            }
        }
        h3 { (shown.say("page_sent")) }
        table #sent {
            @for (field, value) in &tried.sent { tr { td { code { (field) } } td { (value) } } }
        }
    }
}

fn mapping(shown: &Shown) -> Markup {
    let list = |field: &Value, name: &str| rows(field, name).map(word).collect::<Vec<_>>().join(", ");
    html! {
        h2 { (shown.say("page_mapping")) }
        table #mapping-now {
            tr { @for head in ["page_target", "page_from", "page_transforms", "page_required", "page_missing"] { th { (shown.say(head)) } } }
            @for (target, field) in shown.mapping.as_object().into_iter().flatten() {
                tr data-target=(target) {
                    td { code { (target) } }
                    td .from { code { (list(field, "from")) } }
                    td { (list(field, "transform")) }
                    td { @if field.get("required").and_then(Value::as_bool) == Some(true) { (shown.say("page_yes")) } }
                    td { (member(field, "on_missing")) }
                }
            }
        }
    }
}

fn settings(shown: &Shown) -> Markup {
    html! {
        h2 { (shown.say("page_settings")) }
        p { (shown.say("page_settings_how")) }
        table #settings {
            @for (name, value) in &shown.settings { tr { td { code { (name) } } td { (value) } } }
            @for name in &shown.secrets { tr { td { code { (name) } } td .muted { (shown.say("page_secret")) } } }
        }
    }
}
