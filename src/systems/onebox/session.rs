//! The login: login and REST password for a token (fact sheet, section 1).

use std::sync::Arc;

use async_trait::async_trait;
use md5::{Digest as _, Md5};
use reqwest::{Method, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::{Options, PasswordForm, SYSTEM, classify, client::address};
use crate::{
    fault::Fault,
    remote::{Call, Effect, Http, Limiter, Login, Token, ports::Limits},
};

/// Logs in for one employee.
pub struct Session {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    key: String,
}

impl Session {
    /// A session of one employee in one box.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let mut hash = Sha256::new();
        for part in [options.base_url.as_str(), options.login.expose_secret(), options.password.expose_secret()] {
            hash.update(part);
            hash.update([0]);
        }
        let key = format!("{SYSTEM}:{}", hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Self { http, options, limits, stop, key }
    }

    /// Where the pace of this employee's calls is kept.
    pub fn limit_key(&self) -> &str {
        // A shorter hash still tells employees apart, and the column is not made for long names.
        self.key.get(..SYSTEM.len() + 33).unwrap_or(&self.key)
    }

    fn password(&self) -> SecretString {
        match self.options.password_form {
            PasswordForm::Plain => self.options.password.clone(),
            PasswordForm::Md5 => {
                let digest = Md5::digest(self.options.password.expose_secret());
                SecretString::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        }
    }
}

#[async_trait]
impl Login for Session {
    fn key(&self) -> &str {
        &self.key
    }

    async fn login(&self) -> Result<Token, Fault> {
        let url = address(&self.options.base_url, "token/get");
        let password = self.password();
        let body = json!({"login": self.options.login.expose_secret(), "restapipassword": password.expose_secret()});
        // It changes nothing that a repetition could spoil, so it counts as a read.
        let mut call = Call::new(SYSTEM, "POST /api/v2/token/get/", Effect::Read, Method::POST, url)
            .with_json(&body)?
            .with_secret(self.options.login.clone())
            .with_secret(self.options.password.clone())
            .with_secret(password)
            .with_limiter(Limiter { limits: &*self.limits, key: self.limit_key(), interval: self.options.pause });
        call.private = true;
        let token = self.http.send(&call, &self.stop, classify::judge_login).await?.value;
        Ok(Token::new(SecretString::from(token), self.options.token_life, None))
    }

    /// A header of its own: no Bearer (section 1).
    fn present(&self, token: &SecretString) -> (HeaderName, String) {
        (HeaderName::from_static("token"), token.expose_secret().to_owned())
    }
}
