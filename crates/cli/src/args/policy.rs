//! The arguments of `keyless policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
#[command(before_help = "Examples:
  keyless policy fmt policies/*.xml           lay policies out; they mean what they meant
  keyless policy diff live.xml mine.xml       what differs in meaning, and only that
  keyless policy lint policies/*.xml          credentials in them, and statements out of place
  keyless policy fix orders.xml --stdout      see it without its password
  git show HEAD:api.xml | keyless policy diff - api.xml

Nothing is asked of Azure, and no manifest is needed. - stands for the standard input.")]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub verb: PolicyVerb,
}

#[derive(Subcommand)]
pub enum PolicyVerb {
    /// Lay policies out, with the same meaning
    Fmt(FmtArgs),
    /// Compare two policies by meaning
    Diff(DiffArgs),
    /// Find credentials and misplaced statements
    Lint(LintArgs),
    /// Put the identity in the place of passwords and keys
    Fix(FixArgs),
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless policy fmt api.xml              write it anew, if it changes
  keyless policy fmt --check *.xml        exit 2 when one would change, and write nothing
  cat api.xml | keyless policy fmt -      from the standard input to the standard output

Four spaces a level. Comments, text, expressions, quotes and the order of attributes stay.")]
pub struct FmtArgs {
    /// Policy files, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; exit 2 when a file would change
    #[arg(long)]
    pub check: bool,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless policy diff before.xml after.xml    exit 0 when they mean the same, 2 when not
  keyless policy diff --format json a.xml b.xml

Layout, comments, the order and quotes of attributes, the spelling of entities, and xml against
rawxml do not count. White space in strings, the order of statements and every token do.")]
pub struct DiffArgs {
    /// A policy file, or -
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// Another, or -
    #[arg(value_name = "B")]
    pub after: PathBuf,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless policy lint api.xml           exit 0 clean, 2 with findings, 1 when it does not parse
  keyless policy lint --format json policies/*.xml
  keyless explain KL0401                what a finding means")]
pub struct LintArgs {
    /// Policy files, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Args)]
#[command(before_help = "Examples:
  keyless policy fix resolver.xml           a SQL data source comes to use the gateway's identity
  keyless policy fix api.xml --audience api://orders    and a call asks for a token
  keyless policy fix api.xml --audience URI --at /policies/inbound/set-header[2]
  keyless policy fix api.xml --check        what would change, and what cannot; writes nothing
  keyless policy fix api.xml --stdout       the policy on the standard output, the rest on stderr

It edits the text only. The identity needs its rights first, and callers must not notice: keyless
plan sees to both. Exit codes: 0 nothing is left, 2 something is (or --check would change it).")]
pub struct FixArgs {
    /// A policy file, or - for the standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write nothing; exit 2 when something would change or is left
    #[arg(long)]
    pub check: bool,
    /// Print the policy instead of writing it
    #[arg(long, conflicts_with = "check")]
    pub stdout: bool,
    /// What the token of an HTTP service is asked for: its application id URI
    #[arg(long, value_name = "URI")]
    pub audience: Option<String>,
    /// The client id of a user-assigned identity; without it the system-assigned one
    #[arg(long, value_name = "ID", requires = "audience")]
    pub client_id: Option<String>,
    /// Only the elements at or inside this path, as lint tells it; may be given more than once
    #[arg(long, value_name = "PATH")]
    pub at: Vec<String>,
}
