//! JSON in and out, with errors that name the field.

use serde::de::DeserializeOwned;
use telepulse_language::{Code, Refusal};

/// Reads JSON as `T`. The refusal names the field that did not fit, as a path like `lines[0].call`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let field = (path != ".").then_some(path);
        Refusal { code: Code::BadRequest, message: error.inner().to_string(), field }
    })?;
    reader.end().map(|()| value).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))
}
