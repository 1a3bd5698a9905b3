//! `[auth]`: users, roles, and whose tokens are taken besides.

use super::{
    super::{
        JwtKeys, JwtSettings, Role, Secret, User,
        fields::{Fields, Reader},
        rules, schema,
    },
    entries, subsection, unique,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn roles(reader: &mut Reader<'_>, auth: &Fields<'_>) -> Vec<Role> {
    let mut names = BTreeMap::new();
    let mut roles = Vec::new();
    for fields in entries(reader, auth.get("role"), "auth.role") {
        reader.known(&fields, &schema::ROLE);
        if fields.get("name").is_none() {
            reader.missing(&fields, "name", "call it something, like \"agent\"");
        }
        let role = Role {
            name: reader.ruled(&fields, "name", rules::user).unwrap_or_default(),
            agents: reader.list(&fields, "agents", rules::extension),
            queues: reader.list(&fields, "queues", rules::name),
            servers: reader.list(&fields, "servers", rules::id),
            allow: reader.list(&fields, "allow", rules::allow).unwrap_or_default(),
        };
        unique(reader, &fields, &mut names, "name", &role.name);
        roles.push(role);
    }
    roles
}

pub(super) fn jwt(
    reader: &mut Reader<'_>,
    auth: &Fields<'_>,
    roles: &[Role],
) -> Option<JwtSettings> {
    let fields = subsection(reader, auth, "jwt", "auth.jwt")?;
    reader.known(&fields, &schema::JWT);
    for (key, way_out) in [
        ("issuer", "say whose tokens are taken: their claim iss"),
        ("audience", "say what they must be meant for: their claim aud"),
    ] {
        if fields.get(key).is_none() {
            reader.missing(&fields, key, way_out);
        }
    }
    let keys = match (fields.get("keys"), fields.get("secret")) {
        (Some(_), None) => jwt_keys(reader, &fields).map(JwtKeys::At),
        (None, Some(_)) => {
            let secret = reader.secret(&fields, "secret").map(|secret| match secret.len() {
                32.. => Ok(Secret::new(secret)),
                _ => Err("must have at least 32 bytes (RFC 7518, section 3.2)".to_owned()),
            });
            let secret = secret.and_then(|secret| reader.keep(&fields, "secret", secret));
            secret.map(JwtKeys::Secret)
        }
        _ => {
            let way_out = "a file or URL with a JWK Set; or give secret, for HS256: one of the two";
            reader.missing(&fields, "keys", way_out);
            None
        }
    };
    if roles.is_empty() {
        let message = "tokens give rights by role only: describe some, each in [[auth.role]]";
        reader.mistake(&fields, "roles", message);
    }
    let mut claim = |key: &str, usual: &str| {
        reader.ruled(&fields, key, rules::claim).unwrap_or_else(|| usual.to_owned())
    };
    Some(JwtSettings {
        issuer: claim("issuer", ""),
        audience: claim("audience", ""),
        name: claim("name", "sub"),
        extension: claim("extension", "extension"),
        roles: claim("roles", "roles"),
        keys: keys?,
    })
}

/// A URL as it is, or a file's path.
fn jwt_keys(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let text = reader.text(fields, "keys")?;
    if text.starts_with("https://") || text.starts_with("http://") {
        let keys = rules::keys_url(text).map(|()| text.to_owned());
        return reader.keep(fields, "keys", keys);
    }
    let path = reader.path(fields, "keys")?;
    let read = (reader.files)(&path);
    let read = read.map_err(|error| format!("cannot read {}: {error}", path.display()));
    reader.keep(fields, "keys", read.map(|_| path.to_string_lossy().into_owned()))
}

pub(super) fn users(reader: &mut Reader<'_>, auth: &Fields<'_>, roles: &[Role]) -> Vec<User> {
    let (mut names, mut tokens) = (BTreeMap::new(), BTreeMap::new());
    let mut users = Vec::new();
    for fields in entries(reader, auth.get("user"), "auth.user") {
        let user = user(reader, &fields, roles);
        unique(reader, &fields, &mut names, "name", &user.name);
        if let Some(token) = user.token
            && let Some(other) = tokens.insert(token, user.name.clone())
        {
            let message = format!("is the token of user {other:?} too: make one for each");
            reader.mistake(&fields, "token", &message);
        }
        users.push(user);
    }
    users
}

fn user(reader: &mut Reader<'_>, fields: &Fields<'_>, roles: &[Role]) -> User {
    reader.known(fields, &schema::USER);
    if fields.get("name").is_none() {
        reader.missing(fields, "name", "say who it is, like \"wallboard\"");
    }
    if fields.get("token").is_none() && fields.get("password").is_none() {
        let way_out = "`telepulse token` makes one; or give a password, an argon2id string";
        reader.missing(fields, "token", way_out);
    }
    let token = reader.secret(fields, "token").map(|text| rules::token(&text));
    let password = reader.secret(fields, "password").map(|text| rules::password(&text));
    let role = role(reader, fields, roles);
    let usual = |list: fn(&Role) -> Option<BTreeSet<String>>| role.as_ref().and_then(list);
    let mut allow = reader.list(fields, "allow", rules::allow).unwrap_or_default();
    allow.extend(role.iter().flat_map(|role| role.allow.iter().cloned()));
    User {
        name: reader.ruled(fields, "name", rules::user).unwrap_or_default(),
        token: token.and_then(|token| reader.keep(fields, "token", token)),
        password: password.and_then(|password| reader.keep(fields, "password", password)),
        extension: reader.ruled(fields, "extension", rules::extension),
        agents: reader
            .list(fields, "agents", rules::extension)
            .or_else(|| usual(|role| role.agents.clone())),
        queues: reader
            .list(fields, "queues", rules::name)
            .or_else(|| usual(|role| role.queues.clone())),
        servers: reader
            .list(fields, "servers", rules::id)
            .or_else(|| usual(|role| role.servers.clone())),
        allow,
    }
}

/// The role that a user has: what the user's own lists leave open is the role's.
fn role(reader: &mut Reader<'_>, fields: &Fields<'_>, roles: &[Role]) -> Option<Role> {
    let name = reader.text(fields, "role")?;
    let role = roles.iter().find(|role| role.name == name).cloned();
    if role.is_none() {
        let message = format!("there is no [[auth.role]] of the name {name:?}");
        reader.mistake(fields, "role", &message);
    }
    role
}
