//! `cairn trace`: who holds a credential, under a request that the ledger keeps.

use crate::{args, run::RunError};
use cairn_node::{
    LinkageValue,
    authority::Enrolment,
    embedded::{self, Options, Running},
    network::NetworkError,
};
use cairn_scenario::RadioRange;
use serde_json::{Value, json};
use std::{collections::HashMap, fs, time::Duration};

/// The top speed that vehicles are judged by, where none are on the road.
const TOP_SPEED_M_S: f64 = 40.0;

/// Brings up the network in the directory, without RSUs, and asks it.
pub fn run(command: &args::Trace) -> Result<(), RunError> {
    let question = match (&command.linkage, &command.reason) {
        (Some(linkage), Some(path)) => {
            let value = parse(linkage).ok_or_else(|| RunError::Linkage(linkage.clone()))?;
            let reason = fs::read(path).map_err(|error| RunError::Reason(path.clone(), error))?;
            Some((value, reason))
        }
        _ => None,
    };
    let validators = embedded::validators_in(&command.data)?
        .ok_or_else(|| RunError::NoNetwork(command.data.clone()))?;
    let options = Options {
        validators,
        sites: Vec::new(),
        range: RadioRange::default(),
        batch_interval: Duration::from_millis(50),
        seed: None,
        data: Some(command.data.clone()),
        enrolment: Enrolment::default(),
        hop_range: None,
        villains: HashMap::new(),
        top_speed_m_s: TOP_SPEED_M_S,
        points: None,
    };
    let answer = embedded::run(options, async |network: &mut Running| match &question {
        Some((value, reason)) => trace(network, *value, reason, command.revoke).await,
        None => list(network).await,
    })?;
    let answer = answer.map_err(RunError::Replay)?;
    if command.json {
        println!("{answer:#}");
    } else {
        print(&answer);
    }
    Ok(())
}

async fn trace(
    network: &mut Running,
    value: LinkageValue,
    reason: &[u8],
    revoke: bool,
) -> Result<Value, NetworkError> {
    let (traced, person) = network.trace(value, reason).await?;
    if revoke {
        network.revoke(&traced).await?;
    }
    Ok(json!({
        "request": traced.number,
        "linkage_value": value.to_string(),
        "vehicle": traced.uid.to_string(),
        "name": person.name,
        "document": person.document,
        "plate": person.plate,
        "revoked": revoke,
    }))
}

async fn list(network: &mut Running) -> Result<Value, NetworkError> {
    let requests = network.trace_requests().await?;
    let rows = (0..).zip(requests).map(|(number, request): (u32, _)| {
        let issuers = (1..=16).filter(|issuer| request.handled >> (issuer - 1) & 1 == 1);
        json!({
            "request": number,
            "linkage_value": LinkageValue(request.linkage).to_string(),
            "reason": hex(&request.reason),
            "requested_ms": request.requested_ms,
            "issuers": issuers.collect::<Vec<u8>>(),
            "answered_ms": request.answer.map(|(time_ms, _)| time_ms),
            "answer": request.answer.map(|(_, digest)| hex(&digest)),
        })
    });
    Ok(rows.collect())
}

/// For people: a line for each field, or for each request.
fn print(answer: &Value) {
    match answer {
        Value::Array(requests) if requests.is_empty() => println!("no requests"),
        Value::Array(requests) => {
            for request in requests {
                let text = |name: &str| request[name].as_str().unwrap_or("-").to_owned();
                println!(
                    "{:>4}  {}  requested {}, handle by issuers {}, answered {}",
                    request["request"],
                    text("linkage_value"),
                    request["requested_ms"],
                    request["issuers"],
                    request["answered_ms"],
                );
                println!("      reason {}", text("reason"));
                println!("      answer {}", text("answer"));
            }
        }
        answer => {
            for (name, value) in answer.as_object().into_iter().flatten() {
                match value {
                    Value::String(text) => println!("  {name:<14} {text}"),
                    other => println!("  {name:<14} {other}"),
                }
            }
        }
    }
}

fn parse(text: &str) -> Option<LinkageValue> {
    let mut value = LinkageValue([0; 9]);
    if text.len() != 2 * value.0.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in value.0.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linkage_values_are_18_digits() {
        let text = "00010203040506ff08";
        assert_eq!(parse(text).unwrap().to_string(), text);
        for bad in [
            "",
            "00",
            "00010203040506ff0g",
            "00010203040506ff0800",
            "äääääääää",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
