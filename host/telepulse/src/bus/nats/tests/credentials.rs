//! Credentials files, as `nsc` writes them, at a NATS that trusts an operator: accounts and users are known
//! by what is signed, and by nothing in the server's own files.

use super::*;
use crate::bus::{
    StartError,
    tests::{count, settled},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// Signs accounts; an account signs users.
struct Operator {
    key: KeyPair,
    account: KeyPair,
    folder: TempDir,
}

impl Operator {
    fn new() -> Self {
        let folder = TempDir::with_prefix("telepulse-operator-").unwrap();
        Self { key: KeyPair::new_operator(), account: KeyPair::new_account(), folder }
    }

    /// A NATS that trusts it. With JetStream there must be an account of the system's own.
    fn nats(&self) -> NatsServer {
        let system = KeyPair::new_account();
        let no_limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1,
            "leaf": -1, "wildcards": true, "mem_storage": -1, "disk_storage": -1, "streams": -1,
            "consumer": -1,
        });
        let account = json!({ "type": "account", "version": 2, "limits": no_limits });
        let plain = json!({ "type": "account", "version": 2, "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1,
            "leaf": -1, "wildcards": true,
        }});
        NatsServer::with(&format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\n\
             resolver_preload: {{ {}: {}, {}: {} }}",
            signed(&self.key, &self.key, &json!({ "type": "operator", "version": 2 })),
            system.public_key(),
            self.account.public_key(),
            signed(&self.key, &self.account, &account),
            system.public_key(),
            signed(&self.key, &system, &plain),
        ))
    }

    /// The file of a user whom an account signed, with the seed of a key.
    fn credentials(&self, account: &KeyPair, user: &KeyPair, seed: &KeyPair) -> PathBuf {
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            signed(account, user, &claims),
            seed.seed().unwrap()
        );
        let file = self.folder.path().join(format!("{:x}.creds", rand::random::<u64>()));
        fs::write(&file, text).unwrap();
        file
    }
}

/// A token of NATS: who signs says something of somebody.
fn signed(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = part(&json!({
        "jti": "test", "iat": 1_700_000_000, "name": "test", "iss": issuer.public_key(),
        "sub": subject.public_key(), "nats": nats,
    }));
    let text = format!("{head}.{claims}");
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn with_file(server: &NatsServer, file: PathBuf) -> Nats {
    Nats { login: NatsLogin::File(file), ..server.settings() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_lets_in_whom_it_is_for() {
    let operator = Operator::new();
    let server = operator.nats();
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let good = operator.credentials(&operator.account, &user, &user);
    let bus = NatsBus::start(&with_file(&server, good), "tp1", 100).await.unwrap();
    bus.append(vec![count(1)]);
    assert_eq!(settled(&*bus).await, 1);

    let foreign = KeyPair::new_account();
    for wrong in [
        operator.credentials(&operator.account, &user, &other),
        operator.credentials(&foreign, &user, &user),
    ] {
        let settings = with_file(&server, wrong.clone());
        let error = NatsBus::start(&settings, "tp1", 100).await.err().expect("it starts");
        assert!(matches!(error, StartError::Refused(_)), "{error:?}");
        let told = format!("{error} {error:?} {settings:?}");
        for secret in [user.seed().unwrap(), other.seed().unwrap()] {
            assert!(!told.contains(&secret), "{told}");
        }
    }
    let error = NatsBus::start(&server.settings(), "tp1", 100).await.err().expect("it starts");
    assert!(matches!(error, StartError::Refused(_)), "without any: {error:?}");
    let missing = with_file(&server, operator.folder.path().join("nowhere.creds"));
    let error = NatsBus::start(&missing, "tp1", 100).await.err().expect("it starts");
    assert!(error.to_string().contains("nowhere.creds"), "{error}");
}
