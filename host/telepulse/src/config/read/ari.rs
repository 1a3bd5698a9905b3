//! `[server.ari]`.

use crate::config::{
    AriUrl, Secret, ServerAri, ServerTls, ari,
    fields::{Fields, Reader},
    rules, schema,
};

/// Reads one server's; `None` where a mistake was noted without which there is nothing to go on with.
pub(super) fn ari(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ServerAri> {
    reader.known(fields, &schema::ARI);
    for (key, way_out) in [
        ("url", "say where it is, like \"http://127.0.0.1:8088/ari\""),
        ("username", "name the user of ari.conf"),
        ("password", "write \"env:NAME\", \"file:PATH\" or the password"),
    ] {
        if fields.get(key).is_none() {
            reader.missing(fields, key, way_out);
        }
    }
    let url = reader.text(fields, "url").map(|url| {
        let url: Result<AriUrl, _> = url.parse();
        url.map_err(|error| error.to_string())
    });
    let url = url.and_then(|url| reader.keep(fields, "url", url));
    let username = reader.ruled(fields, "username", rules::user);
    let password = reader.secret(fields, "password").and_then(|password| {
        let good = rules::ami_value(&password).map(|()| password);
        reader.keep(fields, "password", good)
    });
    let app = reader.ruled(fields, "app", rules::id).unwrap_or_else(|| ari::APP.to_owned());
    let ca = reader.path(fields, "ca");
    // The rules for the file are those of the links.
    let tls = ServerTls { ca, ..ServerTls::default() };
    for (key, message) in tls.check(reader.files) {
        reader.mistake(fields, key, &message);
    }
    Some(ServerAri {
        url: url?,
        username: username?,
        password: Secret::new(password?),
        app,
        ca: tls.ca,
    })
}
