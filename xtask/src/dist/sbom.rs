//! The bill of materials, as CycloneDX 1.5: what Cargo resolved for the host and the plugins, without
//! what only builds or tests them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::release::Release;
use crate::tools;

/// The bill of a release.
pub(crate) fn bill(release: &Release) -> Result<Vec<u8>> {
    let mut cargo = tools::cargo();
    cargo.args(["metadata", "--locked", "--format-version=1"]);
    let said = cargo.output().context("cargo did not start")?;
    if !said.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&said.stderr));
    }
    let metadata = serde_json::from_slice(&said.stdout).context("cargo metadata")?;
    let lock = tools::root().join("Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let mut roots = vec!["telepulse".to_owned()];
    roots.extend(release.plugins.iter().map(|it| format!("telepulse-plugin-{}", it.name)));
    let bill = materials(&metadata, &checksums(&lock), &roots, &release.version)?;
    Ok(serde_json::to_vec_pretty(&bill)?)
}

/// Everything that `roots` are made of.
fn materials(
    metadata: &Value,
    checksums: &HashMap<(String, String), String>,
    roots: &[String],
    version: &str,
) -> Result<Value> {
    let packages: HashMap<&str, &Value> = list(&metadata["packages"])
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let uses: HashMap<&str, Vec<&str>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, run_time(node))))
        .collect();
    let mut open: Vec<&str> = Vec::new();
    for root in roots {
        let id = packages.iter().find(|(_, it)| it["name"] == root.as_str()).map(|(id, _)| *id);
        open.push(id.with_context(|| format!("cargo metadata knows no package {root}"))?);
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(uses.get(id).into_iter().flatten());
        }
    }
    let (mut components, mut dependencies) = (BTreeMap::new(), BTreeMap::new());
    for package in seen.iter().filter_map(|id| packages.get(id)) {
        let place = purl(package);
        let id = package["id"].as_str().unwrap_or_default();
        let needs: BTreeSet<String> =
            uses[id].iter().filter_map(|id| packages.get(id)).map(|it| purl(it)).collect();
        dependencies.insert(place.clone(), json!({ "ref": place, "dependsOn": needs }));
        components.insert(place.clone(), component(package, &place, checksums));
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "telepulse-release", "name": "telepulse",
            "version": version, "licenses": [{ "license": { "id": "Apache-2.0" } }],
        } },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    }))
}

fn component(package: &Value, place: &str, checksums: &HashMap<(String, String), String>) -> Value {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut component = json!({
        "type": "library", "bom-ref": place, "purl": place,
        "name": text("name"), "version": text("version"),
    });
    if let Some(license) = package["license"].as_str() {
        // The slash is how Cargo's manifests said it before SPDX.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = checksums.get(&(text("name"), text("version"))) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// What a package needs when it runs, not to be built or tested.
fn run_time(node: &Value) -> Vec<&str> {
    let is_normal = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|it| it["kind"].is_null());
    list(&node["deps"]).iter().filter(is_normal).filter_map(|dep| dep["pkg"].as_str()).collect()
}

fn purl(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

/// Of each package from a registry, by name and version.
fn checksums(lock: &str) -> HashMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            let key = (value(block, "name")?, value(block, "version")?);
            Some((key, value(block, "checksum")?))
        })
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_it_is_no_material() {
        let package = |name: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0"});
        let kinds = |pkg: &str, kind: Value| json!({"pkg": pkg, "dep_kinds": [{ "kind": kind }]});
        let metadata = json!({
            "packages": [package("host"), package("used"), package("builder"), package("other")],
            "resolve": { "nodes": [
                { "id": "host", "deps": [kinds("used", Value::Null), kinds("builder", json!("build"))] },
                { "id": "used", "deps": [] }, { "id": "builder", "deps": [] }, { "id": "other", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"used\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n";
        let bill = materials(&metadata, &checksums(lock), &["host".to_owned()], "1.0.0").unwrap();
        let names: Vec<_> = list(&bill["components"]).iter().map(|it| &it["name"]).collect();
        assert_eq!(names, ["host", "used"]);
        assert_eq!(bill["components"][1]["hashes"][0]["content"], "ab");
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["dependencies"][0]["dependsOn"], json!(["pkg:cargo/used@1.0.0"]));
        assert!(materials(&metadata, &HashMap::new(), &["none".to_owned()], "1").is_err());
    }
}
