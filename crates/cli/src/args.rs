//! The arguments, and help that starts with examples.

mod policy;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::complete;

pub use policy::{DiffArgs, FixArgs, FmtArgs, LintArgs, PolicyArgs, PolicyVerb};

/// Moves what Azure API Management reaches, Azure SQL and HTTP services, from passwords and keys to
/// managed identities, and checks every night that it has stayed there.
#[derive(Parser)]
#[command(
    name = "keyless",
    version,
    max_term_width = 100,
    before_help = "Examples:
  keyless demo                          the whole job on a small Azure in this process
  keyless scan --gateway ID --server ID what holds a credential, no manifests needed
  keyless init --gateway ID --server ID first manifests for it, to be corrected
  keyless plan -o plan.json             what would change, and why
  keyless apply plan.json               carry it out; run it again after each soak
  keyless drift                         what has changed since",
    after_help = "Exit codes: 0 nothing to do or all done, 1 failed or not understood, 2 \
                  changes or findings, 3 something waits or could not be read."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

const EVERYWHERE: &str = "Options of every command";

/// What every command takes. In the help it stands below what the command alone takes.
#[derive(Args)]
pub struct Common {
    /// The folder that holds manifests/ and .keyless/
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "DIR",
        default_value = ".",
        env = "KEYLESS_PROJECT"
    )]
    pub project: PathBuf,
    /// The environment: its variables are in environments/NAME.yaml, its state in .keyless/NAME/
    #[arg(long = "env", global = true, help_heading = EVERYWHERE, value_name = "NAME", env = "KEYLESS_ENV",
          add = ArgValueCompleter::new(complete::environments))]
    pub environment: Option<String>,
    /// public, government, china, or a file of endpoints
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        value_name = "NAME|FILE",
        default_value = "public",
        env = "KEYLESS_CLOUD"
    )]
    pub cloud: String,
    /// Text for people, JSON with a format version, Markdown for a pull request (plan, scan), or
    /// SARIF 2.1.0 for code scanning (scan)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Colours: when the output is a terminal, always or never (NO_COLOR is honoured)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Tell each request to Azure on stderr: verb, path, status and time, nothing of its content
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub verbose: bool,
}

impl Common {
    /// A variable that is set to nothing is none.
    pub fn without_empty(mut self) -> Self {
        self.environment = self.environment.filter(|name| !name.is_empty());
        if self.project.as_os_str().is_empty() {
            self.project = PathBuf::from(".");
        }
        if self.cloud.is_empty() {
            "public".clone_into(&mut self.cloud);
        }
        self
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
    Sarif,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    /// Write first manifests for an existing gateway
    Init(InitArgs),
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
    /// Take back what a run did, up to the point of no return
    Rollback(RollbackArgs),
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
    /// Print the manifests with the variables of an environment put in
    Render(RenderArgs),
    /// Lay out, compare, check and mend policy files
    Policy(PolicyArgs),
    /// Draw who reaches what, and as whom
    Graph(GraphArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page of keyless or of one command
    Man(ManArgs),
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless scan --gateway /subscriptions/…/service/contoso --server /subscriptions/…/servers/orders
  keyless scan                    the gateways and servers of manifests/
  keyless scan --inspect-secrets  read secret named values too, in memory only
  keyless scan --format sarif     for code scanning; markdown for a pull request")]
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
  keyless init --gateway /subscriptions/…/service/contoso --server /subscriptions/…/servers/orders
  keyless init --gateway ID --stdout            look first
  keyless init --gateway ID --inspect-secrets   follow secret named values too, in memory only

It reads Azure, changes nothing there, and writes over no file. Then: keyless plan
The IDs: az apim list --query [].id -o tsv
         az sql server list --query [].id -o tsv")]
pub struct InitArgs {
    /// The resource id of an API Management service; may be given more than once
    #[arg(long, value_name = "ID", required = true)]
    pub gateway: Vec<String>,
    /// The resource id of a SQL server behind it; may be given more than once. One that is left out
    /// and reached is named in the end
    #[arg(long, value_name = "ID")]
    pub server: Vec<String>,
    /// Where the file goes, in the project; it has the name of the first gateway
    #[arg(long, value_name = "DIR", default_value = "manifests")]
    pub dir: PathBuf,
    /// Print the manifests, and write no file
    #[arg(long)]
    pub stdout: bool,
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
  keyless plan --env prod           with the variables of environments/prod.yaml
  keyless plan --target apim:contoso/access:orders-read   one Access and what it needs
  keyless plan --format markdown    for a pull request, most important first
  keyless plan --inspect-secrets    read secret named values too, in memory only
  keyless plan --brief              a line for each Access
  keyless plan --show plan.json     show a plan that was kept, or with --target a part of it")]
pub struct PlanArgs {
    #[command(flatten)]
    pub part: PartArgs,
    /// Write the plan to this file
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Count the steps of each Access instead of showing them
    #[arg(long)]
    pub brief: bool,
    /// Show a plan file, or an applied plan by how its id begins, instead of making a plan
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "inspect_secrets"])]
    pub show: Option<PathBuf>,
    /// Read secret named values, in memory only (needs namedValues/listValue/action)
    #[arg(long)]
    pub inspect_secrets: bool,
}

/// A part of the plan.
#[derive(Args, Default)]
pub struct PartArgs {
    /// Only steps at or inside this address, and what they need; may be given more than once
    #[arg(long = "target", value_name = "ADDRESS",
          add = ArgValueCompleter::new(complete::addresses))]
    pub targets: Vec<String>,
    /// Only steps of this phase, and the gates they stand behind; may be given more than once
    #[arg(long = "only-phase", value_name = "PHASE",
          value_parser = PossibleValuesParser::new(PHASES))]
    pub phases: Vec<String>,
}

/// The words of `keyless_plan::Phase`, in the order in which phases run.
pub const PHASES: [&str; 10] = [
    "observe", "identify", "grant", "park", "prove", "switch", "confirm", "disable", "lock",
    "retire",
];

#[derive(Args)]
#[command(before_help = "Examples:
  keyless apply plan.json                 exactly these steps; run it again after a gate
  keyless apply                           plan, show it, ask, apply
  keyless apply plan.json --allow-irreversible   and what cannot be undone
  keyless apply --auto-approve            plan and apply with no question, as in a pipeline
  keyless apply --target apim:contoso/access:orders-read --only-phase grant

Ctrl-C lets the requests under way end, records them, and stops; the same command goes on from there.")]
pub struct ApplyArgs {
    /// A plan file, or how the id of a plan that was applied begins; applied without a question.
    /// Without it a plan is made and shown first
    #[arg(conflicts_with_all = ["targets", "phases"])]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub part: PartArgs,
    /// Without a plan file: do not ask before the first step. Gates that ask a person still do
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
  keyless approve                    the gates of the plan that was applied last
  keyless approve plan.json          the gates that ask, and who approved
  keyless approve prove/apim:contoso/access:billing-read     a gate of the plan applied last
  keyless approve plan.json prove/apim:contoso/access:billing-read
  keyless approve plan.json --all --by alice@contoso.example")]
pub struct ApproveArgs {
    /// The plan file, or how the id of an applied plan begins; without it, the plan applied last
    pub plan: Option<PathBuf>,
    /// The gates to open, as apply names them
    pub gates: Vec<String>,
    /// Every gate of the plan that asks a person now
    #[arg(long, conflicts_with = "gates")]
    pub all: bool,
    /// Who approves; kept in the journal
    #[arg(long, value_name = "NAME", env = "USER")]
    pub by: Option<String>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless rollback                     the runs, and what of each stands
  keyless rollback 8f0c41d2            show how that one is taken back, ask, do it
  keyless rollback 8f0c41d2 -o back.json   keep that plan for apply instead

Steps are taken back in reverse, each only while it is as the run left it. What stands under a step
that cannot be taken back stays.")]
pub struct RollbackArgs {
    /// The id of the run's plan, or how it begins; without one the runs are listed
    pub run: Option<String>,
    /// Write the plan to this file, and change nothing
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Do not ask before the first step
    #[arg(long)]
    pub auto_approve: bool,
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
    #[command(before_help = "Examples:
  keyless state rebuild    a state that cannot be read is kept aside")]
    Rebuild,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless explain KL0401
  keyless explain          all codes")]
pub struct ExplainArgs {
    /// Such as KL0401; without one all are listed
    #[arg(add = ArgValueCompleter::new(complete::codes))]
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
  keyless render --env prod            every document as prod has it
  keyless render --env prod a.yaml     one file; each value says which file set it")]
pub struct RenderArgs {
    /// Files and folders, relative to the project [default: manifests]
    pub paths: Vec<PathBuf>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless graph -o access.svg             from the manifests alone
  keyless graph --live -o access.svg      and which ways still hold a key
  keyless graph --as mermaid              for a README
  keyless graph --as dot | dot -Tpng -o access.png")]
pub struct GraphArgs {
    /// The form; from the ending of the file where one is named
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub form: Option<GraphForm>,
    /// Read Azure too: callers, and policies that still hold a key
    #[arg(long)]
    pub live: bool,
    /// Write to this file
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphForm {
    Svg,
    Mermaid,
    Dot,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless man | man -l -
  keyless man plan | man -l -
  keyless man --dir /usr/local/share/man/man1    all of them")]
pub struct ManArgs {
    /// A command such as plan, or policy-fmt
    pub command: Option<String>,
    /// Write every page into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless completions bash > /etc/bash_completion.d/keyless
  keyless completions fish > ~/.config/fish/completions/keyless.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
