//! The project on disk: its manifests, the policy files they name, and its state folder.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use keyless_live::FileStore;
use keyless_manifest::{
    Environment, MAX_MANIFEST_BYTES, Read, ReadError, Source, unknown_environment,
};
use keyless_model::{Desired, Diagnostic, Diagnostics};
use keyless_policy::MAX_POLICY_BYTES;
use sha2::{Digest, Sha256};

use crate::args::Common;
use crate::excerpt::covered;
use crate::failure::Failure;
use crate::output;

/// How manifests and environments end. JSON is YAML.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Folders that are never looked into.
const SKIPPED: [&str; 3] = [".keyless", ".git", "target"];

/// The manifests of a run.
pub struct Project {
    pub desired: Desired,
    /// SHA-256 of every manifest and policy file, in the order of their paths.
    pub digest: String,
    pub documents: usize,
}

/// Reads and checks the manifests. Everything that is wrong is shown at once.
pub fn load(common: &Common, paths: &[PathBuf]) -> Result<Project, Failure> {
    shown(common, try_load(common, paths)?)
}

/// What loading found wrong, and the files that it speaks of.
pub type Wrong = (Diagnostics, Vec<Source>);

/// As [`load`], with the diagnostics left to the caller.
pub fn try_load(common: &Common, paths: &[PathBuf]) -> Result<Result<Project, Wrong>, Failure> {
    let read = read(common, paths, keyless_manifest::load)?;
    Ok(read.map(|(desired, files)| Project {
        documents: desired.addresses().len(),
        digest: digest(&files),
        desired,
    }))
}

/// The manifests as the environment has them.
pub fn render(common: &Common, paths: &[PathBuf]) -> Result<String, Failure> {
    let read = read(common, paths, keyless_manifest::render)?;
    shown(common, read.map(|(text, _)| text))
}

fn shown<T>(common: &Common, read: Result<T, Wrong>) -> Result<T, Failure> {
    read.map_err(|(diagnostics, files)| {
        show(common, &diagnostics, &files);
        Failure::told()
    })
}

/// One reading of the manifests: what `work` makes of them with every file that was read, or all
/// that is wrong with them.
fn read<T>(
    common: &Common,
    paths: &[PathBuf],
    work: impl FnOnce(&[Source], Read<'_>, &Environment) -> Result<T, Diagnostics>,
) -> Result<Result<(T, Vec<Source>), Wrong>, Failure> {
    let root = folder(common)?;
    let (sources, mut diagnostics) = sources(&root, paths)?;
    let policies = std::cell::RefCell::new(Vec::<Source>::new());
    let policy = |path: &str| -> Result<String, ReadError> {
        let text = policy(&root, path)?;
        policies.borrow_mut().push(Source {
            path: path.to_owned(),
            text: text.clone(),
        });
        Ok(text)
    };
    let environment = environment(common, &root, !paths.is_empty())?;
    let made = work(&sources, &policy, &environment);
    let mut files = sources;
    files.extend(policies.into_inner());
    files.extend(environment.chosen);
    Ok(match made {
        Ok(made) if diagnostics.is_empty() => Ok((made, files)),
        Ok(_) => Err((diagnostics, files)),
        Err(more) => {
            diagnostics.extend(more);
            Err((diagnostics, files))
        }
    })
}

/// Shows what is wrong with the manifests. Lines are shown with whatever looks like a credential
/// masked; the line that a credential was found in is not shown at all.
pub fn show(common: &Common, diagnostics: &[Diagnostic], sources: &[Source]) {
    let of_file = |path: &str| -> Vec<&Diagnostic> {
        let here = |d: &&Diagnostic| d.span.as_ref().is_some_and(|s| s.file == path);
        diagnostics.iter().filter(here).collect()
    };
    let masked: Vec<Source> = sources
        .iter()
        .map(|s| Source {
            path: s.path.clone(),
            text: covered(&s.text, &of_file(&s.path)),
        })
        .collect();
    let shown: Vec<Diagnostic> = diagnostics
        .iter()
        .map(|one| {
            let mut one = one.clone();
            if let Some(span) = &mut one.span
                && let Some(at) = sources.iter().position(|s| s.path == span.file)
            {
                let (from, to) = (&sources[at].text, &masked[at].text);
                (span.start, span.end) = (moved(from, to, span.start), moved(from, to, span.end));
            }
            one
        })
        .collect();
    let text = |path: &str| {
        masked
            .iter()
            .find(|s| s.path == path)
            .map(|s| s.text.as_str())
    };
    let style = output::style_of_notes(common);
    output::laid_out(keyless_report::diagnostics(&shown, &text, &style).trim_end());
}

/// The byte offset in `to` of the character at `offset` in `from`; both have as many characters.
fn moved(from: &str, to: &str, offset: usize) -> usize {
    let before = from.char_indices().take_while(|(i, _)| *i < offset).count();
    to.char_indices().nth(before).map_or(to.len(), |(i, _)| i)
}

/// The variables of `--env`, and which environments there are.
fn environment(common: &Common, root: &Path, partial: bool) -> Result<Environment, Failure> {
    let known = environment_names(root);
    let Some(name) = &common.environment else {
        return Ok(Environment {
            chosen: None,
            known,
            partial,
        });
    };
    if !known.contains(name) {
        let unknown = unknown_environment(name, &known);
        show(common, &[unknown], &[]);
        return Err(Failure::told());
    }
    let path = environment_file(root, name)?;
    let text = text_of(&root.join(&path), MAX_MANIFEST_BYTES).map_err(|error| {
        let Diagnostic {
            code,
            message,
            help,
            ..
        } = unusable(&path, &error);
        Failure::new(code, format!("{message}; {}", help.unwrap_or_default()))
    })?;
    let chosen = Some(Source { path, text });
    Ok(Environment {
        chosen,
        known,
        partial,
    })
}

/// The file of an environment that there is. Two would be two answers to what it sets.
fn environment_file(root: &Path, name: &str) -> Result<String, Failure> {
    let files = ENDINGS.map(|ending| format!("environments/{name}{ending}"));
    let there = |file: &&String| root.join(file).is_file();
    let mut found = files.iter().filter(there);
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => {
            let message =
                format!("the environment {name} has two files, {one} and {other}; keep one");
            Err(Failure::new("KL0116", message))
        }
        (one, _) => Ok(one.unwrap_or(&files[0]).clone()),
    }
}

/// The environments of the project: the files of `environments/`, without their ending.
pub fn environment_names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("environments"))
        .into_iter()
        .flatten();
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        stem.map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

/// The manifests of a folder, or nothing where one is wrong: for a shell that completes.
pub fn quietly(folder: &Path) -> Option<Desired> {
    let root = fs::canonicalize(folder).ok()?;
    let (sources, _) = sources(&root, &[]).ok()?;
    let read = |path: &str| policy(&root, path);
    // Any environment has the same addresses but for names that are variables.
    let chosen = environment_names(&root).first().and_then(|name| {
        let path = environment_file(&root, name).ok()?;
        let text = text_of(&root.join(&path), MAX_MANIFEST_BYTES).ok()?;
        Some(Source { path, text })
    });
    let environment = Environment {
        chosen,
        partial: true,
        ..Environment::default()
    };
    keyless_manifest::load(&sources, &read, &environment).ok()
}

fn folder(common: &Common) -> Result<PathBuf, Failure> {
    fs::canonicalize(&common.project).map_err(|error| {
        let place = common.project.display();
        Failure::new(
            "KL0114",
            format!("the project {place} cannot be read: {error}; correct --project"),
        )
    })
}

/// The store of the environment's state.
pub fn store(common: &Common) -> Result<FileStore, Failure> {
    let base = common.project.join(".keyless");
    Ok(match &common.environment {
        Some(name) => FileStore::of_environment(base, name)?,
        None => FileStore::at(base),
    })
}

fn digest(files: &[Source]) -> String {
    let mut files: Vec<&Source> = files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.path.as_bytes());
        hash.update([0]);
        hash.update((file.text.len() as u64).to_be_bytes());
        hash.update(file.text.as_bytes());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn sources(root: &Path, paths: &[PathBuf]) -> Result<(Vec<Source>, Diagnostics), Failure> {
    let default = [PathBuf::from("manifests")];
    if paths.is_empty() && !root.join(&default[0]).exists() {
        return Err(no_manifests(root));
    }
    let paths = if paths.is_empty() {
        &default[..]
    } else {
        paths
    };
    let mut files = Vec::new();
    for path in paths {
        collect(&root.join(path), &mut files).map_err(|error| {
            let message = format!(
                "{} cannot be read: {error}; correct the path, which is relative to the project",
                path.display()
            );
            Failure::new("KL0114", message)
        })?;
    }
    files.sort();
    files.dedup();
    let (mut sources, mut diagnostics) = (Vec::new(), Vec::new());
    for file in files {
        let shown = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        match text_of(&file, MAX_MANIFEST_BYTES) {
            Ok(text) if is_plan(&text) => diagnostics.push(plan_among(&shown)),
            Ok(text) => sources.push(Source { path: shown, text }),
            Err(error) => diagnostics.push(unusable(&shown, &error)),
        }
    }
    Ok((sources, diagnostics))
}

/// Whether the text is a plan file, as far as its first lines tell.
fn is_plan(text: &str) -> bool {
    let start = text.bytes().take(4096).collect::<Vec<_>>();
    let start = String::from_utf8_lossy(&start);
    start.starts_with('{') && start.contains("\"format\": \"keyless.plan/")
}

fn plan_among(path: &str) -> Diagnostic {
    let message = format!("{path} is a plan file, and no manifest");
    let help = "keep plans outside of the folder of the manifests";
    Diagnostic::error("KL0102", message).help(help)
}

/// Refuses a plan file where it would be read as a manifest or as an environment.
pub fn takes_plan(common: &Common, out: &Path) -> Result<(), Failure> {
    let name = out.to_string_lossy();
    if !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return Ok(());
    }
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok();
    for part in ["manifests", "environments"] {
        let kept = fs::canonicalize(common.project.join(part)).ok();
        let inside = folder
            .as_ref()
            .zip(kept)
            .is_some_and(|(f, k)| f.starts_with(k));
        if inside {
            let message = format!(
                "-o {name}: what lies in {part}/ is read as a part of the project; keep the plan \
                 outside of it"
            );
            return Err(Failure::new("KL0309", message));
        }
    }
    Ok(())
}

/// What a newcomer may do where there is nothing yet.
fn no_manifests(root: &Path) -> Failure {
    let message = format!(
        "there is no folder manifests/ in {}; keyless init --gateway ID writes first manifests \
         from what is there, keyless scan --gateway ID needs none, keyless demo shows the whole \
         job, and --project DIR names another folder",
        root.display()
    );
    Failure::new("KL0114", message)
}

fn unusable(path: &str, error: &ReadError) -> Diagnostic {
    match error {
        ReadError::TooLarge(bytes) => Diagnostic::error(
            "KL0112",
            format!("{path} has {bytes} bytes; a manifest has at most {MAX_MANIFEST_BYTES}"),
        )
        .help("split it into several files"),
        ReadError::NotText => Diagnostic::error("KL0101", format!("{path} is not UTF-8 text"))
            .help("save it as UTF-8"),
        ReadError::Missing => Diagnostic::error("KL0114", format!("{path} is not there"))
            .help("put it back, or name another"),
        ReadError::Failed(why) => {
            Diagnostic::error("KL0114", format!("{path} cannot be read: {why}"))
                .help("let whoever runs keyless read it, or take it away")
        }
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, files)?;
            }
        } else if ENDINGS.iter().any(|end| name.ends_with(end)) {
            files.push(path);
        }
    }
    Ok(())
}

/// A policy file inside the project; a link that leads out of it is refused.
fn policy(root: &Path, path: &str) -> Result<String, ReadError> {
    let file = match fs::canonicalize(root.join(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ReadError::Missing);
        }
        Err(error) => return Err(ReadError::Failed(error.to_string())),
    };
    if !file.starts_with(root) {
        return Err(ReadError::Failed("it leads out of the project".into()));
    }
    text_of(&file, MAX_POLICY_BYTES as u64)
}

/// A text file of at most `limit` bytes; more is not read.
fn text_of(path: &Path, limit: u64) -> Result<String, ReadError> {
    let failed = |error: std::io::Error| ReadError::Failed(error.to_string());
    let file = fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(ReadError::TooLarge(size));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge(bytes.len() as u64));
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}
