//! The tree keeps its promises: who may import whom (design: folders are layers), how long files grow, and that every fault and
//! every point of failure is used. A grep, no parser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tradesync::fault::{Code, failpoint};

/// Module -> what it may import inside the crate. `fault`, `domain` and `telemetry` are importable by all but the sandbox.
const LAYERS: &[(&str, &[&str])] = &[
    ("fault", &["domain", "telemetry"]),
    ("domain", &["fault", "telemetry"]),
    ("telemetry", &["domain", "fault"]),
    ("db", &["fault", "domain", "telemetry"]),
    ("remote", &["fault", "domain", "telemetry"]),
    ("engine", &["fault", "domain", "telemetry"]),
    ("store", &["db", "engine", "remote", "fault", "domain", "telemetry"]),
    ("systems", &["remote", "fault", "domain", "telemetry"]),
    ("flows", &["engine", "systems", "remote", "domain", "fault", "telemetry"]),
    ("alerts", &["remote", "engine", "fault", "domain", "telemetry"]),
    ("api", &["engine", "fault", "domain", "telemetry"]),
    ("sandbox", &[]),
    ("config", &["db", "engine", "fault", "domain", "telemetry"]),
];

/// A file with more lines than this probably holds two rooms.
const LONGEST: usize = 500;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn crate_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Modules named in `crate::name` of a file, groups `crate::{a::…, b}` included.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (place, _) in text.match_indices("crate::") {
        if text[..place].ends_with('$') {
            continue;
        }
        let rest = &text[place + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(first_name(&name));
                        name.clear();
                        continue;
                    }
                    _ => {}
                }
                name.push(letter);
            }
            found.insert(first_name(&name));
        } else {
            found.insert(first_name(rest));
        }
    }
    found.remove("");
    found
}

fn first_name(text: &str) -> String {
    text.trim().chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[test]
fn layers_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for (layer, allowed) in LAYERS {
        for path in sources(&crate_root().join("src").join(layer)) {
            let text = fs::read_to_string(&path).unwrap();
            let system =
                path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).skip_while(|part| part != "systems").nth(1);
            for module in imports(&text) {
                let known = LAYERS.iter().any(|(name, _)| *name == module) || ["app", "cli", "demo"].contains(&module.as_str());
                let opencart = system.as_deref() == Some("opencart") && module == "db";
                if known && module != *layer && !allowed.contains(&module.as_str()) && !opencart {
                    wrong.push(format!("{}: {layer} imports {module}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_system_knows_another_and_no_flow_another() {
    for layer in ["systems", "flows"] {
        let folder = crate_root().join("src").join(layer);
        let names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        for name in &names {
            for path in sources(&folder.join(name)) {
                let text = fs::read_to_string(&path).unwrap();
                for other in names.iter().filter(|other| *other != name) {
                    assert!(!text.contains(&format!("{layer}::{other}")), "{} knows {other}", path.display());
                }
            }
        }
    }
}

#[test]
fn files_are_rooms_with_one_purpose() {
    let long: Vec<String> = sources(&crate_root().join("src"))
        .into_iter()
        .filter_map(|path| {
            // A table of cases in a file of tests is one purpose, however many cases it has.
            let tests = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
            // A list of columns holds as many lines as there are columns.
            let listing = path.ends_with("store/schema.rs");
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (!tests && !listing && lines > LONGEST).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_fault_is_raised_somewhere() {
    let all: String = sources(&crate_root().join("src"))
        .iter()
        .filter(|path| !path.ends_with("fault/codes.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let unused: Vec<&str> = Code::ALL.iter().filter(|code| !all.contains(&format!("Code::{code:?}"))).map(|code| code.name()).collect();
    assert!(unused.is_empty(), "faults that nothing raises: {unused:?}");
}

#[test]
fn every_point_of_failure_is_passed_somewhere() {
    let all: String = sources(&crate_root().join("src"))
        .iter()
        .filter(|path| !path.ends_with("fault/failpoint.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let unused: Vec<&&str> = failpoint::POINTS.iter().filter(|point| !all.contains(&format!("hit(\"{point}\")"))).collect();
    assert!(unused.is_empty(), "points that nothing passes: {unused:?}");
}
