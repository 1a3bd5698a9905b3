//! Reading a JSON object from outside: bounded, and refused where two readers could differ.

use crate::{Code, Refusal};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// The most bytes that one command or request body may have.
pub const MAX_BYTES: usize = 64 * 1024;

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// Reads one JSON object. Refused as `badRequest`: more than [`MAX_BYTES`], nesting deeper than 32,
/// a key that comes twice, a number that is not finite, anything but an object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let refuse = |why: String| Refusal::new(Code::BadRequest, why);
    if bytes.len() > MAX_BYTES {
        return Err(refuse(format!("the message has more than {MAX_BYTES} bytes")));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| refuse(format!("not well-formed JSON: {error}")))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(refuse("a JSON object is needed, like {\"action\":\"ping\"}".to_owned())),
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} comes twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_and_everything_doubtful_refused() {
        assert_eq!(object(br#"{"a":[1,{"b":null}]}"#).unwrap().len(), 1);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES));
        for bad in ["", "[]", "3", "{", "{\"a\":1,\"a\":2}", "{\"a\":1e400}", "{} {}", &deep, &huge]
        {
            let refusal = object(bad.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{bad:.40}");
        }
    }
}
