//! `keyless completions`: a script for a shell, which asks this program what may come next.

use clap_complete::env::Shells;

use crate::args::CompletionsArgs;
use crate::failure::Failure;
use crate::output;

pub fn run(args: &CompletionsArgs) -> Result<u8, Failure> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let script = shells.completer(&name).map(|shell| {
        let mut script = Vec::new();
        let done =
            shell.write_registration("COMPLETE", "keyless", "keyless", "keyless", &mut script);
        done.map(|()| script)
    });
    match script {
        Some(Ok(script)) => output::data(&String::from_utf8_lossy(&script)),
        Some(Err(error)) => return Err(Failure::new("KL0309", error.to_string())),
        None => {
            let message = format!("there is no completion for {name}");
            return Err(Failure::new("KL0309", message));
        }
    }
    Ok(0)
}
