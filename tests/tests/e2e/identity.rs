//! Tokens of an identity provider: their rights, the end of their time, and other keys.

use crate::{
    platform::{Platform, SOON},
    rest,
    ws::{Client, Incoming},
};
use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use telepulse_tests::wait;

/// Thirty wrong ones within a minute are forgiven.
const BETWEEN_GUESSES: Duration = Duration::from_millis(700);

/// A key of the provider.
struct Key(KeyPair);

impl Key {
    fn new() -> Result<Self> {
        Ok(Self(KeyPair::generate_for(&PKCS_ED25519)?))
    }

    fn set(&self) -> String {
        let x = BASE64.encode(self.0.der_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string()
    }

    /// A token that is good for so many seconds.
    fn token(&self, seconds: u64, role: &str) -> Result<String> {
        let claims = json!({"iss": "https://login.example", "aud": "telepulse", "sub": "ana",
            "exp": get_current_timestamp() + seconds, "extension": "201", "roles": [role]});
        let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::EdDSA) };
        Ok(encode(&header, &claims, &EncodingKey::from_ed_der(&self.0.serialize_der()))?)
    }
}

async fn servers(platform: &Platform, token: &str) -> Result<rest::Answer> {
    rest::send(&platform.rest("/v1/servers"), Method::GET, None, Some(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_provider_are_good_for_their_time_and_rights() -> Result<()> {
    let files = tempfile::tempdir()?;
    let path = files.path().join("keys.json");
    let first = Key::new()?;
    fs::write(&path, first.set())?;
    let provider = format!(
        "[[auth.role]]\nname = \"agent\"\nallow = [\"hangup:own\"]\n\
         [auth.jwt]\nissuer = \"https://login.example\"\naudience = \"telepulse\"\nkeys = \"{}\"\n",
        path.display()
    );
    let platform = Platform::builder().raw(&provider).start().await?;
    wait::until("the keys", SOON, async || {
        tokio::time::sleep(BETWEEN_GUESSES).await;
        let answer = servers(&platform, &first.token(60, "agent")?).await?;
        Ok((answer.status == StatusCode::OK).then_some(()))
    })
    .await?;
    for bad in [first.token(60, "nobody")?, Key::new()?.token(60, "agent")?] {
        assert_eq!(servers(&platform, &bad).await?.status, StatusCode::UNAUTHORIZED);
    }
    let mut client = Client::connect(platform.ws_port, &first.token(60, "agent")?).await?;
    let dial = client.refused(json!({"action": "dial", "from": "201", "to": "202"})).await?;
    assert_eq!(dial["code"], "forbidden", "{dial}");

    // Its time ends while it is connected. Clocks may differ by five seconds.
    let mut brief = Client::connect(platform.ws_port, &first.token(1, "agent")?).await?;
    brief.ok(json!({"action": "ping"})).await?;
    match brief.incoming(Duration::from_secs(10)).await? {
        Incoming::Closed(Some(frame)) => assert_eq!(u16::from(frame.code), 4401),
        Incoming::Closed(None) => panic!("closed without a word"),
        Incoming::Json(told) => panic!("{told}"),
    }
    client.ok(json!({"action": "ping"})).await?;

    // The provider rolls its keys over.
    let second = Key::new()?;
    fs::write(&path, second.set())?;
    wait::until("the other keys", SOON, async || {
        tokio::time::sleep(BETWEEN_GUESSES).await;
        let answer = servers(&platform, &second.token(60, "agent")?).await?;
        Ok((answer.status == StatusCode::OK).then_some(()))
    })
    .await?;
    let old = servers(&platform, &first.token(60, "agent")?).await?;
    assert_eq!(
        (old.status, &old.body["code"]),
        (StatusCode::UNAUTHORIZED, &Value::from("unauthorized"))
    );
    platform.stop().await;
    Ok(())
}
