//! Automatic actions (sheet 5.7): what a stage sends to a URL when an order enters it. Sent once, with a short timeout, and forgotten.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::form_urlencoded;
use uuid::Uuid;

use super::{super::desk::locked, Order, Switches, Unresolved};

/// How an action sends its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// In the URL.
    #[default]
    Query,
    /// As a form.
    Form,
    /// As JSON.
    Json,
    /// As a form in parts.
    Multipart,
    /// As JSON whose type is `application`, as in the vendor's sample.
    JsonAsText,
}

/// One automatic action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Action {
    /// Its name, to start it by hand.
    pub key: String,
    /// The stage that fires it; none = by hand alone.
    pub stage: Option<u64>,
    /// Where it sends to. Placeholders are filled in here, too.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// How the fields are sent.
    pub body: Form,
    /// Names and templates: `{|$orderid|}`, `{|$externalid|}`, `{|$deliveryNote|}`, `{|$statusid|}`, `{|$comments|}` ...
    pub fields: Vec<(String, String)>,
}

/// A hook that was sent and has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// The action.
    pub key: String,
    /// Of which order.
    pub order: u64,
    /// How.
    pub method: String,
    /// Where to.
    pub url: String,
    /// What with.
    pub body: String,
    /// The answer's status; 0 = none came in time.
    pub status: u16,
    /// The answer.
    pub answer: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// A hook to be sent.
#[derive(Clone, Debug)]
struct Letter {
    key: String,
    order: u64,
    method: String,
    url: String,
    kind: Option<String>,
    body: String,
    timeout: Duration,
}

/// What is sent and what waits.
#[derive(Default)]
pub struct Post {
    held: Mutex<Vec<Letter>>,
    out: Arc<Out>,
    /// Leads to the thread that sends; it ends with this.
    line: Mutex<Option<mpsc::Sender<Vec<Letter>>>>,
}

#[derive(Default)]
struct Out {
    fired: Mutex<Vec<Fired>>,
    on_the_way: AtomicUsize,
}

/// What a placeholder stands for; `None` for a name that this box does not know or that is empty.
fn value(order: &Order, name: &str) -> Option<String> {
    let text = match name {
        "orderid" => order.id.to_string(),
        "externalid" => order.externalid.clone(),
        "name" => order.name.clone(),
        "statusid" | "status" => order.status.to_string(),
        "date" => order.date.clone(),
        "clientname" => order.client_name.clone(),
        "clientphone" => order.client_phone.clone(),
        "clientemail" => order.client_email.clone(),
        "clientaddress" => order.client_address.clone(),
        "comments" => order.comments.clone(),
        "content" => order.content.clone(),
        "deliveryNote" => order.delivery_note.clone(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// As the old engine escaped.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#039;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A template with its placeholders filled in; `coded` is how a value is written where the template stands.
fn filled(template: &str, order: &Order, switches: &Switches, coded: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{|$") {
        let Some((name, tail)) = after.split_once("|}") else { break };
        text.push_str(before);
        match value(order, name) {
            Some(value) if switches.html_escaped => text.push_str(&coded(&escaped(&value))),
            Some(value) => text.push_str(&coded(&value)),
            None if switches.unresolved == Unresolved::Literal => text.push_str(&format!("{{|${name}|}}")),
            None => {}
        }
        rest = tail;
    }
    text + rest
}

fn letter(action: &Action, order: &Order, switches: &Switches) -> Letter {
    let url_coded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut url = filled(&action.url, order, switches, url_coded);
    let fields: Vec<(String, String)> =
        action.fields.iter().map(|(name, template)| (name.clone(), filled(template, order, switches, str::to_owned))).collect();
    let pairs = || form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let object =
        || Value::Object(fields.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect::<Map<_, _>>()).to_string();
    let (kind, body) = match action.body {
        Form::Query => {
            if !fields.is_empty() {
                url = format!("{url}{}{}", if url.contains('?') { "&" } else { "?" }, pairs());
            }
            (None, String::new())
        }
        Form::Form => (Some("application/x-www-form-urlencoded".to_owned()), pairs()),
        Form::Json => (Some("application/json".to_owned()), object()),
        Form::JsonAsText => (Some("application".to_owned()), object()),
        Form::Multipart => {
            let border = Uuid::new_v4().simple().to_string();
            let parts: String = fields
                .iter()
                .map(|(name, text)| format!("--{border}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"))
                .collect();
            (Some(format!("multipart/form-data; boundary={border}")), format!("{parts}--{border}--\r\n"))
        }
    };
    let timeout = Duration::from_millis(switches.hook_timeout_ms);
    Letter { key: action.key.clone(), order: order.id, method: action.method.to_uppercase(), url, kind, body, timeout }
}

impl Post {
    /// Sends what these actions send for an order, or keeps it back.
    pub fn send(&self, actions: &[Action], order: &Order, switches: &Switches) {
        let letters = actions.iter().flat_map(|action| {
            let letter = letter(action, order, switches);
            (0..switches.hook_times).map(move |_| letter.clone())
        });
        if switches.hooks_held {
            locked(&self.held).extend(letters);
        } else {
            letters.for_each(|letter| self.dispatch(vec![letter]));
        }
    }

    /// Sends what was kept back, one after another.
    pub fn release(&self, switches: &Switches) {
        let mut letters = std::mem::take(&mut *locked(&self.held));
        if switches.hooks_reversed {
            letters.reverse();
        }
        self.dispatch(letters);
    }

    /// A series is sent one after another; series run beside each other.
    fn dispatch(&self, series: Vec<Letter>) {
        if series.is_empty() {
            return;
        }
        let mut line = locked(&self.line);
        let line = line.get_or_insert_with(|| {
            let (send, receive) = mpsc::channel();
            let out = Arc::clone(&self.out);
            // If the system gives no thread, nothing is ever sent: a test sees that.
            let _ = thread::Builder::new().name("sandbox-hooks".to_owned()).spawn(move || carry(&receive, &out));
            send
        });
        let count = series.len();
        self.out.on_the_way.fetch_add(count, Ordering::SeqCst);
        if line.send(series).is_err() {
            self.out.on_the_way.fetch_sub(count, Ordering::SeqCst);
        }
    }

    /// What has been sent.
    pub fn fired(&self) -> Vec<Fired> {
        locked(&self.out.fired).clone()
    }

    /// Forgets what was sent and what is kept back.
    pub fn clear(&self) {
        locked(&self.out.fired).clear();
        locked(&self.held).clear();
    }

    /// How many are sent and not at their end.
    pub fn on_the_way(&self) -> usize {
        self.out.on_the_way.load(Ordering::SeqCst)
    }

    /// How many are kept back or on their way.
    pub fn waiting(&self) -> usize {
        self.on_the_way() + locked(&self.held).len()
    }
}

/// Sends until nobody can hand over anything any more.
fn carry(receive: &mpsc::Receiver<Vec<Letter>>, out: &Arc<Out>) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else { return };
    let Ok(client) = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build() else { return };
    while let Ok(series) = receive.recv() {
        let (client, out) = (client.clone(), Arc::clone(out));
        runtime.spawn(async move {
            for letter in series {
                let fired = deliver(&client, letter).await;
                locked(&out.fired).push(fired);
                out.on_the_way.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
    runtime.shutdown_background();
}

async fn deliver(client: &reqwest::Client, letter: Letter) -> Fired {
    let (at, started) = (Utc::now(), Instant::now());
    let mut request = if letter.method == "GET" { client.get(&letter.url) } else { client.post(&letter.url) };
    if let Some(kind) = &letter.kind {
        request = request.header("content-type", kind).body(letter.body.clone());
    }
    let (status, answer) = match request.timeout(letter.timeout).send().await {
        Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    };
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Letter { key, order, method, url, body, .. } = letter;
    Fired { at, key, order, method, url, body, status, answer, ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_escaped_or_left() {
        let order = Order { id: 7, comments: "В'яч & <Ко>".to_owned(), ..Order::default() };
        let plain = |switches: &Switches, template: &str| filled(template, &order, switches, str::to_owned);
        let mut switches = Switches::default();
        assert_eq!(plain(&switches, "a{|$orderid|}b{|$comments|}"), "a7bВ&#039;яч &amp; &lt;Ко&gt;");
        assert_eq!(plain(&switches, "{|$deliveryNote|}{|$nobody|}"), "{|$deliveryNote|}{|$nobody|}");
        (switches.unresolved, switches.html_escaped) = (Unresolved::Empty, false);
        assert_eq!(plain(&switches, "{|$deliveryNote|}{|$comments|}"), "В'яч & <Ко>");
    }
}
