//! Deliveries of alerts: taken by compare-and-set, the oldest of each channel first.

use std::{collections::BTreeMap, time::Duration};

use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Datetime, Integer, Nullable, Text, Unsigned},
};

use super::{
    convert::{cut, json, utc},
    fault,
    leases::micros,
    schema::tradesync_alert_deliveries,
    transaction::Problem,
};
use crate::{
    engine::alerts::{Alert, Delivered, Going, Taken, settings::Settings},
    fault::Fault,
};

/// An alert is to be delivered over these channels.
pub(super) fn begin(connection: &mut MysqlConnection, scope: &str, alert: &str, channels: &[String]) -> Result<(), Problem> {
    for channel in channels {
        sql_query(
            "INSERT INTO tradesync_alert_deliveries (alert_id, channel, scope, state, next_at, made_at) VALUES (?, ?, ?, 'waiting', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        )
        .bind::<Text, _>(alert)
        .bind::<Text, _>(channel)
        .bind::<Text, _>(scope)
        .execute(connection)?;
    }
    Ok(())
}

/// Channels may have been mended: what waits is due at once. What waits for a channel that is gone or off is dropped.
pub(super) fn settings_changed(connection: &mut MysqlConnection, scope: &str, settings: &Settings) -> Result<(), Problem> {
    use tradesync_alert_deliveries::dsl as d;
    let used: Vec<&str> = settings.channels.iter().filter(|channel| channel.on).map(|channel| channel.id.as_str()).collect();
    diesel::update(d::tradesync_alert_deliveries.filter(d::scope.eq(scope)).filter(d::state.eq("waiting")).filter(d::channel.ne_all(used)))
        .set((d::state.eq("dropped"), d::next_at.eq(None::<NaiveDateTime>)))
        .execute(connection)?;
    // One that somebody is just trying keeps its time, or it would be sent twice.
    sql_query(
        "UPDATE tradesync_alert_deliveries SET next_at = UTC_TIMESTAMP(6) WHERE scope = ? AND state = 'waiting' AND failed_at IS NOT NULL AND next_at > UTC_TIMESTAMP(6) AND trying = 0",
    )
    .bind::<Text, _>(scope)
    .execute(connection)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = Text)]
    alert_id: String,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Unsigned<Integer>)]
    attempts: u32,
    #[diesel(sql_type = Text)]
    body: String,
    #[diesel(sql_type = BigInt)]
    age: i64,
}

pub(super) fn take(connection: &mut MysqlConnection, limit: u32, lease: Duration) -> Result<Vec<Taken>, Fault> {
    let heads: Vec<Waiting> = sql_query(format!(
        "SELECT d.alert_id, d.channel, d.scope, d.attempts, a.body, TIMESTAMPDIFF(MICROSECOND, d.made_at, UTC_TIMESTAMP(6)) AS age \
         FROM tradesync_alert_deliveries d JOIN tradesync_alerts a ON a.id = d.alert_id WHERE d.state = 'waiting' AND d.next_at <= UTC_TIMESTAMP(6) \
         AND NOT EXISTS (SELECT 1 FROM tradesync_alert_deliveries e WHERE e.scope = d.scope AND e.channel = d.channel AND e.state = 'waiting' AND e.alert_id < d.alert_id) \
         ORDER BY d.next_at LIMIT {limit}"
    ))
    .load(connection)
    .map_err(fault)?;
    let mut taken = Vec::new();
    for head in heads {
        let mine = sql_query(
            "UPDATE tradesync_alert_deliveries SET attempts = attempts + 1, trying = 1, next_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND \
             WHERE alert_id = ? AND channel = ? AND state = 'waiting' AND attempts = ? AND next_at <= UTC_TIMESTAMP(6)",
        )
        .bind::<BigInt, _>(micros(lease))
        .bind::<Text, _>(&head.alert_id)
        .bind::<Text, _>(&head.channel)
        .bind::<Unsigned<Integer>, _>(head.attempts)
        .execute(connection)
        .map_err(fault)?;
        if mine == 1 {
            let alert: Alert = json("body", &head.body)?;
            let age = Duration::from_micros(u64::try_from(head.age).unwrap_or_default());
            taken.push(Taken { alert, scope: head.scope, channel: head.channel, attempt: head.attempts + 1, age });
        }
    }
    Ok(taken)
}

/// Longest error that is kept.
const MAX_ERROR: usize = 500;

pub(super) fn delivered(connection: &mut MysqlConnection, taken: &Taken, outcome: &Delivered) -> Result<(), Fault> {
    // That it was taken is true whoever else is at it meanwhile; that it was not is only said by the last who tried.
    let (set, own) = match outcome {
        Delivered::Done => ("state = 'delivered', next_at = NULL, delivered_at = UTC_TIMESTAMP(6), trying = 0", false),
        Delivered::Dropped => ("state = 'dropped', next_at = NULL, trying = 0", true),
        Delivered::GivenUp(_) => ("state = 'given_up', next_at = NULL, failed_at = UTC_TIMESTAMP(6), trying = 0, last_error = ?", true),
        Delivered::Later(..) => {
            ("next_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, failed_at = UTC_TIMESTAMP(6), trying = 0, last_error = ?", true)
        }
    };
    let own = if own { format!(" AND attempts = {}", taken.attempt) } else { String::new() };
    let mut query =
        sql_query(format!("UPDATE tradesync_alert_deliveries SET {set} WHERE alert_id = ? AND channel = ? AND state = 'waiting'{own}"))
            .into_boxed::<diesel::mysql::Mysql>();
    match outcome {
        Delivered::Done | Delivered::Dropped => {}
        Delivered::GivenUp(why) => query = query.bind::<Text, _>(cut(why, MAX_ERROR)),
        Delivered::Later(after, why) => query = query.bind::<BigInt, _>(micros(*after)).bind::<Text, _>(cut(why, MAX_ERROR)),
    }
    query.bind::<Text, _>(taken.alert.id.clone()).bind::<Text, _>(taken.channel.clone()).execute(connection).map_err(fault)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Nullable<Datetime>)]
    delivered_at: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Datetime>)]
    failed_at: Option<NaiveDateTime>,
}

/// How each channel of a scope goes.
pub(super) fn going(connection: &mut MysqlConnection, scope: &str) -> Result<BTreeMap<String, Going>, Fault> {
    use tradesync_alert_deliveries::dsl as d;
    let sums: Vec<Sum> = sql_query(
        "SELECT channel, COUNT(IF(state = 'waiting', 1, NULL)) AS waiting, MAX(delivered_at) AS delivered_at, MAX(failed_at) AS failed_at \
         FROM tradesync_alert_deliveries WHERE scope = ? GROUP BY channel",
    )
    .bind::<Text, _>(scope)
    .load(connection)
    .map_err(fault)?;
    let mut all = BTreeMap::new();
    for sum in sums {
        let error: Option<Option<String>> = match sum.failed_at {
            Some(at) => d::tradesync_alert_deliveries
                .filter(d::scope.eq(scope))
                .filter(d::channel.eq(&sum.channel))
                .filter(d::failed_at.eq(at))
                .select(d::last_error)
                .first(connection)
                .optional()
                .map_err(fault)?,
            None => None,
        };
        let going = Going {
            waiting: u64::try_from(sum.waiting).unwrap_or_default(),
            delivered_at: sum.delivered_at.map(utc),
            failed_at: sum.failed_at.map(utc),
            error: error.flatten(),
        };
        all.insert(sum.channel, going);
    }
    Ok(all)
}
