//! Settings of alerts, conditions and alerts. [`super::alert_deliveries`] has the sender's side.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{MysqlConnection, prelude::*, sql_query, sql_types::Text};

use super::{
    Store, alert_deliveries,
    audit::record,
    convert::{from_word, json, text, utc, word},
    fault, schedule_ticks,
    schema::{tradesync_alert_conditions, tradesync_alert_settings, tradesync_alerts},
    transaction::{Problem, act_once, transact},
};
use crate::{
    domain::clock,
    engine::{
        alerts::{
            Alert, Alerts, Condition, Decide, Delivered, Going, Kept, Plan, Subject, Taken, Tested, for_audit, scope_key,
            settings::Settings,
        },
        ports::{Acted, Idempotency, RenderBox},
        service::Scope,
    },
    fault::{Code, Fault},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tradesync_alert_settings)]
struct SettingsRow {
    scope: String,
    flows: Option<String>,
    owner: Option<String>,
    settings: String,
    version: u64,
    updated_at: NaiveDateTime,
}

impl SettingsRow {
    fn model(self) -> Result<Kept, Fault> {
        let flows = self.flows.as_deref().map(|flows| json("flows", flows)).transpose()?;
        Ok(Kept { scope: Scope { flows, owner: self.owner }, settings: json("settings", &self.settings)?, version: self.version })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tradesync_alert_conditions)]
#[diesel(treat_none_as_null = true)]
struct ConditionRow {
    id: String,
    scope: String,
    rule: String,
    connection_id: String,
    stream: String,
    finding: String,
    seen_at: NaiveDateTime,
    told_at: Option<NaiveDateTime>,
    told_level: u64,
    told_times: u32,
}

impl ConditionRow {
    fn of(scope: &str, condition: &Condition) -> Result<Self, Fault> {
        Ok(Self {
            id: condition.id.clone(),
            scope: scope.to_owned(),
            rule: word(condition.rule)?,
            connection_id: condition.subject.connection.clone(),
            stream: condition.subject.stream.clone(),
            finding: text(&condition.finding)?,
            seen_at: condition.seen_at.naive_utc(),
            told_at: condition.told_at.map(|at| at.naive_utc()),
            told_level: condition.told_level,
            told_times: condition.told_times,
        })
    }

    fn model(self) -> Result<(String, Condition), Fault> {
        let condition = Condition {
            rule: from_word(&self.rule)?,
            subject: Subject { connection: self.connection_id, stream: self.stream },
            finding: json("finding", &self.finding)?,
            id: self.id,
            seen_at: utc(self.seen_at),
            told_at: self.told_at.map(utc),
            told_level: self.told_level,
            told_times: self.told_times,
        };
        Ok((self.scope, condition))
    }
}

fn standing(connection: &mut MysqlConnection, scope: &str) -> Result<Option<Kept>, Problem> {
    use tradesync_alert_settings::dsl as s;
    let row = s::tradesync_alert_settings.find(scope).select(SettingsRow::as_select()).first(connection).optional()?;
    Ok(row.map(SettingsRow::model).transpose()?)
}

fn conditions(connection: &mut MysqlConnection, scope: &str) -> Result<Vec<Condition>, Problem> {
    use tradesync_alert_conditions::dsl as c;
    let rows: Vec<ConditionRow> =
        c::tradesync_alert_conditions.filter(c::scope.eq(scope)).order(c::id.asc()).select(ConditionRow::as_select()).load(connection)?;
    Ok(rows.into_iter().map(|row| row.model().map(|(_, condition)| condition)).collect::<Result<_, _>>()?)
}

fn replace(connection: &mut MysqlConnection, scope: &Scope, settings: &Settings, expected: Option<u64>) -> Result<Kept, Problem> {
    use tradesync_alert_settings::dsl as s;
    let key = scope_key(scope);
    // There is nothing to lock before the first time: who comes second finds the row of the first.
    sql_query("INSERT IGNORE INTO tradesync_alert_settings (scope, flows, owner, settings, version, updated_at) VALUES (?, ?, ?, ?, 1, UTC_TIMESTAMP(6))")
        .bind::<Text, _>(&key)
        .bind::<diesel::sql_types::Nullable<Text>, _>(scope.flows.as_ref().map(text).transpose()?)
        .bind::<diesel::sql_types::Nullable<Text>, _>(&scope.owner)
        .bind::<Text, _>(text(&Settings::default())?)
        .execute(connection)?;
    let row: SettingsRow = s::tradesync_alert_settings.find(&key).select(SettingsRow::as_select()).for_update().first(connection)?;
    let before = row.model()?;
    if before.settings == *settings {
        return Ok(before);
    }
    if expected.is_some_and(|expected| expected != before.version) {
        let detail = format!("somebody changed it meanwhile: its ETag is \"{}\" now", before.version);
        return Err(Fault::new(Code::PreconditionFailed, detail).into());
    }
    diesel::update(s::tradesync_alert_settings.find(&key))
        .set((s::settings.eq(text(settings)?), s::version.eq(before.version + 1), s::updated_at.eq(clock::now().naive_utc())))
        .execute(connection)?;
    alert_deliveries::settings_changed(connection, &key, settings)?;
    let (was, is) = (for_audit(&before.settings, None), for_audit(settings, Some(&before.settings)));
    record(connection, Some(was), Some(is))?;
    Ok(Kept { scope: scope.clone(), settings: settings.clone(), version: before.version + 1 })
}

fn settle(connection: &mut MysqlConnection, scope: &str, version: u64, decide: &Decide) -> Result<Plan, Problem> {
    use tradesync_alert_conditions::dsl as c;
    use tradesync_alert_settings::dsl as s;
    // All looks at a scope follow one another here.
    let stands: Option<u64> = s::tradesync_alert_settings.find(scope).select(s::version).for_update().first(connection).optional()?;
    if stands != Some(version) {
        return Ok(Plan::default());
    }
    let plan = decide(conditions(connection, scope)?);
    if !plan.gone.is_empty() {
        diesel::delete(c::tradesync_alert_conditions.filter(c::id.eq_any(&plan.gone))).execute(connection)?;
    }
    for condition in &plan.put {
        let row = ConditionRow::of(scope, condition)?;
        if diesel::update(c::tradesync_alert_conditions.find(&row.id)).set(&row).execute(connection)? == 0 {
            // MySQL counts an update that changes nothing as none.
            diesel::insert_or_ignore_into(c::tradesync_alert_conditions).values(&row).execute(connection)?;
        }
    }
    for (alert, channels) in &plan.alerts {
        tell(connection, scope, alert, channels)?;
    }
    Ok(plan)
}

/// Stores an alert with its deliveries, unless it was told before.
fn tell(connection: &mut MysqlConnection, scope: &str, alert: &Alert, channels: &[String]) -> Result<(), Problem> {
    use tradesync_alerts::dsl as a;
    let stored = diesel::insert_or_ignore_into(a::tradesync_alerts)
        .values((
            a::id.eq(&alert.id),
            a::scope.eq(scope),
            a::news.eq(&alert.once),
            a::body.eq(text(alert)?),
            a::at.eq(schedule_ticks::now(connection)?),
        ))
        .execute(connection)?;
    if stored == 1 {
        alert_deliveries::begin(connection, scope, &alert.id, channels)?;
    }
    Ok(())
}

#[async_trait]
impl Alerts for Store {
    async fn settings(&self, scope: &str) -> Result<Option<Kept>, Fault> {
        let scope = scope.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| standing(connection, &scope))).await
    }

    async fn all_settings(&self) -> Result<Vec<Kept>, Fault> {
        use tradesync_alert_settings::dsl as s;
        self.pool
            .call(|connection| {
                let rows: Vec<SettingsRow> =
                    s::tradesync_alert_settings.order(s::scope.asc()).select(SettingsRow::as_select()).load(connection).map_err(fault)?;
                rows.into_iter().map(SettingsRow::model).collect()
            })
            .await
    }

    async fn replace(&self, scope: Scope, settings: Settings, expected: Option<u64>) -> Result<Kept, Fault> {
        self.pool.call(move |connection| transact(connection, |connection| replace(connection, &scope, &settings, expected))).await
    }

    async fn conditions(&self, scope: &str) -> Result<Vec<Condition>, Fault> {
        let scope = scope.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| conditions(connection, &scope))).await
    }

    async fn all_conditions(&self) -> Result<Vec<(String, Condition)>, Fault> {
        use tradesync_alert_conditions::dsl as c;
        self.pool
            .call(|connection| {
                let rows: Vec<ConditionRow> =
                    c::tradesync_alert_conditions.order(c::id.asc()).select(ConditionRow::as_select()).load(connection).map_err(fault)?;
                rows.into_iter().map(ConditionRow::model).collect()
            })
            .await
    }

    async fn settle(&self, scope: &str, version: u64, decide: Decide) -> Result<Plan, Fault> {
        let scope = scope.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| settle(connection, &scope, version, &decide))).await
    }

    async fn going(&self, scope: &str) -> Result<BTreeMap<String, Going>, Fault> {
        let scope = scope.to_owned();
        self.pool.call(move |connection| alert_deliveries::going(connection, &scope)).await
    }

    async fn take(&self, limit: u32, lease: std::time::Duration) -> Result<Vec<Taken>, Fault> {
        self.pool.call(move |connection| alert_deliveries::take(connection, limit, lease)).await
    }

    async fn delivered(&self, taken: &Taken, outcome: &Delivered) -> Result<(), Fault> {
        let (taken, outcome) = (taken.clone(), outcome.clone());
        self.pool.call(move |connection| alert_deliveries::delivered(connection, &taken, &outcome)).await
    }

    async fn keep_test(
        &self,
        tested: Vec<Tested>,
        key: Option<Idempotency>,
        render: RenderBox<Vec<Tested>>,
    ) -> Result<Acted<Vec<Tested>>, Fault> {
        self.pool.call(move |connection| act_once(connection, key.as_ref(), &*render, |_| Ok(tested.clone()))).await
    }
}
