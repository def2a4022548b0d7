//! An image as one tar archive that every loader takes: an OCI image layout, and beside it the list that
//! `docker load` reads, over the same blobs.
//!
//! Knows nothing of what is in the layers.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use oci_spec::distribution::Reference;
use oci_spec::image::{
    ANNOTATION_REF_NAME, Arch, ConfigBuilder, Descriptor, DescriptorBuilder, HistoryBuilder,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder,
};
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::layer::{Layer, sha256};

/// When it was made, as far as anybody can see: a true time would make each build differ.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// By which containerd, and what is built on it, names what it loads.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image: its settings and its layers, the lowest first.
#[derive(Debug)]
pub(super) struct Image<'a> {
    pub(super) name: &'a Reference,
    pub(super) architecture: Arch,
    pub(super) user: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    /// With its protocol: `8080/tcp`.
    pub(super) port: &'a str,
    pub(super) environment: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) layers: &'a [Layer],
}

/// A finished archive.
#[derive(Debug)]
pub(super) struct Archive {
    /// As people write it: Docker's own registry goes without saying.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// Of the image's manifest: what a pod pins.
    pub(super) digest: String,
    /// Bytes of all layers as they are sent.
    pub(super) compressed: u64,
}

/// What lies in the archive, by path.
type Files = BTreeMap<String, Vec<u8>>;

impl Image<'_> {
    /// Packs it.
    pub(super) fn archive(&self) -> Result<Archive> {
        let mut files = Files::new();
        let mut layers = Vec::new();
        for layer in self.layers {
            let bytes = layer.compressed.clone();
            layers.push(blob(&mut files, MediaType::ImageLayerGzip, bytes)?);
        }
        let compressed = layers.iter().map(Descriptor::size).sum();
        let configuration = self.configuration()?;
        let config = blob(&mut files, MediaType::ImageConfig, configuration)?;
        let for_docker = json!([{
            "Config": path_of(&config),
            "RepoTags": [self.short_name()],
            "Layers": layers.iter().map(path_of).collect::<Vec<_>>(),
        }]);
        files.insert("manifest.json".into(), canonical(for_docker)?);
        let manifest = ImageManifestBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageManifest)
            .config(config)
            .layers(layers)
            .build()?;
        let mut manifest = blob(&mut files, MediaType::ImageManifest, canonical(manifest)?)?;
        manifest.set_platform(Some(
            PlatformBuilder::default()
                .architecture(self.architecture.clone())
                .os(Os::Linux)
                .build()?,
        ));
        let tag = self.name.tag().unwrap_or("latest");
        manifest.set_annotations(Some(
            [
                (CONTAINERD_NAME, self.name.whole()),
                (ANNOTATION_REF_NAME, tag.to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ));
        let digest = manifest.digest().to_string();
        let index = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageIndex)
            .manifests([manifest])
            .build()?;
        files.insert("index.json".into(), canonical(index)?);
        let layout = OciLayoutBuilder::default()
            .image_layout_version("1.0.0")
            .build()?;
        files.insert("oci-layout".into(), canonical(layout)?);
        Ok(Archive {
            name: self.short_name(),
            bytes: tar_of(&files)?,
            digest,
            compressed,
        })
    }

    fn configuration(&self) -> Result<Vec<u8>> {
        let config = ConfigBuilder::default()
            .user(self.user.clone())
            .exposed_ports([self.port.to_owned()])
            .env(self.environment.clone())
            .entrypoint(self.entrypoint.clone())
            .cmd(self.command.clone())
            .working_dir("/")
            .labels(
                self.labels
                    .clone()
                    .into_iter()
                    .collect::<std::collections::HashMap<_, _>>(),
            )
            .build()?;
        let diff_ids = self.layers.iter().map(|layer| layer.diff_id.clone());
        let history = HistoryBuilder::default()
            .created(CREATED)
            .created_by("cargo xtask image")
            .build()?;
        canonical(
            ImageConfigurationBuilder::default()
                .created(CREATED)
                .architecture(self.architecture.clone())
                .os(Os::Linux)
                .config(config)
                .rootfs(
                    RootFsBuilder::default()
                        .diff_ids(diff_ids.collect::<Vec<_>>())
                        .build()?,
                )
                .history(vec![history; self.layers.len()])
                .build()?,
        )
    }

    fn short_name(&self) -> String {
        let whole = self.name.whole();
        let short = whole.strip_prefix("docker.io/").unwrap_or(&whole);
        short.strip_prefix("library/").unwrap_or(short).to_owned()
    }
}

/// Files a blob under its digest, and describes it.
fn blob(files: &mut Files, media_type: MediaType, bytes: Vec<u8>) -> Result<Descriptor> {
    let digest = sha256(&bytes);
    let described = DescriptorBuilder::default()
        .media_type(media_type)
        .size(bytes.len() as u64)
        .digest(digest.parse::<oci_spec::image::Digest>()?)
        .build()?;
    files.insert(path_of(&described), bytes);
    Ok(described)
}

fn path_of(blob: &Descriptor) -> String {
    format!("blobs/{}", blob.digest().to_string().replace(':', "/"))
}

/// JSON with its keys in order: a map of labels has none of its own, and the digest covers them.
fn canonical(value: impl serde::Serialize) -> Result<Vec<u8>> {
    let mut value: Value = serde_json::to_value(value).context("a part of the image is no JSON")?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}

fn tar_of(files: &Files) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, &bytes[..])?;
    }
    Ok(tar.into_inner()?)
}
