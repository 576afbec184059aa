//! API keys in memory.

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    engine::ports::{ApiKey, ApiKeys},
    fault::Result,
};

#[async_trait]
impl ApiKeys for Memory {
    async fn by_hash(&self, hash: &str) -> Result<Option<ApiKey>> {
        Ok(self.keys.lock().unwrap().iter().find(|key| key.hash == hash).cloned())
    }
    async fn create(&self, key: ApiKey) -> Result<()> {
        self.keys.lock().unwrap().push(key);
        Ok(())
    }
    async fn list(&self) -> Result<Vec<ApiKey>> {
        Ok(self.keys.lock().unwrap().clone())
    }
    async fn revoke(&self, _: &str) -> Result<bool> {
        unused()
    }
}
