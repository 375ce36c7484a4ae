//! The arguments, and help that starts with examples.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Moves the paths from Azure API Management to Azure SQL from passwords to managed identities,
/// and checks every night that they have stayed there.
#[derive(Parser)]
#[command(
    name = "keyless",
    version,
    max_term_width = 100,
    before_help = "Examples:
  keyless demo                          the whole job on a small Azure in this process
  keyless scan --gateway ID --server ID what holds a password, no manifests needed
  keyless plan -o plan.json             what would change, and why
  keyless apply plan.json               carry it out; run it again after each soak
  keyless drift                         what has changed since",
    after_help = "Exit codes: 0 nothing to do or all done, 1 failed, 2 changes or findings, 3 \
                  something waits or could not be read."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args)]
pub struct Common {
    /// The folder that holds manifests/ and .keyless/
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        env = "KEYLESS_PROJECT"
    )]
    pub project: PathBuf,
    /// public, government, china, or a file of endpoints
    #[arg(
        long,
        global = true,
        value_name = "NAME|FILE",
        default_value = "public",
        env = "KEYLESS_CLOUD"
    )]
    pub cloud: String,
    /// Text for people, or JSON with a format version
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Colours: when the output is a terminal, always or never (NO_COLOR is honoured)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    /// Find embedded credentials, with no manifest
    Scan(ScanArgs),
    /// Check the manifests offline
    Validate(ValidateArgs),
    /// Print the JSON Schema of the manifests
    Schema(SchemaArgs),
    /// Show what would change, step by step
    Plan(PlanArgs),
    /// Carry a plan out, up to the next gate
    Apply(ApplyArgs),
    /// Open a gate that asks a person
    Approve(ApproveArgs),
    /// Compare live with the manifests and with what was applied
    Drift(DriftArgs),
    /// Show or rebuild what keyless remembers
    State(StateArgs),
    /// Describe a code such as KL0401
    Explain(ExplainArgs),
    /// Run a small Azure on loopback
    Emulator(EmulatorArgs),
    /// See the whole job on the emulator, in one go
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless scan --gateway /subscriptions/…/service/contoso --server /subscriptions/…/servers/orders
  keyless scan                    the gateways and servers of manifests/
  keyless scan --inspect-secrets  read secret named values too, in memory only")]
pub struct ScanArgs {
    /// The resource id of an API Management service; may be given more than once
    #[arg(long, value_name = "ID")]
    pub gateway: Vec<String>,
    /// The resource id of a SQL server; may be given more than once
    #[arg(long, value_name = "ID")]
    pub server: Vec<String>,
    /// Read secret named values, in memory only (needs namedValues/listValue/action)
    #[arg(long)]
    pub inspect_secrets: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless validate                  everything in manifests/
  keyless validate a.yaml folder/   these files and folders")]
pub struct ValidateArgs {
    /// Files and folders, relative to the project [default: manifests]
    pub paths: Vec<PathBuf>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless schema > keyless.schema.json   for an editor
  keyless schema --markdown              the reference page")]
pub struct SchemaArgs {
    /// The reference page instead of the JSON Schema
    #[arg(long)]
    pub markdown: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless plan                      show it
  keyless plan -o plan.json         and keep it for apply; it holds no secret
  keyless plan --inspect-secrets    read secret named values too, in memory only
  keyless plan --show plan.json     show a plan that was kept")]
pub struct PlanArgs {
    /// Write the plan to this file
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show a plan file instead of making a plan
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "inspect_secrets"])]
    pub show: Option<PathBuf>,
    /// Read secret named values, in memory only (needs namedValues/listValue/action)
    #[arg(long)]
    pub inspect_secrets: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless apply plan.json                 exactly these steps; run it again after a gate
  keyless apply                           plan, ask, apply
  keyless apply plan.json --auto-approve --allow-irreversible")]
pub struct ApplyArgs {
    /// A plan file; without one a plan is made and shown first
    pub plan: Option<PathBuf>,
    /// Do not ask before the first step
    #[arg(long)]
    pub auto_approve: bool,
    /// Let steps run that cannot be undone
    #[arg(long)]
    pub allow_irreversible: bool,
    /// Read secret named values when making the plan
    #[arg(long, conflicts_with = "plan")]
    pub inspect_secrets: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless approve plan.json                                 list the gates that ask a person
  keyless approve plan.json prove/apim:contoso/access:billing-read
  keyless approve plan.json --all --by alice@contoso.example")]
pub struct ApproveArgs {
    /// The plan file
    pub plan: PathBuf,
    /// The gates to open, as apply names them
    pub gates: Vec<String>,
    /// Every gate of the plan that asks a person
    #[arg(long, conflicts_with = "gates")]
    pub all: bool,
    /// Who approves; kept in the journal
    #[arg(long, value_name = "NAME", env = "USER")]
    pub by: Option<String>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless drift                 read-only; exit 2 when something has drifted
  keyless drift --format json   for a pipeline")]
pub struct DriftArgs {
    /// Read secret named values, in memory only (needs namedValues/listValue/action)
    #[arg(long)]
    pub inspect_secrets: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless state            what keyless remembers
  keyless state rebuild    make it again from the journal")]
pub struct StateArgs {
    #[command(subcommand)]
    pub action: Option<StateAction>,
}

#[derive(Subcommand)]
pub enum StateAction {
    /// Make the state again from the journal
    Rebuild,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless explain KL0401
  keyless explain          all codes")]
pub struct ExplainArgs {
    /// Such as KL0401; without one all are listed
    pub code: Option<String>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless emulator --seed manifests/contoso/contoso.seed   stays in the foreground and prints
                                                           what to set in another terminal")]
pub struct EmulatorArgs {
    /// What exists at the start (docs/emulator-seed.md)
    #[arg(long, value_name = "FILE")]
    pub seed: PathBuf,
    /// Where cloud.json and ca.pem are written
    #[arg(long, value_name = "DIR", default_value = ".keyless-emulator")]
    pub dir: PathBuf,
    /// The HTTPS port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub https_port: u16,
    /// The SQL port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub sql_port: u16,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless demo               some seconds, in a folder that is removed afterwards
  keyless demo --keep DIR    and keep manifests, plans, state and journal there")]
pub struct DemoArgs {
    /// Keep everything that the demo makes in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless completions bash > /etc/bash_completion.d/keyless
  keyless completions fish > ~/.config/fish/completions/keyless.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
