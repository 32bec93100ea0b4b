//! `cairn edge`: an organisation's edge, with its chain and a relay chain in one process.

use crate::{
    args::Edge as Arguments,
    exchange::Suite,
    node::{self, NodeError},
    testnet,
};
use cairn_node::{
    organisations::{
        edge::mqtt::{Broker, BrokerError},
        home::{NewOrganisation, OrganisationError, Profile, SuiteName},
    },
    testnet::{Plan, TestnetError, init, organisation_name, read},
};
use std::path::PathBuf;
use thiserror::Error;

/// The grade of a new organisation's chain.
const GRADE: u8 = 2;

/// What the readings of a new organisation look like.
const SCHEMA: &str = "celsius:number";

/// Why the edge does not run.
#[derive(Debug, Error)]
pub enum EdgeError {
    #[error(transparent)]
    Testnet(#[from] TestnetError),
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(
        "{0} holds an organisation with {1}; leave the option out, or choose another directory"
    )]
    Other(PathBuf, String),
}

impl From<Suite> for SuiteName {
    fn from(suite: Suite) -> Self {
        match suite {
            Suite::Sm2 => Self::Sm2,
            Suite::Ristretto255 => Self::Ristretto255,
        }
    }
}

/// What a new organisation is when nothing else is said.
pub fn new_organisation() -> NewOrganisation {
    NewOrganisation {
        suite: SuiteName::Sm2,
        grade: GRADE,
        schema: SCHEMA.to_owned(),
    }
}

/// Makes the network at the first start, and runs it until Ctrl-C.
pub fn run(edge: &Arguments) -> Result<(), EdgeError> {
    let directory = &edge.directory;
    let config_path = directory.join("node-1").join("config.json");
    let home = directory.join(organisation_name(1));
    if config_path.exists() {
        check(edge, &Profile::read(&home)?)?;
    } else {
        let usual = new_organisation();
        let plan = Plan {
            validators: 1,
            has_road: false,
            organisations: vec![NewOrganisation {
                suite: edge.suite.map_or(usual.suite, SuiteName::from),
                grade: edge.grade.unwrap_or(usual.grade),
                schema: edge.schema.clone().unwrap_or(usual.schema),
            }],
            port: edge.port,
            now_ms: testnet::now_ms(),
        };
        init(directory, &plan)?;
    }
    let mut config = read(&config_path)?;
    for site in &mut config.edges {
        if edge.vault.is_some() {
            site.vault.clone_from(&edge.vault);
        }
        if let Some(url) = &edge.mqtt {
            Broker::parse(url, 1, "")?;
            site.mqtt = Some(url.clone());
        }
    }
    println!("organisation  {}", home.display());
    Ok(node::serve(&config_path, config, edge.while_stdin_open)?)
}

/// What was said for a new organisation must be so for one that is there.
fn check(edge: &Arguments, profile: &Profile) -> Result<(), EdgeError> {
    let other = |what: String| Err(EdgeError::Other(edge.directory.clone(), what));
    if edge.grade.is_some_and(|grade| grade != profile.grade) {
        return other(format!("grade {}", profile.grade));
    }
    if edge.schema.as_ref().is_some_and(|s| *s != profile.schema) {
        return other(format!("schema {}", profile.schema));
    }
    match edge.suite.map(SuiteName::from) {
        Some(suite) if suite != profile.suite => other(format!("suite {:?}", profile.suite)),
        _ => Ok(()),
    }
}
