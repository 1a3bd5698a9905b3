//! Lists what `cargo xtask` has built of the page, so that it becomes part of the component.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = folder.join("app/dist");
    // As long as it is missing this runs each time, and so sees when it comes.
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = BTreeMap::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &dist, &mut files)?;
    } else {
        files.insert("/index.html".to_owned(), text(&folder.join("src/unbuilt.html")));
    }
    let mut code = String::from("[\n");
    for (path, file) in files.iter().filter(|(path, _)| !is_packed(path)) {
        let packed = |ending: &str| match files.get(&format!("{path}{ending}")) {
            Some(packed) => format!("Some(include_bytes!({packed:?}))"),
            None => "None".to_owned(),
        };
        let (brotli, gzip) = (packed(".br"), packed(".gz"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            code,
            "Asset {{ path: {path:?}, tag: \"\\\"{:016x}\\\"\", plain: include_bytes!({file:?}), \
             brotli: {brotli}, gzip: {gzip} }},",
            hash(&fs::read(file)?)
        );
    }
    code.push(']');
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("assets.rs"), code)
}

/// All files below a folder, by the path under which they are asked for.
fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.insert(format!("/{name}"), text(&path));
        }
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn is_packed(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "br" || ending == "gz")
}

/// Tells one content from another; nobody has to be unable to forge it.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
