//! The files of the project, as git sees them.

use std::path::Path;
use std::process::Command;

/// A text file.
#[derive(Clone)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    }

    /// `path:line: what`, for each line that has a finding.
    pub(crate) fn find(&self, find: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        let finding =
            |(index, line)| find(line).map(|what| format!("{}:{}: {what}", self.path, index + 1));
        lines.filter_map(finding).collect()
    }
}

/// All text files, and the names of all files.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    names: Vec<String>,
}

impl Tree {
    pub(crate) fn new(files: Vec<File>) -> Self {
        let names = files.iter().map(|file| file.path.clone()).collect();
        Self { files, names }
    }

    /// What is tracked and what would be: untracked files count unless they are ignored.
    pub(crate) fn of_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("git is installed; tests/run installs it");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8(listed.stdout).expect("file names are UTF-8");
        let names: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
        let text_of = |path: &String| {
            // What is no text (an image), and what was deleted but not yet committed, has no style.
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(File { path: path.clone(), text })
        };
        Self { files: names.iter().filter_map(text_of).collect(), names }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is such a file, or a folder with files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || self.names.iter().any(|name| name == path || name.starts_with(&folder))
    }
}
