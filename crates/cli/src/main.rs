//! The command `cairn`.

mod args;
mod file;
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
        args::Command::Demo(demo) => run::demo(demo, progress).map(|()| ExitCode::SUCCESS),
        args::Command::Replay(replay) => run::replay(replay, progress).map(|()| ExitCode::SUCCESS),
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
