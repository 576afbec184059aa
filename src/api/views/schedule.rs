//! Schedules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::run::ModeView;
use crate::{
    api::json::{Body, nullable},
    domain::text::{Lang, reason_text},
    engine::{
        model::Mode,
        schedule::{
            Schedule, Skip,
            rule::{CatchUp, Window, Written},
            sentence::sentence,
        },
        service::schedules::{NewSchedule, SchedulePatch},
    },
};

/// Hours of the day, in the rule's time zone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Window)]
pub struct WindowView {
    /// First minute, `HH:MM`.
    #[schema(example = "09:00")]
    from: String,
    /// The minute after the last, `HH:MM`; earlier than `from` = on the next day.
    #[schema(example = "21:00")]
    to: String,
}

impl From<WindowView> for Window {
    fn from(view: WindowView) -> Self {
        Self { from: view.from, to: view.to }
    }
}

/// What is done about due times that passed while the service was down.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CatchUp)]
pub enum CatchUpView {
    /// One run at once for all of them.
    Once,
    /// None: the next one comes at its time.
    Skip,
}

impl From<CatchUp> for CatchUpView {
    fn from(catch_up: CatchUp) -> Self {
        match catch_up {
            CatchUp::Once => Self::Once,
            CatchUp::Skip => Self::Skip,
        }
    }
}

impl From<CatchUpView> for CatchUp {
    fn from(view: CatchUpView) -> Self {
        match view {
            CatchUpView::Once => Self::Once,
            CatchUpView::Skip => Self::Skip,
        }
    }
}

/// When a stream runs by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// Its id.
    pub id: String,
    /// Its connection.
    pub connection: String,
    /// The stream that it runs.
    pub stream: String,
    /// A period, such as `5m`; or null.
    pub every: Option<String>,
    /// Five fields of cron; or null.
    pub cron: Option<String>,
    /// IANA name.
    pub timezone: String,
    /// Days of the week, 1 = Monday; null = all.
    pub days: Option<Vec<u8>>,
    /// Hours of the day; null = all.
    pub window: Option<WindowView>,
    /// Each due time is put off by up to so much; null = not at all.
    pub jitter: Option<String>,
    /// How much its runs ask of the source.
    pub mode: ModeView,
    /// A stopped schedule keeps its rule and its history.
    pub enabled: bool,
    /// What is done about missed due times.
    pub catch_up: CatchUpView,
    /// What the rule means, in the language of `Accept-Language`.
    pub text: String,
    /// When it runs next, its jitter included; null while stopped.
    #[serde(serialize_with = "super::maybe_time")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Id of the last run that it started.
    pub last_run: Option<String>,
    /// The last due times that it let pass.
    pub last_skip: Option<SkipView>,
    /// When it was made.
    #[serde(serialize_with = "super::time")]
    pub created_at: DateTime<Utc>,
    /// When a person last changed it.
    #[serde(serialize_with = "super::time")]
    pub updated_at: DateTime<Utc>,
}

impl ScheduleView {
    /// As it stands, in a language.
    pub fn of(schedule: &Schedule, lang: Lang) -> Self {
        let Written { every, cron, timezone, days, window, jitter, catch_up } = schedule.rule.clone();
        Self {
            id: schedule.id.clone(),
            connection: schedule.connection.clone(),
            stream: schedule.stream.clone(),
            every,
            cron,
            timezone,
            days,
            window: window.map(|window| WindowView { from: window.from, to: window.to }),
            jitter,
            mode: schedule.mode.into(),
            enabled: schedule.enabled,
            catch_up: catch_up.into(),
            text: sentence(lang, &schedule.rule),
            next_run_at: schedule.next_at,
            last_run: schedule.last_run.clone(),
            last_skip: schedule.last_skip.as_ref().map(|skip| SkipView::of(skip, lang)),
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

/// Due times in a row that were not run for one reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Skip)]
pub struct SkipView {
    /// Why: `schedule_overlap`, `schedule_missed`, `schedule_disabled`.
    pub reason: String,
    /// The same as a sentence.
    pub text: String,
    /// The first of them.
    #[serde(serialize_with = "super::time")]
    pub first_due_at: DateTime<Utc>,
    /// The last of them.
    #[serde(serialize_with = "super::time")]
    pub last_due_at: DateTime<Utc>,
    /// How many.
    pub count: u64,
}

impl SkipView {
    /// As it stands, in a language.
    pub fn of(skip: &Skip, lang: Lang) -> Self {
        let reason = skip.reason.code();
        Self {
            reason: reason.to_owned(),
            text: reason_text(lang, reason, &std::collections::BTreeMap::new()),
            first_due_at: skip.first_due_at,
            last_due_at: skip.last_due_at,
            count: skip.count,
        }
    }
}

/// Due times to come.
#[derive(Debug, Serialize, ToSchema)]
pub struct NextList {
    /// RFC 3339, in UTC.
    pub items: Vec<String>,
}

impl NextList {
    /// In the order given.
    pub fn of(times: &[DateTime<Utc>]) -> Self {
        Self { items: times.iter().map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)).collect() }
    }
}

/// A new schedule: exactly one of `every` and `cron`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedule)]
pub struct ScheduleBody {
    /// Id of the connection.
    connection: String,
    /// Key of the stream.
    stream: String,
    /// A period of 5s to 31d, such as `5m`, `1h`, `24h`.
    #[serde(default)]
    every: Option<String>,
    /// Five fields: minute, hour, day, month, weekday.
    #[serde(default)]
    cron: Option<String>,
    /// IANA name, such as `Asia/Tashkent`.
    #[serde(default)]
    #[schema(default = "UTC")]
    timezone: Option<String>,
    /// Days of the week, 1 = Monday; absent = all.
    #[serde(default)]
    days: Option<Vec<u8>>,
    /// Hours of the day; absent = all.
    #[serde(default)]
    window: Option<WindowView>,
    /// Each due time is put off by up to so much, so that many schedules do not start in one second.
    #[serde(default)]
    jitter: Option<String>,
    /// How much its runs ask of the source.
    #[serde(default)]
    #[schema(default = "incremental")]
    mode: Option<ModeView>,
    /// Whether it starts at once.
    #[serde(default)]
    #[schema(default = true)]
    enabled: Option<bool>,
    /// What is done about missed due times.
    #[serde(default)]
    #[schema(default = "once")]
    catch_up: Option<CatchUpView>,
}

impl Body for ScheduleBody {
    const REQUIRED: &'static [&'static str] = &["connection", "stream"];
}

impl From<ScheduleBody> for NewSchedule {
    fn from(body: ScheduleBody) -> Self {
        Self {
            connection: body.connection,
            stream: body.stream,
            rule: Written {
                every: body.every,
                cron: body.cron,
                timezone: body.timezone.unwrap_or_default(),
                days: body.days,
                window: body.window.map(Window::from),
                jitter: body.jitter,
                catch_up: body.catch_up.map(CatchUp::from).unwrap_or_default(),
            },
            mode: body.mode.map_or(Mode::Incremental, Mode::from),
            enabled: body.enabled.unwrap_or(true),
        }
    }
}

/// A change of a schedule (RFC 7396): what is absent stays, null means default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SchedulePatch)]
pub struct SchedulePatchBody {
    /// A period; takes `cron` away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    every: Option<Option<String>>,
    /// Five fields; takes `every` away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    cron: Option<Option<String>>,
    /// IANA name; null = UTC.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// Days of the week, 1 = Monday; null = all.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<u8>>)]
    days: Option<Option<Vec<u8>>>,
    /// Hours of the day; null = all.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<WindowView>)]
    window: Option<Option<WindowView>>,
    /// Null = none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    jitter: Option<Option<String>>,
    /// Null = incremental.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<ModeView>)]
    mode: Option<Option<ModeView>>,
    /// Null = started.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    enabled: Option<Option<bool>>,
    /// Null = once.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<CatchUpView>)]
    catch_up: Option<Option<CatchUpView>>,
}

impl Body for SchedulePatchBody {
    const REQUIRED: &'static [&'static str] = &[];
}

impl From<SchedulePatchBody> for SchedulePatch {
    fn from(body: SchedulePatchBody) -> Self {
        Self {
            every: body.every,
            cron: body.cron,
            timezone: body.timezone,
            days: body.days,
            window: body.window.map(|window| window.map(Window::from)),
            jitter: body.jitter,
            catch_up: body.catch_up.map(|catch_up| catch_up.map(CatchUp::from)),
            mode: body.mode.map(|mode| mode.map(Mode::from)),
            enabled: body.enabled,
        }
    }
}
