//! Whether a directory lies on a volume, or in what a container loses with its end.
//!
//! Knows mounts; what is kept where is the caller's choice.

use std::io;
use std::path::Path;

/// What tells one mount from another.
type Mount = (u64, Option<u64>);

/// Whether the directory lies on another mount than the root, be it there yet or not.
pub(crate) fn holds(directory: &Path) -> io::Result<bool> {
    let directory = std::path::absolute(directory)?;
    for ancestor in directory.ancestors() {
        match mount_of(ancestor) {
            Ok(mount) => return Ok(mount != mount_of(Path::new("/"))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// By its number where the system has one: a folder of the same file system may be mounted too.
#[cfg(target_os = "linux")]
fn mount_of(path: &Path) -> io::Result<Mount> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    let seen = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID)?;
    let known = seen.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    let device = makedev(seen.stx_dev_major, seen.stx_dev_minor);
    Ok((device, known.then_some(seen.stx_mnt_id)))
}

/// By its device.
#[cfg(not(target_os = "linux"))]
fn mount_of(path: &Path) -> io::Result<Mount> {
    use std::os::unix::fs::MetadataExt as _;
    Ok((std::fs::metadata(path)?.dev(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_mounted_is_a_volume_and_so_is_what_will_be_in_it() {
        assert!(holds(Path::new("/proc")).expect("it is there"));
        assert!(holds(Path::new("/proc/no/such/folder")).expect("it would be there"));
    }

    #[test]
    fn what_lies_beside_the_root_is_none() {
        assert!(!holds(Path::new("/")).expect("it is there"));
        assert!(!holds(Path::new("/no-such-folder-of-memq/data")).expect("it would be there"));
    }
}
