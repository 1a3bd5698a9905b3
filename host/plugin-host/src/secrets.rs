//! Turns a manifest into rights in force: looks up what `[secrets]` names.

use crate::{
    ctx::Rights,
    manifest::{Manifest, SecretSource},
};
use std::{env, fs, io};

/// Why a secret has no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("secrets.{name}: the environment variable {variable} is not set")]
    Environment { name: String, variable: String },
    #[error("secrets.{name}: {path}: {error}")]
    File { name: String, path: String, error: io::Error },
}

/// Resolves all secrets. Reads small files: not for a hot path.
pub(crate) fn resolve(manifest: &Manifest) -> Result<Rights, SecretError> {
    let mut secrets = std::collections::BTreeMap::new();
    for (name, source) in &manifest.secrets {
        secrets.insert(name.clone(), value(name, source)?);
    }
    Ok(Rights {
        grants: manifest.grants.clone(),
        limits: manifest.limits.clone(),
        settings: manifest.settings.clone(),
        secrets,
        origins: manifest.origins.clone(),
    })
}

fn value(name: &str, source: &SecretSource) -> Result<String, SecretError> {
    match source {
        SecretSource::Environment(variable) => env::var(variable).map_err(|_| {
            SecretError::Environment { name: name.to_owned(), variable: variable.clone() }
        }),
        SecretSource::File(path) => fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| SecretError::File {
                name: name.to_owned(),
                path: path.clone(),
                error,
            }),
        SecretSource::Value(value) => Ok(value.clone()),
    }
}
