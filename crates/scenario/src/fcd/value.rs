//! Attribute values: from undecoded bytes to numbers, times and names within their limits.

use super::error::{TraceFault, excerpt};
use super::{MAX_NAME_BYTES, MAX_TIME_MS};
use std::{borrow::Cow, collections::HashSet, str, sync::Arc};

/// A finite number within ±`limit`.
pub(super) fn number(value: &[u8], attribute: &'static str, limit: f64) -> Result<f64, TraceFault> {
    let text = str::from_utf8(value).ok();
    let Some(found) = text.and_then(|text| text.parse::<f64>().ok()) else {
        let found = excerpt(value);
        return Err(TraceFault::BadNumber { attribute, found });
    };
    if !found.is_finite() {
        let found = excerpt(value);
        return Err(TraceFault::NotFinite { attribute, found });
    }
    if found.abs() > limit {
        return Err(TraceFault::OutOfRange {
            attribute,
            limit,
            found,
        });
    }
    Ok(found)
}

/// Decimal seconds, as milliseconds. Exact: no detour through floating point. Decimals after the
/// third must be zeros.
pub(super) fn time_ms(value: &[u8]) -> Result<u64, TraceFault> {
    decimal_ms(value).ok_or_else(|| TraceFault::BadTime {
        found: excerpt(value),
    })
}

fn decimal_ms(value: &[u8]) -> Option<u64> {
    let mut parts = value.splitn(2, |&byte| byte == b'.');
    let whole = parts.next()?;
    let decimals = parts.next().unwrap_or(b"0");
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if !digits(whole) || !digits(decimals) || decimals.iter().skip(3).any(|&digit| digit != b'0') {
        return None;
    }
    let thousandths = decimals.iter().copied().chain([b'0'; 3]).take(3);
    let ms = whole
        .iter()
        .copied()
        .chain(thousandths)
        .try_fold(0u64, |ms, digit| {
            ms.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })?;
    (ms <= MAX_TIME_MS).then_some(ms)
}

/// A name of a vehicle, type or lane, with XML's entities resolved.
pub(super) fn name<'v>(
    value: &'v [u8],
    attribute: &'static str,
) -> Result<Cow<'v, str>, TraceFault> {
    str::from_utf8(value)
        .ok()
        .and_then(|text| quick_xml::escape::unescape(text).ok())
        .filter(|name| (1..=MAX_NAME_BYTES).contains(&name.len()))
        .filter(|name| !name.chars().any(char::is_control))
        .ok_or(TraceFault::BadName { attribute })
}

/// The names seen in this step and the one before. A name that comes back is shared, not copied;
/// one that stays away for a step is forgotten, so a trace of any length needs little memory.
#[derive(Default)]
pub(super) struct Names {
    before: HashSet<Arc<str>>,
    now: HashSet<Arc<str>>,
}

impl Names {
    /// Begins the next step.
    pub(super) fn step(&mut self) {
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
    }

    /// Whether this step has the name already.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.now.contains(name)
    }

    /// The shared name.
    pub(super) fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(shared) = self.now.get(name) {
            return shared.clone();
        }
        let shared = self.before.take(name).unwrap_or_else(|| Arc::from(name));
        self.now.insert(shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        for (text, ms) in [
            ("0", 0),
            ("900.00", 900_000),
            ("0.1", 100),
            ("1.001", 1_001),
            ("2.5000000", 2_500),
            ("100000000000.000", MAX_TIME_MS),
        ] {
            assert_eq!(decimal_ms(text.as_bytes()), Some(ms), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.0001",
            "1,5",
            "0:15:00",
            " 1",
            "nan",
            "100000000000.001",
            "99999999999999999999999",
        ] {
            assert_eq!(decimal_ms(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn names_are_shared_between_steps_and_then_forgotten() {
        let mut names = Names::default();
        let first = names.share("a");
        assert!(names.contains("a"));
        names.step();
        assert!(!names.contains("a"));
        assert!(Arc::ptr_eq(&first, &names.share("a")));
        names.step();
        names.step();
        assert!(names.before.is_empty() && names.now.is_empty());
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
