//! The archive read back as a loader does it: layout, digests, settings, contents, and the same bytes each
//! time.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};
use serde_json::Value;

use super::*;

/// The head of a program that would not run, but says what it is for.
fn program(machine: u16, segments: &[u32]) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2_u16.to_le_bytes()); // an executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    elf.extend(0_u64.to_le_bytes()); // entry
    elf.extend(64_u64.to_le_bytes()); // the table of segments follows
    elf.extend(0_u64.to_le_bytes());
    elf.extend(0_u32.to_le_bytes());
    for half in [64, 56, u16::try_from(segments.len()).unwrap(), 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for segment in segments {
        elf.extend(segment.to_le_bytes());
        elf.extend([0; 52]);
    }
    elf
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;

/// Runs the command on a program and returns the archive's files.
fn archive_of(folder: &Path, program: &[u8], name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let (base, out) = (folder.join("memq"), folder.join("deep/er/image.tar"));
    std::fs::write(&base, program).unwrap();
    run(Args {
        out: Some(out.clone()),
        name: Some(name.parse().unwrap()),
        base_binary: Some(base),
    })?;
    Ok(unpacked(&std::fs::read(out).unwrap()))
}

fn unpacked(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let files = archive.entries().unwrap().map(|file| {
        let mut file = file.unwrap();
        let path = file.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        (path, bytes)
    });
    files.collect()
}

fn image() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    archive_of(folder.path(), &program(X86_64, &[LOAD]), "memq:1.2").unwrap()
}

/// The blob a digest names, which must be its digest.
fn blob<'a>(files: &'a BTreeMap<String, Vec<u8>>, digest: &str) -> &'a [u8] {
    let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
    assert_eq!(layer::sha256(bytes), digest);
    bytes
}

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> ImageManifest {
    let index = ImageIndex::from_reader(&files["index.json"][..]).unwrap();
    let [described] = &index.manifests()[..] else {
        panic!("one image: {index:?}")
    };
    let bytes = blob(files, described.digest().as_ref());
    assert_eq!(described.size(), bytes.len() as u64);
    ImageManifest::from_reader(bytes).unwrap()
}

fn configuration(files: &BTreeMap<String, Vec<u8>>) -> ImageConfiguration {
    let digest = manifest(files).config().digest().to_string();
    ImageConfiguration::from_reader(blob(files, &digest)).unwrap()
}

/// Everything in the layers, by path: mode, owner, bytes.
fn contents(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let configuration = configuration(files);
    let manifest = manifest(files);
    let diff_ids = configuration.rootfs().diff_ids();
    assert_eq!(diff_ids.len(), manifest.layers().len());
    for (layer, diff_id) in manifest.layers().iter().zip(diff_ids) {
        let compressed = blob(files, layer.digest().as_ref());
        let mut tar = Vec::new();
        GzDecoder::new(compressed).read_to_end(&mut tar).unwrap();
        assert_eq!(&layer::sha256(&tar), diff_id);
        for file in tar::Archive::new(&tar[..]).entries().unwrap() {
            let mut file = file.unwrap();
            let header = file.header().clone();
            assert_eq!(header.mtime().unwrap(), 0);
            let path = file.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            if let Some(to) = header.link_name().unwrap() {
                bytes = to.display().to_string().into_bytes();
            }
            all.insert(path, (header.mode().unwrap(), header.uid().unwrap(), bytes));
        }
    }
    all
}

#[test]
fn a_pod_gets_the_program_a_number_for_a_user_and_a_server_on_its_port() {
    let configuration = configuration(&image());
    assert_eq!(configuration.architecture().to_string(), "amd64");
    let config = configuration.config().as_ref().unwrap();
    assert_eq!(config.user().as_deref(), Some("65532:65532"));
    assert_eq!(config.entrypoint().as_ref().unwrap(), &["/bin/memq"]);
    assert_eq!(config.cmd().as_ref().unwrap(), &["server"]);
    assert_eq!(config.exposed_ports().as_ref().unwrap(), &["8080/tcp"]);
    let environment = config.env().as_ref().unwrap();
    assert!(environment.contains(&"MEMQ_LISTEN=0.0.0.0:8080".into()));
    assert!(environment.contains(&"MEMQ_DATA_DIR=/data".into()));
    let labels = config.labels().as_ref().unwrap();
    assert_eq!(labels[VERSION_LABEL], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
}

#[test]
fn the_layers_hold_the_program_the_certificates_and_no_shell() {
    let contents = contents(&image());
    let paths: Vec<_> = contents.keys().map(String::as_str).collect();
    let expected = [
        "bin/",
        "bin/memq",
        "data/",
        "etc/",
        "etc/nsswitch.conf",
        "etc/ssl/",
        "etc/ssl/certs/",
        "etc/ssl/certs/ca-certificates.crt",
        "kuard",
        "tmp/",
    ];
    assert_eq!(paths, expected);
    assert_eq!(
        contents["bin/memq"],
        (0o755, 0, program(X86_64, &[LOAD])),
        "the program as it was given"
    );
    assert_eq!(contents["kuard"].2, b"bin/memq");
    assert_eq!((contents["data/"].0, contents["data/"].1), (0o755, UID));
    assert_eq!((contents["tmp/"].0, contents["tmp/"].1), (0o1777, 0));
}

#[test]
fn the_certificates_are_those_of_the_crate_as_pem() {
    let text = ca_bundle();
    let begun = text.matches("-----BEGIN CERTIFICATE-----\n").count();
    assert_eq!(begun, webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    assert!(begun > 100, "Mozilla trusts more than {begun}");
    assert!(
        text.lines().all(|line| line.len() <= 64),
        "lines as PEM has them"
    );
    let first = text.split("-----").nth(2).unwrap().replace('\n', "");
    let decoded = STANDARD.decode(first).unwrap();
    assert_eq!(decoded, &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0][..]);
}

#[test]
fn every_loader_finds_its_list_and_the_same_image() {
    let files = image();
    let layout: Value = serde_json::from_slice(&files["oci-layout"]).unwrap();
    assert_eq!(layout["imageLayoutVersion"], "1.0.0");
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(
        annotations["io.containerd.image.name"],
        "docker.io/library/memq:1.2"
    );
    assert_eq!(annotations["org.opencontainers.image.ref.name"], "1.2");

    let docker: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"][0], "memq:1.2");
    let manifest = manifest(&files);
    let path = |digest: &dyn ToString| format!("blobs/{}", digest.to_string().replace(':', "/"));
    assert_eq!(docker[0]["Config"], path(manifest.config().digest()));
    let layers: Vec<_> = manifest
        .layers()
        .iter()
        .map(|layer| path(layer.digest()))
        .collect();
    assert_eq!(docker[0]["Layers"], Value::from(layers));
}

#[test]
fn a_name_with_a_registry_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let name = "registry.example:5000/team/memq:1";
    let files = archive_of(folder.path(), &program(AARCH64, &[]), name).unwrap();
    let docker: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"][0], name);
    assert_eq!(configuration(&files).architecture().to_string(), "arm64");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let binary = Binary {
        architecture: oci_spec::image::Arch::Amd64,
        bytes: program(X86_64, &[LOAD]),
    };
    let name = "memq:1".parse().unwrap();
    let first = pack(&binary, &name, "1").unwrap();
    // Labels come out of a map that is shuffled anew each time.
    for _ in 0..20 {
        assert_eq!(pack(&binary, &name, "1").unwrap().bytes, first.bytes);
    }
}

#[test]
fn what_could_not_run_in_it_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, why) in [
        (&b"#!/bin/sh\n"[..], "no ELF file"),
        (&program(X86_64, &[LOAD, INTERPRETER]), "linked dynamically"),
        (&program(40, &[]), "machine 40"),
    ] {
        let error = archive_of(folder.path(), bytes, "memq:1").unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
    assert!(!folder.path().join("deep").exists());
}

#[test]
fn an_image_over_its_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut large = program(X86_64, &[]);
    // Bytes that do not compress.
    let mut state = 1_u64;
    large.resize_with(usize::try_from(MAX_COMPRESSED).unwrap() + 64, || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let error = archive_of(folder.path(), &large, "memq:1").unwrap_err();
    assert!(error.to_string().contains("are allowed"), "{error:#}");
    assert!(!folder.path().join("deep").exists());
}

#[test]
fn the_dockerfile_makes_the_same_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("Dockerfile")).unwrap();
    let (build, image) = text.split_once("\nFROM scratch\n").unwrap();
    for (name, value) in ENVIRONMENT {
        assert!(image.contains(&format!("{name}={value}")), "{name}");
    }
    for (name, value) in LABELS {
        assert!(image.contains(&format!("{name}=\"{value}\"")), "{name}");
    }
    assert!(image.contains(&format!("{VERSION_LABEL}=\"${{VERSION}}\"")));
    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(image.contains(&version), "{version}");
    for line in [
        "USER 65532:65532",
        "EXPOSE 8080/tcp",
        r#"ENTRYPOINT ["/bin/memq"]"#,
        r#"CMD ["server"]"#,
    ] {
        assert!(image.lines().any(|stands| stands == line), "{line}");
    }
    // The compiler is the one that everything else is built with.
    let toolchain = std::fs::read_to_string(root.join("rust-toolchain.toml")).unwrap();
    let channel = toolchain.lines().find_map(|line| {
        let version = line.strip_prefix("channel = \"")?;
        version.strip_suffix('"')
    });
    let from = format!("ARG RUST_VERSION={}\n", channel.unwrap());
    assert!(build.contains(&from), "{from}");
}
