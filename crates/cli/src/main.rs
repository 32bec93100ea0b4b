//! The command `cairn`.

mod args;
mod input;
mod live;
mod run;
mod show;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let progress = args.log.is_none();
    let result = show::start_log(args.log.as_deref()).and_then(|()| match args.command {
        args::Command::Demo(demo) => run::demo(demo, progress),
        args::Command::Replay(replay) => run::replay(replay, progress),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.code())
        }
    }
}
