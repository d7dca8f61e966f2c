//! Finds the commit that is built, for `llm_collector_build_info`.
//!
//! The repository is read as files, so that it works without the program `git` and where that refuses to look at another
//! user's files. `GIT_REVISION` comes first: it is for builds from an archive.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Characters of a commit that are shown.
const LENGTH: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=GIT_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let given = env::var("GIT_REVISION").ok().filter(|given| !given.is_empty());
    let revision = given.or_else(|| Some(Repository::of_workspace()?.revision()));
    let revision = revision.unwrap_or_else(|| "unknown".to_owned());
    println!(
        "cargo::rustc-env=GIT_REVISION={}",
        &revision[..revision.len().min(LENGTH)]
    );
}

/// Where the state of a checkout is, and the state that it shares with others of the same repository.
struct Repository {
    root: PathBuf,
    own: PathBuf,
    common: PathBuf,
}

impl Repository {
    /// The repository whose root is the workspace. One further up holds the workspace as a copy at best.
    fn of_workspace() -> Option<Self> {
        let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).join("../..");
        let git = root.join(".git");
        // In a worktree it is a file that says where the folder is.
        let own = match fs::read_to_string(&git) {
            Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
            Err(_) => git,
        };
        let common = fs::read_to_string(own.join("commondir")).map(|common| own.join(common.trim()));
        let common = common.unwrap_or_else(|_| own.clone());
        own.join("HEAD").exists().then_some(Self { root, own, common })
    }

    fn revision(&self) -> String {
        self.watch(&self.own.join("HEAD"));
        // Every commit, checkout and reset is written here, also where a branch is packed away.
        self.watch(&self.own.join("logs/HEAD"));
        let head = fs::read_to_string(self.own.join("HEAD")).unwrap_or_default();
        let found = match head.trim().strip_prefix("ref: ") {
            Some(branch) => self.commit_of(branch),
            None => Some(head.trim().to_owned()),
        };
        let is_commit = |text: &String| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        found
            .filter(is_commit)
            .or_else(|| self.ask_git())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    fn commit_of(&self, branch: &str) -> Option<String> {
        let loose = self.common.join(branch);
        let packed = self.common.join("packed-refs");
        self.watch(&loose);
        self.watch(&packed);
        if let Ok(commit) = fs::read_to_string(loose) {
            return Some(commit.trim().to_owned());
        }
        let packed = fs::read_to_string(packed).ok()?;
        let lines = packed.lines().filter_map(|line| line.split_once(' '));
        let mut commits = lines
            .filter(|(_, name)| *name == branch)
            .map(|(commit, _)| commit.to_owned());
        commits.next()
    }

    /// Repositories may keep their branches in other ways than as files.
    fn ask_git(&self) -> Option<String> {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.root)
            .args(["rev-parse", "HEAD"])
            .output()
            .ok()?;
        let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !commit.is_empty()).then_some(commit)
    }

    /// A file that does not exist would be taken for changed at every build.
    fn watch(&self, file: &Path) {
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
}
