//! The command `cairn`.

mod args;
mod device;
mod drive;
mod edge;
mod exchange;
mod file;
mod http;
mod input;
mod judge;
mod liars;
mod live;
mod loss;
mod node;
mod output;
mod provider;
mod run;
mod show;
mod testnet;
mod trace;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let progress = args.log.is_none();
    let result = show::start_log(args.log.as_deref()).and_then(|()| match args.command {
        args::Command::Demo(demo) => run::demo(demo, progress).map(|()| ExitCode::SUCCESS),
        args::Command::Replay(replay) => run::replay(replay, progress).map(|()| ExitCode::SUCCESS),
        args::Command::Judge(command) => Ok(judge::run(&command).map(|()| ExitCode::SUCCESS)?),
        args::Command::Drive(command) => Ok(drive::run(&command)?),
        args::Command::Exchange(command) => {
            Ok(exchange::run(&command).map(|()| ExitCode::SUCCESS)?)
        }
        args::Command::Testnet(command) => Ok(testnet::run(&command)?),
        args::Command::Node(node) => Ok(node::run(&node).map(|()| ExitCode::SUCCESS)?),
        args::Command::Edge(edge) => Ok(edge::run(&edge).map(|()| ExitCode::SUCCESS)?),
        args::Command::Device(command) => Ok(device::run(&command)?),
        args::Command::Organisation(command) => {
            Ok(device::organisation(&command).map(|()| ExitCode::SUCCESS)?)
        }
        args::Command::Provider(command) => provider::run(&command).map(|()| ExitCode::SUCCESS),
        args::Command::Trace(command) => trace::run(&command).map(|()| ExitCode::SUCCESS),
        args::Command::File(command) => Ok(file::run(command, progress)?),
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.code())
        }
    }
}
