//! OneBox, simulated: a CRM that puts processed orders back to the start, doubles lines and contacts when called naively, and calls others by itself.
//!
//! Written from `facts/onebox.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our client, so it
//! cannot share the client's mistakes.
//!
//! [`routes`] is the door, [`sets`] what writes, [`reads`] what reads, [`book`] what is kept; [`hooks`] sends what stage actions send, [`app`] opens another's page. [`Handle`]
//! drives it in process, [`control`] over HTTP; faults are those of [`super::desk`].

pub mod app;
pub mod book;
pub mod control;
pub mod hooks;
pub mod reads;
pub mod routes;
pub mod sets;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use self::{book::Book, hooks::Post};
pub use self::{
    book::{Contact, Line, Order, Product, Write},
    hooks::{Action, Fired, Form},
};
use super::{
    Options,
    desk::{Desk, locked},
};

/// The workflow of the shop's orders.
pub const WORKFLOW: u64 = 9;
/// Its stages; the first is the start.
pub const STAGES: [(u64, &str); 5] = [(54, "Новий"), (55, "Комплектується"), (57, "Відправлено"), (58, "Виконано"), (59, "Скасовано")];

/// What the body of `order/set` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyRoot {
    /// `[{...}]`.
    Array,
    /// `{"0": {...}}`.
    IndexedObject,
    /// Either.
    Both,
}

/// How ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// As numbers in one answer, as texts in the next.
    Mixed,
    /// As numbers.
    Int,
    /// As texts.
    Text,
}

/// How `errorArray` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// A list of texts.
    List,
    /// A map from field to text.
    Map,
    /// A list of objects.
    Objects,
}

/// What a placeholder without a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unresolved {
    /// It stays as it is.
    Literal,
    /// Nothing.
    Empty,
}

/// What can be set while it runs. Defaults are the harder of two unknowns, or what the sheet documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The virtual employee.
    pub login: String,
    /// Its REST API password.
    pub password: String,
    /// Life of a token in seconds; not divided by the time factor.
    pub token_life_s: u64,
    /// A token is refused after so many calls.
    pub token_calls: Option<u32>,
    /// What the body of `order/set` must be.
    pub body_root: BodyRoot,
    /// How ids are written.
    pub id_form: IdForm,
    /// How `errorArray` is written.
    pub errors: Errors,
    /// Lines are added on a repeat unless `deletenotupdatedproducts` says otherwise; switched off, a line of the same product is changed.
    pub lines_added: bool,
    /// A new contact with a number that another has, in any form, is refused with `#12903`.
    pub phone_unique: bool,
    /// `contact/get` answers too much: whoever shares the last seven digits, and contact 1.
    pub wide_contact_filter: bool,
    /// `order/get` finds an order only so many milliseconds after its creation.
    pub get_lag_ms: u64,
    /// So many of the next `order/set` answer success with an empty list, though all was done.
    pub empty_answers: u32,
    /// The custom fields that exist; others are ignored without a word. `None` = all exist.
    pub custom_fields: Option<Vec<String>>,
    /// What a placeholder without a value becomes.
    pub unresolved: Unresolved,
    /// Values in hooks are escaped for HTML.
    pub html_escaped: bool,
    /// Each hook is sent so many times.
    pub hook_times: u32,
    /// Hooks wait for [`Handle::release_hooks`].
    pub hooks_held: bool,
    /// What waited is sent last first, one after another.
    pub hooks_reversed: bool,
    /// How long an action waits for an answer, in milliseconds.
    pub hook_timeout_ms: u64,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            login: "okl-bot".to_owned(),
            password: "demo-onebox-password".to_owned(),
            token_life_s: 3_000,
            token_calls: None,
            body_root: BodyRoot::Array,
            id_form: IdForm::Mixed,
            errors: Errors::List,
            lines_added: true,
            phone_unique: true,
            wide_contact_filter: true,
            get_lag_ms: 0,
            empty_answers: 0,
            custom_fields: None,
            unresolved: Unresolved::Literal,
            html_escaped: true,
            hook_times: 1,
            hooks_held: false,
            hooks_reversed: false,
            hook_timeout_ms: 5_000,
            latency_ms: 0,
        }
    }
}

/// A token that was given out.
#[derive(Clone, Copy, Debug)]
struct Issued {
    until: std::time::Instant,
    calls: u32,
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    book: Mutex<Book>,
    switches: Mutex<Switches>,
    tokens: Mutex<HashMap<String, Issued>>,
    logins: AtomicU64,
    /// Answers so far, for ids that change their form.
    answers: AtomicU64,
    actions: Mutex<Vec<Action>>,
    app: Mutex<String>,
    post: Post,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many orders there are.
    pub orders: usize,
    /// How many contacts, the default one included.
    pub contacts: usize,
    /// How many products.
    pub products: usize,
    /// External ids that orders or contacts share.
    pub doubles: Vec<String>,
    /// Tokens given out so far.
    pub logins: u64,
    /// Orders written so far, changes included.
    pub sets: u64,
    /// Hooks that wait or are on their way.
    pub hooks_waiting: usize,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet; empty.
    pub fn new(options: &Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                book: Mutex::default(),
                switches: Mutex::new(options.onebox.clone()),
                tokens: Mutex::default(),
                logins: AtomicU64::default(),
                answers: AtomicU64::default(),
                actions: Mutex::default(),
                app: Mutex::default(),
                post: Post::default(),
                desk: Desk::new("onebox", Duration::from_secs_f64(60.0 / options.time_factor.max(f64::MIN_POSITIVE))),
            }),
        }
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// Forgets orders, contacts, products and hooks; actions stay.
    pub fn reset(&self) {
        *locked(&self.inner.book) = Book::default();
        self.clear_hooks();
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let book = locked(&self.inner.book);
        State {
            orders: book.orders.len(),
            contacts: book.contacts.len(),
            products: book.products.len(),
            doubles: book.doubles(),
            logins: self.inner.logins.load(Ordering::SeqCst),
            sets: book.orders.values().map(|order| u64::from(order.sets)).sum(),
            hooks_waiting: self.inner.post.waiting(),
            switches: self.switches(),
        }
    }

    /// The switches as they stand.
    pub fn switches(&self) -> Switches {
        locked(&self.inner.switches).clone()
    }

    /// Changes switches in place.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.inner.switches));
    }

    /// Every token given out so far is refused from now on.
    pub fn expire_tokens(&self) {
        locked(&self.inner.tokens).clear();
    }

    /// All orders, by OneBox's id.
    pub fn orders(&self) -> BTreeMap<u64, Order> {
        locked(&self.inner.book).orders.clone()
    }

    /// The orders with this external id: one, unless something went wrong.
    pub fn by_externalid(&self, externalid: &str) -> Vec<Order> {
        let book = locked(&self.inner.book);
        book.orders.values().filter(|order| order.externalid == externalid).cloned().collect()
    }

    /// All contacts, by id; 1 is the default contact of the API.
    pub fn contacts(&self) -> BTreeMap<u64, Contact> {
        locked(&self.inner.book).contacts.clone()
    }

    /// All products, by id.
    pub fn products(&self) -> BTreeMap<u64, Product> {
        locked(&self.inner.book).products.clone()
    }

    /// External ids that several orders, or several contacts, share.
    pub fn doubles(&self) -> Vec<String> {
        locked(&self.inner.book).doubles()
    }

    /// A person adds a contact; its id. An `id` of 0 is the next one.
    pub fn add_contact(&self, contact: Contact) -> u64 {
        locked(&self.inner.book).add_contact(contact)
    }

    /// Adds an order or replaces it, without any action; its id. An `id` of 0 is the next one.
    pub fn put(&self, order: Order) -> u64 {
        locked(&self.inner.book).put(order)
    }

    /// A manager edits an order; whether it was there. Fires nothing.
    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Order)) -> bool {
        locked(&self.inner.book).orders.get_mut(&id).map(change).is_some()
    }

    /// A manager moves an order to a stage, which fires the stage's actions; whether it was there.
    pub fn move_to(&self, id: u64, stage: u64) -> bool {
        let moved = {
            let mut book = locked(&self.inner.book);
            book.orders.get_mut(&id).map(|order| {
                order.enter(stage);
                order.clone()
            })
        };
        moved.map(|order| self.entered(&order)).is_some()
    }

    /// A manager starts an action by hand; whether order and action were there.
    pub fn press(&self, id: u64, key: &str) -> bool {
        let order = locked(&self.inner.book).orders.get(&id).cloned();
        let action = locked(&self.inner.actions).iter().find(|action| action.key == key).cloned();
        let (Some(order), Some(action)) = (order, action) else { return false };
        self.inner.post.send(&[action], &order, &self.switches());
        true
    }

    /// The automatic actions from now on.
    pub fn set_actions(&self, actions: Vec<Action>) {
        *locked(&self.inner.actions) = actions;
    }

    /// The automatic actions.
    pub fn actions(&self) -> Vec<Action> {
        locked(&self.inner.actions).clone()
    }

    /// The address of the page that stands under "My Custom Apps" from now on.
    pub fn set_app(&self, address: &str) {
        address.clone_into(&mut locked(&self.inner.app));
    }

    /// The address of that page; empty at first.
    pub fn app(&self) -> String {
        locked(&self.inner.app).clone()
    }

    /// Sends what waits, if hooks are held.
    pub fn release_hooks(&self) {
        self.inner.post.release(&self.switches());
    }

    /// Every hook that was sent and has come to its end, in that order.
    pub fn hooks(&self) -> Vec<Fired> {
        self.inner.post.fired()
    }

    /// Forgets the hooks that were sent, and those that wait.
    pub fn clear_hooks(&self) {
        self.inner.post.clear();
    }

    /// Waits until no hook is on its way any more.
    pub async fn hooks_idle(&self) {
        while self.inner.post.on_the_way() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every `order/set` and `product/set` that was let in, refused ones included, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        locked(&self.inner.book).writes.clone()
    }

    /// Forgets them.
    pub fn clear_writes(&self) {
        locked(&self.inner.book).writes.clear();
    }

    /// Fires the actions of the stage that an order has just entered.
    fn entered(&self, order: &Order) {
        let actions: Vec<Action> = self.actions().into_iter().filter(|action| action.stage == Some(order.status)).collect();
        self.inner.post.send(&actions, order, &self.switches());
    }
}
