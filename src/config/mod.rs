//! Configuration of the program: default < file `tradesync.toml` < environment (design.md section 6).
//!
//! [`OPTIONS`] is the one table of options: name in the file, name in the environment, default, and what it does. Unknown keys of
//! the file are refused, and all errors are reported at once. `tradesync config` prints the table as a commented file;
//! `docs/configuration.md` is tested against it.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Format, Toml},
    value::{Dict, Value},
};
use secrecy::SecretString;

use crate::{
    db::DatabaseUrl,
    domain::clock,
    engine::queue::Caps,
    fault::{Code, Fault, FieldError},
    telemetry::logs,
};

/// One option.
pub struct OptionDoc {
    /// Key in `tradesync.toml`.
    pub key: &'static str,
    /// Name in the environment.
    pub variable: &'static str,
    /// Default as it would be written; empty = none.
    pub default: &'static str,
    /// What it does, and what too low or too high does where that matters.
    pub doc: &'static str,
}

/// Every option.
pub const OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        key: "database_url",
        variable: "DATABASE_URL",
        default: "",
        doc: "Address of the database with our tables, mysql://user:password@host:3306/database. May be the shop's own database: our tables begin with tradesync_. Needed by serve, migrate, check, key and sync.",
    },
    OptionDoc {
        key: "listen",
        variable: "TRADESYNC_LISTEN",
        default: "127.0.0.1:8080",
        doc: "Address and port of the REST API. Port 0 takes a free one and prints it.",
    },
    OptionDoc {
        key: "master_key",
        variable: "TRADESYNC_MASTER_KEY",
        default: "",
        doc: "Seals the connections' secrets: 32 bytes in base64, made by tradesync seal-key new. Several, separated by commas: the first seals, all open. Needed by serve, check, key and sync.",
    },
    OptionDoc {
        key: "admin_key",
        variable: "TRADESYNC_ADMIN_KEY",
        default: "",
        doc: "An API key with the role admin that exists without being stored; for the first steps. Long and random, like those of tradesync key create.",
    },
    OptionDoc {
        key: "role",
        variable: "TRADESYNC_ROLE",
        default: "all",
        doc: "What this process does: all, api (answers requests only) or worker (executes runs only; health and metrics are answered all the same).",
    },
    OptionDoc {
        key: "egress",
        variable: "TRADESYNC_EGRESS",
        default: "default",
        doc: "Name of the outgoing IP address that this process uses. Processes with the same name share limits per IP, such as Billz 2's two requests a second.",
    },
    OptionDoc {
        key: "image_root",
        variable: "TRADESYNC_IMAGE_ROOT",
        default: "",
        doc: "Folder that pictures may be written below. Without it no connection may set images.dir.",
    },
    OptionDoc {
        key: "public_url",
        variable: "TRADESYNC_PUBLIC_URL",
        default: "",
        doc: "Address under which people see a run, for links in alerts; {run} stands for its id, such as https://shop.example/admin/?route=tradesync&run={run}. Without {run} the path of our own API is added. Absent = alerts give the run's id.",
    },
    OptionDoc {
        key: "runs_per_worker",
        variable: "TRADESYNC_RUNS_PER_WORKER",
        default: "8",
        doc: "Runs that this process works on at once, 1 to 64. Too low: sellers wait for each other; too high: each holds a connection to its shop.",
    },
    OptionDoc {
        key: "runs_per_system",
        variable: "TRADESYNC_RUNS_PER_SYSTEM",
        default: "16",
        doc: "Runs that read from one outside system, such as Billz 2, at once over all processes. The same in all of them.",
    },
    OptionDoc {
        key: "runs_per_connection",
        variable: "TRADESYNC_RUNS_PER_CONNECTION",
        default: "2",
        doc: "Runs of one connection at once over all processes: one may read while another writes. The same in all of them.",
    },
    OptionDoc {
        key: "keep_runs",
        variable: "TRADESYNC_KEEP_RUNS",
        default: "365d",
        doc: "How long ended runs are kept. Their items go earlier, by keep_changes of each connection (90d).",
    },
    OptionDoc {
        key: "keep_runs_per_stream",
        variable: "TRADESYNC_KEEP_RUNS_PER_STREAM",
        default: "50000",
        doc: "At most so many runs of one stream are kept with their items, however young. A stream that runs each minute makes 1,440 a day.",
    },
    OptionDoc { key: "keep_audit", variable: "TRADESYNC_KEEP_AUDIT", default: "730d", doc: "How long the audit is kept: who did what." },
    OptionDoc {
        key: "log",
        variable: "TRADESYNC_LOG",
        default: "info",
        doc: "What is logged: error, warn, info, debug, trace, or a filter such as info,tradesync::remote=debug.",
    },
    OptionDoc {
        key: "log_format",
        variable: "TRADESYNC_LOG_FORMAT",
        default: "text",
        doc: "Form of the log on standard error: text or json.",
    },
    OptionDoc {
        key: "time_factor",
        variable: "TRADESYNC_TIME_FACTOR",
        default: "1",
        doc: "For tests: every duration is divided by it. 1 in production.",
    },
];

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers requests and executes runs.
    All,
    /// Answers requests.
    Api,
    /// Executes runs.
    Worker,
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// See [`OPTIONS`].
    pub database_url: Option<DatabaseUrl>,
    /// See [`OPTIONS`].
    pub listen: SocketAddr,
    /// See [`OPTIONS`].
    pub master_key: Option<SecretString>,
    /// See [`OPTIONS`].
    pub admin_key: Option<SecretString>,
    /// See [`OPTIONS`].
    pub role: Role,
    /// See [`OPTIONS`].
    pub egress: String,
    /// See [`OPTIONS`].
    pub image_root: Option<PathBuf>,
    /// See [`OPTIONS`].
    pub public_url: Option<String>,
    /// See [`OPTIONS`].
    pub runs_per_worker: usize,
    /// See [`OPTIONS`]: runs per system and per connection.
    pub caps: Caps,
    /// See [`OPTIONS`].
    pub keep_runs: Duration,
    /// See [`OPTIONS`].
    pub keep_runs_per_stream: u32,
    /// See [`OPTIONS`].
    pub keep_audit: Duration,
    /// See [`OPTIONS`].
    pub log: String,
    /// See [`OPTIONS`].
    pub log_format: logs::Format,
    /// See [`OPTIONS`].
    pub time_factor: f64,
}

impl Config {
    /// Reads file and environment. `file` must exist if it was named; `tradesync.toml` in the working folder is read if it is there.
    /// `required` are the keys that the command cannot do without.
    pub fn load(file: Option<&PathBuf>, required: &[&str]) -> Result<Self, Fault> {
        let mut errors = Vec::new();
        let path = file.cloned().unwrap_or_else(|| PathBuf::from("tradesync.toml"));
        if file.is_some() && !path.exists() {
            errors.push(FieldError::new("", format!("the configuration file {} does not exist", path.display())));
        }
        let mut values = from_file(&path, &mut errors);
        for option in OPTIONS {
            if let Ok(value) = std::env::var(option.variable) {
                values.insert(option.key, value);
            }
        }
        let absent = |key: &&&str| values.get(**key).is_none_or(|value| value.trim().is_empty());
        errors.extend(required.iter().filter(absent).map(|key| missing(key)));
        let config = Self::check(&values, &mut errors);
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(Fault::new(
                Code::ConfigInvalid,
                errors.iter().map(|error| format!("{} {}", error.pointer, error.detail).trim().to_owned()).collect::<Vec<_>>().join("\n  "),
            )
            .with_fields(errors)),
        }
    }

    fn check(values: &BTreeMap<&'static str, String>, errors: &mut Vec<FieldError>) -> Option<Self> {
        let get = |key: &str| -> Option<String> {
            let default = OPTIONS.iter().find(|option| option.key == key).map(|option| option.default).unwrap_or_default();
            Some(values.get(key).cloned().unwrap_or_else(|| default.to_owned())).filter(|value| !value.trim().is_empty())
        };
        let mut wrong = |key: &str, detail: String| {
            let variable = OPTIONS.iter().find(|option| option.key == key).map_or(key, |option| option.variable);
            errors.push(FieldError::new(variable, detail));
        };
        let database_url =
            get("database_url").and_then(|url| DatabaseUrl::parse(&url).map_err(|fault| wrong("database_url", fault.detail)).ok());
        let listen = get("listen").and_then(|listen| {
            let found = std::net::ToSocketAddrs::to_socket_addrs(listen.as_str()).ok().and_then(|mut addresses| addresses.next());
            if found.is_none() {
                wrong("listen", format!("`{listen}` is no address; write for example 127.0.0.1:8080"));
            }
            found
        });
        let role = match get("role").as_deref() {
            Some("all") => Some(Role::All),
            Some("api") => Some(Role::Api),
            Some("worker") => Some(Role::Worker),
            other => {
                wrong("role", format!("`{}` is no role; write all, api or worker", other.unwrap_or_default()));
                None
            }
        };
        let log = get("log").unwrap_or_else(|| "info".to_owned());
        if let Err(fault) = logs::check_filter(&log) {
            wrong("log", fault.detail);
        }
        let log_format = match get("log_format").as_deref() {
            Some("text") => Some(logs::Format::Text),
            Some("json") => Some(logs::Format::Json),
            other => {
                wrong("log_format", format!("`{}` is no form of log; write text or json", other.unwrap_or_default()));
                None
            }
        };
        let mut at_once = |key: &str, most: u32| {
            let number = get(key).and_then(|text| text.trim().parse::<u32>().ok()).filter(|number| (1..=most).contains(number));
            if number.is_none() {
                wrong(key, format!("must be a whole number from 1 to {most}"));
            }
            number
        };
        let runs_per_worker = at_once("runs_per_worker", 64);
        let (per_system, per_connection) = (at_once("runs_per_system", 10_000), at_once("runs_per_connection", 1_000));
        let mut duration = |key: &str| {
            let text = get(key).unwrap_or_default();
            clock::parse_duration(&text).map_err(|detail| wrong(key, detail)).ok()
        };
        let (keep_runs, keep_audit) = (duration("keep_runs"), duration("keep_audit"));
        let keep_runs_per_stream = get("keep_runs_per_stream").and_then(|text| text.parse::<u32>().ok()).filter(|runs| *runs > 0);
        if keep_runs_per_stream.is_none() {
            wrong("keep_runs_per_stream", "must be a whole number above 0".to_owned());
        }
        let time_factor =
            get("time_factor").and_then(|factor| factor.parse::<f64>().ok()).filter(|factor| factor.is_finite() && *factor > 0.0);
        if time_factor.is_none() {
            wrong("time_factor", "must be a number above 0".to_owned());
        }
        let public_url = get("public_url");
        // Only to see whether it is an address; the placeholder is none of its letters.
        let address = public_url.as_deref().map(|address| url::Url::parse(&address.replace("{run}", "run")));
        if address.is_some_and(|address| !address.is_ok_and(|address| matches!(address.scheme(), "http" | "https"))) {
            wrong("public_url", "is no address; write for example https://sync.example.com".to_owned());
        }
        let master_key = get("master_key").map(SecretString::from);
        if let Some(key) = &master_key
            && let Err(fault) = crate::engine::secrets::Sealer::from_text(key)
        {
            wrong("master_key", fault.detail);
        }
        let admin_key = get("admin_key");
        Some(Self {
            database_url,
            listen: listen?,
            master_key,
            admin_key: admin_key.map(SecretString::from),
            role: role?,
            egress: get("egress").unwrap_or_else(|| "default".to_owned()),
            image_root: get("image_root").map(PathBuf::from),
            public_url,
            runs_per_worker: usize::try_from(runs_per_worker?).ok()?,
            caps: Caps { per_system: per_system?, per_connection: per_connection? },
            keep_runs: keep_runs?,
            keep_runs_per_stream: keep_runs_per_stream?,
            keep_audit: keep_audit?,
            log,
            log_format: log_format?,
            time_factor: time_factor?,
        })
    }

    /// The database's address, for commands that need it.
    pub fn database(&self) -> Result<DatabaseUrl, Fault> {
        self.database_url.clone().ok_or_else(|| absent("database_url"))
    }

    /// The master key, for commands that open or seal secrets.
    pub fn master(&self) -> Result<SecretString, Fault> {
        self.master_key.clone().ok_or_else(|| absent("master_key"))
    }
}

fn missing(key: &str) -> FieldError {
    let option = OPTIONS.iter().find(|option| option.key == key);
    let next = match key {
        "database_url" => " (mysql://user:password@host:3306/database)",
        "master_key" => " (make one with: tradesync seal-key new)",
        _ => "",
    };
    FieldError::new(option.map_or(key, |option| option.variable), format!("is not set{next}"))
}

fn absent(key: &str) -> Fault {
    let error = missing(key);
    Fault::new(Code::ConfigInvalid, format!("{} {}", error.pointer, error.detail))
}

fn from_file(path: &PathBuf, errors: &mut Vec<FieldError>) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::new();
    if !path.exists() {
        return values;
    }
    let dict = match Figment::from(Toml::file_exact(path)).extract::<Dict>() {
        Ok(dict) => dict,
        Err(error) => {
            errors.push(FieldError::new("", format!("{} cannot be read: {error}", path.display())));
            return values;
        }
    };
    for (name, value) in dict {
        // The names of the environment are the same keys: both spellings are taken.
        let plain = name.to_ascii_lowercase();
        let plain = plain.strip_prefix("tradesync_").unwrap_or(&plain);
        match (OPTIONS.iter().find(|option| option.key == plain), text(&value)) {
            (Some(option), Some(text)) => {
                values.insert(option.key, text);
            }
            (Some(_), None) => errors.push(FieldError::new(name, "must be a text or a number")),
            (None, _) => errors.push(FieldError::new(name, format!("there is no such option in {}", path.display()))),
        }
    }
    values
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Num(_, number) => {
            number.to_i128().map(|number| number.to_string()).or_else(|| number.to_f64().map(|number| number.to_string()))
        }
        Value::Bool(_, value) => Some(value.to_string()),
        _ => None,
    }
}

/// The table of options as a commented `tradesync.toml`.
pub fn commented_file() -> String {
    let mut file = String::from("# Configuration of tradesync. The environment wins over this file.\n");
    for option in OPTIONS {
        file.push_str(&format!("\n# {}\n# Environment: {}\n# {} = \"{}\"\n", option.doc, option.variable, option.key, option.default));
    }
    file
}

/// The table of options as Markdown, for `docs/configuration.md`.
pub fn markdown() -> String {
    let mut table = String::from("| key in `tradesync.toml` | environment | default | what it does |\n|---|---|---|---|\n");
    for option in OPTIONS {
        let default = if option.default.is_empty() { "none".to_owned() } else { format!("`{}`", option.default) };
        table.push_str(&format!("| `{}` | `{}` | {default} | {} |\n", option.key, option.variable, option.doc));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[(&'static str, &str)]) -> (Option<Config>, Vec<String>) {
        let values = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let mut errors = Vec::new();
        let config = Config::check(&values, &mut errors);
        (config, errors.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn nothing_set_is_a_working_configuration() {
        let (config, errors) = check(&[]);
        assert!(errors.is_empty() && config.is_some_and(|config| config.listen.port() == 8080 && config.role == Role::All));
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let (_, errors) =
            check(&[("listen", "here"), ("role", "boss"), ("time_factor", "0"), ("master_key", "short"), ("database_url", "x")]);
        assert_eq!(errors, ["DATABASE_URL", "TRADESYNC_LISTEN", "TRADESYNC_ROLE", "TRADESYNC_TIME_FACTOR", "TRADESYNC_MASTER_KEY"]);
    }

    #[test]
    fn the_documentation_is_the_table() {
        let docs = include_str!("../../docs/configuration.md");
        assert!(docs.contains(&markdown()), "docs/configuration.md differs from the table; paste this in:\n{}", markdown());
    }
}
