//! What a released version of the package promises, so that components of today run on every later host.

use crate::{Package, spell};
use std::collections::BTreeSet;

/// What there is, a line each: `bus: publish: func(…) -> …`.
pub fn promise(package: &Package) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (name, id) in package.interfaces() {
        let interface = &package.resolve.interfaces[id];
        for function in interface.functions.values() {
            lines.insert(format!("{name}: {}", spell::function(&package.resolve, function)));
        }
        for (type_name, id) in &interface.types {
            let def = &package.resolve.types[*id];
            if let Some(text) = spell::definition(&package.resolve, type_name, def) {
                lines.insert(format!("{name}: {text}"));
            }
        }
        if package.is_exported(id) {
            lines.insert(format!("{name}: is exported by components"));
        }
    }
    lines
}

/// What of the promised lines does not hold any more. New functions may come where components import;
/// where they export, those of today would lack them.
pub fn breaks(promised: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let mut broken: Vec<String> =
        promised.difference(now).map(|line| format!("gone or changed: {line}")).collect();
    let handlers: BTreeSet<&str> = promised
        .iter()
        .filter(|line| line.ends_with(": is exported by components"))
        .filter_map(|line| line.split(':').next())
        .collect();
    let added = now.difference(promised).filter(|line| {
        line.contains(": func(") && line.split(':').next().is_some_and(|it| handlers.contains(it))
    });
    broken.extend(added.map(|line| format!("components of today do not export: {line}")));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn imports_may_grow_and_exports_may_not() {
        let promised = lines(&[
            "bus: publish: func(a: string)",
            "ticker: fired: func(ids: list<u64>)",
            "ticker: is exported by components",
        ]);
        let mut now = promised.clone();
        now.insert("bus: more: func()".to_owned());
        now.insert("fresh: go: func()".to_owned());
        now.insert("fresh: is exported by components".to_owned());
        assert_eq!(breaks(&promised, &now), [""; 0]);
        now.insert("ticker: ticked: func()".to_owned());
        now.remove("bus: publish: func(a: string)");
        assert_eq!(
            breaks(&promised, &now),
            [
                "gone or changed: bus: publish: func(a: string)",
                "components of today do not export: ticker: ticked: func()",
            ]
        );
    }
}
