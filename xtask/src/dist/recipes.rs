//! What the recipes in `xtask/packaging` must say, whoever edits them.

use super::release::read_text;

/// The unit's settings in order: section, key, value.
fn unit() -> Vec<(String, String, String)> {
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in read_text("telepulse.service").unwrap().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (key, value) = line.split_once('=').expect("a setting");
            settings.push((section.clone(), key.to_owned(), value.to_owned()));
        }
    }
    settings
}

fn values<'a>(unit: &'a [(String, String, String)], key: &str) -> Vec<&'a str> {
    unit.iter().filter(|it| it.1 == key).map(|it| it.2.as_str()).collect()
}

#[test]
fn the_unit_is_walled_in() {
    let unit = unit();
    assert!(unit.iter().all(|it| ["Unit", "Service", "Install"].contains(&it.0.as_str())));
    for (key, value) in [
        ("Type", "notify"),
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("StateDirectory", "telepulse"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("WantedBy", "multi-user.target"),
    ] {
        assert_eq!(values(&unit, key), [value], "{key}");
    }
    assert_eq!(values(&unit, "SystemCallFilter")[0], "@system-service");
    // Plugins are compiled to machine code: with it no plugin would run.
    assert!(values(&unit, "MemoryDenyWriteExecute").is_empty());
}

#[test]
fn the_unit_starts_what_the_package_has() {
    let unit = unit();
    let start = values(&unit, "ExecStart")[0];
    assert_eq!(start, "/usr/bin/telepulse run --config /etc/telepulse/telepulse.toml");
    let before = values(&unit, "ExecStartPre")[0];
    assert!(before.starts_with("/usr/lib/telepulse/put-plugins "), "{before}");
    assert_eq!(values(&unit, "EnvironmentFile"), ["-/etc/telepulse/environment"]);
}

#[test]
fn the_image_has_no_root_and_tells_how_it_is() {
    let recipe = read_text("Containerfile").unwrap();
    let last = recipe.rsplit("\nFROM ").next().unwrap();
    for line in ["USER nonroot", "HEALTHCHECK ", "ENTRYPOINT [\"/usr/bin/telepulse\"]"] {
        assert!(last.lines().any(|it| it.starts_with(line)), "{line}");
    }
    let bases = recipe.lines().filter_map(|line| line.strip_prefix("FROM "));
    assert!(bases.clone().count() == 2 && bases.clone().all(|it| !it.contains(":latest")));
}

#[test]
fn scripts_stop_at_the_first_mistake() {
    for script in ["deb/postinst", "deb/prerm", "deb/postrm", "put-plugins"] {
        let text = read_text(script).unwrap();
        assert!(text.starts_with("#!/bin/sh\n"), "{script}");
        assert!(text.lines().any(|line| line.starts_with("set -e")), "{script}");
    }
}
