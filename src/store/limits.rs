//! Limits shared by all processes: one row per account or outgoing address (design.md section 7).

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{
    RunQueryDsl, sql_query,
    sql_types::{BigInt, Text, Unsigned},
};

use super::{Store, fault};
use crate::{
    domain::clock,
    fault::Fault,
    remote::ports::{LONGEST_WAIT, Limits},
};

#[derive(diesel::QueryableByName)]
struct Slot {
    #[diesel(sql_type = Unsigned<BigInt>)]
    slot: u64,
    #[diesel(sql_type = Unsigned<BigInt>)]
    now: u64,
}

/// Microseconds since 1970 by the database's clock.
const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)";

#[async_trait]
impl Limits for Store {
    async fn slot(&self, key: &str, interval: Duration) -> Result<Duration, Fault> {
        let key = key.to_owned();
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX / 4);
        let longest = u64::try_from(clock::scaled(LONGEST_WAIT).as_micros()).unwrap_or(u64::MAX / 4);
        self.urgent
            .call(move |connection| {
                sql_query("INSERT IGNORE INTO tradesync_limits (limit_key, tat_us) VALUES (?, 0)")
                    .bind::<Text, _>(&key)
                    .execute(connection)
                    .map_err(fault)?;
                // A slot too far ahead is told but not taken: its caller comes back later instead of waiting.
                sql_query(format!(
                    "UPDATE tradesync_limits SET tat_us = LAST_INSERT_ID(GREATEST(tat_us, {NOW})) + IF(tat_us > {NOW} + ?, 0, ?) WHERE limit_key = ?"
                ))
                    .bind::<Unsigned<BigInt>, _>(longest)
                    .bind::<Unsigned<BigInt>, _>(interval)
                    .bind::<Text, _>(&key)
                    .execute(connection)
                    .map_err(fault)?;
                let slot: Slot =
                    sql_query(format!("SELECT LAST_INSERT_ID() AS slot, {NOW} AS now")).get_result(connection).map_err(fault)?;
                Ok(Duration::from_micros(slot.slot.saturating_sub(slot.now)))
            })
            .await
    }

    async fn pause(&self, key: &str, pause: Duration) -> Result<DateTime<Utc>, Fault> {
        let key = key.to_owned();
        let pause = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX / 4);
        self.urgent
            .call(move |connection| {
                sql_query(format!(
                    "INSERT INTO tradesync_limits (limit_key, tat_us) VALUES (?, {NOW} + ?) ON DUPLICATE KEY UPDATE tat_us = GREATEST(tat_us, VALUES(tat_us))"
                ))
                .bind::<Text, _>(&key)
                .bind::<Unsigned<BigInt>, _>(pause)
                .execute(connection)
                .map_err(fault)?;
                let row: Slot = sql_query(format!("SELECT tat_us AS slot, {NOW} AS now FROM tradesync_limits WHERE limit_key = ?"))
                    .bind::<Text, _>(&key)
                    .get_result(connection)
                    .map_err(fault)?;
                let until = i64::try_from(row.slot).ok().and_then(DateTime::from_timestamp_micros);
                until.ok_or_else(|| Fault::internal("a pause ends outside of time"))
            })
            .await
    }
}
