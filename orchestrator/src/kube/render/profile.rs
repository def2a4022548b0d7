//! The security profile of our pods: Pod Security's `restricted`, and a root file system that is read only.
//!
//! The image of memq names a numeric user, so that its pods only say that it is not root. What user an image of
//! somebody else runs as is not known, and most say root, which would not start: such pods run as
//! [`USER`], and `pod: {spec: {securityContext: {runAsUser: null}}}` gives the image its own again.

use k8s_openapi::api::core::v1::{
    Capabilities, PodSecurityContext, SeccompProfile, SecurityContext,
};

/// The user of memq's own image, and of images that are not.
pub(super) const USER: i64 = 65_532;

/// The profile of a pod; `own_image` for one whose user is not known.
pub(super) fn pod(own_image: bool, writes_volumes: bool) -> PodSecurityContext {
    let user = own_image.then_some(USER);
    let group = writes_volumes.then_some(USER);
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: user,
        run_as_group: user,
        // Without it a volume belongs to root, and nothing could be written to it.
        fs_group: group,
        fs_group_change_policy: group.map(|_| "OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// The profile of each container.
pub(super) fn container() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}
