//! Tokens that are good, and those that are not.

use super::*;
use crate::{
    auth::{Revocation, Target, revocations::Revoked},
    config::Secret,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _};
use serde_json::json;

/// A key pair that is good for nothing but this test, and its modulus.
const RSA: &str = "MIIEowIBAAKCAQEAosx_qOmxvpbh1Pu9Dy5R8nAZURRo1vo2WzwNzSgnPlTGsfRMDLiRAtbJrXtHx1JWe_dl\
    4subwceHY8nKCXLMhLRDHue0234MRqn70E6Vb2O7K8SbZogkhLh3GzXtwCxMEwJwY2HJffVS-mimN_wXKuDs\
    uX7M1HcqD8Dj6fymr2pAK9wgVsWsibhFn8khv-tgBkWrXF8x1HuiJGb_SKRAMpKGtY6iEAvFGQjJh0LS9KEm\
    Rhr8n60YQ1eBakWqEIwM7s8H--ZpmrjquxalTBZQlNSzQmrF7SaTD7qglfP0yW7mG_iLEySWWf81LTcuzkqF\
    tYzEBeWxgwxxclPrXB49qwIDAQABAoIBAA7-n4pONNeVa-lWYuEy-eV6HlYIKrXhgVmUf1lUZ8G6d9VsZzrL\
    hY1WfWhT3aMfhthPmHWz6j2f120OArFgscy0eIz9EeMeyebfGwX8Aioqn4YJZR5wm-h4WX2xas7gZZ6UnKE5\
    IKCc4XUvmviDtbPDcgDBC82zLukZJTgbU-3KsALDqDnHjpPNQkvSxlrdD28QjbQMfrjmLfX53E8nKROpyEg8\
    -0IKhFTwR4CVck-YhycA4q08sBOTf-J5teLt0pi6BjZO-YzL9fttaHUyXw2XfBrirvgsl6S9cBYdu1abUFNG\
    IseRRw3NILiuMnC-h-OAwwJG3ozEcxjFwzqgOdECgYEA0Asex5DBUtaBGXLEpzAksxt02sE0UQI2QIO7ZIzx\
    hQYxbqEE4pSu38mK6-vH4eXK6o7fjOrckv0p7Br391G-tyQMyoCHDaDjByknp586NdOR2ujBPLHz1WGcHXN0\
    ZcABMAhE9qu8YWmi4aAau-sODm0A9FIgKnQCT4hLzlJGy_ECgYEAyFNxN4OS573eDVYDJvlVicZzFwYTLSsS\
    y9qisdeFPaa2gHaavep-zcMXtN2UGpAa-lxIOmMsIUs7_u_5bUAfbnW62cZAlpnAMV4b3ZvX96hsldO5JAEg\
    sMGlROiMYZjXHawvMcDx7sFe_R-T691qHWGMilA-mUfi1jlWBmIqr1sCgYEAucWESZ3oE2l5xFioY8ZorwrQ\
    cNpfNgssmLVI60O0Ex3xnCDqdM1hznFwvLRBO2Vvqb3Ev1eleRfZjHyUeeMj0vO8_EKC1leZAnbscxCK8S-o\
    KXr3upQI8LyFpALJqGYoaVSpCD9YKwAiMyk9VhpR5e3OEV0YXfBTc-N4FZeAonECgYAqjI6fm_K4BjwD2SES\
    RiNFAEGxwjiQf3WelvG3lG9YiPB6mLaFYClOywFeCTJL8g_I3ZD51dapu7EilRYFfnkunRLy7okJc96-nZ6N\
    k2xrzfpCWJYab6Lh6D-SQ1KN6EjIpKnhh3nbnHbwjKR-lKjVVMLlHeYt6HblyYfcEz29wQKBgBqE3AKQ87Lf\
    UxOKE0GauEWQ_JxDb8cA1n9FmU8Vs_GVWqsmpuxv8PrXbuH7QTzr_bTui8GucWWiKaFyvj6UFOSy8B0_CUAl\
    --fVfRGiNrtpJHkiaXX1JdgDBfS2gcSW0OtlX7y3FFqLrs0qzEgvpWAnhzPoQP0moNZ4vwg3jdru";
const MODULUS: &str = "osx_qOmxvpbh1Pu9Dy5R8nAZURRo1vo2WzwNzSgnPlTGsfRMDLiRAtbJrXtHx1JWe_dl4subwceHY8nKCXLM\
    hLRDHue0234MRqn70E6Vb2O7K8SbZogkhLh3GzXtwCxMEwJwY2HJffVS-mimN_wXKuDsuX7M1HcqD8Dj6fym\
    r2pAK9wgVsWsibhFn8khv-tgBkWrXF8x1HuiJGb_SKRAMpKGtY6iEAvFGQjJh0LS9KEmRhr8n60YQ1eBakWq\
    EIwM7s8H--ZpmrjquxalTBZQlNSzQmrF7SaTD7qglfP0yW7mG_iLEySWWf81LTcuzkqFtYzEBeWxgwxxclPr\
    XB49qw";
const SECRET: &str = "a secret of at least thirty-two bytes";

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

fn jwt(keys: JwtKeys) -> Arc<Jwt> {
    let settings = JwtSettings {
        issuer: "https://login.example".to_owned(),
        audience: "telepulse".to_owned(),
        keys,
        name: "preferred_username".to_owned(),
        extension: "extension".to_owned(),
        roles: "roles".to_owned(),
    };
    let role = |name: &str, queues: Option<&[&str]>, allow: &[&str]| Role {
        name: name.to_owned(),
        agents: None,
        queues: queues.map(set),
        servers: Some(set(&["pbx1"])),
        allow: set(allow),
    };
    let roles = [
        role("agent", Some(&["sales"]), &["hangup:own"]),
        role("clerk", Some(&["support"]), &["dial:own"]),
        role("boss", None, &["*"]),
    ];
    Jwt::new(settings, &roles, InForce::default())
}

fn with_secret() -> Arc<Jwt> {
    jwt(JwtKeys::Secret(Secret::new(SECRET)))
}

fn claims() -> Value {
    json!({"iss": "https://login.example", "aud": "telepulse", "exp": now() + 60,
        "preferred_username": "ana", "extension": "201", "roles": ["agent"]})
}

fn signed(claims: &Value, algorithm: Algorithm, key: &EncodingKey, id: Option<&str>) -> String {
    let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn by_secret(claims: &Value) -> String {
    signed(claims, Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()), None)
}

#[test]
fn claims_become_rights() {
    let jwt = with_secret();
    let who = jwt.verify(&by_secret(&claims())).unwrap();
    assert_eq!((who.name.as_str(), who.extension.as_deref()), ("ana", Some("201")));
    assert_eq!((&who.queues, &who.allow), (&Some(set(&["sales"])), &set(&["hangup:own"])));
    assert_eq!(who.servers, Some(set(&["pbx1"])));

    let with = |roles: Value| {
        let mut claims = claims();
        claims["roles"] = roles;
        jwt.verify(&by_secret(&claims))
    };
    let both = with(json!(["agent", "unknown", "clerk"])).unwrap();
    assert_eq!(both.queues, Some(set(&["sales", "support"])));
    assert_eq!(both.allow, set(&["hangup:own", "dial:own"]));
    assert_eq!(with(json!(["agent", "boss"])).unwrap().queues, None, "all of them");
    assert_eq!(with(json!("clerk")).unwrap().allow, set(&["dial:own"]));
    for nothing in [json!([]), json!(["unknown"]), json!(7), Value::Null] {
        assert_eq!(with(nothing.clone()), Err(Denied::Wrong), "{nothing}");
    }
}

#[test]
fn what_is_not_as_it_should_be_is_refused() {
    let jwt = with_secret();
    let wrong = [
        ("iss", json!("https://evil.example")),
        ("aud", json!("another")),
        ("exp", json!(now() - 60)),
        ("nbf", json!(now() + 60)),
        ("preferred_username", json!("an\r\na")),
        ("preferred_username", json!(7)),
        ("extension", json!("201&202")),
    ];
    for (claim, value) in wrong {
        let mut claims = claims();
        claims[claim] = value;
        assert_eq!(jwt.verify(&by_secret(&claims)), Err(Denied::Wrong), "{claims}");
    }
    for gone in ["iss", "aud", "exp", "preferred_username", "roles"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(gone);
        assert_eq!(jwt.verify(&by_secret(&claims)), Err(Denied::Wrong), "without {gone}");
    }
    let good = by_secret(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let part = |value: Value| BASE64.encode(value.to_string());
    let none = part(json!({"alg": "none", "typ": "JWT"}));
    let mut more = claims();
    more["roles"] = json!(["boss"]);
    for forged in [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], part(more), parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        "a.b.c".to_owned(),
        "..".to_owned(),
        format!("{good}{}", "x".repeat(LONGEST)),
    ] {
        assert_eq!(jwt.verify(&forged), Err(Denied::Wrong), "{forged}");
    }
    let other = EncodingKey::from_secret(b"another secret of thirty-two bytes!");
    let by_other = signed(&claims(), Algorithm::HS256, &other, None);
    assert_eq!(jwt.verify(&by_other), Err(Denied::Wrong));
    let by_hs384 = EncodingKey::from_secret(SECRET.as_bytes());
    let by_hs384 = signed(&claims(), Algorithm::HS384, &by_hs384, None);
    assert_eq!(jwt.verify(&by_hs384), Err(Denied::Wrong), "another algorithm");
}

/// A key pair, and its public half as a JWK.
fn pair(algorithm: Algorithm, id: &str) -> (EncodingKey, Value) {
    let kind = match algorithm {
        Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
        _ => &PKCS_ED25519,
    };
    let pair = KeyPair::generate_for(kind).unwrap();
    let (der, public) = (pair.serialize_der(), pair.der_bytes());
    if algorithm == Algorithm::ES256 {
        let (x, y) = (BASE64.encode(&public[1..33]), BASE64.encode(&public[33..65]));
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": x, "y": y});
        return (EncodingKey::from_ec_der(&der), jwk);
    }
    let x = BASE64.encode(public);
    (EncodingKey::from_ed_der(&der), json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x}))
}

#[test]
fn rsa_keys_are_for_rs256_alone() {
    let jwt = jwt(JwtKeys::At("keys.json".to_owned()));
    let jwk = json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": MODULUS, "e": "AQAB"});
    assert_eq!(jwt.replace_keys(json!({"keys": [jwk]}).to_string().as_bytes()), Ok(1));
    let key = EncodingKey::from_rsa_der(&BASE64.decode(RSA).unwrap());
    assert!(jwt.verify(&signed(&claims(), Algorithm::RS256, &key, Some("rsa"))).is_ok());
    for other in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = signed(&claims(), other, &key, Some("rsa"));
        assert_eq!(jwt.verify(&token), Err(Denied::Wrong), "{other:?}");
    }
}

#[test]
fn public_keys_are_found_by_their_ids_and_replaced() {
    let jwt = jwt(JwtKeys::At("keys.json".to_owned()));
    let (curve, curve_jwk) = pair(Algorithm::ES256, "curve");
    let (edwards, edwards_jwk) = pair(Algorithm::EdDSA, "edwards");
    let by_curve = |id: Option<&str>| signed(&claims(), Algorithm::ES256, &curve, id);
    let by_edwards = |id: Option<&str>| signed(&claims(), Algorithm::EdDSA, &edwards, id);
    assert_eq!(jwt.verify(&by_curve(Some("curve"))), Err(Denied::Wrong), "no keys yet");

    let encryption = json!({"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc",
        "x": curve_jwk["x"], "y": curve_jwk["y"]});
    let secret = json!({"kty": "oct", "kid": "secret", "k": BASE64.encode(SECRET)});
    let keys = json!({"keys": [&curve_jwk, &edwards_jwk, encryption, secret]}).to_string();
    assert_eq!(jwt.replace_keys(keys.as_bytes()), Ok(2));
    assert!(jwt.verify(&by_curve(Some("curve"))).is_ok());
    assert!(jwt.verify(&by_edwards(Some("edwards"))).is_ok());
    assert_eq!(jwt.verify(&by_edwards(Some("curve"))), Err(Denied::Wrong), "another's key");
    assert_eq!(jwt.verify(&by_edwards(None)), Err(Denied::Wrong), "which of both?");
    // The public key of a pair, taken for a secret.
    let public = BASE64.decode(edwards_jwk["x"].as_str().unwrap()).unwrap();
    for forger in [EncodingKey::from_secret(&public), EncodingKey::from_secret(SECRET.as_bytes())] {
        for id in ["edwards", "secret", "enc"] {
            let forged = signed(&claims(), Algorithm::HS256, &forger, Some(id));
            assert_eq!(jwt.verify(&forged), Err(Denied::Wrong), "{id}");
        }
    }

    // The provider has rolled its keys over.
    let (next, next_jwk) = pair(Algorithm::EdDSA, "next");
    jwt.replace_keys(json!({"keys": [next_jwk]}).to_string().as_bytes()).unwrap();
    assert_eq!(jwt.verify(&by_curve(Some("curve"))), Err(Denied::Wrong));
    let by_next = signed(&claims(), Algorithm::EdDSA, &next, None);
    assert!(jwt.verify(&by_next).is_ok(), "the only key needs no id");
    for bad in ["", "{}", "[]", r#"{"keys":[]}"#] {
        assert!(jwt.replace_keys(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(jwt.verify(&by_next).is_ok(), "the keys of before stay");
}

#[test]
fn who_is_there_past_the_end_is_told_once() {
    let jwt = with_secret();
    let stays = jwt.verify(&by_secret(&claims())).unwrap();
    drop(jwt.verify(&by_secret(&claims())).unwrap());
    assert_eq!(jwt.ended(now()).len(), 0);
    assert_eq!(jwt.lock().len(), 1, "who has gone is forgotten");
    let ended = jwt.ended(now() + 60 + LEEWAY);
    assert!(ended.len() == 1 && Arc::ptr_eq(&ended[0], &stays));
    assert_eq!(jwt.ended(now() + 1_000).len(), 0);
}

#[test]
fn a_token_that_is_revoked_is_refused_and_told_if_it_is_in_use() {
    let jwt = with_secret();
    let with = |jti: &str| {
        let mut claims = claims();
        claims["jti"] = json!(jti);
        jwt.verify(&by_secret(&claims))
    };
    let (first, other) = (with("1").unwrap(), with("2").unwrap());
    let revoke = |target: Target| {
        let created = telepulse_language::Timestamp(0);
        let revocation = Revocation { id: String::new(), target, created, expires: None };
        jwt.revoked.set(Revoked::new(vec![revocation], created));
    };
    revoke(Target::Token { jti: "1".to_owned() });
    assert_eq!(with("1"), Err(Denied::Wrong));
    assert!(with("2").is_ok());
    let ended = jwt.ended(now());
    assert!(ended.len() == 1 && Arc::ptr_eq(&ended[0], &first));
    // By the name that it has here, too, and without a claim that says when it was issued.
    let before = telepulse_language::Timestamp(now() * 1000);
    revoke(Target::Subject { subject: "ana".to_owned(), before });
    assert_eq!(with("2"), Err(Denied::Wrong));
    let ended = jwt.ended(now());
    assert!(ended.len() == 1 && Arc::ptr_eq(&ended[0], &other));
    assert_eq!(jwt.ended(now()).len(), 0);
}
