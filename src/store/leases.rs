//! Leases by compare-and-set on database time, with a fence that only grows (design.md section 7).

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    OptionalExtension, RunQueryDsl,
    sql_types::{BigInt, Text, Unsigned},
};

use super::{Store, fault};
use crate::{db::kept, engine::ports::Leases, fault::Fault};

#[derive(diesel::QueryableByName)]
struct Fence {
    #[diesel(sql_type = Unsigned<BigInt>)]
    fence: u64,
}

/// A lease's length as MySQL takes it in `INTERVAL ? MICROSECOND`.
pub(super) fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX / 4)
}

#[async_trait]
impl Leases for Store {
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<u64>, Fault> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        self.urgent
            .call(move |connection| {
                let taken = kept(
                    "UPDATE tradesync_leases SET holder = ?, until = NOW(6) + INTERVAL ? MICROSECOND, fence = fence + 1 WHERE lease_key = ? AND (holder IS NULL OR until <= NOW(6))",
                )
                .bind::<Text, _>(&holder)
                .bind::<BigInt, _>(micros(ttl))
                .bind::<Text, _>(&key)
                .execute(connection)
                .map_err(fault)?;
                if taken == 0 {
                    // Somebody holds it, or nobody ever did.
                    let first = kept(
                        "INSERT IGNORE INTO tradesync_leases (lease_key, holder, until, fence) VALUES (?, ?, NOW(6) + INTERVAL ? MICROSECOND, 1)",
                    )
                    .bind::<Text, _>(&key)
                    .bind::<Text, _>(&holder)
                    .bind::<BigInt, _>(micros(ttl))
                    .execute(connection)
                    .map_err(fault)?;
                    return Ok((first == 1).then_some(1));
                }
                let row: Option<Fence> =
                    kept("SELECT fence FROM tradesync_leases WHERE lease_key = ? AND holder = ?").bind::<Text, _>(&key).bind::<Text, _>(&holder).get_result(connection).optional().map_err(fault)?;
                Ok(row.map(|row| row.fence))
            })
            .await
    }

    async fn renew(&self, key: &str, holder: &str, fence: u64, ttl: Duration) -> Result<bool, Fault> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        self.urgent
            .call(move |connection| {
                let kept = kept("UPDATE tradesync_leases SET until = NOW(6) + INTERVAL ? MICROSECOND WHERE lease_key = ? AND holder = ? AND fence = ? AND until > NOW(6)")
                    .bind::<BigInt, _>(micros(ttl))
                    .bind::<Text, _>(&key)
                    .bind::<Text, _>(&holder)
                    .bind::<Unsigned<BigInt>, _>(fence)
                    .execute(connection)
                    .map_err(fault)?;
                Ok(kept == 1)
            })
            .await
    }

    async fn release(&self, key: &str, holder: &str, fence: u64) -> Result<(), Fault> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        self.urgent
            .call(move |connection| {
                kept("UPDATE tradesync_leases SET holder = NULL, until = NOW(6) WHERE lease_key = ? AND holder = ? AND fence = ?")
                    .bind::<Text, _>(&key)
                    .bind::<Text, _>(&holder)
                    .bind::<Unsigned<BigInt>, _>(fence)
                    .execute(connection)
                    .map_err(fault)?;
                Ok(())
            })
            .await
    }
}
