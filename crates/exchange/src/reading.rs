//! What a device hands to its organisation's edge: one signed reading.
//!
//! ```text
//! signed: "cairn/1/exchange/reading" | organisation 2 | device 32 | time 8 | grade 1 | content
//! ```
//!
//! As JSON, over HTTP and MQTT: `{"device": HEX, "time_ms": N, "grade": N, "content": TEXT, "certificate":
//! HEX, "signature": HEX}`, where the text of `content` is a JSON object itself; its bytes are signed
//! and kept as they are.
//!
//! | rule | the edge refuses unless |
//! |---|---|
//! | V-READ-1 | the JSON has these fields and no others, each of its size |
//! | V-READ-2 | the certificate is the one enrolled on the chain for this device and epoch |
//! | V-READ-3 | its key is valid at the edge's time (V-KEY-1 to V-KEY-5) |
//! | V-READ-4 | the signature fits |
//! | V-READ-5 | the grade is that of the chain |
//! | V-READ-6 | the content has the fields of the edge's schema, of their kinds, and no others |
//! | V-READ-7 | (a query) it was signed at most 2 s ago, the accepted age of a message |

use cairn_contracts::directory::OrgId;
use cairn_crypto::{
    credential::Certificate,
    message::{MessageSuite, SIGNATURE_BYTES},
    suite::{Element, Suite},
};
use cairn_vault::{DeviceId, MAX_CONTENT};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::keys::{KeyError, Party, PartyId, TOLERANCE_MS};

const DOMAIN: &[u8] = b"cairn/1/exchange/reading";
const QUERY_DOMAIN: &[u8] = b"cairn/1/exchange/query";

/// Why an edge refuses a reading. The device is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadingError {
    /// V-READ-1.
    #[error("{0}: expected {1}")]
    Malformed(&'static str, String),
    /// V-READ-2.
    #[error("the certificate is not the one enrolled for this device; enrol it first")]
    NotEnrolled,
    /// V-READ-3.
    #[error("the device's key: {0}")]
    Key(#[from] KeyError),
    /// V-READ-4.
    #[error("the signature does not fit device, time, grade and content")]
    Signature,
    /// V-READ-5.
    #[error("the reading has grade {got}, this chain holds grade {expected}")]
    Grade {
        /// The chain's.
        expected: u8,
        /// The reading's.
        got: u8,
    },
    /// V-READ-6.
    #[error("content: expected {0}")]
    Schema(String),
    /// V-READ-7.
    #[error("the query was signed more than 2 s before or after the edge's time")]
    Age,
}

/// A reading as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<S: Suite> {
    /// Who measured.
    pub device: DeviceId,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// Its privacy grade.
    pub grade: u8,
    /// A JSON object.
    pub content: String,
    /// The device's key.
    pub certificate: Certificate<S>,
    signature: [u8; SIGNATURE_BYTES],
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Json {
    device: String,
    time_ms: u64,
    grade: u8,
    content: String,
    certificate: String,
    signature: String,
}

impl<S: MessageSuite> Reading<S> {
    /// Signs a reading.
    #[must_use]
    pub fn sign(
        device: &Party<S>,
        time_ms: u64,
        grade: u8,
        content: String,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let id = device.id();
        let signature = device.sign(&message(&id, time_ms, grade, &content), rng);
        Self {
            device: id.device,
            time_ms,
            grade,
            content,
            certificate: device.shown().certificate,
            signature,
        }
    }

    /// Checks signature, grade and schema (V-READ-4 to V-READ-6), for a device of `organisation`
    /// whose key is `key`.
    ///
    /// # Errors
    ///
    /// [`ReadingError`].
    pub fn check(
        &self,
        organisation: OrgId,
        key: &Element<S>,
        grade: u8,
        schema: &Schema,
    ) -> Result<(), ReadingError> {
        let id = PartyId {
            organisation,
            device: self.device,
        };
        let message = message(&id, self.time_ms, self.grade, &self.content);
        S::verify(key, &id.to_bytes(), &message, &self.signature)
            .map_err(|_| ReadingError::Signature)?;
        if self.grade != grade {
            return Err(ReadingError::Grade {
                expected: grade,
                got: self.grade,
            });
        }
        schema.check(&self.content)
    }

    /// Reads the JSON (V-READ-1).
    ///
    /// # Errors
    ///
    /// [`ReadingError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<Self, ReadingError> {
        let json: Json = serde_json::from_slice(json)
            .map_err(|error| ReadingError::Malformed("reading", error.to_string()))?;
        Self::parse(json)
    }

    /// Reads a JSON array of readings, at most `most`.
    ///
    /// # Errors
    ///
    /// [`ReadingError::Malformed`].
    pub fn many_from_json(json: &[u8], most: usize) -> Result<Vec<Self>, ReadingError> {
        let all: Vec<Json> = serde_json::from_slice(json)
            .map_err(|error| ReadingError::Malformed("readings", error.to_string()))?;
        if all.is_empty() || all.len() > most {
            let expected = format!("1 to {most} at once, got {}", all.len());
            return Err(ReadingError::Malformed("readings", expected));
        }
        all.into_iter().map(Self::parse).collect()
    }

    fn parse(json: Json) -> Result<Self, ReadingError> {
        if json.content.len() > MAX_CONTENT {
            let expected = format!(
                "at most {MAX_CONTENT} bytes, got {}: keep larger things as files and record their id",
                json.content.len()
            );
            return Err(ReadingError::Malformed("content", expected));
        }
        Ok(Self {
            device: device(&json.device)?,
            time_ms: json.time_ms,
            grade: json.grade,
            content: json.content,
            certificate: certificate(&json.certificate)?,
            signature: signature(&json.signature)?,
        })
    }

    /// The JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = Json {
            device: self.device.to_string(),
            time_ms: self.time_ms,
            grade: self.grade,
            content: self.content.clone(),
            certificate: hex(&self.certificate.to_bytes()),
            signature: hex(&self.signature),
        };
        serde_json::to_string(&json).expect("strings and numbers")
    }
}

/// A device asks for its own records. As JSON: `{"device": HEX, "from_ms": N, "until_ms": N, "signed_ms": N,
/// "certificate": HEX, "signature": HEX}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<S: Suite> {
    /// Who asks.
    pub device: DeviceId,
    /// From this time on, milliseconds since 1970.
    pub from_ms: u64,
    /// Up to this time, excluded.
    pub until_ms: u64,
    /// When it was signed.
    pub signed_ms: u64,
    /// The device's key.
    pub certificate: Certificate<S>,
    signature: [u8; SIGNATURE_BYTES],
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct QueryJson {
    device: String,
    from_ms: u64,
    until_ms: u64,
    signed_ms: u64,
    certificate: String,
    signature: String,
}

impl<S: MessageSuite> Query<S> {
    /// Signs a query.
    #[must_use]
    pub fn sign(
        device: &Party<S>,
        times: std::ops::Range<u64>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let numbers = [times.start, times.end, now_ms];
        Self {
            device: device.id().device,
            from_ms: times.start,
            until_ms: times.end,
            signed_ms: now_ms,
            certificate: device.shown().certificate,
            signature: device.sign(&query_message(&device.id(), numbers), rng),
        }
    }

    /// Checks signature and age (V-READ-4, V-READ-7).
    ///
    /// # Errors
    ///
    /// [`ReadingError::Signature`] and [`ReadingError::Age`].
    pub fn check(
        &self,
        organisation: OrgId,
        key: &Element<S>,
        now_ms: u64,
    ) -> Result<(), ReadingError> {
        let id = PartyId {
            organisation,
            device: self.device,
        };
        let message = query_message(&id, [self.from_ms, self.until_ms, self.signed_ms]);
        S::verify(key, &id.to_bytes(), &message, &self.signature)
            .map_err(|_| ReadingError::Signature)?;
        let is_fresh = now_ms.abs_diff(self.signed_ms) <= TOLERANCE_MS;
        is_fresh.then_some(()).ok_or(ReadingError::Age)
    }

    /// Reads the JSON (V-READ-1).
    ///
    /// # Errors
    ///
    /// [`ReadingError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<Self, ReadingError> {
        let json: QueryJson = serde_json::from_slice(json)
            .map_err(|error| ReadingError::Malformed("query", error.to_string()))?;
        Ok(Self {
            device: device(&json.device)?,
            from_ms: json.from_ms,
            until_ms: json.until_ms,
            signed_ms: json.signed_ms,
            certificate: certificate(&json.certificate)?,
            signature: signature(&json.signature)?,
        })
    }

    /// The JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = QueryJson {
            device: self.device.to_string(),
            from_ms: self.from_ms,
            until_ms: self.until_ms,
            signed_ms: self.signed_ms,
            certificate: hex(&self.certificate.to_bytes()),
            signature: hex(&self.signature),
        };
        serde_json::to_string(&json).expect("strings and numbers")
    }
}

fn query_message(id: &PartyId, numbers: [u64; 3]) -> Vec<u8> {
    let numbers = numbers.map(u64::to_be_bytes).concat();
    [QUERY_DOMAIN, &id.to_bytes(), &numbers].concat()
}

fn device(text: &str) -> Result<DeviceId, ReadingError> {
    let expected = || ReadingError::Malformed("device", "64 hexadecimal digits".into());
    parse_device(text).ok_or_else(expected)
}

fn certificate<S: Suite>(text: &str) -> Result<Certificate<S>, ReadingError> {
    let expected = "a certificate of this suite in hexadecimal";
    unhex(text)
        .and_then(|bytes| Certificate::from_bytes(&bytes).ok())
        .ok_or_else(|| ReadingError::Malformed("certificate", expected.into()))
}

fn signature(text: &str) -> Result<[u8; SIGNATURE_BYTES], ReadingError> {
    unhex(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ReadingError::Malformed("signature", "128 hexadecimal digits".into()))
}

/// Reads a device's name.
#[must_use]
pub fn parse_device(text: &str) -> Option<DeviceId> {
    unhex(text)?.try_into().ok().map(DeviceId)
}

fn message(id: &PartyId, time_ms: u64, grade: u8, content: &str) -> Vec<u8> {
    let time = time_ms.to_be_bytes();
    [DOMAIN, &id.to_bytes(), &time, &[grade], content.as_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(16 * digit(*high)? + digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// A string.
    Text,
    /// True or false.
    Boolean,
}

/// The fields that content has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(Vec<(String, Kind)>);

impl Schema {
    /// The most fields of a schema.
    pub const MAX_FIELDS: usize = 64;

    /// Reads `name:kind,…` with the kinds `number`, `text` and `boolean`.
    ///
    /// # Errors
    ///
    /// [`ReadingError::Schema`].
    pub fn parse(text: &str) -> Result<Self, ReadingError> {
        let field = |field: &str| {
            let (name, kind) = field.split_once(':')?;
            let kind = match kind {
                "number" => Kind::Number,
                "text" => Kind::Text,
                "boolean" => Kind::Boolean,
                _ => return None,
            };
            (!name.is_empty()).then(|| (name.to_owned(), kind))
        };
        let fields: Option<Vec<_>> = text.split(',').map(field).collect();
        fields
            .filter(|fields| fields.len() <= Self::MAX_FIELDS)
            .map(Self)
            .ok_or_else(|| {
                let expected = "1 to 64 times name:number, name:text or name:boolean, with commas";
                ReadingError::Schema(expected.into())
            })
    }

    fn check(&self, content: &str) -> Result<(), ReadingError> {
        let fits = |(name, kind): &(String, Kind), object: &serde_json::Map<String, Value>| {
            object.get(name).is_some_and(|value| match kind {
                Kind::Number => value.is_number(),
                Kind::Text => value.is_string(),
                Kind::Boolean => value.is_boolean(),
            })
        };
        match serde_json::from_str(content) {
            Ok(Value::Object(object))
                if object.len() == self.0.len()
                    && self.0.iter().all(|field| fits(field, &object)) =>
            {
                Ok(())
            }
            _ => Err(ReadingError::Schema(self.to_string())),
        }
    }
}

impl std::fmt::Display for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object of exactly")?;
        self.0.iter().try_for_each(|(name, kind)| {
            let kind = match kind {
                Kind::Number => "number",
                Kind::Text => "text",
                Kind::Boolean => "boolean",
            };
            write!(f, " {name}:{kind}")
        })
    }
}
